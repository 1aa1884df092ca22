# Going on with a run, from whatever was left of it.
. "$SOURCE/tests/cli/lib.sh"

make_data four 4 40 10
expect_exit 0 new lenet -o lenet.onnx --classes 4 --input 1,20,20
options="--data idx:four --imbalance 2 --batch 16 --meta-batch 8 --lr 0.01 --threads 1"
expect_exit 0 train lenet.onnx -o whole.onnx $options --epochs 4
metrics() {
    cut -d, -f1-5 "$1.run/metrics.jsonl"
}
no_warning() {
    grep -q warning .stderr && fail "a warning"
    return 0
}
metrics whole >whole.txt

# copy NAME: the run of three epochs under a name of its own.
expect_exit 0 train lenet.onnx -o three.onnx $options --epochs 3
expect_file three.run/checkpoint.previous.onnx
copy() {
    rm -rf "$1.run"
    cp -r three.run "$1.run"
}
# goes_on NAME: it does, and ends where the whole run does.
goes_on() {
    expect_exit 0 train --run "$1.run" --resume --epochs 4 --threads 1 -o "$1.onnx"
    expect_same "$1.onnx" whole.onnx
    metrics "$1" >.stdmetrics
    expect_same .stdmetrics whole.txt
    [ -z "$(find "$1.run" -name '.*')" ] || fail "temporary files are left"
}

copy plain
goes_on plain
no_warning

# A damaged checkpoint: the one before it, aloud; it is kept aside.
damage() {
    size=$(wc -c <"$1") # a third in lie weights
    printf '\377' | dd of="$1" bs=1 seek=$((size / 3)) conv=notrunc 2>/dev/null
}
copy damaged
damage damaged.run/checkpoint.onnx
expect_refusal 3 'damaged.run/checkpoint.onnx: its checksum is wrong or missing' \
    strip damaged.run/checkpoint.onnx -o no.onnx
goes_on damaged
expect_stderr 'warning: damaged.run/checkpoint.onnx: its checksum is wrong or missing: '
expect_stderr ': the run goes on from the checkpoint before it, damaged.run/checkpoint.previous'
expect_file damaged.run/checkpoint.damaged.onnx
copy short
head -c 5000 three.run/checkpoint.onnx >short.run/checkpoint.onnx
goes_on short
copy gone
rm gone.run/checkpoint.onnx
goes_on gone
expect_stderr 'warning: cannot open gone.run/checkpoint.onnx: No such file.*: the run goes on from'
copy both
damage both.run/checkpoint.onnx
damage both.run/checkpoint.previous.onnx
expect_refusal 3 'cannot resume: both.run/checkpoint.onnx: its checksum .*: nor is there' \
    train --run both.run --resume
expect_stderr 'begin the run again with another --run DIR$'

# Metrics: lines of later epochs, half a line and what a crash of the system leaves are cut; lines
# that are missing are told.
copy tail
printf '{"epoch":4,"train_loss":1}\n{"epoch":5,"tra' >>tail.run/metrics.jsonl
goes_on tail
copy zeros
head -c 100 /dev/zero >>zeros.run/metrics.jsonl
goes_on zeros
copy fewer
head -n 2 three.run/metrics.jsonl >fewer.run/metrics.jsonl
expect_exit 0 train --run fewer.run --resume --epochs 4 --threads 1 -o fewer.onnx
expect_same fewer.onnx whole.onnx
expect_stderr 'warning: fewer.run/metrics.jsonl: lines of 2 of the 3 epochs that are over'
copy none
rm none.run/metrics.jsonl
expect_exit 0 train --run none.run --resume --epochs 4 --threads 1 -o none.onnx
expect_same none.onnx whole.onnx

# What killed processes left in the folder is swept; a folder without a checkpoint begins anew.
copy swept
: >swept.run/.checkpoint.onnx.mfm-tmp
goes_on swept
mkdir early.run
echo '{}' >early.run/run.json
echo '{"epo' >early.run/metrics.jsonl
: >early.run/.run.json.mfm-tmp
expect_refusal 3 'the run ended before its first checkpoint: begin it again, without --resume' \
    train lenet.onnx -o early.onnx --resume
expect_exit 0 train lenet.onnx -o early.onnx $options --epochs 4
expect_same early.onnx whole.onnx

# Neither the model nor the working folder need be what they were.
copy moved
mkdir -p other/place
(cd other/place && "$TOOL" train --run ../../moved.run --resume --epochs 4 --threads 1) \
    >.stdout 2>.stderr || fail "it does not go on from another folder"
