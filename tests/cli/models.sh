# Models on their way through the tool: new, inspect, inject, strip, run.
. "$SOURCE/tests/cli/lib.sh"

expect_exit 0 new lenet -o lenet.onnx
expect_no_stderr
expect_file lenet.onnx
expect_exit 0 new lenet -o again.onnx
expect_same lenet.onnx again.onnx
expect_exit 0 new lenet -o other.onnx --seed 1
expect_different lenet.onnx other.onnx

expect_exit 0 inspect lenet.onnx
expect_stdout '^input +input \[n,1,28,28\]'
expect_stdout '^trains +30986 parameters'
expect_stdout '^conv:3 +Conv +\[1,120,3,3\] +17400 +155520 +no +conv:-1  last_conv'
expect_exit 0 inspect lenet.onnx --json
expect_stdout '^  "opset": 17,'
expect_stdout '^  "parameters": 30986,'
expect_stdout '^  "macs": 524040,'
expect_stdout '^      "id": "fc:2",'
expect_stdout '^  "unsupported": \[\],'
expect_stdout '^  "modulators": \[\],'

# What is trained and what is not, and what the user says of it.
expect_exit 0 inspect lenet.onnx --tensors
expect_stdout '^conv1.weight +\[[0-9,]+\] +trained +Conv conv1 +weight of its operator'
expect_exit 0 inspect lenet.onnx --tensors --freeze 'conv*' --free conv3.bias
expect_stdout '^conv1.weight .* fixed +Conv conv1 +by choice'
expect_stdout '^conv3.bias .* trained +Conv conv3 +by choice'
expect_stdout '^fixed +5 tensors'
expect_exit 0 inspect lenet.onnx --json --freeze conv1.weight
expect_stdout '"is": "fixed"'
expect_refusal 3 "cannot freeze 'conv1.wait': no tensor or layer is called so.*conv1.weight" \
    inspect lenet.onnx --freeze conv1.wait
expect_exit 0 inspect lenet.onnx --modulation film --threads 1
expect_stdout '^warning: --modulation has no effect: .*--batch'
expect_stdout '^warning: --threads has no effect: .*--batch'

# Inject and strip give back every byte, for each position, form and several layers.
for options in '--layer conv:1' '--layer fc:1 --position conv' '--layer conv:2 --position act' \
    '--layer conv:1 --layer conv:3 --modulation film' '--layer fc? --modulation attention' \
    '--modulation gated --hidden 7 --seed 3' '--no-shift' '--no-scale' '--hash-dim 8' \
    '--modulation scaled-sigmoid --no-shift'; do
    set -f
    expect_exit 0 inject lenet.onnx -o injected.onnx --verify 3 $options
    expect_stdout '^verified over 3 random images: differ by 0 of the largest number$'
    set +f
    expect_stdout '^nodes +13 +[0-9]+ +\+'
    expect_different lenet.onnx injected.onnx
    expect_exit 0 strip injected.onnx -o stripped.onnx --verify 3
    expect_stdout '^verified over 3 random images: differ by 0 of the largest number$'
    expect_stdout '^wrote stripped.onnx \(modulator removed from injected.onnx\)$'
    expect_same lenet.onnx stripped.onnx
done
expect_exit 0 inject lenet.onnx -o injected.onnx --layer conv:1
expect_refusal 3 "cannot freeze .mfm.\*.: .*: a modulator.s own tensors cannot be chosen" \
    inspect injected.onnx --freeze 'mfm.*'
expect_exit 0 inspect injected.onnx
expect_stdout '^modulator: scaled-softmax, soft label over 10 classes'
expect_exit 0 inspect injected.onnx --json
expect_stdout '"modulation": "scaled-softmax"'

# Two images of 784 pixels, all 1 as float32; a soft label of zeros.
printf '\000\000\200\077' >ones.raw
for doubling in 1 2 3 4 5 6 7 8 9 10 11; do
    cat ones.raw ones.raw >twice.raw
    mv twice.raw ones.raw
done
head -c 6272 ones.raw >images.raw
head -c 40 /dev/zero >label.raw
expect_exit 0 run lenet.onnx --input images.raw -o plain.raw
expect_stdout 'logits \[2,10\]'
[ "$(wc -c <plain.raw)" -eq 80 ] || fail "80 bytes of logits are due"
head -c 40 plain.raw >first.raw
tail -c 40 plain.raw >second.raw
expect_same first.raw second.raw
expect_exit 0 run injected.onnx --input images.raw -o off.raw
expect_same plain.raw off.raw
# A fresh modulator is the identity also when it is switched on.
expect_exit 0 run injected.onnx --input images.raw --soft-label label.raw --switch 1 -o on.raw
expect_same plain.raw on.raw
expect_stderr 'label.raw: soft label 0 is no distribution: its sum is 0: only a modulator that was'
# 0.5, 0.5 and zeros; 2, -1 and zeros.
{ printf '\000\000\000\077\000\000\000\077' && head -c 32 /dev/zero; } >half.raw
{ printf '\000\000\000\100\000\000\200\277' && head -c 32 /dev/zero; } >minus.raw
expect_exit 0 run injected.onnx --input images.raw --soft-label half.raw --switch 1 -o on.raw
expect_no_stderr
cat half.raw minus.raw >both.raw
expect_exit 0 run injected.onnx --input images.raw --soft-label both.raw --switch 1 -o on.raw
expect_stderr 'soft label 1 is no distribution: it has negative numbers, and the sum 1:'
for options in '--modulation scaled-sigmoid' '--modulation film' '--no-scale' '--no-shift' \
    '--hash-dim 3'; do
    expect_exit 0 inject lenet.onnx -o other.onnx --layer conv:1 $options
    expect_no_stderr
    expect_exit 0 run other.onnx --input images.raw --switch 1 -o on.raw
    expect_same plain.raw on.raw
done
# The paper's gated and attention forms are not, which is told.
for form in 'gated 6 scaled-softmax' 'attention 2 scaled-sigmoid'; do
    set -- $form
    expect_exit 0 inject lenet.onnx -o $1.onnx --layer conv:1 --modulation $1
    expect_stderr "warning: $1: gamma starts at 1/$2 at .*--modulation $3 --no-shift is the same"
    expect_exit 0 run $1.onnx --input images.raw --switch 1 -o $1.raw
    expect_different plain.raw $1.raw
    expect_refusal 3 "$1 has no shift" inject lenet.onnx -o no.onnx --modulation $1 --no-shift
    expect_refusal 3 'neither scale nor shift' \
        inject lenet.onnx -o no.onnx --modulation $1 --no-scale
done

expect_refusal 3 'expected a multiple of 3136, float32 \[1,1,28,28\]' \
    run lenet.onnx --input label.raw -o no.raw
expect_refusal 3 '--switch: lenet.onnx has no modulator' \
    run lenet.onnx --input images.raw --switch 1 -o no.raw
expect_refusal 3 'cannot read none.raw: No such file' run lenet.onnx --input none.raw -o no.raw
