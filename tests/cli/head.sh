# A new head: for other classes, with names, on injected models and checkpoints; what is refused.
. "$SOURCE/tests/cli/lib.sh"

make_data four 4 40 10
expect_exit 0 new resnet20 -o ten.onnx --classes 10 --input 1,20,20
expect_exit 0 head ten.onnx -o four.onnx --classes 4
expect_no_stderr
expect_stdout "^wrote four.onnx \(a head for 4 classes on ten.onnx\)$"
expect_stdout "^features    'flatten.out', 64 of each image$"
expect_stdout '^classifier  260 parameters, seed 0$'
expect_stdout '^removed     1 node, 2 initialisers; added 1 node$'
expect_exit 0 head ten.onnx -o again.onnx --classes 4 --verify 2
expect_stdout '^verified over 2 random images: differ by 0 of the largest number$'
expect_same four.onnx again.onnx
expect_exit 0 head ten.onnx -o other.onnx --classes 4 --seed 1
expect_different four.onnx other.onnx
expect_exit 0 inspect four.onnx
expect_stdout '^output +logits \[n,4\]$'

# It trains, with and without a modulator, and can be given a head again.
common="--data idx:four --imbalance 10 --meta-per-class 4 --batch 16 --lr 0.05 --threads 1
    --milestones none --epochs 1"
expect_exit 0 train four.onnx -o base.onnx $common --method base
expect_exit 0 train four.onnx -o mfm.onnx $common
expect_exit 0 eval mfm.onnx --data idx:four
expect_exit 0 head mfm.run/checkpoint.onnx -o five.onnx --classes 5
expect_stderr 'its modulator reads a soft label over the old classes, and is removed'
expect_exit 0 inspect five.onnx --json
expect_stdout '^  "modulators": \[\],'
expect_exit 0 head base.onnx -o none.onnx --classes 4 --dropout 0.5 --after block:-1 --pool
expect_stdout "averaged over each map, 64 of each image$"

# Names: as many as classes, each once.
printf 'cat\ndog\nbird\nfish\n' >names
expect_exit 0 head base.onnx -o named.onnx --class-names names
expect_exit 0 inspect named.onnx
expect_stdout 'cat'
expect_exit 0 train named.onnx -o trained.onnx $common --method base
printf 'cat\r\ndog\r\n' >two
expect_exit 0 head base.onnx -o two.onnx --class-names two --classes 2
expect_refusal 3 'names: 4 names, but --classes 5' head ten.onnx -o no.onnx --classes 5 \
    --class-names names
printf 'cat\n\ndog\n' >gap
expect_refusal 3 'gap: line 2 is empty' head ten.onnx -o no.onnx --class-names gap
printf 'cat\ndog\ncat\n' >twice
expect_refusal 3 "twice: two classes are called 'cat'" head ten.onnx -o no.onnx --class-names twice
printf 'cat\n' >one
expect_refusal 3 'one: 1 names: expected at least 2' head ten.onnx -o no.onnx --class-names one
printf 'cat\n\377\n' >bytes
expect_refusal 3 'name of class 1: UTF-8' head ten.onnx -o no.onnx --class-names bytes
expect_refusal 3 'cannot read none' head ten.onnx -o no.onnx --class-names none

expect_refusal 2 'missing --classes N' head ten.onnx -o no.onnx
expect_refusal 3 'no such layer: conv:99' head ten.onnx -o no.onnx --classes 4 --after conv:99
expect_refusal 3 'is the classifier itself' head ten.onnx -o no.onnx --classes 4 --after fc:1
expect_refusal 3 'cannot write ten.onnx' head ten.onnx -o ten.onnx --classes 4
