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
expect_exit 0 eval partly.onnx --data idx:partly
expect_stdout '^mean recall [0-9.]+ % over 2 classes .balanced accuracy., .*; 2 without test images'
expect_stdout '^3 +0 +12 +-$'
expect_stdout '^few +under 20 images +4 classes +mean recall +[0-9.]+ % +of 2 with test images$'
expect_exit 0 eval partly.onnx --data idx:partly --json
expect_stdout '"recall": null'
expect_stdout '"tested": 2'

# What a model tells of its images is in every file that training leaves, and eval goes by it.
train="--epochs 1 --batch 16 --meta-batch 8 --lr 0.02 --threads 1 --imbalance 3"
expect_exit 0 train lenet.onnx -o told.onnx --data idx:four $train --meta-from disjoint \
    --meta-per-class 3 --run told
pixels='"scale":255.0,"mean":\[0.[0-9]+\],"deviation":\[0.[0-9]+\]'
for file in told.onnx told/model.onnx told/checkpoint.onnx; do
    grep -Eaq "mfm.preprocess.*$pixels" $file || fail "$file does not tell its preprocessing"
    grep -aq 'mfm.classes.*"names":\["0","1","2","3"\]' $file || fail "$file: no class names"
    expect_exit 0 inspect $file
    expect_stdout '^images +1 x 20 x 20: byte / 255, mean 0[.][0-9]+, deviation 0[.][0-9]+$'
    expect_stdout '^classes +4: 0 \(9\), 1 \(6\), 2 \(4\), 3 \(3\)$'
    expect_exit 0 inspect $file --json
    expect_stdout '"colours": "grey"'
done
grep -aq 'mfm.preprocess' told/modulator.onnx && fail "a modulator reads no images"
grep -q '"colours": "grey"' told/run.json || fail "run.json does not tell the preprocessing"
grep -Eq '<th>Pixels</th><td>.byte / 255 - .0.[0-9]+.. / .0.[0-9]+., grey, 1 x 20 x 20<' \
    told/report.html || fail "the page does not tell the preprocessing"
expect_exit 0 data idx:four --json
expect_stdout '"layout": "NCHW"'
# Metadata of its own stays, and inject and strip leave all of it alone.
expect_exit 0 inject told.onnx -o told_i.onnx
expect_exit 0 strip told_i.onnx -o told_s.onnx
expect_same told.onnx told_s.onnx

# One split, one hash, one set of numbers: data, both methods, eval. 12 a class, of which 3 are
# taken out: 9, 9/3^(1/3) = 6.24, 9/3^(2/3) = 4.33, 3.
split="--imbalance 3 --meta-per-class 3 --meta-from disjoint"
hash() {
    sed -n "s/.*\"$1\": \"\([0-9a-f]\{16\}\)\".*/\1/p" "$2"
}
expect_exit 0 data idx:four $split --json
due=$(hash hash .stdout)
[ -n "$due" ] || fail "no hash"
[ "$(hash split told/run.json)" = "$due" ] || fail "mfm: another hash than data's"
for from in disjoint copy; do
    expect_exit 0 data idx:four --imbalance 3 --meta-per-class 3 --meta-from $from --json
    due=$(hash hash .stdout)
    expect_exit 0 train lenet.onnx -o $from.onnx --data idx:four $base --batch 16 --imbalance 3 \
        --meta-per-class 3 --meta-from $from
    [ "$(hash split $from.run/run.json)" = "$due" ] || fail "base: another hash than data's"
done
expect_exit 0 eval told.onnx --data idx:four
expect_no_stderr
expect_stdout '^3 +5 +3 +[0-9.]+ %'
expect_exit 0 eval told.onnx --data idx:four --imbalance 3
expect_no_stderr
expect_exit 0 eval told.onnx --data idx:four --meta-from copy
expect_stderr 'warning: told.onnx was trained on another split, [0-9a-f]{16}: the numbers'
expect_stdout '^3 +5 +4 +[0-9.]+ %'
expect_exit 0 eval told.onnx --data idx:four --split-seed 5 --fit
expect_stderr 'warning: --split-seed has no effect: it chooses which images'
expect_stderr 'warning: --fit has no effect: the images are of the size'
expect_exit 0 eval lenet.onnx --data idx:four --normalise data
expect_stderr 'warning: --normalise has no effect: the model tells no normalisation'

