# Images: how many a step takes, which classes are counted, and what a model tells of its images.
. "$SOURCE/tests/cli/lib.sh"

make_data four 4 12 5
expect_exit 0 new lenet -o lenet.onnx --classes 4 --input 1,20,20
base="--method base --epochs 2 --lr 0.02 --threads 1"

# 48 training images: a batch of 49 would leave epochs without a step. Before anything is written.
expect_refusal 3 '--batch: 49: the split has only 48 training images: use --batch at most 48' \
    train lenet.onnx -o out.onnx --data idx:four $base --batch 49
expect_exit 0 train lenet.onnx -o out.onnx --data idx:four $base --batch 48
grep -q '"meta_loss":null' out.run/metrics.jsonl || fail "a meta loss that nobody measured"
# 2 meta images of each of 4 classes: a meta batch takes no more, and says so.
expect_exit 0 train lenet.onnx -o cut.onnx --data idx:four --epochs 1 --batch 16 --lr 0.02 \
    --meta-per-class 2 --meta-batch 9 --threads 1
expect_stderr 'warning: --meta-batch: 9: the meta set has only 8 images: each meta batch is all'
expect_exit 0 train lenet.onnx -o all.onnx --data idx:four --epochs 1 --batch 16 --lr 0.02 \
    --meta-per-class 2 --meta-batch 8 --threads 1
expect_no_stderr_but '^epoch'
expect_same cut.onnx all.onnx

# Test images of two classes only: the others have no recall, here and in what training tells.
make_data two 2 12 5
mkdir partly
cp four/train-* two/t10k-* partly
expect_exit 0 train lenet.onnx -o partly.onnx --data idx:partly $base --batch 16
expect_stdout '^  3 +12 images +- \(no test images\)'
grep -Eq '"recall":\[[0-9.]+,[0-9.]+,null,null\]' partly.run/metrics.jsonl ||
    fail "a recall without images: $(cat partly.run/metrics.jsonl)"
