# A model that one file does not hold, through everything: TOOL puts what exceeds 4000 bytes into
# two files, ONE is the program as it is. Numbers are the same.
. "$SOURCE/tests/cli/lib.sh"

make_data four 4 40 10
expect_exit 0 new lenet -o lenet.onnx --classes 4 --input 1,20,20
# beside FILE...: how many files of weights there are of each.
beside() {
    for file in "$@"; do
        find "$(dirname "$file")" -maxdepth 1 -name "$(basename "$file").????????????????.data"
    done | wc -l
}
# expect_beside COUNT FILE...
expect_beside() {
    count=$1
    shift
    [ "$(beside "$@")" -eq "$count" ] || fail "not $count files of weights of $*"
}
# alike A B: two models of the same numbers, nodes and metadata.
alike() {
    "$ONE" diff "$1" "$2" >.diff 2>&1 || fail "$1 and $2 differ: $(cat .diff)"
}
expect_beside 1 lenet.onnx
"$ONE" new lenet -o one.onnx --classes 4 --input 1,20,20 >.stdout 2>.stderr
expect_beside 0 one.onnx
alike lenet.onnx one.onnx

# Edits, and what looks at a model.
expect_exit 0 inject lenet.onnx -o injected.onnx --layer fc:1 --verify 2
expect_stdout '^verified over 2 random images: differ by 0 of the largest number$'
expect_beside 1 injected.onnx
"$ONE" inject one.onnx -o one.injected.onnx --layer fc:1 >.stdout 2>.stderr
alike injected.onnx one.injected.onnx
expect_exit 0 strip injected.onnx -o stripped.onnx --verify 2
alike stripped.onnx one.onnx
expect_exit 0 head lenet.onnx -o head.onnx --classes 3 --verify 2
expect_beside 1 head.onnx
expect_exit 0 extract lenet.onnx -o part.onnx --to "$("$ONE" inspect one.onnx |
    sed -n 's/^output *\([^ ]*\).*/\1/p')" --verify 2
expect_exit 0 inspect lenet.onnx
expect_exit 0 check lenet.onnx
expect_refusal 3 'one file ends at 2 GiB' inject lenet.onnx -o -

# Training: plainly, with a modulator that it puts in, one that is there, two branches, and the last
# layer alone.
options="--data idx:four --imbalance 2 --batch 16 --meta-batch 8 --lr 0.01 --threads 1"
options="$options --validation disjoint:4 --epochs 2"
for run in 'lenet --method base' 'lenet --method mfm --layer fc:1' 'injected --method mfm' \
    'lenet --method base --optimizer adam --loss ldam' 'lenet --method bbn --branch conv:3' \
    'lenet --method crt --freeze-before fc:-1'; do
    rm -rf out.* one.out.*
    name=${run%% *}
    expect_exit 0 train "$name.onnx" -o out.onnx ${run#* } $options
    expect_stdout '^  out.onnx: the plain model, for any ONNX runtime$'
    expect_stdout '^  out.onnx.[0-9a-f]*.data: its weights, which go where it goes$'
    last_command="one file: train $run"
    one=one
    [ "$name" = lenet ] || one=one.$name
    "$ONE" train $one.onnx -o one.out.onnx ${run#* } $options >.stdout 2>.stderr || fail "$run"
    grep -q 'its weights' .stdout && fail "one file has weights beside it"
    expect_beside 1 out.onnx
    expect_beside 0 one.out.onnx
    expect_beside 2 out.run/checkpoint.onnx
    expect_beside 1 out.run/model.onnx
    expect_beside 1 out.run/best.onnx
    for file in .onnx .run/model.onnx .run/best.onnx; do
        alike out$file one.out$file
    done
    cut -d, -f1-5 out.run/metrics.jsonl >there.txt
    cut -d, -f1-5 one.out.run/metrics.jsonl >whole.txt
    expect_same there.txt whole.txt
    [ -z "$(find . -name '.*.mfm-tmp')" ] || fail "temporary files are left"
    expect_exit 0 eval out.onnx --data idx:four --json
    mv .stdout there.txt
    "$ONE" eval one.out.onnx --data idx:four --json >whole.txt 2>.stderr
    sed 's/one\.out\.onnx/out.onnx/' whole.txt | cmp -s - there.txt || fail "evaluated otherwise"
done

# On with a run, and from the checkpoint before, when one byte of the weights is another or they are
# gone; the damaged one is kept with its weights.
rm -rf out.*
expect_exit 0 train lenet.onnx -o three.onnx $options --epochs 3
expect_exit 0 train lenet.onnx -o whole.onnx $options --epochs 4
goes_on() {
    expect_exit 0 train --run "$1.run" --resume --epochs 4 --threads 1 -o "$1.onnx"
    alike "$1.onnx" whole.onnx
    expect_beside 1 "$1.run/model.onnx"
    [ -z "$(find "$1.run" -name '.*')" ] || fail "temporary files are left"
}
copy() {
    cp -r three.run "$1.run"
    weights=$(grep -ao 'checkpoint\.onnx\.[0-9a-f]*\.data' "$1.run/checkpoint.onnx" | head -n 1)
    [ -n "$weights" ] || fail "the checkpoint has no weights beside it"
    expect_file "$1.run/$weights"
}
copy plain
goes_on plain
expect_beside 2 plain.run/checkpoint.onnx
grep -q warning .stderr && fail "a warning"
copy damaged
printf '\377' | dd of="damaged.run/$weights" bs=1 seek=100 conv=notrunc 2>/dev/null
expect_refusal 3 'its weights in checkpoint.onnx.[0-9a-f]*.data are not those that its name tells' \
    strip damaged.run/checkpoint.onnx -o no.onnx
goes_on damaged
expect_stderr 'damaged.run/checkpoint.onnx: its weights in .*: the run goes on from the checkpoint'
expect_file damaged.run/checkpoint.damaged.onnx
expect_file "damaged.run/$weights"
copy gone
rm "gone.run/$weights"
goes_on gone
expect_stderr 'warning: .*: the run goes on from the checkpoint before it, gone.run/checkpoint.prev'
expect_exit 0 strip plain.run/checkpoint.onnx -o taken.onnx
expect_beside 1 taken.onnx
expect_exit 0 eval taken.onnx --data idx:four

# What a process left that was killed before its first checkpoint, or in its rehearsal.
mkdir early.run early.run/.rehearsal.mfm-tmp .first.run.mfm-tmp
: >early.run/checkpoint.onnx.0123456789abcdef.data
: >early.run/.rehearsal.mfm-tmp/model.onnx
: >.first.run.mfm-tmp/model.onnx
for run in early first; do
    expect_exit 0 train lenet.onnx -o $run.onnx $options
    expect_beside 2 $run.run/checkpoint.onnx
done
[ -z "$(find . -name '.*.mfm-tmp')" ] || fail "temporary files are left"

# A disk that is too small is told before the first step, and so is what has no name.
expect_refusal 3 '-o -: a model of more than 2 GiB takes two files: give the name of one' \
    train lenet.onnx -o - --run none.run $options
last_command="onnx-mfm train, files limited"
(
    ulimit -f 60
    exec "$TOOL" train lenet.onnx -o full.onnx $options >.stdout 2>.stderr
)
[ $? -eq 4 ] || fail "exit code 4 is due"
expect_stderr 'training would fail at its first checkpoint: the checkpoint: .*: File too large$'
[ -z "$(find . -name '*full*')" ] || fail "something is left of a run that cannot begin"
