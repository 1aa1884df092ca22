# The paper's tables of CIFAR and MIT-67, end to end on small files in the exact formats: every row
# is trained, evaluated, printed beside the published figure and shown in a report.
. "$SOURCE/tests/cli/lib.sh"

mkdir ten hundred
"$MAKE_CIFAR" ten 10 110 10 || fail "make-cifar"
"$MAKE_CIFAR" hundred 100 20 1 || fail "make-cifar"
[ "$(wc -c <ten/data_batch_5.bin)" -eq $((220 * 3073)) ] || fail "not CIFAR-10's records"
[ "$(wc -c <hundred/train.bin)" -eq $((2000 * 3074)) ] || fail "not CIFAR-100's records"
options="--epochs 1 --seeds 1 --jobs 2 --threads 1 --run runs"

# rows TABLE COUNT: so many rows of numbers, none of which failed.
rows() {
    count=$(grep -Ec '^\|.*\| [0-9.]+ (± [0-9.]+ )?\| 1 of [0-9]+ \|$' .stdout)
    [ "$count" -eq "$2" ] || fail "$1: $count rows of numbers, $2 are due"
    grep -q failed .stdout && fail "$1: a run failed"
    expect_file runs/${3:-$1}.html
}

expect_exit 0 reproduce table1 --cifar10 cifar10:ten --columns cifar10-100 $options
rows table1 9
expect_stdout '^\| Focal \[1\] \|'
expect_stdout '^\| CB \[2\] \| 25.43 \|'
expect_stdout '^\[2\] the published row is the best of a search over losses, gamma and beta; '
expect_stdout '^\| \| CIFAR-10, 100, paper \| here \| epochs \|$'
expect_stdout '^\| BBN \[4\] \| 20.18 \| [0-9.]+ \| 1 of 200 \|$'
expect_stdout '^\| MW-Net \[6\] \| 24.79 \| [0-9.]+ \| 1 of 100 \|$'
grep -q '"meta-from": "disjoint"' runs/table1/mfm-meta/cifar10-100/seed-1/run.json ||
    fail "Ours (meta) has no meta set of its own"
expect_exit 0 reproduce table1 --cifar100 cifar100:hundred --columns cifar100-10 \
    --rows base,ldam-drw,mfm-meta $options
rows table1 3
expect_stdout '^\| LDAM-DRW \[1\] \| 41.29 \| [0-9.]+ \| 1 of 200 \|$'
# Datasets of other classes have pages of their own, and so has each column.
expect_exit 0 reproduce table1 --cifar10 cifar10:ten --cifar100 cifar100:hundred \
    --columns cifar10-100,cifar100-10 --rows base,ldam-drw $options
rows table1 2 table1-cifar10-100
expect_stdout '^\| BaseModel \| 26.90 \| [0-9.]+ \| 43.15 \| [0-9.]+ \| 1 of 200 \|$'
expect_file runs/table1-cifar100-10.html
grep -q '10 classes' runs/table1-cifar10-100.html || fail "not the page of CIFAR-10"
grep -q '100 classes' runs/table1-cifar100-10.html || fail "not the page of CIFAR-100"
# Figures 1 and 4 are of test images drawn as Test-1: of 10 images a class 1, 1, 1, 1, 1, 3, 4, 5,
# 7, 10, which are 34.
expect_exit 0 reproduce figure1 --cifar10 cifar10:ten $options
grep -q seed .stderr && fail "figure1 trained again"
expect_stderr '^wrote runs/figure1.html$'
grep -q '>Recall on test images drawn as test1, %<' runs/figure1.html || fail "no Test-1"
for share in airplane:2.94118 deer:2.94118 dog:8.82353 frog:11.7647 truck:29.4118; do
    grep -q "<title>${share%:*}, drawn: ${share#*:} %" runs/figure1.html ||
        fail "not the share of ${share%:*} in Test-1"
done
expect_refusal 2 '--columns: cifar10-20: table1 has the columns cifar10-100, cifar10-50' \
    reproduce table1 --columns cifar10-20

expect_exit 0 reproduce table2 --cifar10 cifar10:ten $options
rows table2 7
expect_exit 0 reproduce table5 --cifar10 cifar10:ten --columns 100 $options
rows table5 3
expect_stdout '^\| \| Test-1, 100, paper \| here \| Test-2, 100, paper \| here \| epochs \|$'
grep -q 'Test images, drawn by label distribution' runs/table5.html ||
    fail "the report does not show Test-1 and Test-2"
# The runs are there: a figure is their report.
expect_exit 0 reproduce figure8 --cifar10 cifar10:ten $options
grep -q 'seed' .stderr && fail "figure8 trained again"
expect_stdout '^\| BaseModel \| 42.13 \| [0-9.]+ \| 29.53 \| [0-9.]+ \| 1 of 200 \|$'

# MIT-67: a folder for each class, a pretrained classifier of another number of classes.
[ -x "${MAKE_PHOTOS:-}" ] || exit 0
"$MAKE_PHOTOS" scenes 5 67 || fail "make-photos"
expect_exit 0 new lenet -o pretrained.onnx --classes 10 --input 3,32,32
expect_exit 0 reproduce table4 --mit67 folder:scenes --pretrained pretrained.onnx $options
rows table4 8
expect_stdout '^\| CoSen CNN \[1\] \| 26.80 \| [0-9.]+ \| 1 of 90 \|$'
grep -q '"hash-dim": 256' runs/table4/mfm-wh/mit67/seed-1/run.json || fail "no WH-layer"
# What appendix B tells of the runs of table 4, by their recipes.
for row in base focal cb cosen l2rw mw-net mfm mfm-wh; do
    for told in '"recipe": "scenes-' '"batch": 40' '"lr": 0.01,' '"momentum": 0.9' \
        '"weight-decay": 0.0001' '"augment": "flip"' '"test-part": 0.4'; do
        grep -q "$told" runs/table4/$row/mit67/seed-1/run.json || fail "table4, $row: no $told"
    done
done
for row in l2rw mw-net mfm mfm-wh; do
    grep -q '"meta-per-class": 20' runs/table4/$row/mit67/seed-1/run.json || fail "$row: meta set"
done
grep -q '"hidden": 256' runs/table4/mfm/mit67/seed-1/run.json || fail "not 256 hidden neurons"
