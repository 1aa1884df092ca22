# What zsh makes of a line when Tab is pressed at its end: zsh -f complete.zsh LINE, in a folder with the
# completion as _onnx-mfm.
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell "PS1=; fpath=($PWD \$fpath); autoload -Uz compinit; compinit -u -d $PWD/dump"
# In two parts, so that the echo of this line is not taken for the answer.
zpty -w shell 'report() { print -r -- "GO""T:$BUFFER:" }; zle -N report; bindkey "^O" report'
zpty -n -w shell "$1"$'\t\x0f'
zpty -r shell told '*GOT:*:*'
told=${told##*GOT:}
print -r -- "${told%%:*}"
zpty -d shell
