# Training from end to end on a small dataset, and going on with a run.
. "$SOURCE/tests/cli/lib.sh"

make_data four 4 40 10
expect_exit 0 new lenet -o lenet.onnx --classes 4 --input 1,20,20
common="--data idx:four --imbalance 10 --meta-per-class 4 --batch 16 --meta-batch 8 --lr 0.02
    --threads 1 --milestones 3"

# A run with the default method leaves its files, and a plain model with the weights it trained.
expect_exit 0 train lenet.onnx -o out.onnx $common --epochs 4
expect_stderr '^epoch 1/4  loss [0-9.]+  meta loss [0-9.]+  error [0-9.]+ %  lr 0.02  '
expect_stderr '^epoch 4/4 .* lr 0.002 '
expect_stdout '^test error: last [0-9.]+ % .epoch 4., lowest [0-9.]+ % .epoch [1-4], chosen on the '
expect_stdout '^  3 +4 images +[0-9.]+ %'
expect_stdout '^  onnx-mfm eval out.onnx --data idx:four$'
for file in run.json metrics.jsonl checkpoint.onnx model.onnx modulator.onnx report.html; do
    expect_file "out.run/$file"
done
expect_same out.onnx out.run/model.onnx
expect_different out.onnx lenet.onnx
[ "$(wc -l <out.run/metrics.jsonl)" -eq 4 ] || fail "one line an epoch is due"
grep -q '"epochs": 4,' out.run/run.json || fail "run.json does not tell the epochs"
grep -Eq '"split": "[0-9a-f]{16}"' out.run/run.json || fail "run.json has no hash of the split"
grep -Eq '^\{"epoch":4,"train_loss":[0-9.e-]+,"meta_loss":[0-9.e-]+,"test_error":' \
    out.run/metrics.jsonl || fail "the metrics lack keys"
grep -q '<h1>Training of lenet.onnx</h1>' out.run/report.html || fail "the page has no title"
grep -q '<tr><th>imbalance</th><td>10</td></tr>' out.run/report.html ||
    fail "the page does not tell the options"
best=$(sed -n 's/^test error: .* lowest \([0-9.]* % (epoch [0-9]*\),.*/\1/p' .stdout)
grep -q "<tr><th>Lowest test error, chosen on the test images</th><td>$best)</td></tr>" \
    out.run/report.html || fail "the page does not tell the lowest error: $best"
for file in run.json metrics.jsonl checkpoint.onnx model.onnx modulator.onnx; do
    grep -q "<a href=\"$file\">" out.run/report.html || fail "the page does not name $file"
done
grep -qE "(src|href)=.?https?:" out.run/report.html && fail "the page loads from elsewhere"
expect_exit 0 inspect out.run/modulator.onnx
expect_stdout 'mfm.soft_label'
expect_stdout 'gamma\.'
expect_exit 0 strip out.run/checkpoint.onnx -o stripped.onnx
expect_stdout '^wrote stripped.onnx \(modulator and training state removed from out.run/check'
expect_same stripped.onnx out.onnx
expect_exit 0 inspect out.onnx
expect_no_stderr

# What eval says of the file is what the run said of its last epoch.
expect_exit 0 eval out.onnx --data idx:four --imbalance 10 --json
error=$(sed -n 's/^  "error": \([0-9.]*\),$/\1/p' .stdout)
grep -Eq "\"epoch\":4,.*\"test_error\":$error," out.run/metrics.jsonl ||
    fail "eval says $error, the run: $(tail -n 1 out.run/metrics.jsonl)"
expect_stdout '"images": 40'
expect_stdout '"train": 40'
expect_stdout '"medium": \{'
expect_exit 0 eval out.onnx --data idx:four
expect_stdout '^class +images +training +recall'
expect_stdout '^0 +10 +40 '
expect_stdout '^confusion'

# The same seed gives the same bytes, another one does not.
expect_exit 0 train lenet.onnx -o same.onnx $common --epochs 4
expect_same out.onnx same.onnx
expect_exit 0 train lenet.onnx -o seed.onnx $common --epochs 4 --seed 1
expect_different out.onnx seed.onnx

# Two epochs, and two more: the same bytes as four at once. Options that are not given are the
# run's own.
expect_exit 0 train lenet.onnx -o more.onnx $common --epochs 2
expect_different out.onnx more.onnx
expect_exit 0 train lenet.onnx -o more.onnx --resume --epochs 4 --threads 1
expect_same out.onnx more.onnx
expect_same out.run/modulator.onnx more.run/modulator.onnx
[ "$(wc -l <more.run/metrics.jsonl)" -eq 4 ] || fail "four lines are due"
# Once more has nothing left to do. What a crash left behind the checkpoint goes.
echo '{"epoch":5}' >>more.run/metrics.jsonl
expect_exit 0 train lenet.onnx -o more.onnx --resume --threads 1
expect_same out.onnx more.onnx
[ "$(wc -l <more.run/metrics.jsonl)" -eq 4 ] || fail "the fifth line is not the checkpoint's"

