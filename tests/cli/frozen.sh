# Frozen layers: what is trained, what is computed once, and that a run that goes on keeps it all.
. "$SOURCE/tests/cli/lib.sh"

make_data four 4 16 5
expect_exit 0 new resnet20 -o new.onnx --classes 4 --input 1,20,20
common="--data idx:four --imbalance 4 --meta-per-class 4 --batch 16 --meta-batch 16 --lr 0.02
    --threads 1 --milestones none"
expect_exit 0 train new.onnx -o first.onnx $common --method base --epochs 2

# Everything before the last convolution: computed once or each time, the same bytes.
for method in base mfm; do
    expect_exit 0 train first.onnx -o $method.onnx $common --method $method --epochs 3 \
        --freeze-before last_conv
    expect_stderr '^the features of [0-9]+ training,.* 20 test images are computed once: [0-9.]+ '
    expect_exit 0 train first.onnx -o anew.onnx $common --method $method --epochs 3 \
        --freeze-before last_conv --feature-memory 0 --run anew.$method
    expect_no_stderr_but '^epoch |has no effect: the run reads no meta set'
    expect_same $method.onnx anew.onnx
    rm -r anew.onnx anew.$method

    # One epoch and two more: the same bytes, though a checkpoint holds no features.
    expect_exit 0 train first.onnx -o more.onnx $common --method $method --epochs 1 \
        --freeze-before last_conv
    expect_exit 0 train first.onnx -o more.onnx --resume --epochs 3 --threads 1
    expect_stderr 'are computed once'
    expect_same $method.onnx more.onnx
    rm -r more.onnx more.run

    # What was written is what was evaluated.
    expect_exit 0 eval $method.onnx --data idx:four --json
    error=$(sed -n 's/^  "error": \([0-9.]*\),$/\1/p' .stdout)
    grep -Eq "\"epoch\":3,.*\"test_error\":$error," $method.run/metrics.jsonl ||
        fail "eval says $error, the run: $(tail -n 1 $method.run/metrics.jsonl)"
done
grep -q '"freeze-before": "last_conv"' mfm.run/run.json || fail "run.json does not tell"

# The same by name, and by what is left.
expect_exit 0 train first.onnx -o named.onnx $common --method base --epochs 3 \
    --freeze '*' --free 'conv:19' --free 'fc*'
expect_same base.onnx named.onnx
expect_exit 0 train first.onnx -o only.onnx $common --method base --epochs 3 \
    --train-only conv:-1 --train-only fc:1
expect_same base.onnx only.onnx

# Every method, with its own last stage.
for method in mfm-free mw-net l2rw crt lws; do
    expect_exit 0 train first.onnx -o other.onnx $common --method $method --epochs 1 \
        --freeze-before block:9
    expect_stderr 'are computed once'
    rm -r other.onnx other.run
done
expect_exit 0 train first.onnx -o two.onnx $common --method bbn --epochs 2 --freeze-before block:9
expect_stderr 'training, 20 test images are computed once'
expect_exit 0 train first.onnx -o two.anew.onnx $common --method bbn --epochs 2 \
    --freeze-before block:9 --feature-memory 0
expect_same two.onnx two.anew.onnx
rm -r two.onnx two.run two.anew.onnx two.anew.run

# What a method freezes anyway is told.
expect_exit 0 train first.onnx -o other.onnx $common --method crt --epochs 1 --freeze conv:1 \
    --lr-scale conv:2=0.1
expect_stderr 'warning: --freeze has no effect: the method trains the last layer alone'
expect_stderr 'warning: --lr-scale has no effect: the method trains the last layer alone'
rm -r other.onnx other.run
expect_exit 0 train first.onnx -o other.onnx $common --method crt --epochs 1 --freeze fc.bias
expect_no_stderr_but '^epoch |^the features|meta'
rm -r other.onnx other.run

# Augmented and mixed images have features of their own in each step; those of tests do not.
expect_exit 0 train first.onnx -o other.onnx $common --method base --epochs 1 \
    --freeze-before last_conv --augment shift:4,flip
expect_stderr '^the features of 20 test images are computed once'
expect_exit 0 train first.onnx -o other.onnx $common --method base --epochs 1 \
    --freeze-before last_conv --mix mixup --run other.mixed
expect_stderr '^the features of 20 test images are computed once'
rm -r other.onnx other.run other.mixed

# Rates of its own for a layer: 0 moves nothing, and is told like the rest.
expect_exit 0 train first.onnx -o slow.onnx $common --method base --epochs 1 --lr-scale fc:1=0.1 \
    --lr-scale 'layer*=0'
expect_different slow.onnx base.onnx
expect_exit 0 inspect first.onnx --tensors --freeze-before conv:3
expect_stdout '^conv1.weight .* fixed +Conv conv1 +by choice'
expect_stdout '^layer1.0.conv2.weight .* trained'

# The prediction of memory, and the times of a step, know of it.
expect_exit 0 inspect first.onnx --batch 16 --json
whole=$(sed -n '/"step": "base"/,/}/s/.*"planned_bytes": \([0-9]*\),.*/\1/p' .stdout)
expect_exit 0 inspect first.onnx --batch 16 --json --freeze-before last_conv
apart=$(sed -n '/"step": "base"/,/}/s/.*"planned_bytes": \([0-9]*\),.*/\1/p' .stdout)
[ "$apart" -lt "$whole" ] || fail "base takes $whole bytes, and $apart with frozen layers"
expect_exit 0 bench first.onnx --batch 16 --repeat 2 --method mfm --freeze-before last_conv \
    --threads 1
expect_stdout '^frozen prefix '

expect_refusal 3 "no such layer: conv:99" train first.onnx -o no.onnx $common \
    --freeze-before conv:99
expect_refusal 3 "cannot freeze before .*2 layers: one ends" train first.onnx -o no.onnx $common \
    --freeze-before 'layer1.0.conv?'
expect_refusal 3 "nothing that is trained lies there" train first.onnx -o no.onnx $common \
    --freeze-before first_conv
expect_refusal 3 "no tensor or layer is called so: did you mean fc.weight" train first.onnx \
    -o no.onnx $common --freeze fc.weigth
expect_refusal 3 "rate 'fc': NAME=X" train first.onnx -o no.onnx $common --lr-scale fc
expect_refusal 3 "rate 'fc:1=x': NAME=X" train first.onnx -o no.onnx $common --lr-scale fc:1=x
expect_refusal 3 "none of its tensors is trained" train first.onnx -o no.onnx $common \
    --lr-scale conv:1=2 --freeze conv:1
expect_refusal 3 "nothing is left to train" train first.onnx -o no.onnx $common --method base \
    --freeze '*'
