# The paper's tables on small files: what is trained, what goes on, what is told beforehand.
. "$SOURCE/tests/cli/lib.sh"

mkdir data && "$MAKE_IDX" data 10 1000 2 28 || fail "make-idx"
options="--fashion-mnist idx:data --epochs 1 --seeds 1-2 --jobs 2 --threads 1 --run runs"

expect_exit 0 reproduce table6 --rows base,no-shift $options
cp .stdout table
expect_stderr '^table6 no-shift, fashion-1000, seed 2: [0-9.]+ % \([1-4] of 4\)$'
expect_stderr '^wrote runs/table6.html$'
expect_stdout '^\| \| Fashion-MNIST, 1000, paper \| here \| epochs \|$'
expect_stdout '^\| BaseModel \| 26.24 \| [0-9.]+ ± [0-9.]+ \| 1 of 200 \|$'
expect_stdout '^\| MFM, FC1, beta := 0 \| 22.86 \| [0-9.]+ ± [0-9.]+ \| 1 of 200 \|$'
expect_file runs/table6.html
grep -q '"no-shift": true' runs/table6/no-shift/fashion-1000/seed-1/run.json ||
    fail "the row's options were not taken"
grep -q '"imbalance": 1000.0' runs/table6/base/fashion-1000/seed-1/run.json ||
    fail "the column's options were not taken"
# Mean and deviation of a sample, from the runs' own metrics.
mean=$(cat runs/table6/base/fashion-1000/seed-*/metrics.jsonl |
    sed 's/.*"test_error":\([0-9.]*\),.*/\1/' |
    awk '{ s += $1; q[NR] = $1 } END { m = s / 2; d = (q[1] - q[2]) / sqrt(2)
        printf "%.2f ± %.2f", m, d < 0 ? -d : d }')
expect_stdout "^\| BaseModel \| 26.24 \| $mean \|"

# What is finished stays; what is missing is trained.
rm -r runs/table6/base/fashion-1000/seed-2 runs/table6/base/fashion-1000/seed-2.onnx
expect_exit 0 reproduce table6 --rows base,no-shift $options
[ "$(grep -c 'seed' .stderr)" -eq 1 ] || fail "more than the missing run was trained"
expect_same .stdout table
# A run that was asked for otherwise is neither shown as what is asked for now, nor resumed: its
# milestones are those of another length.
expect_refusal 3 'seed-1 was trained with --epochs 1, not 10: choose another folder with --run' \
    reproduce table6 --rows base --fashion-mnist idx:data --epochs 10 --seeds 1 --run runs
mkdir other && "$MAKE_IDX" other 10 1000 2 28 || fail "make-idx"
expect_refusal 3 'seed-1 was trained with --data idx:data, not idx:other: choose another folder' \
    reproduce table6 --rows base --fashion-mnist idx:other --epochs 1 --seeds 1 --run runs
# The same data and folder by other names, from elsewhere.
(cd other && "$TOOL" reproduce table6 --rows base,no-shift --fashion-mnist "idx:$PWD/../data" \
    --epochs 1 --seeds 1-2 --threads 1 --run ../runs) >.stdout 2>.stderr ||
    fail "runs are not found by another name of their folder"
expect_same .stdout table
# Without its first checkpoint a run begins anew, whatever it was.
mkdir -p begun/table6/base/fashion-1000/seed-1
cp runs/table6/base/fashion-1000/seed-1/run.json begun/table6/base/fashion-1000/seed-1
expect_exit 0 reproduce table6 --rows base --fashion-mnist idx:data --epochs 2 --seeds 1 \
    --threads 1 --run begun
expect_stdout '^\| BaseModel \| 26.24 \| [0-9.]+ \| 2 of 200 \|$'
# Rows that start from one model, all at once: it is made once.
expect_exit 0 reproduce table6 --fashion-mnist idx:data --epochs 1 --seeds 1 --jobs 8 --threads 1 \
    --run together
