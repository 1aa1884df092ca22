# Fewer threads or less memory than the environment promises: clamped or refused, and never a wait
# without an end (the time limits are for that alone).
. "$SOURCE/tests/cli/lib.sh"

unset OMP_NUM_THREADS
make_data four 4 40 10
expect_exit 0 new lenet -o lenet.onnx --classes 4 --input 1,20,20
options="--data idx:four --batch 100 --meta-batch 40 --epochs 2 --lr 0.01"
expect_exit 0 train lenet.onnx -o one.onnx $options --threads 1

# What is not granted is not counted on: the results are those of the threads that there are.
limited() {
    wanted=$1
    shift
    last_command="$1 onnx-mfm train --threads $wanted"
    rm -rf few.run
    env "$1" timeout 300 "$TOOL" train lenet.onnx -o few.onnx $options --threads "$wanted" \
        >.stdout 2>.stderr || fail "exit code $?"
}
limited 2 OMP_THREAD_LIMIT=1
expect_stderr 'warning: 2 threads are wanted: OMP_THREAD_LIMIT or the system grants 1$'
grep -q '"threads": 1,' few.run/run.json || fail "run.json tells of other threads"
expect_same few.onnx one.onnx
expect_exit 0 train lenet.onnx -o two.onnx $options --threads 2
for setting in OMP_THREAD_LIMIT=2 OMP_DYNAMIC=true OMP_MAX_ACTIVE_LEVELS=0; do
    limited 2 $setting
    grep -q 'are wanted' .stderr && fail "two threads are not granted with $setting"
    expect_same few.onnx two.onnx
done

# Sums in any order are the same but for rounding, for one image and for several.
make_data few 4 6 4
expect_exit 0 new resnet20 -o sums.onnx --classes 4 --input 1,20,20
for batch in 1 24; do
    options="--data idx:few --epochs 1 --lr 0.001 --batch $batch"
    expect_exit 0 train sums.onnx -o tree-$batch.onnx $options
    expect_exit 0 train sums.onnx -o any-$batch.onnx $options --reproducible off
    expect_exit 0 diff tree-$batch.onnx any-$batch.onnx --tolerance 1e-3
done

# Every limit of the address space: it works, or the reason is told, by the loader where not even
# the libraries fit. What is counted are libraries, stacks of threads, the buffers of the plan, and
# what a library for convolution makes.
expect_exit 0 new resnet20 -o resnet.onnx --classes 4 --input 1,8,8
limit() {
    last_command="onnx-mfm bench $2 --threads 2, ulimit -v $1"
    (
        ulimit -v "$1"
        timeout 300 "$TOOL" bench $2 --repeat 1 --profile 0 --threads 2 >.stdout 2>.stderr
    )
    case $? in
    0) worked=$((worked + 1)) ;;
    4)
        refused=$((refused + 1))
        expect_stderr 'out of memory'
        ;;
    127) expect_stderr 'error while loading shared libraries' ;;
    *) fail "neither worked nor refused" ;;
    esac
}
swept() {
    [ "$refused" -gt 0 ] || fail "nothing was refused: the limits limit nothing"
    [ "$worked" -gt 0 ] || fail "nothing worked"
}
refused=0
worked=0
for size in 30000 60000 80000 100000 150000 200000 400000 1000000 2000000; do
    limit $size 'lenet.onnx --batch 1000'
done
swept
refused=0
worked=0
for size in $(seq 52000 4000 120000) 200000 400000 2000000; do
    limit $size 'resnet.onnx --batch 4'
done
swept
