# The second of two stages: the classifier alone is trained, on the features of a trained model. And
# two branches, made of one and trained together.
. "$SOURCE/tests/cli/lib.sh"

make_data four 4 16 5
expect_exit 0 new resnet20 -o new.onnx --classes 4 --input 1,20,20
common="--data idx:four --imbalance 4 --batch 16 --lr 0.1 --threads 1
    --milestones none"
expect_exit 0 train new.onnx -o first.onnx $common --method base --epochs 3

for method in crt lws mislas; do
    # Features are computed once, which is said; computed in every step they give the same bytes.
    expect_exit 0 train first.onnx -o $method.onnx $common --method $method --epochs 3
    expect_stderr '^the features of [0-9]+ training, 20 test images are computed once: [0-9.]+ MiB'
    expect_different first.onnx $method.onnx
    grep -q '"sampler": "class-balanced"' $method.run/run.json || fail "not the method's sampler"
    expect_exit 0 train first.onnx -o anew.onnx $common --method $method --epochs 3 \
        --feature-memory 0 --run anew.$method
    expect_no_stderr_but '^epoch '
    expect_same $method.onnx anew.onnx
    expect_exit 0 train first.onnx -o room.onnx $common --method $method --epochs 1 \
        --feature-memory 0.001
    expect_stderr '^onnx-mfm train: warning: the features of [0-9]+ training images take [0-9.]+'
    rm -r anew.onnx room.onnx room.run

    # What was written is what was evaluated: a plain classifier.
    expect_exit 0 eval $method.onnx --data idx:four --json
    error=$(sed -n 's/^  "error": \([0-9.]*\),$/\1/p' .stdout)
    grep -Eq "\"epoch\":3,.*\"test_error\":$error," $method.run/metrics.jsonl ||
        fail "eval says $error, the run: $(tail -n 1 $method.run/metrics.jsonl)"
    expect_same $method.onnx $method.run/model.onnx

    # One epoch and two more: the same bytes. Interrupted runs go on with features computed anew.
    expect_exit 0 train first.onnx -o more.onnx $common --method $method --epochs 1
    expect_exit 0 train first.onnx -o more.onnx --resume --epochs 3 --threads 1
    expect_same $method.onnx more.onnx
    rm -r more.onnx more.run

    # Augmented images have features of their own in every step.
    expect_exit 0 train first.onnx -o shifted.onnx $common --method $method --epochs 1 \
        --augment shift:4,flip
    expect_stderr '^the features of 20 test images are computed once'
    rm -r shifted.onnx shifted.run
done

# Running statistics follow the batches when they are asked to, in the same way when a run goes on;
# of a model without them this is said.
shift="$common --method mislas --statistics shifted"
expect_exit 0 train first.onnx -o shifted.onnx $shift --epochs 3
expect_no_stderr_but '^epoch '
expect_different mislas.onnx shifted.onnx
expect_exit 0 train first.onnx -o more.onnx $shift --epochs 1
expect_exit 0 train first.onnx -o more.onnx --resume --epochs 3 --threads 1
expect_same shifted.onnx more.onnx
expect_exit 0 eval shifted.onnx --data idx:four --json
error=$(sed -n 's/^  "error": \([0-9.]*\),$/\1/p' .stdout)
grep -Eq "\"epoch\":3,.*\"test_error\":$error," shifted.run/metrics.jsonl ||
    fail "eval says $error, the run: $(tail -n 1 shifted.run/metrics.jsonl)"
rm -r more.onnx more.run shifted.onnx shifted.run
expect_exit 0 new lenet -o none.onnx --classes 4 --input 1,20,20
expect_exit 0 train none.onnx -o none2.onnx $shift --epochs 1
expect_stderr 'warning: --statistics has no effect: the model has no running statistics'

# Another sampler can be chosen; an option of frozen features is none of other methods.
expect_exit 0 train first.onnx -o shuffled.onnx $common --method crt --epochs 3 --sampler shuffle
expect_different crt.onnx shuffled.onnx
expect_exit 0 train first.onnx -o idle.onnx $common --method base --epochs 1 --feature-memory 5
expect_stderr '--feature-memory has no effect: no layer is frozen'
expect_refusal 3 'method lws: the loss ldam has a classifier of its own' train first.onnx \
    -o no.onnx $common --method lws --epochs 1 --loss ldam
expect_exit 0 train first.onnx -o ldam.onnx $common --method crt --epochs 1 --loss ldam

# The last residual block is doubled, or all from a layer on. What is written has both branches, and
# is what was evaluated.
expect_exit 0 train new.onnx -o two.onnx $common --method bbn --epochs 3
expect_exit 0 eval two.onnx --data idx:four --json
error=$(sed -n 's/^  "error": \([0-9.]*\),$/\1/p' .stdout)
grep -Eq "\"epoch\":3,.*\"test_error\":$error," two.run/metrics.jsonl ||
    fail "eval says $error, the run: $(tail -n 1 two.run/metrics.jsonl)"
expect_exit 0 inspect two.onnx
expect_stdout 'rebalancing'
expect_no_stderr
expect_exit 0 train new.onnx -o more.onnx $common --method bbn --epochs 3 --run more.bbn
expect_same two.onnx more.onnx
rm -r more.onnx more.bbn

# Interrupted after an epoch, it goes on with the same bytes; a model with branches is trained on.
expect_exit 0 new lenet -o lenet.onnx --classes 4 --input 1,20,20
expect_exit 0 train lenet.onnx -o lenet2.onnx $common --method bbn --branch conv:2 --epochs 2
expect_exit 0 train lenet2.onnx -o again.onnx $common --method bbn --epochs 1
expect_exit 0 train lenet2.onnx -o head.onnx $common --method crt --epochs 1
expect_exit 0 bench lenet.onnx --method bbn --branch fc:1 --batch 4 --repeat 1
expect_exit 0 inspect new.onnx --batch 16
expect_stdout '^ *bbn '

# What cannot be doubled is told before any work.
expect_refusal 3 'lenet.onnx: there is no residual block to double: --branch LAYER' \
    train lenet.onnx -o no.onnx $common --method bbn --epochs 1
expect_refusal 3 'no such layer: conv:9' train lenet.onnx -o no.onnx $common --method bbn \
    --epochs 1 --branch conv:9
expect_refusal 3 'nothing with weights lies between there and the classifier' train lenet.onnx \
    -o no.onnx $common --method bbn --epochs 1 --branch fc:-1
expect_refusal 3 'two branches begin at one' train lenet.onnx -o no.onnx $common --method bbn \
    --epochs 1 --branch 'conv*'
expect_exit 0 inject lenet.onnx -o injected.onnx
expect_refusal 3 'it has a modulator: strip it first' train injected.onnx -o no.onnx $common \
    --method bbn --epochs 1 --branch conv:2
expect_refusal 3 'method bbn: it mixes the features of two batches: --mix none' train new.onnx \
    -o no.onnx $common --method bbn --epochs 1 --mix mixup