# Metrics that are not as a run writes them cannot be shown: the line is named.
cp more.run/metrics.jsonl kept.jsonl
sed '2s/.*/[2]/' kept.jsonl >more.run/metrics.jsonl
expect_exit 3 train lenet.onnx -o more.onnx --resume --threads 1
expect_stderr 'more.run/metrics.jsonl: line 2: expected an object with an epoch'
sed '3s/"epoch":3/"epoch":2/' kept.jsonl >more.run/metrics.jsonl
expect_exit 3 train lenet.onnx -o more.onnx --resume --threads 1
expect_stderr 'more.run/metrics.jsonl: line 3: its epoch must be a later one'
cp kept.jsonl more.run/metrics.jsonl

# A run goes on only as what it is.
expect_refusal 3 'resume: --lr: 0.1: the run began with 0.02' train lenet.onnx -o more.onnx \
    --resume --lr 0.1
expect_refusal 3 'resume: --method: "base": the run began with "mfm"' train lenet.onnx \
    -o more.onnx --resume --method base
expect_refusal 3 'resume: --epochs: 3: the run began with 4: it may only grow' \
    train lenet.onnx -o more.onnx --resume --epochs 3
expect_refusal 3 'seed.onnx: not the model that the run began with' train seed.onnx \
    -o more.onnx --resume
make_data others 4 30 10
expect_refusal 3 'idx:others: not the images that the run began with' train lenet.onnx \
    -o more.onnx --resume --data idx:others
expect_refusal 3 'run folder more.run: not empty' train lenet.onnx -o more.onnx $common

# The plain method leaves the meta images of its split alone; its file trains on.
expect_exit 0 train lenet.onnx -o base.onnx $common --epochs 2 --method base --run base
expect_file base/report.html
[ ! -e base/modulator.onnx ] || fail "a method without modulator wrote one"
grep -q 'modulator-lr' base/run.json && fail "run.json tells options of another method"
grep -q '"modulator-lr": 0.01' out.run/run.json || fail "run.json lacks what was left open"
expect_exit 0 train lenet.onnx -o idle.onnx $common --epochs 1 --method base --modulator-lr 0.1
expect_stderr '--modulator-lr has no effect: it belongs to method mfm'
grep -q '"meta_batch": 0,' base/run.json || fail "a method without meta set has meta batches"
grep -q '"meta_batch": 8,' out.run/run.json || fail "run.json does not tell the meta batch"
expect_exit 0 train base.onnx -o base2.onnx $common --epochs 1 --method base
expect_different base.onnx base2.onnx

# Without a scale, as in a row of the paper's tables: the shift alone is trained.
expect_exit 0 train lenet.onnx -o shift.onnx $common --epochs 1 --layer fc:1 --no-scale
expect_different shift.onnx lenet.onnx
expect_exit 0 inspect shift.run/modulator.onnx
grep -q 'gamma' .stdout && fail "a scale that was left out"
expect_stdout 'beta\.'

# Methods with hyper-parameters of their own: trained, gone on with, and a plain model comes out.
for method in mw-net l2rw 'mfm-free --layer conv:2' 'mfm --meta-every 2 --virtual-step full'; do
    # shellcheck disable=SC2086 # options are split at spaces
    expect_exit 0 train lenet.onnx -o whole.onnx $common --epochs 2 --method $method
    # shellcheck disable=SC2086
    expect_exit 0 train lenet.onnx -o part.onnx $common --epochs 1 --method $method
    expect_exit 0 train lenet.onnx -o part.onnx --resume --epochs 2 --threads 1
    expect_same whole.onnx part.onnx
    expect_exit 0 eval whole.onnx --data idx:four
    rm -r whole.onnx whole.run part.onnx part.run
done
# A modulator that stays as it is needs no meta set.
expect_exit 0 train lenet.onnx -o frozen.onnx $common --epochs 1 --freeze-modulator --layer fc:1
grep -q '"meta_batch": 0,' frozen.run/run.json || fail "a frozen modulator reads meta batches"

# A model with modulators trains as it is, and comes out without.
expect_exit 0 inject lenet.onnx -o injected.onnx --layer fc:1 --layer conv:2 --modulation film
expect_exit 0 train injected.onnx -o film.onnx $common --epochs 2 --modulator-optimizer adam \
    --augment shift:4,flip --border reflect
expect_refusal 3 'nothing to remove' strip film.onnx -o no.onnx

# A learning rate that is too high ends the run, and no model is written.
expect_exit 1 train lenet.onnx -o nan.onnx --data idx:four --epochs 50 --lr 100000 --method base \
    --threads 1
expect_stderr '^onnx-mfm train: training: step [0-9]+: '
[ ! -e nan.onnx ] || fail "a model with numbers that are not finite was written"
# One that ends before its first checkpoint leaves the way free for another.
expect_exit 1 train lenet.onnx -o early.onnx --data idx:four --lr 1e6 --method base --batch 4 \
    --threads 1
expect_file early.run/run.json
[ ! -e early.run/checkpoint.onnx ] || fail "numbers that are not finite were kept"
expect_exit 0 train lenet.onnx -o early.onnx $common --epochs 1