# The same test images beside other training images, or alone: the model's own normalisation, and
# so the same results to the last digit.
expect_exit 0 eval told.onnx --data idx:four --json
sed '/"split"/d' .stdout >four.json
make_data brighter 4 12 5 99
cp four/t10k-* brighter
expect_exit 0 eval told.onnx --data idx:brighter --json
expect_stderr 'told.onnx tells its own normalisation, which is used: mean 0.*; that of idx:brighter'
sed '/"split"/d' .stdout >brighter.json
expect_same four.json brighter.json
expect_exit 0 eval told.onnx --data idx:brighter --normalise data --json
cp .stdout of_data.json
expect_exit 0 eval told.onnx --data idx:brighter --mean data --json
expect_same .stdout of_data.json
expect_refusal 2 '--mean data: it brings its own --std' eval told.onnx --data idx:brighter \
    --mean data --std 0.5
expect_exit 0 eval told.onnx --data idx:brighter --normalise data --json
expect_stdout '"normalisation": "data"'
mkdir alone
cp four/t10k-* alone
expect_exit 0 eval told.onnx --data idx:alone --json
expect_no_stderr
sed '/"split"/d' .stdout >alone.json
expect_same four.json alone.json
expect_refusal 3 'idx:alone: no training images to measure mean and deviation on' \
    eval lenet.onnx --data idx:alone
expect_refusal 3 'alone/train-images-idx3-ubyte: no such file' data idx:alone
# Training goes on with it, and says so.
expect_exit 0 train told.onnx -o on.onnx --data idx:brighter $train --method base
expect_stderr 'told.onnx tells its own normalisation, which is used'
expect_exit 0 eval on.onnx --data idx:brighter --json
mean() {
    grep -A 1 '"mean"' "$1" | tail -n 1
}
[ "$(mean four.json)" = "$(mean .stdout)" ] || fail "training did not keep the normalisation"

# Bytes for run are normalised as the model tells: the logits that floats normalised outside give.
head -c 416 four/t10k-images-idx3-ubyte | tail -c 400 >one.bytes
expect_exit 0 run told.onnx --bytes --input one.bytes -o logits.raw
expect_stdout 'logits \[1,4\]'
head -c 399 one.bytes >short.bytes
expect_refusal 3 '399 bytes: expected a multiple of 400, bytes' \
    run told.onnx --bytes --input short.bytes -o no.raw
expect_refusal 3 '--bytes: lenet.onnx tells no normalisation' run lenet.onnx --bytes \
    --input one.bytes -o no.raw

# Metadata that cannot be true: refused where numbers hang on it, set aside where names do.
sed 's/"scale":255.0/"scale":-55.0/' told.onnx >scale.onnx
expect_refusal 3 'scale.onnx: metadata mfm.preprocess: scale -55: must be above 0 .--normalise' \
    eval scale.onnx --data idx:four
expect_refusal 3 'scale.onnx: metadata mfm.preprocess: scale -55' train scale.onnx -o no.onnx \
    --data idx:four $train
expect_exit 0 eval scale.onnx --data idx:four --normalise data
expect_exit 0 inspect scale.onnx
expect_stdout '^warning: .*metadata mfm.preprocess: scale -55'
sed 's/"input":.1,20,20./"input":[1,20,21]/' told.onnx >input.onnx
expect_refusal 3 'metadata mfm.preprocess: input 1x20x21: the model reads 1x20x20' \
    eval input.onnx --data idx:four
sed 's/"names":."0/"names":["\o377/' told.onnx >names.onnx
expect_exit 0 eval names.onnx --data idx:four
expect_stderr 'warning: names.onnx: metadata mfm.classes: no JSON: .*: it is ignored'

