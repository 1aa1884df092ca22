# A validation part: what is kept apart, what is told of it, and the model that it chooses.
. "$SOURCE/tests/cli/lib.sh"

make_data four 4 40 10
expect_exit 0 new lenet -o lenet.onnx --classes 4 --input 1,20,20
options="--data idx:four --imbalance 4 --meta-per-class 3 --batch 16 --meta-batch 8 --lr 0.01
    --threads 1 --milestones none"

# 40 of a class, of which 6 for validation: 34, 34 / 4^(1/3) = 21.4, 34 / 4^(2/3) = 13.5, 34 / 4.
split="--imbalance 4 --meta-per-class 3"
expect_exit 0 data idx:four $split --validation disjoint:6
expect_stdout '^class +available +train +meta +validation +test$'
expect_stdout '^0 +40 +34 +3 +6 +10$'
expect_stdout '^1 +40 +21 +3 +6 +10$'
expect_stdout '^2 +40 +13 +3 +6 +10$'
expect_stdout '^3 +40 +8 +3 +6 +10$'
expect_stdout '^all +160 +76 +12 +24 +40$'
hash=$(sed -n 's/^imbalance 4, split //p' .stdout)
expect_exit 0 data idx:four $split --validation 0.15
expect_stdout "split $hash\$"
expect_exit 0 data idx:four $split
expect_stdout '^class +available +train +meta +test$'
for part in disjoint:0 disjoint: disjoint:1x 0 1 -0.1 some nan; do
    expect_refusal 2 "--validation: $part: expected disjoint:K" data idx:four --validation $part
done
expect_refusal 3 '40 images for validation of class 0 .0., which has 40: at least one' \
    data idx:four --validation disjoint:40

# lowest RUN: the first epoch with the lowest validation error, and its test error.
lowest() {
    of='"epoch":\([0-9]*\),.*"test_error":\([0-9.]*\),.*"validation_error":\([0-9.]*\),'
    sed "s/.*$of.*/\3 \1 \2/" "$1/metrics.jsonl" | sort -s -g -k 1,1 | sed -n '1s/[^ ]* //p'
}
expect_exit 0 train lenet.onnx -o whole.onnx $options --epochs 6 --validation disjoint:6
expect_stderr '^epoch 6/6 .*  error [0-9.]+ %  validation [0-9.]+ %  lr 0.01 '
set -- $(lowest whole.run)
best=$1
expect_stdout "^validation error: last [0-9.]+ %, lowest [0-9.]+ % .epoch $best, test error $2"
expect_stdout 'whole.run/best.onnx: the same of the epoch with the lowest validation error'
grep -q '"validation_images": 24,' whole.run/run.json || fail "run.json does not count the images"
grep -q '"validation": 6' whole.run/run.json || fail "run.json does not count them by class"
grep -q '"validation": "disjoint:6"' whole.run/run.json || fail "run.json lacks the option"
grep -q "\"split\": \"$hash\"" whole.run/run.json || fail "another split than data tells"
grep -Eq '"validation_error":[0-9.]+,"validation_loss":[0-9.]+,' whole.run/metrics.jsonl ||
    fail "the metrics lack the validation part"
grep -q '>Validation error, %<' whole.run/report.html || fail "the page has no such curve"
grep -q '<a href="best.onnx">' whole.run/report.html || fail "the page does not name best.onnx"
grep -q 'chosen on the test images' whole.run/report.html || fail "what chose is not told"
# best.onnx is the model of that epoch: a run of so many epochs ends with its weights.
expect_exit 0 train lenet.onnx -o until.onnx $options --epochs "$best" --validation disjoint:6
expect_exit 0 eval whole.run/best.onnx --data idx:four --json
sed '/"split"/d' .stdout >of_best.json
expect_exit 0 eval until.onnx --data idx:four --json
sed '/"split"/d' .stdout >of_until.json
expect_same of_best.json of_until.json
grep -Eq "\"error\": $2(\.0)?,?" of_best.json || fail "eval of best.onnx is not $2"
grep -aq "mfm.best.*\"epoch\":$best," whole.run/best.onnx || fail "best.onnx: no epoch"
expect_exit 0 eval whole.onnx --data idx:four --imbalance 4
expect_no_stderr
expect_stdout '^0 +10 +34 '

# Without such a part nothing is chosen.
expect_exit 0 train lenet.onnx -o none.onnx $options --epochs 1
grep -q '"validation_error":null,"validation_loss":null,' none.run/metrics.jsonl ||
    fail "a validation error that nobody measured"
[ ! -e none.run/best.onnx ] || fail "a best model that nobody chose"
# What is trained on from it is no longer the best of that run.
expect_exit 0 train whole.run/best.onnx -o further.onnx $options --epochs 1 --method base
grep -aq mfm.best further.onnx && fail "a model calls itself the best of another run"

# Going on: the same best model, whether it was there already, is yet to come, or was lost by a kill
# between the checkpoint and it.
for epochs in 1 2 3 4 5; do
    expect_exit 0 train lenet.onnx -o more.onnx $options --epochs $epochs --validation disjoint:6
    [ "$epochs" -ne "$best" ] || echo 'half a file' >more.run/best.onnx
    expect_exit 0 train --run more.run --resume --epochs 6 --threads 1
    expect_no_stderr_but '^epoch'
    expect_same more.run/best.onnx whole.run/best.onnx
    expect_same more.onnx whole.onnx
    rm -r more.run
done
# The best of epochs that are gone cannot be made again: it is told, and chosen among those to come.
expect_exit 0 train lenet.onnx -o lost.onnx $options --epochs 6 --validation disjoint:6
rm lost.run/best.onnx
expect_exit 0 train --run lost.run --resume --epochs 7 --threads 1
if [ "$best" -lt 6 ]; then
    expect_stderr "warning: lost.run/best.onnx is not the model of epoch $best, which has the"
    grep -aq 'mfm.best.*"epoch":7,' lost.run/best.onnx || fail "the epoch to come was not chosen"
fi
# A model.onnx that a kill left behind its checkpoint is made again, too.
cp none.onnx none.run/model.onnx.kept
echo 'half a file' >none.run/model.onnx
expect_exit 0 train --run none.run --resume --threads 1
expect_same none.run/model.onnx none.onnx
