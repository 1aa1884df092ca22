# help, manual pages and completion, all from the option tables.
. "$SOURCE/tests/cli/lib.sh"

expect_exit 0 version
expect_stdout '^onnx-mfm [0-9]+\.[0-9]+\.[0-9]+$'
expect_exit 0 help
expect_stdout '^Usage: onnx-mfm COMMAND'
expect_exit 0 --help
cp .stdout whole
expect_exit 0 help
expect_same .stdout whole
for command in $commands; do
    expect_exit 0 "$command" --help
    cp .stdout of_option
    expect_exit 0 help "$command"
    expect_same .stdout of_option
    # Every option that the help lists has its place in the manual page.
    expect_exit 0 help --man "$command"
    expect_stdout '^\.SH NAME$'
    expect_stdout "^onnx..mfm..$command .. [a-z]"
    sed -n 's/^ *\(-[a-zA-Z], \)*--\([a-z0-9-]*\).*/\2/p' of_option | sort -u >names
    [ -s names ] || fail "$command --help lists no option"
    grep -qx '\.SS Options' .stdout && fail "help --man $command has Options below OPTIONS"
    sed 's/\\-/-/g' .stdout >plain
    while read -r name; do
        grep -q "fB--$name.fR" plain || fail "help --man $command has no --$name"
    done <names
    if command -v groff >/dev/null; then
        groff -man -Tutf8 -ww -z .stdout 2>warnings || fail "groff refuses the page of $command"
        [ ! -s warnings ] || fail "groff on the page of $command: $(head -n 3 warnings)"
    fi
done
expect_exit 0 help diff
expect_stdout '^Usage: onnx-mfm diff MODEL OTHER \[OPTION\.\.\.\]$'
expect_exit 0 help report
expect_stdout '^Usage: onnx-mfm report RUN \[RUN\]\.\.\. \[OPTION\.\.\.\]$'
expect_exit 0 help --man train
expect_stdout '^what fills the edge after a shift; HOW is zero or reflect \(default: zero\)$'
expect_exit 0 help --man
expect_stdout '^\.BR onnx.-mfm.-train \(1\)$'
# Every page has the date of the version, whenever and wherever it was built.
date=$(sed -n 's/^set(MFM_VERSION_DATE \(2[0-9-]*\)).*/\1/p' "$SOURCE/CMakeLists.txt")
[ "$(date -d "$date" +%F)" = "$date" ] || fail "the version has no date: $date"
version=$("$TOOL" version | sed 's/onnx-mfm //')
expect_stdout "^\.TH ONNX..MFM 1 \"$date\" \"onnx..mfm $version\" \"onnx..mfm\"$"
expect_exit 0 help --man train
expect_stdout "^\.TH ONNX..MFM..TRAIN 1 \"$date\" \"onnx..mfm $version\" \"onnx..mfm\"$"
expect_exit 0 help --man
for variable in MFM_TRACE MFM_MPI; do
    expect_stdout "^\.B $variable$"
done

# Completion of words, by bash itself.
complete() {
    bash -c '. ./onnx-mfm.bash; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _onnx_mfm
        printf "%s\n" "${COMPREPLY[@]}"' bash onnx-mfm "$@"
}
for shell in bash zsh fish; do
    expect_exit 0 help --completion $shell
    cp .stdout onnx-mfm.$shell
    if command -v $shell >/dev/null; then
        $shell -n onnx-mfm.$shell || fail "$shell refuses its completion"
    fi
    [ "$(grep -c "train" onnx-mfm.$shell)" -gt 0 ] || fail "$shell does not complete train"
done
if command -v bash >/dev/null; then
    [ "$(complete trai)" = train ] || fail "bash completes trai as: $(complete trai)"
    [ "$(complete train --imbal)" = --imbalance ] || fail "bash does not complete --imbal"
    [ "$(complete train --meta-from c)" = copy ] || fail "bash does not complete a choice"
    [ "$(complete help eva)" = eval ] || fail "bash does not complete help eva"
    [ -z "$(complete train --data '')" ] || fail "bash offers words where files are wanted"
fi

# By zsh in a terminal of its own: completes LINE WANTED.
cp onnx-mfm.zsh _onnx-mfm
in_zsh() {
    got=$(zsh -f "$SOURCE/tests/cli/complete.zsh" "$1")
    [ "$got" = "$2" ] || fail "zsh completes '$1' as '$got'"
}
if command -v zsh >/dev/null; then
    in_zsh 'onnx-mfm trai' 'onnx-mfm train '
    in_zsh 'onnx-mfm train --imbal' 'onnx-mfm train --imbalance='
    in_zsh 'onnx-mfm train --meta-from c' 'onnx-mfm train --meta-from copy '
    in_zsh 'onnx-mfm help eva' 'onnx-mfm help eval '
    touch some-model.onnx
    in_zsh 'onnx-mfm eval some-m' 'onnx-mfm eval some-model.onnx '
else
    echo "not tried: no zsh: its completion"
fi
# And by fish: its candidates, with what they mean behind a tab.
in_fish() {
    got=$(HOME=$work fish --no-config -c "source onnx-mfm.fish; complete -C '$1'" | cut -f 1)
    [ "$got" = "$2" ] || fail "fish completes '$1' as '$got'"
}
if command -v fish >/dev/null; then
    in_fish 'onnx-mfm trai' train
    in_fish 'onnx-mfm train --imbal' --imbalance
    in_fish 'onnx-mfm train --meta-from c' copy
    in_fish 'onnx-mfm help eva' eval
    in_fish 'onnx-mfm eval --imbal' --imbalance
    in_fish 'onnx-mfm new --meta-f' ''
else
    echo "not tried: no fish: its completion"
fi

expect_exit 2 help nonsense
expect_stderr 'unknown command: nonsense'
expect_exit 2 help --completion csh
expect_stderr 'bash, zsh and fish are known'
expect_exit 2 eval --help-as pdf
expect_stderr 'man, bash, zsh and fish are known'
exit 0
