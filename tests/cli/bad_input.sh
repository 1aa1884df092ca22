# What is wrong with files is told before any work, with exit code 3, and nothing is written.
. "$SOURCE/tests/cli/lib.sh"

make_data four 4 12 4
expect_exit 0 new lenet -o lenet.onnx --classes 4 --input 1,20,20
train="-o out.onnx --epochs 1 --batch 4 --meta-batch 4 --meta-per-class 2"

# Models.
echo 'This is no model.' >text.onnx
: >empty.onnx
head -c 5000 lenet.onnx >short.onnx
sed 's/Relu/Rely/; s/MaxPool/MaxPoll/' lenet.onnx >strange.onnx
for command in inspect 'inject -o no.onnx' 'strip -o no.onnx' "train $train --data idx:four" \
    'eval --data idx:four' 'run --input text.onnx -o no.raw'; do
    set -- $command
    first=$1
    shift
    expect_refusal 3 'none.onnx: No such file' "$first" none.onnx "$@"
    expect_refusal 3 'text.onnx: .*not an ONNX file' "$first" text.onnx "$@"
    expect_refusal 3 'empty.onnx' "$first" empty.onnx "$@"
    expect_refusal 3 'short.onnx' "$first" short.onnx "$@"
done
for command in "train $train --data idx:four" 'eval --data idx:four'; do
    set -- $command
    first=$1
    shift
    expect_refusal 3 'strange.onnx: .*MaxPoll.*' "$first" strange.onnx "$@"
    expect_stderr 'strange.onnx: .*Rely .*'
done
expect_exit 0 inspect strange.onnx
expect_stdout '^cannot be trained: .*MaxPoll'
expect_exit 0 inspect strange.onnx --json
expect_stdout '"operator": "Rely"'
expect_stdout '"trainable": false'
expect_exit 0 inject strange.onnx -o strange_i.onnx --layer conv:1
expect_exit 0 strip strange_i.onnx -o strange_s.onnx
expect_same strange.onnx strange_s.onnx
rm strange_i.onnx strange_s.onnx

# A name that is not UTF-8 does not spoil the JSON.
sed "s/conv1/con$(printf '\377')1/g" lenet.onnx >bytes.onnx
expect_exit 0 inspect bytes.onnx --json
expect_stdout '"node": "con\?1"'

# A name with control characters reaches no terminal, neither as a result nor in a message.
sed "s/conv1/c$(printf '\033')[2J/g" lenet.onnx >escape.onnx
expect_no_escape() {
    grep -q "$(printf '\033')" .stdout .stderr && fail "an escape character is printed"
    return 0
}
expect_exit 0 inspect escape.onnx --tensors
expect_stdout 'c\\x1b\[2J'
expect_no_escape
expect_exit 0 inject escape.onnx -o escape_i.onnx --layer conv:1
expect_stdout 'c\\x1b\[2J'
expect_no_escape
rm escape_i.onnx
expect_refusal 3 'c\\x1b\[2J' inject escape.onnx -o no.onnx --layer nowhere
expect_no_escape

# Layers and modulators.
expect_refusal 3 'conv:9.*' inject lenet.onnx -o no.onnx --layer conv:9
expect_refusal 3 'conv4: .*conv[123]' inject lenet.onnx -o no.onnx --layer conv4
expect_refusal 3 'conv4: .*conv[123]' train lenet.onnx $train --data idx:four --layer conv4
expect_refusal 3 'nothing to remove' strip lenet.onnx -o no.onnx
expect_exit 0 inject lenet.onnx -o injected.onnx
expect_refusal 3 'it has a modulator: strip it first' inject injected.onnx -o no.onnx
expect_refusal 3 '--layer: .*has a modulator already' train injected.onnx $train \
    --data idx:four --layer conv:1

# Tensors.
expect_refusal 3 'lenet.onnx: nothing is left to train' train lenet.onnx $train --data idx:four \
    --freeze '*'
expect_refusal 3 "cannot freeze 'conv9\*': no .*: inspect --tensors lists them" train lenet.onnx \
    $train --data idx:four --freeze 'conv9*'
expect_refusal 3 "cannot free 'nowhere'" train lenet.onnx $train --data idx:four --free nowhere

