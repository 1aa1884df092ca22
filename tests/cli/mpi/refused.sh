# What several ranks cannot do, and what ends one of them: a message, once, an exit code, no hang
# and no result.
. "$SOURCE/tests/cli/mpi/lib.sh"

make_data four 4 40 10
make_data other 4 40 10 1
expect_exit 0 new lenet -o lenet.onnx --classes 4 --input 1,20,20
expect_exit 0 new lenet -o second.onnx --classes 4 --input 1,20,20 --seed 5
options="--data idx:four --method base --lr 0.01 --epochs 2"
nothing() {
    for file in out.onnx out.run; do
        [ ! -e $file ] || fail "$file is there"
    done
}

# ---- known from the start, and alike on all ranks ----
expect_ranks 2 3 train lenet.onnx -o out.onnx --lr
expect_once 'onnx-mfm train: --lr: missing argument'
expect_ranks 3 3 train none.onnx -o out.onnx $options
expect_once 'onnx-mfm train: cannot open none.onnx'
expect_ranks 3 4 train lenet.onnx -o out.onnx $options --batch 3
expect_once '--batch: 3 images for 4 ranks: each needs one'
expect_ranks 3 2 train lenet.onnx -o out.onnx $options --batch 1
expect_once '--batch: 1 image for 2 ranks: each needs one'
expect_ranks 3 17 train lenet.onnx -o out.onnx $options --batch 100
expect_once '17 processes: a batch is cut into 16 parts: start at most 16'
# Every command but train is one process's.
for command in "bench lenet.onnx" "reproduce table6" "eval lenet.onnx --data idx:four" \
    "predict lenet.onnx four" "inspect lenet.onnx" "new lenet -o out.onnx" \
    "inject lenet.onnx -o out.onnx --layer fc:1" "data idx:four" ops "check none.onnx"; do
    expect_ranks 2 2 $command
    expect_once "onnx-mfm ${command%% *}: started as one of several processes"
    [ ! -s .stdout ] || fail "something is printed"
done
expect_ranks 0 1 eval lenet.onnx --data idx:four
for command in train eval; do
    expect_ranks 0 2 $command --help
    [ "$(grep -c '^Usage:' .stdout)" -eq 1 ] || fail "help is not there once"
done
nothing
# Each of several runs warns once.
expect_ranks 0 2 train lenet.onnx -o two.onnx $options --epochs 1 --meta-batch 4 --seeds 1-2
[ "$(grep -c 'warning: .*--meta-batch has no effect' .stderr)" -eq 2 ] || fail "not one a run"

# By themselves, where that is wished.
MFM_MPI=none expect_ranks 0 2 inspect lenet.onnx
[ "$(grep -c 'logits' .stdout)" -ge 2 ] || fail "each process is to print"
# An MPI that there is no module of.
MFM_MPI=nobody expect_ranks some 2 train lenet.onnx -o out.onnx $options
expect_stderr 'no module that works for nobody'
nothing

# ---- what differs between ranks ----
train="$TOOL train lenet.onnx -o out.onnx $options --batch 8"
expect_mixed 3 1 $train : -n 1 $train --lr 0.2
expect_once 'ranks must be started alike: --lr: 0.2 on rank 1, 0.01 on rank 0'
expect_mixed 3 1 $train : -n 1 $train --seeds 1-2
expect_once 'ranks must be started alike: --seeds: 1-2 on rank 1, none on rank 0'
expect_mixed 3 1 $train --resume : -n 1 $train
expect_once 'ranks must be started alike: --resume: not given on rank 1, given on rank 0'
mkdir here there
cp -r four here/data && cp lenet.onnx here/m.onnx
cp -r other there/data && cp lenet.onnx there/m.onnx
train="$TOOL train m.onnx -o ../out.onnx --data idx:data --method base --lr 0.01 --batch 8"
expect_mixed 3 1 sh -c "cd here && exec $train" : -n 1 sh -c "cd there && exec $train"
expect_once 'started alike: training images: [0-9a-f]{16} on rank 1, [0-9a-f]{16} on rank 0'
rm -r there/data && cp -r four there/data && cp second.onnx there/m.onnx
expect_mixed 3 1 sh -c "cd here && exec $train" : -n 1 sh -c "cd there && exec $train"
expect_once 'started alike: model: [0-9a-f]{16} on rank 1, [0-9a-f]{16} on rank 0'
# A processor with shorter vectors, as far as a library tells it.
train="$TOOL train lenet.onnx -o out.onnx $options --batch 8"
if ldd "$TOOL" | grep -q libdnnl; then
    expect_mixed 3 1 $train : -n 1 env ONEDNN_MAX_CPU_ISA=SSE41 $train
    expect_once 'started alike: kernels: vectors of [0-9]+ .* for SSE4.1 on rank 1, .* on rank 0'
else
    echo "not tried: other kernels on one rank: there is no library that chooses them"
fi
# Another version of the program: this one with another number in it.
version=$("$TOOL" version | sed 's/.* //')
mkdir newer && cp "${TOOL%/*}"/onnx-mfm-*.so newer
LC_ALL=C sed "s/${version%?}[0-9]/${version%?}9/g" "$TOOL" >newer/onnx-mfm
chmod +x newer/onnx-mfm
train="lenet.onnx -o out.onnx $options --batch 8"
expect_mixed 3 1 "$TOOL" train $train : -n 1 newer/onnx-mfm train $train
expect_once "started alike: version: ${version%?}9 on rank 1, $version on rank 0"
train="$TOOL train m.onnx -o ../out.onnx --data idx:data --method base --lr 0.01 --batch 8"
# What one rank alone cannot read.
rm there/m.onnx
expect_mixed 3 1 sh -c "cd here && exec $train" : -n 1 sh -c "cd there && exec $train"
expect_once 'onnx-mfm train: rank 1: cannot open m.onnx'
nothing

# ---- what befalls one rank while they train ----
# A disk that is full at the end, and one that has room for a checkpoint and not for the next.
expect_ranks 4 3 train lenet.onnx -o /dev/full --run full $options --batch 8
expect_once 'onnx-mfm train: cannot write /dev/full: No space left on device'
mkdir disk
mounted() { unshare -m sh -c 'mount -t tmpfs -o size=500k none disk && exec "$@"' sh "$@"; }
if mounted true 2>/dev/null; then
    last_command="onnx-mfm train on a small disk" wanted=4
    mounted $launch "$MPI" 3 "$TOOL" train lenet.onnx -o disk/out.onnx $options --batch 8 \
        --epochs 50 >.stdout 2>.stderr
    check_code $?
    expect_stderr 'onnx-mfm train: (rank 0: )?cannot write .*: No space left on device'
else
    echo "not tried: a full disk on the way: no disk can be mounted here"
fi
