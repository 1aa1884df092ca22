# The second of two stages: the classifier alone is trained, on the features of a trained model.
. "$SOURCE/tests/cli/lib.sh"

make_data four 4 40 10
expect_exit 0 new resnet20 -o new.onnx --classes 4 --input 1,20,20
common="--data idx:four --imbalance 10 --meta-per-class 4 --batch 16 --lr 0.1 --threads 1
    --milestones none"
expect_exit 0 train new.onnx -o first.onnx $common --method base --epochs 3

for method in crt lws; do
    # Features are computed once, which is said; computed in every step they give the same bytes.
    expect_exit 0 train first.onnx -o $method.onnx $common --method $method --epochs 3
    expect_stderr '^the features of [0-9]+ training images are computed once: [0-9.]+ MiB$'
    expect_different first.onnx $method.onnx
    grep -q '"sampler": "class-balanced"' $method.run/run.json || fail "not the method's sampler"
    expect_exit 0 train first.onnx -o anew.onnx $common --method $method --epochs 3 \
        --feature-memory 0 --run anew.$method
    expect_no_stderr_but '^epoch '
    expect_same $method.onnx anew.onnx
    expect_exit 0 train first.onnx -o room.onnx $common --method $method --epochs 1 \
        --feature-memory 0.001
    expect_stderr '^onnx-mfm train: warning: the features of [0-9]+ images take [0-9.]+ MiB'
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
        --augment pad-crop-flip
    expect_no_stderr_but '^epoch '
    rm -r shifted.onnx shifted.run
done

# Another sampler can be chosen; an option of frozen features is none of other methods.
expect_exit 0 train first.onnx -o shuffled.onnx $common --method crt --epochs 3 --sampler shuffle
expect_different crt.onnx shuffled.onnx
expect_exit 0 train first.onnx -o idle.onnx $common --method base --epochs 1 --feature-memory 5
expect_stderr '--feature-memory has no effect: it belongs to method crt, lws'
expect_refusal 3 'method lws: the loss ldam has a classifier of its own' train first.onnx \
    -o no.onnx $common --method lws --epochs 1 --loss ldam
expect_exit 0 train first.onnx -o ldam.onnx $common --method crt --epochs 1 --loss ldam
