# Help, versions, and command lines that have no meaning.
. "$SOURCE/tests/cli/lib.sh"

expect_exit 0 --version
expect_stdout '^onnx-mfm [0-9]+\.[0-9]+\.[0-9]+$'
expect_exit 0 --help
expect_no_stderr
cp .stdout help.txt
[ -n "$commands" ] || fail "commands.def lists no command"
for command in $commands; do
    grep -Eq "^  $command +[a-z]" help.txt || fail "--help does not list $command"
    expect_exit 0 "$command" --help
    expect_no_stderr
    more='\[?[A-Z]+\]?(\.\.\.)? ' # a second argument, or several
    expect_stdout "^Usage: onnx-mfm $command ([A-Z]+ ($more)?)?\\[OPTION...\\]"
    many=$(grep -E "^Usage: onnx-mfm $command [A-Z]+ $more" .stdout)
    if grep -Eq "^Usage: onnx-mfm $command [A-Z]" .stdout; then
        expect_refusal 2 'no [A-Z]+ given' "$command"
    fi
    expect_refusal 2 'unknown option: --no-such-option$' "$command" --no-such-option
    [ -n "$many" ] || expect_refusal 2 'unexpected argument: ' "$command" one two
done

expect_exit 2
expect_stderr "no command: try 'onnx-mfm --help'"
expect_exit 2 tran
expect_stderr '^onnx-mfm: unknown command: tran: did you mean train\?$'

# The defaults in the help are those of the paper.
expect_exit 0 train --help
expect_stdout '--batch=N .*\(default: 100\)'
expect_stdout '--lr=X .*\(default: 0.1\)'
expect_stdout '--weight-decay=X .*\(default: 0.0005\)'
expect_stdout '--hidden=N '
expect_stdout '^  mfm  +[A-Z]'
expect_exit 0 new --help
expect_stdout '^  resnet32  +ResNet-32'

expect_refusal 2 'missing required option -o FILE' new lenet
expect_refusal 2 'unknown architecture: lenet5: did you mean lenet\?' new lenet5 -o m.onnx
expect_refusal 2 '--classes: 1: expected a whole number from 2' new lenet -o m.onnx --classes 1
expect_refusal 2 '--classes: ten: expected a whole number' new lenet -o m.onnx --classes ten
expect_refusal 2 '--seed: -1: expected a whole number from 0 to 9223372036854775807$' \
    new lenet -o m.onnx --seed -1
expect_refusal 2 '--seed: 1e3: expected a whole number' new lenet -o m.onnx --seed 1e3
expect_refusal 2 '--seed: 99999999999999999999: expected a whole number' new lenet -o m.onnx \
    --seed 99999999999999999999
expect_refusal 2 '--input: 28,28: expected channels,height,width' new lenet -o m.onnx --input 28,28
expect_refusal 2 '--input: 1,28,0: expected channels,height,width' \
    new lenet -o m.onnx --input 1,28,0
expect_refusal 2 '--seed: 9223372036854775808: expected a whole number' new lenet -o m.onnx \
    --seed 9223372036854775808
expect_refusal 2 'missing argument' new lenet -o
expect_refusal 2 "--output: '': it must not be empty" new lenet -o ''
for command in 'train -o o --data d' 'eval --data d' inspect 'inject -o o' 'strip -o o' bench; do
    # shellcheck disable=SC2086
    expect_refusal 2 "MODEL: '': it must not be empty" $command ''
done
expect_refusal 2 "--seed: '': expected a whole number" new lenet -o m.onnx --seed ''
expect_refusal 2 "--lr: '': expected a number from 0" train m -o o --data d --lr=
expect_refusal 2 "--method: '': it must not be empty" train m -o o --data d --method=
expect_refusal 2 "--position: unknown value ''" train m -o o --data d --position=
expect_refusal 2 "--milestones: '': expected none, or" train m -o o --data d --milestones=
expect_refusal 2 "unknown architecture: foo: 'onnx-mfm new --help' lists them" new foo -o m.onnx

expect_refusal 2 '--lr: nan: expected a number from 0 to 1000000' train m -o o --data d --lr nan
expect_refusal 2 '--lr: inf: expected a number from 0' train m -o o --data d --lr inf
expect_refusal 2 '--lr: 0.1x: expected a number from 0' train m -o o --data d --lr 0.1x
expect_refusal 2 '--momentum: 1.5: expected a number from 0 to 1' \
    train m -o o --data d --momentum 1.5
expect_refusal 2 '--batch: 0: expected a whole number from 1' train m -o o --data d --batch 0
expect_refusal 2 '--milestones: 160,: expected none, or' train m -o o --data d --milestones 160,
expect_refusal 2 '--milestones: 1;2: expected none, or' train m -o o --data d --milestones '1;2'
expect_refusal 2 '--method: unknown method mf: did you mean mfm\?' train m -o o --data d --method mf
expect_refusal 2 '--position: unknown value nrm: did you mean norm\?' \
    train m -o o --data d --position nrm
expect_refusal 2 'base trains no modulator' train m -o o --data d --method base --layer conv:1
expect_refusal 2 'mfm needs at least 1 meta image' train m -o o --data d --meta-per-class 0
expect_refusal 2 'missing required option -o FILE' train m --data d
expect_refusal 2 'missing required option --data DATA' train m -o o
expect_refusal 2 'unknown kind of dataset: mnist: one of .*idx:FOLDER' data mnist

# Of an option that is given twice the last counts; a list takes them all.
expect_exit 0 new lenet -o once.onnx --classes 7
expect_exit 0 new lenet -o none.onnx --classes 5 -o twice.onnx --classes 7
expect_same once.onnx twice.onnx
[ ! -e none.onnx ] || fail "the first -o counted"
expect_exit 0 inject once.onnx -o two.onnx --layer conv:1 --layer conv:2
expect_stdout '^  conv2: '
