# What looks at files and cuts them: diff, meta, extract, check.
. "$SOURCE/tests/cli/lib.sh"

expect_exit 0 new resnet20 -o a.onnx --input 1,20,20
expect_exit 0 new resnet20 -o b.onnx --input 1,20,20 --seed 1

# diff: 0 without a difference, 1 with one.
expect_exit 0 diff a.onnx a.onnx
expect_no_stderr
[ ! -s .stdout ] || fail "diff of a file with itself says something"
expect_exit 1 diff a.onnx b.onnx
expect_stderr 'a.onnx and b.onnx: 20 differences'
expect_stdout '^tensor +shape +differ +norm before +norm after +norm of difference +largest'
expect_stdout '^conv1.weight +float32 \[16,1,3,3\] +144 of 144 '
expect_exit 0 inject a.onnx -o i.onnx --layer last_conv
expect_exit 1 diff a.onnx i.onnx
expect_stdout '^\+ input mfm.switch: float32 \[1\]$'
expect_stdout '^\+ node mfm.relu.out: Relu\(mfm.hidden.out\)'
expect_stdout '^~ node .*Add\(.*mfm.modulated'
expect_stdout '^\+ metadata mfm.inject: '
expect_exit 1 diff i.onnx a.onnx --json
expect_stdout '"same": false'
expect_stdout '"part": "node"'
expect_refusal 2 '3 models given: diff compares two' diff a.onnx b.onnx i.onnx
expect_refusal 3 'cannot open none' diff a.onnx none

# meta: what is its own is changed on demand only, and all else stays.
expect_exit 0 meta a.onnx
expect_stdout '^no metadata$'
expect_exit 0 meta a.onnx -o m.onnx --set author=me --set 'note=a = b'
expect_stdout '^author: \(none\) -> me$'
expect_exit 0 meta m.onnx
expect_stdout '^note = a = b$'
expect_exit 1 diff a.onnx m.onnx
expect_stderr '2 differences'
printf 'two\nlines' >text
expect_exit 0 meta m.onnx -o n.onnx --set-file note=text --remove author
expect_exit 0 meta n.onnx --json
expect_stdout '"note": "two\\nlines"'
expect_exit 0 meta n.onnx -o o.onnx --remove note
expect_same a.onnx o.onnx
expect_refusal 3 'mfm.inject: an entry that train, eval and strip go by' meta i.onnx -o x.onnx \
    --remove mfm.inject
expect_exit 0 meta i.onnx -o x.onnx --set mfm.classes=damaged --own
expect_stderr 'warning: mfm.classes: changed as asked'
expect_refusal 3 'no such entry' meta a.onnx -o y.onnx --remove author
expect_refusal 2 'missing required option -o FILE' meta a.onnx --set a=b
expect_refusal 2 'nothing to write: give --set' meta a.onnx -o y.onnx
expect_refusal 2 'expected KEY=TEXT' meta a.onnx -o y.onnx --set author
expect_refusal 3 'cannot write a.onnx' meta a.onnx -o a.onnx --set a=b

# extract: a part that computes what the whole does there.
expect_exit 0 extract a.onnx -o p.onnx --from relu.out --to logits --to flatten.out --verify 2
expect_stdout '^wrote p.onnx \(a part of a.onnx\)$'
expect_stdout '^outputs +1 +2 +\+1$'
expect_stdout '^verified over 2 random images: differ by 0 of the largest number$'
expect_exit 0 inspect p.onnx
expect_stdout '^input +relu.out \[n,16,20,20\]$'
expect_exit 0 extract a.onnx -o q.onnx --to flatten.out --verify 2
expect_exit 0 extract a.onnx -o r.onnx --from layer1.0.bn2.out --from relu.out \
    --to layer1.0.relu2.out --verify 2
expect_stdout '^nodes +[0-9]+ +2 '
expect_refusal 3 "depend on 'input' as well" extract a.onnx -o z.onnx --from layer1.0.bn2.out \
    --to layer1.0.relu2.out
expect_refusal 3 "no value is called 'flatten.ou': did you mean flatten.out" extract a.onnx \
    -o z.onnx --to flatten.ou
expect_refusal 3 "input 'flatten.out': no output depends on it" extract a.onnx -o z.onnx \
    --from flatten.out --from input --to relu.out
expect_refusal 3 'has a modulator' extract i.onnx -o z.onnx --to flatten.out
expect_refusal 2 'missing required option --to NAME' extract a.onnx -o z.onnx

# check: all of it at once.
expect_exit 0 check a.onnx
expect_stdout '^a.onnx: nothing is wrong$'
expect_exit 1 check x.onnx
expect_stdout '^error: x.onnx: metadata mfm.classes: '
head -c 1000 a.onnx >cut.onnx
expect_exit 1 check cut.onnx
expect_stdout '^error: cannot read cut.onnx: '
expect_exit 1 check cut.onnx --json
expect_stdout '"valid": false'
expect_refusal 3 'cannot open none' check none
