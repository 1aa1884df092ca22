# Several seeds in one command: a run for each, and what they have in common.
. "$SOURCE/tests/cli/lib.sh"

make_data four 4 40 10
expect_exit 0 new lenet -o lenet.onnx --classes 4 --input 1,20,20
options="--data idx:four --imbalance 10 --meta-per-class 4 --batch 16 --meta-batch 8 --lr 0.005
    --threads 1 --epochs 2 --milestones none"

expect_exit 0 train lenet.onnx -o out.onnx --seeds 1-2,5 $options --validation disjoint:2
cp .stdout told
for seed in 1 2 5; do
    expect_stdout "^seed $seed\$"
    expect_file out-seed-$seed.onnx
    expect_file out.run/seed-$seed/best.onnx
    grep -q "\"seed\": $seed," out.run/seed-$seed/run.json || fail "seed $seed: another seed"
    grep -q "\"split-seed\": $seed," out.run/seed-$seed/run.json || fail "seed $seed: another split"
done
[ ! -e out.onnx ] || fail "a model of no seed"
# Each is what a command of its own makes.
expect_exit 0 train lenet.onnx -o alone.onnx --seed 5 --split-seed 5 $options \
    --validation disjoint:2
expect_same alone.onnx out-seed-5.onnx
expect_different out-seed-1.onnx out-seed-2.onnx

# Mean and deviation of a sample, from the last lines of the metrics.
expect_told() {
    grep -Eq -- "$1" told || fail "the summary has no line like: $1"
}
figures() {
    for seed in 1 2 5; do
        tail -n 1 out.run/seed-$seed/metrics.jsonl | sed "s/.*\"$1\":\([0-9.e-]*\),.*/\1/"
    done | awk '{ n++; s += $1; q[n] = $1 } END {
        m = s / n; for (i = 1; i <= n; i++) v += (q[i] - m) ^ 2
        printf "%.2f %% [+]- %.2f", m, sqrt(v / (n - 1)) }'
}
expect_told '^3 seeds, 0 diverged$'
expect_told '^mean and standard deviation over all 3:$'
expect_told "^  test error, last epoch +$(figures test_error)\$"
expect_told "^  validation error, last epoch +$(figures validation_error)\$"
expect_told '^  recall of classes with medium +[0-9.]+ % [+]- [0-9.]+$'
expect_told '^  recall of classes with few +[0-9.]+ % [+]- [0-9.]+$'
grep -q 'classes with many' told && fail "a group without classes has a mean"
expect_told '^wrote out.run/summary.json$'
grep -q '"diverged": 0,' out.run/summary.json || fail "the summary does not count"
grep -q '"many": null' out.run/summary.json || fail "the summary has a mean of nothing"
[ "$(grep -c '"output": "out-seed-' out.run/summary.json)" -eq 3 ] || fail "runs are missing"

# Going on: what is finished stays, what is under way ends, what has not begun begins with the
# options of the others; neither they nor the model need be told again.
cp out-seed-1.onnx one.onnx
mkdir kept
mv out.run/seed-5 out-seed-5.onnx kept
expect_exit 0 train -o out.onnx --seeds 1,2,5 --resume --threads 1
expect_same out-seed-1.onnx one.onnx
expect_same out-seed-5.onnx kept/out-seed-5.onnx
expect_same out.run/seed-5/best.onnx kept/seed-5/best.onnx
expect_refusal 3 'run folder out.run/seed-1: not empty: --resume goes on with all runs' train \
    lenet.onnx -o out.onnx --seeds 1-3 $options
rm -r out.run/seed-5
expect_exit 3 train lenet.onnx -o out.onnx --seeds 5,1 --resume --threads 1 --lr 0.1
expect_stderr 'resume: --lr: 0.1: the run began with 0.005'
expect_exit 0 new lenet -o other.onnx --classes 4 --input 1,20,20 --seed 1
expect_exit 3 train other.onnx -o out.onnx --seeds 5,1 --resume --threads 1
expect_stderr 'other.onnx: not the model that the other runs began with'
[ ! -e out.run/seed-5 ] || fail "a run was begun"

# A split seed that is given holds for all.
expect_exit 0 train lenet.onnx -o one.onnx --seeds 1-2 --split-seed 7 $options --epochs 1 --run both
[ "$(grep -l '"split-seed": 7,' both/seed-1/run.json both/seed-2/run.json | wc -l)" -eq 2 ] ||
    fail "the split seed is not the one given"
rm -r both/seed-2
expect_exit 0 train -o one.onnx --seeds 1-2 --run both --resume --threads 1
grep -q '"split-seed": 7,' both/seed-2/run.json || fail "the split seed was not taken over"

# Runs that diverge are counted, and no mean is made of them.
expect_exit 1 train lenet.onnx -o high.onnx --seeds 3-4 --data idx:four --epochs 2 --lr 1e6 \
    --method base --batch 4 --threads 1
expect_stderr 'warning: seed 3 diverged: training: step [0-9]+: '
expect_stderr 'all 2 runs diverged'
expect_stdout '^2 seeds, 2 diverged: seed 3, 4$'
grep -q '"diverged": 2,' high.run/summary.json || fail "the summary does not count"
grep -q '"test_error": null' high.run/summary.json || fail "a mean of nothing"

for seeds in 5-1 1,1 1- -1 a 1,,2 1-2000 1-3,2; do
    expect_refusal 2 '--seeds: .*expected up to 1000 different seeds' train lenet.onnx -o x.onnx \
        --seeds="$seeds" $options
done
expect_refusal 2 '--seed beside --seeds' train lenet.onnx -o x.onnx --seeds 1-2 --seed 3 $options
expect_refusal 2 'missing required option -o FILE' train lenet.onnx --seeds 1-2 $options