[ "$(grep -c '^| .* [0-9.]* | 1 of 200 |$' .stdout)" -eq 8 ] || fail "not eight rows"

# CIFAR-10's files, an image for each class, over and over: a table by other test images.
mkdir cifar
for class in 0 1 2 3 4 5 6 7 8 9; do
    printf '%b' "\\0$(printf %o $class)"
    head -c 3072 /dev/zero | tr '\0' "\\$(printf %03o $((20 * class + 10)))"
done >record
for copies in 1 2 3 4 5 6 7 8 9 10; do cat record; done >ten
cat ten ten >cifar/data_batch_1.bin
for batch in 2 3 4 5; do cp cifar/data_batch_1.bin cifar/data_batch_$batch.bin; done
cp cifar/data_batch_1.bin cifar/test_batch.bin
expect_exit 0 reproduce table5 --rows base --cifar10 cifar10:cifar --epochs 1 --seeds 1 \
    --threads 1 --run runs
expect_stdout '^\| \| Test-1, 100, paper \| here \|.* Test-2, 10, paper \| here \| epochs \|$'
expect_stdout '^\| BaseModel \| 42.13 \| [0-9.]+ \| 28.03 \| [0-9.]+ \| 15.34 \| [0-9.]+ \| 29.53'
[ -s runs/table5/base/100/seed-1.test2.json ] || fail "it was not evaluated on Test-2"
# What the published figures of a row are is told below; notes are counted among the rows shown.
expect_exit 0 reproduce table1 --rows cb --columns cifar10-100 --cifar10 cifar10:cifar --epochs 1 \
    --seeds 1 --threads 1 --run runs
expect_stdout '^\| CB \[1\] \| 25.43 \| [0-9.]+ \| 1 of 200 \|$'
expect_stdout '^\[1\] the published row is the best of a search over losses, gamma and beta; '
[ "$(grep -c '^\[' .stdout)" -eq 1 ] || fail "notes of rows that are not shown"
# A run that fails is told, and the others stand.
echo no model >runs/models/lenet-10-seed-1.onnx
expect_exit 1 reproduce table6 --rows conv1 $options
expect_stderr '^table6 conv1, fashion-1000, seed 1: failed, see runs/table6/conv1/'
expect_stdout '^\| MFM, Conv1 \| 24.67 \| [0-9.]+ \(1 failed\) \| 1 of 200 \|$'
expect_stderr 'some runs failed: their logs tell why'

# Before anything starts.
expect_refusal 2 'table1 needs cifar10: download the binary version' reproduce table1
expect_refusal 2 'table1 needs cifar100: download' reproduce table1 --cifar10 cifar10:cifar
expect_refusal 2 'table4 needs mit67: download' reproduce table4
expect_refusal 2 'table4 needs --pretrained' reproduce table4 --mit67 folder:data
expect_refusal 2 'unknown target: table7' reproduce table7
expect_refusal 3 '--pretrained: cannot open none.onnx' reproduce table4 --mit67 folder:data \
    --pretrained none.onnx
expect_exit 0 new lenet -o there.onnx --classes 10 --input 3,32,32
expect_refusal 3 '--mit67: data' reproduce table4 --mit67 folder:data --pretrained there.onnx
mkdir nothing
expect_refusal 3 '--cifar10: nothing' reproduce table2 --cifar10 cifar10:nothing --run none
expect_refusal 3 '--cifar10: unknown kind of dataset: nothing: .*cifar10:FOLDER' \
    reproduce table2 --cifar10 nothing --run none
[ ! -e none ] || fail "something was begun without data"
expect_refusal 2 '--rows: fc2: table6 has the rows base, conv1' reproduce table6 --rows base,fc2
expect_refusal 2 '--epochs: 0: expected a whole number from 1' reproduce table6 --epochs 0
expect_refusal 2 '--seeds: 3-1' reproduce table6 --seeds 3-1