# A run goes on with the images it began with, in training and in the test: not their numbers only.
make_data again 4 12 5
run="--data idx:again --epochs 1 --batch 16 --lr 0.02 --threads 1 --method base"
expect_exit 0 train lenet.onnx -o again.onnx $run
make_data again 4 12 5 7
expect_refusal 3 'resume: idx:again: not the images that the run began with' \
    train lenet.onnx -o again.onnx --resume --epochs 2
cp four/train-* again
expect_refusal 3 'resume: idx:again: not the test images that the run began with' \
    train lenet.onnx -o again.onnx --resume --epochs 2
cp four/t10k-* again
expect_exit 0 train lenet.onnx -o again.onnx --resume --epochs 2 --threads 1

# Labels from 1: the same training as with labels from 0, in the names of the files.
make_data letters 4 12 5 0 1
expect_exit 0 train lenet.onnx -o letters.onnx --data idx:letters $base --batch 48
expect_stderr 'warning: idx:letters: no image has label 0: label 1 is class 0, and so on up to 4'
expect_exit 0 eval letters.onnx --data idx:letters --json
expect_stdout '"name": "4"'
error=$(grep '"error"' .stdout)
expect_exit 0 eval out.onnx --data idx:four --json
[ "$(grep '"error"' .stdout)" = "$error" ] || fail "other results with labels from 1"
mkdir letters_alone
cp letters/t10k-* letters_alone
expect_exit 0 eval letters.onnx --data idx:letters_alone --json
[ "$(grep '"error"' .stdout)" = "$error" ] || fail "other results without training images"

# Messages.
expect_refusal 3 'cannot read out.run: it is a folder: did you mean out.run/model.onnx' \
    eval out.run --data idx:four
expect_refusal 3 'cannot read four: it is a folder: expected an ONNX file' run four \
    --input one.bytes -o no.raw
expect_exit 0 new lenet -o many.onnx --classes 9 --input 1,20,20
expect_exit 0 train many.onnx -o m.onnx --data idx:four $base --batch 16
expect_stderr 'has 9 outputs, idx:four has 4 classes: the other 5 outputs have no training images'
mkdir 'a folder'
cp four/* 'a folder'
expect_exit 0 train lenet.onnx -o m2.onnx --data 'idx:a folder' $base --batch 16
expect_stdout "onnx-mfm eval m2.onnx --data 'idx:a folder'"

# The meta set: classes in turn, capped by the rarest, and what of it has no effect.
make_data tail 4 12 5
meta="--data idx:tail --imbalance 6 --meta-per-class 5 --meta-batch 8 --batch 16 --lr 0.02
    --threads 1"
expect_exit 0 train lenet.onnx -o aware.onnx $meta --epochs 4 --meta-sampler class-aware \
    --meta-cap rarest
expect_stderr 'warning: class 3 .3., the rarest, has 2 images: 2 instead of 5 of each class in'
[ "$(grep -c '"meta": 2' aware.run/run.json)" -eq 4 ] || fail "not 2 meta images of each class"
expect_exit 0 train lenet.onnx -o onwards.onnx $meta --epochs 2 --meta-sampler class-aware \
    --meta-cap rarest
expect_exit 0 train --run onwards.run --resume --epochs 4 --threads 1
expect_same onwards.onnx aware.onnx
expect_exit 0 train lenet.onnx -o shuffled.onnx $meta --epochs 4 --meta-cap rarest
expect_different shuffled.onnx aware.onnx
expect_exit 0 eval aware.onnx --data idx:tail --imbalance 6
expect_no_stderr_but 'the rarest, has 2 images'
expect_exit 0 train lenet.onnx -o idle.onnx $meta --batch 8 --epochs 1 --method base \
    --meta-sampler class-aware --meta-cap rarest --meta-from disjoint
expect_stderr 'warning: --meta-sampler has no effect: the run reads no meta set'
expect_stderr 'warning: --meta-cap has no effect: a disjoint meta set has what it asks'
expect_exit 0 new lenet -o six.onnx --classes 6 --input 1,20,20
expect_exit 0 train six.onnx -o absent.onnx $meta --epochs 1
expect_stderr "warning: the meta set has no image of 2 of the model's 6 classes .class 4 and"
