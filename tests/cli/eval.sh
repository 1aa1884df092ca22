# What eval tells beside the error: the numbers are checked by tests/interop/models/figures.py.
. "$SOURCE/tests/cli/lib.sh"

make_data seven 7 30 12
expect_exit 0 new lenet -o lenet.onnx --classes 7 --input 1,20,20
expect_exit 0 train lenet.onnx -o out.onnx --data idx:seven --imbalance 10 --method base \
    --epochs 2 --batch 16 --lr 0.02 --milestones none --threads 1

expect_exit 0 eval out.onnx --data idx:seven
expect_stdout '^error [0-9.]+ %, top-5 error [0-9.]+ %, loss [0-9.]+, 84 images$'
expect_stdout '^mean recall [0-9.]+ % over 7 classes \(balanced accuracy\), geometric mean [0-9.]+'
expect_stdout '^expected calibration error [0-9.]+ % \(15 bins\)$'
expect_stdout '^medium +20 to 100 images +2 classes'
expect_exit 0 eval out.onnx --data idx:seven --groups 5,14
expect_stdout '^many +over 14 images +[0-9] classes'
expect_stdout '^few +under 5 images +[0-9] class'

# Drawn test images: by hand 12, 8, 5, 3, 2, 1, 1 against the order; for test1 three have 1.
expect_exit 0 eval out.onnx --data idx:seven --test-prior backward:10
expect_stdout '^test images drawn as backward:10 by seed 0: 32 of 84$'
expect_stdout '^6 +12 '
expect_exit 0 eval out.onnx --data idx:seven --test-prior test1 --prior-seed 3
expect_stdout '^test images drawn as test1 by seed 3: 31 of 84$'
expect_stdout '^2 +1 '
expect_exit 0 eval out.onnx --data idx:seven --test-prior uniform --json
grep -q '"images": 84,' .stdout || fail "uniform drops images of a balanced set"
grep -q '"distribution": "uniform"' .stdout || fail "the prior is not told"
printf '# shares\n1, 0.5\n0 0 0 0\n1 # last\n' >shares
expect_exit 0 eval out.onnx --data idx:seven --test-prior shares
expect_stdout '^test images drawn as shares by seed 0: 30 of 84$'
expect_stdout '^mean recall [0-9.]+ % over 3 classes .*; 4 without test images left out$'
expect_stdout '^3 +0 +[0-9]+ +-$'
expect_exit 0 eval out.onnx --data idx:seven --prior-seed 3
expect_stderr 'warning: --prior-seed has no effect'

expect_refusal 2 '--test-prior: sideways: expected uniform, test1, test2, forward:F' eval out.onnx \
    --data idx:seven --test-prior sideways
for prior in forward: forward:0.5 backward:x forward:10x forward:-3; do
    expect_refusal 2 '--test-prior' eval out.onnx --data idx:seven --test-prior "$prior"
done
expect_refusal 3 'class 3 .3. would keep none' eval out.onnx --data idx:seven \
    --test-prior forward:1000
printf '1 2 3\n' >short
expect_refusal 3 'short: 3 numbers.*each of 7 classes' eval out.onnx --data idx:seven \
    --test-prior short
printf '1 2 3 -4 5 6 7\n' >negative
expect_refusal 3 'negative: number 4: -4' eval out.onnx --data idx:seven --test-prior negative
printf '1 2 3 4 5 6 7\0 8' >zero
expect_refusal 3 'zero: ' eval out.onnx --data idx:seven --test-prior zero
printf '0 0 0 0 0 0 0' >none
expect_refusal 3 'none is above 0' eval out.onnx --data idx:seven --test-prior none
for groups in 20 100,20 1,2,3 none; do
    expect_refusal 2 '--groups: expected' eval out.onnx --data idx:seven --groups $groups
done

# Two models on the same images: with itself nothing tells the two apart.
expect_exit 0 eval out.onnx --data idx:seven --compare out.onnx
expect_stdout '^right here alone: 0 images, there alone: 0, in both: [0-9]+, in neither: [0-9]+$'
expect_stdout "^McNemar's test, exact: p = 1\$"
expect_exit 0 eval out.onnx --data idx:seven --compare lenet.onnx
expect_stdout '^lenet.onnx: error [0-9.]+ %$'
expect_refusal 3 'missing.onnx' eval out.onnx --data idx:seven --compare missing.onnx

# With five classes all are among the first five.
make_data five 5 10 4
expect_exit 0 new lenet -o five.onnx --classes 5 --input 1,20,20
expect_exit 0 eval five.onnx --data idx:five --json
grep -q '"top5_error": null' .stdout || fail "five of five classes have a top-5 error"
expect_exit 0 eval five.onnx --data idx:five
grep -q 'top-5' .stdout && fail "five of five classes have a top-5 error"
exit 0
