# Training over 1, 2 and 5 threads writes the same model, byte for byte, and the same numbers into
# the checkpoint.
. "$SOURCE/tests/cli/lib.sh"

make_data four 4 20 5
expect_exit 0 new lenet -o lenet.onnx --classes 4 --input 1,20,20
expect_exit 0 new resnet20 -o resnet.onnx --classes 4 --input 1,20,20
data="--data idx:four --imbalance 2 --batch 21 --meta-batch 11"
common="$data --lr 0.02 --epochs 1 --milestones none"

# same NAME MODEL OPTIONS...
same() {
    name=$1 model=$2
    shift 2
    for threads in 1 2 5; do
        expect_exit 0 train "$model" -o "$name.$threads.onnx" --run "$name.$threads.run" $common \
            --threads $threads "$@"
    done
    for threads in 2 5; do
        expect_same "$name.$threads.onnx" "$name.1.onnx"
        # all numbers of the run: what differs is the time that it took, and the checksum over it
        expect_exit 1 diff "$name.$threads.run/checkpoint.onnx" "$name.1.run/checkpoint.onnx"
        [ "$(grep -Evc '^~ metadata mfm.(checkpoint|checksum)' "$work/.stdout")" -eq 0 ] ||
            fail "$name: the checkpoint of $threads threads is another"
    done
}
same lenet lenet.onnx --method base
same resnet resnet.onnx --method base --augment shift:2,flip
same one lenet.onnx --method mfm --layer fc:1
same three resnet.onnx --method mfm --layer conv:3 --layer conv:9 --layer last_conv
same weights lenet.onnx --method mw-net

expect_exit 0 head lenet.onnx -o dropout.onnx --classes 4 --dropout 0.3
same dropout dropout.onnx --method base

# A run goes on over another number of threads, without a word, to the same end.
expect_exit 0 train lenet.onnx -o whole.onnx $common --method base --epochs 2 --threads 1
expect_exit 0 train --run lenet.5.run --resume --epochs 2 --threads 2 -o on.onnx
grep -q warning "$work/.stderr" && fail "a warning"
expect_same on.onnx whole.onnx
