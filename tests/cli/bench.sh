# bench: times, profile, memory as inspect predicts it. MFM_TRACE: a trace outlives its process.
. "$SOURCE/tests/cli/lib.sh"
command -v python3 >/dev/null || { echo "skipped: no python3"; exit 77; }

check() {
    python3 "$SOURCE/tests/cli/check_bench.py" "$@" || fail "check_bench.py $*"
}

expect_exit 0 new lenet -o lenet.onnx
expect_exit 0 new resnet20 --input 3,32,32 -o resnet20.onnx

# The whole view, and that its parts fit together.
expect_exit 0 bench lenet.onnx --method mfm --layer fc:1 --batch 8 --repeat 3 --profile 4 --json
cp .stdout mfm.json
check profile mfm.json 'plain forward' 'objective backward' 'tangent of backward' 'meta backward'
expect_exit 0 bench lenet.onnx --batch 8 --repeat 3 --profile 4 --json
cp .stdout base.json
check profile base.json forward backward 'running statistics'
expect_exit 0 bench lenet.onnx --method forward --batch 8 --repeat 2 --profile 0 --json
for method in l2rw mfm-free mw-net; do
    expect_exit 0 bench lenet.onnx --method "$method" --batch 8 --repeat 2 --profile 1
done
grep -q profile .stdout && fail "a profile that was not asked for"
expect_exit 0 bench resnet20.onnx --batch 2 --repeat 2
expect_stdout '^pass +calls +ms +share +GFLOP/s$'
expect_stdout '^outside the passes'
expect_stdout '^Conv +38 '
expect_stdout '^  layouts +0 conversions$'
expect_stdout '^and [0-9]+ nodes that take less: --all-nodes$'
expect_exit 0 bench resnet20.onnx --batch 2 --repeat 2 --all-nodes
expect_stdout '^layer1.0.conv1 +Conv +\[2,16,32,32\]'
grep -q 'take less' .stdout && fail "all nodes, and yet not all"

# An option that does nothing is told to.
expect_exit 0 bench lenet.onnx --batch 2 --repeat 1 --profile 0 --layer fc:1 \
    --meta-batch 3 --all-nodes
expect_stderr 'warning: --layer has no effect: base has no modulator$'
expect_stderr 'warning: --meta-batch has no effect: base has no meta set$'
expect_stderr 'warning: --all-nodes has no effect: --profile 0 times no nodes$'
expect_exit 0 inject lenet.onnx -o injected.onnx --layer fc:1
expect_exit 0 bench injected.onnx --method mfm --batch 2 --repeat 1 --hidden 5 --json
expect_stderr 'warning: --hidden has no effect: the model has a modulator already, which'
expect_exit 0 bench lenet.onnx --method mfm --batch 2 --repeat 1 --hidden 5 --meta-batch 3
expect_no_stderr

# What inspect says before is what a run then holds.
for model in lenet resnet20; do
    for layers in '--layer last_conv' '--layer conv:1 --layer last_conv'; do
        expect_exit 0 inspect $model.onnx --batch 10 --threads 2 $layers --json
        cp .stdout told.json
        for step in forward base mfm; do
            expect_exit 0 bench $model.onnx --method $step --batch 10 --threads 2 $layers \
                --repeat 1 --profile 0 --json
            check memory told.json .stdout "$RESIDENT"
        done
    done