# Model and images that do not go together.
expect_exit 0 new lenet -o colour.onnx --classes 4 --input 3,32,32
expect_exit 0 new lenet -o three.onnx --classes 3 --input 1,20,20
for command in "train $train" eval; do
    set -- $command
    first=$1
    shift
    expect_refusal 3 '\[3,32,32\]: add --fit, or use a model for 1x20x20' \
        "$first" colour.onnx "$@" --data idx:four
    expect_refusal 3 'has label 3: the model three.onnx has 3 classes' \
        "$first" three.onnx "$@" --data idx:four
done
expect_exit 0 eval colour.onnx --data idx:four --fit
expect_stdout '^error [0-9.]+ %'

# Datasets.
make_data missing 4 12 4
rm missing/train-labels-idx1-ubyte
make_data cut 4 12 4
head -c 1000 four/t10k-images-idx3-ubyte >cut/t10k-images-idx3-ubyte
for command in data "train lenet.onnx $train --data" 'eval lenet.onnx --data'; do
    set -- $command
    expect_refusal 3 'train-labels-idx1-ubyte: no such file' "$@" idx:missing
    expect_refusal 3 't10k-images-idx3-ubyte' "$@" idx:cut
    expect_refusal 3 'nowhere/train-images-idx3-ubyte: no such file' "$@" idx:nowhere
done
expect_refusal 3 '13 takes all images of class 0 .*, which has 12: at most 11' data idx:four \
    --meta-from disjoint --meta-per-class 13
expect_refusal 3 '13 takes all images of class 0 .*, which has 12: at most 11' train lenet.onnx \
    -o out.onnx --data idx:four --meta-from disjoint --meta-per-class 13
expect_refusal 3 'keeps none of 12 images at imbalance 100: choose one below 12' data idx:four \
    --imbalance 100
expect_refusal 2 'imbalance: 0.5: expected a number from 1' data idx:four --imbalance 0.5
expect_refusal 2 'imbalance: 0.5: expected a number from 1' train lenet.onnx -o out.onnx \
    --data idx:four --imbalance 0.5
# A copied meta set takes what the class has, and says so.
expect_exit 0 data idx:four --imbalance 12 --meta-per-class 10
expect_stderr 'warning: 3 classes have fewer than 10 images, .*: class 3 \(3\) has the fewest, 1$'
expect_stdout '^3 +12 +1 +1 +4$'

# Places where nothing can be written.
for command in 'new lenet' 'inject lenet.onnx' 'strip injected.onnx' \
    'train lenet.onnx --data idx:four --epochs 1'; do
    expect_refusal 3 'cannot write nowhere/no.onnx: its folder nowhere/: No such file' \
        $command -o nowhere/no.onnx
    expect_refusal 3 'cannot write text.onnx/no.onnx: its folder text.onnx/: Not a directory' \
        $command -o text.onnx/no.onnx
    expect_refusal 3 'cannot write four: Is a directory' $command -o four
done
ln lenet.onnx linked.onnx
expect_refusal 3 'an input is never overwritten' inject lenet.onnx -o lenet.onnx
expect_refusal 3 'an input is never overwritten' inject lenet.onnx -o ./linked.onnx
expect_refusal 3 'an input is never overwritten' strip injected.onnx -o injected.onnx
expect_refusal 3 'an input is never overwritten' train lenet.onnx -o linked.onnx --data idx:four
# A place that is full is a resource that ran out: exit code 4, and the old file stays. The limit of
# 8 blocks is below the model's size, and lets the tool say what is wrong.
echo old >kept.onnx
last_command='onnx-mfm new lenet -o kept.onnx, files limited'
(ulimit -f 8 && exec "$TOOL" new lenet -o kept.onnx >.stdout 2>.stderr)
[ $? -eq 4 ] || fail "exit code 4 is due"
expect_stderr '^onnx-mfm new: cannot write kept.onnx: File too large$'
[ "$(cat kept.onnx)" = old ] || fail "the old file is gone"
if [ -c /dev/full ]; then
    "$TOOL" data idx:four >/dev/full 2>.stderr
    [ $? -eq 4 ] || fail "exit code 4 is due"
    expect_stderr 'cannot write to standard output: No space left on device$'
fi

mkdir full
: >full/something
expect_refusal 3 'run folder full: not empty: it holds something and no run' \
    train lenet.onnx $train --data idx:four \
    --run full
expect_refusal 3 'cannot resume from full/checkpoint.onnx: No such file.*: no run is in' \
    train lenet.onnx $train \
    --data idx:four --run full --resume
expect_refusal 3 'its folder nowhere/: No such file' train lenet.onnx $train --data idx:four \
    --run nowhere/run
