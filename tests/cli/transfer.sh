# A run that starts from the modulator of another.
. "$SOURCE/tests/cli/lib.sh"

make_data four 4 40 10
make_data others 4 40 10 7
expect_exit 0 new lenet -o lenet.onnx --classes 4 --input 1,20,20
expect_exit 0 new lenet -o second.onnx --classes 4 --input 1,20,20 --seed 9
options="--imbalance 10 --meta-per-class 4 --batch 16 --meta-batch 8 --lr 0.02 --threads 1"
expect_exit 0 train lenet.onnx -o first.onnx --data idx:four $options --epochs 3 --layer fc:1 \
    --modulation film --hidden 12
modulator=first.run/modulator.onnx

# Frozen it is the modulator that comes out, byte for byte; trained further it is another one. Its
# form need not be told, nor its layer named as it was.
expect_exit 0 train second.onnx -o frozen.onnx --data idx:others $options --epochs 2 --layer fc:1 \
    --modulator $modulator --freeze-modulator
expect_same $modulator frozen.run/modulator.onnx
expect_exit 0 train second.onnx -o further.onnx --data idx:others $options --epochs 2 \
    --modulator $modulator --map fc1=fc:1
expect_different $modulator further.run/modulator.onnx
expect_exit 0 train second.onnx -o fresh.onnx --data idx:others $options --epochs 2 --layer fc:1 \
    --modulation film --hidden 12
expect_different fresh.run/modulator.onnx further.run/modulator.onnx
expect_different fresh.onnx further.onnx
# A model that was injected takes it as well.
expect_exit 0 inject second.onnx -o injected.onnx --layer fc:1 --modulation film --hidden 12
expect_exit 0 train injected.onnx -o frozen2.onnx --data idx:others $options --epochs 2 \
    --modulator $modulator --freeze-modulator
expect_same $modulator frozen2.run/modulator.onnx
expect_same frozen.onnx frozen2.onnx
# Going on needs the checkpoint alone.
expect_exit 0 train second.onnx -o more.onnx --data idx:others $options --epochs 1 \
    --modulator $modulator --map fc1=fc:1
mv first.run moved.run
expect_exit 0 train --run more.run --resume --epochs 2 --threads 1
expect_same more.onnx further.onnx
mv moved.run first.run

# It goes on reading what it was trained to read.
expect_refusal 3 'trained to read softmax, the run gives it logits adjusted: choose --soft-label' \
    train second.onnx -o no.onnx --data idx:others $options --epochs 1 --modulator $modulator \
    --layer fc:1 --loss logit-adjustment --soft-label logits --soft-label-adjusted
expect_exit 0 train lenet.onnx -o logits.onnx --data idx:four $options --epochs 1 --layer fc:1 \
    --soft-label logits
expect_exit 0 train second.onnx -o logits2.onnx --data idx:others $options --epochs 1 \
    --soft-label logits --layer fc:1 --modulator logits.run/modulator.onnx --freeze-modulator
expect_same logits.run/modulator.onnx logits2.run/modulator.onnx
expect_refusal 3 'trained to read logits, the run gives it softmax' train second.onnx -o no.onnx \
    --data idx:others $options --epochs 1 --layer fc:1 --modulator logits.run/modulator.onnx

# What does not fit is told before anything is written.
refused() {
    code=$1
    message=$2
    shift 2
    expect_refusal "$code" "$message" train second.onnx -o no.onnx --data idx:others $options \
        --epochs 1 "$@"
}
refused 3 'layer .* of first.run/modulator.onnx has [0-9]+ channels' --modulator $modulator \
    --layer conv:1
refused 3 'modulated layers: 1, in .* 2' --modulator $modulator --layer conv:1 --layer fc:1
refused 3 'expected one' --modulator $modulator --map 'fc1=*'
refused 3 'has no layer conv9: its layer is' --modulator $modulator --map conv9=fc:1
refused 2 'expected THEIRS=OURS' --modulator $modulator --map fc1
refused 2 'beside --modulator: the form is that of' --modulator $modulator --hidden 5 --layer fc:1
refused 2 'beside --map: give one' --modulator $modulator --layer fc:1 --map fc1=fc:1
refused 2 '--map needs --modulator' --map fc1=fc:1
refused 3 'no modulator: the modulator.onnx of a run is needed' --modulator lenet.onnx
refused 3 'nowhere.onnx' --modulator nowhere.onnx
refused 2 'the method base trains no modulator' --method base --modulator $modulator
expect_exit 0 new lenet -o five.onnx --classes 5 --input 1,20,20
expect_refusal 3 'classes: 4, in five.onnx 5' train five.onnx -o no.onnx --data idx:others \
    $options --epochs 1 --modulator $modulator --layer fc:1