done
# A matrix whose gradients are kept by factors has no room in w^ and v, and inspect knows; with
# momentum in the virtual step w^ has it: 84 x 50176 numbers of 4 bytes.
expect_exit 0 new lenet -o wide.onnx --classes 50176
wide="wide.onnx --batch 8 --threads 2 --layer last_conv --hidden 2"
expect_exit 0 inspect $wide --json
cp .stdout told.json
expect_exit 0 bench $wide --method mfm --repeat 1 --profile 0 --json
cp .stdout plain.json
check memory told.json plain.json "$RESIDENT"
expect_exit 0 bench $wide --method mfm --repeat 1 --profile 0 --json --virtual-step full
check more plain.json .stdout 16859136
# Of several processes each has its share of a batch.
expect_exit 0 inspect resnet20.onnx --batch 40 --layer last_conv --json
cp .stdout alone.json
expect_exit 0 inspect resnet20.onnx --batch 40 --layer last_conv --ranks 4 --json
check shares alone.json .stdout
expect_exit 0 inspect resnet20.onnx --batch 40 --ranks 4
expect_stdout '^memory of each of 4 processes with batches of 40'
expect_refusal 3 "batch 3 --ranks 4: each rank needs an image" \
    inspect resnet20.onnx --batch 3 --ranks 4
# Far beyond any machine, and still told.
expect_exit 0 inspect resnet20.onnx --batch 65536
expect_stdout '^mfm +[0-9]{6}\.[0-9] '
# Decoding of photographs is told beside, by its readers: three for each thread.
expect_exit 0 inspect resnet20.onnx --batch 4 --threads 2 --data-memory 64
expect_stdout '^decoding of image files besides: up to 64 MiB .* file for each of 6 readers'
expect_exit 0 inspect resnet20.onnx --batch 4 --threads 2 --data-memory 64 --json
expect_stdout '"budget_bytes": 67108864'
expect_exit 0 inspect resnet20.onnx --data-memory 64
expect_stdout 'warning: --data-memory has no effect: it is for the memory that --batch tells'
expect_refusal 3 'no such layer: nope' inspect lenet.onnx --batch 10 --layer nope

# A trace of each command that runs plans.
make_data four 4 10 5
expect_exit 0 new lenet -o four.onnx --classes 4 --input 1,20,20
trace() {
    rm -f trace.json
    MFM_TRACE=trace.json
    export MFM_TRACE
    expect_exit 0 "$@"
    unset MFM_TRACE
    expect_no_stderr
}
trace bench lenet.onnx --method mfm --layer fc:1 --batch 8 --repeat 2
check trace trace.json 'meta forward' 'tangent of backward'
trace eval four.onnx --data idx:four
check trace trace.json forward
head -c 1600 /dev/zero >image.raw
trace run four.onnx --input image.raw -o logits.raw
check trace trace.json forward

# It replaces a trace, and nothing else.
MFM_TRACE=lenet.onnx
export MFM_TRACE
expect_refusal 3 'only a trace is written over' bench four.onnx --repeat 1
MFM_TRACE=none/trace.json
expect_refusal 3 'cannot write none/trace.json' bench four.onnx --repeat 1
MFM_TRACE=/dev/full
expect_refusal 3 'must be a regular file' bench four.onnx --repeat 1

# A disk that fills up ends the trace, and not the run.
MFM_TRACE=trace.json
(
    ulimit -f 300
    expect_exit 0 bench lenet.onnx --method mfm --batch 1 --repeat 200 --profile 0
    expect_stderr 'warning: cannot write trace.json: .*: the trace is not complete'
) || exit 1
check trace trace.json 'meta forward'

# A process that is ended at any time leaves whole JSON; SIGKILL, which cannot wait, whole lines.
for signal in TERM KILL; do
    for size in 10000 100000 300000; do
        rm -f trace.json
        "$TOOL" bench lenet.onnx --method mfm --batch 1 --repeat 100000 >.stdout 2>.stderr &
        pid=$!
        tries=0
        until [ -e trace.json ] && [ "$(wc -c <trace.json)" -gt $size ]; do
            tries=$((tries + 1))
            [ "$tries" -lt 600 ] || fail "no trace within 60 seconds"
            sleep 0.1
        done
        kill -$signal "$pid"
        wait "$pid"
        if [ $signal = TERM ]; then
            check trace trace.json 'meta forward'
        fi
        check cut trace.json 'meta forward'
    done
done