expect_same three.onnx whole.onnx # the run's own output, where it was
rm three.onnx
(cd other/place && "$TOOL" train ../../lenet.onnx --run ../../moved.run --resume --epochs 4 \
    --threads 1 -o here.onnx) >.stdout 2>.stderr || fail "it does not go on with its model named"
expect_same other/place/here.onnx whole.onnx
expect_refusal 2 'no MODEL given' train -o x.onnx $options
expect_refusal 2 '--resume: which run' train --resume
expect_refusal 3 'resume: --lr: 0.1: the run began with 0.01: drop the option, or start a new run' \
    train --run plain.run --resume --lr 0.1

# A run of another version goes on, with a warning that stays in its record; one whose options this
# version does not have does not.
version=$("$TOOL" version | cut -d ' ' -f 2)
edit() { # NAME EXPRESSION
    copy "$1"
    sed "$2" three.run/checkpoint.onnx >"$1.run/checkpoint.onnx"
    expect_different "$1.run/checkpoint.onnx" three.run/checkpoint.onnx
    "$RESEAL" "$1.run/checkpoint.onnx" || fail "no new checksum"
}
edit older 's/"onnx-mfm":"[0-9.]*"/"onnx-mfm":"0.0.9"/'
goes_on older
expect_stderr "checkpoint.onnx: onnx-mfm 0.0.9 has made the run, this is $version: it may go on"
grep -q '"began_with": "0.0.9"' older.run/run.json || fail "its record does not tell"
expect_exit 0 report older.run -o older.html --metrics-only
expect_stderr 'warning: older.run/run.json: Made by onnx-mfm 0.0.9, read by '
edit unknown 's/"loss":/"lost":/'
expect_refusal 3 'resume: the run does not record its --loss' train --run unknown.run --resume
edit unknown 's/"weight-decay":0.00050000000000000001,/"weight-decay":0.0005,"warp":12345678,/'
expect_refusal 3 'resume: the run has an option that this version does not know, --warp: ' \
    train --run unknown.run --resume
: a run of a version whose --fit put black around small ones,
# made by an edit of what its checkpoint tells, with a new checksum.
expect_exit 0 new lenet -o wide.onnx --classes 4 --input 1,28,28
expect_exit 0 train wide.onnx -o wide.out.onnx --data idx:four --fit --method base --epochs 1 \
    --batch 16 --threads 1
sed 's/"images":\[1,28,28\]/"images":[1,20,20]/g' wide.out.run/checkpoint.onnx >edited.onnx
expect_different edited.onnx wide.out.run/checkpoint.onnx
cp edited.onnx wide.out.run/checkpoint.onnx
"$RESEAL" wide.out.run/checkpoint.onnx || fail "no new checksum"
expect_refusal 3 'resume: idx:four: .*images was \[1,20,20\] and is \[1,28,28\]: start a new run' \
    train --run wide.out.run --resume --epochs 2 --threads 1

# Names in any bytes, and the largest seed.
strange=$(printf 'n\303\244me\377')
cp lenet.onnx "$strange.onnx"
cp -r four "$strange"
expect_exit 0 train "$strange.onnx" -o "$strange.out.onnx" --data "idx:$strange" --epochs 1 \
    --batch 16 --meta-batch 8 --threads 1 --seed 9223372036854775807
expect_exit 0 train --run "$strange.out.run" --resume --epochs 2 --threads 1
sed "s/conv1/con$(printf '\377')1/g" lenet.onnx >layer.onnx
expect_exit 0 train layer.onnx -o layer.out.onnx --layer fc:1 --data idx:four --epochs 1 \
    --batch 16 --meta-batch 8 --threads 1
expect_exit 0 train --run layer.out.run --resume --epochs 2 --threads 1
# A list of what is injected is JSON, which such a name cannot stand in: no start, rather than half.
expect_refusal 3 'a name is not UTF-8' train layer.onnx -o no.onnx --layer conv:1 --data idx:four

# What would stop the first checkpoint is told before the first step, and nothing is begun: a
# that is too small.
expect_exit 0 inject lenet.onnx -o injected.onnx
sed 's/mfm\.hidden\.weight/xyz.hidden.weight/g; s/"xyz\./"mfm./g' injected.onnx >renamed.onnx
expect_refusal 3 "mfm.hidden.weight': the graph does not have it" train renamed.onnx \
    -o renamed.out.onnx $options
last_command="onnx-mfm train, files limited"
(
    ulimit -f 8
    exec "$TOOL" train lenet.onnx -o full.onnx $options --epochs 1 >.stdout 2>.stderr
)
[ $? -eq 4 ] || fail "exit code 4 is due"
expect_stderr 'training would fail at its first checkpoint: the checkpoint: .*: File too large$'
[ ! -e full.run ] || fail "a run was begun that cannot end"
