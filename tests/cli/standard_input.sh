# MODEL - is standard input: a pipe, a file, a file that was begun; and what - is not.
. "$SOURCE/tests/cli/lib.sh"

make_data four 4 12 4
expect_exit 0 new lenet -o lenet.onnx --classes 4 --input 1,20,20
expect_exit 0 inject lenet.onnx -o injected.onnx
expect_exit 0 train lenet.onnx -o trained.onnx --data idx:four --epochs 1 --batch 8 \
    --meta-batch 4 --meta-per-class 2 --threads 1 --milestones none
head -c 3200 /dev/zero >images.raw

# same FILE COMMAND OPTION...: what the command prints of FILE it prints of -, but for the name.
same() {
    file=$1 command=$2
    shift 2
    last_command="onnx-mfm $command - $*"
    "$TOOL" "$command" "$file" "$@" | sed "s|$file|/dev/stdin|g" >wanted
    cat "$file" | "$TOOL" "$command" - "$@" >piped 2>.stderr
    [ -s piped ] || fail "no word on standard output"
    expect_same piped wanted
    "$TOOL" "$command" - "$@" <"$file" >piped 2>.stderr
    expect_same piped wanted
}
same lenet.onnx inspect
same lenet.onnx inspect --batch 8 --threads 1
same lenet.onnx check
same lenet.onnx meta
same trained.onnx eval --data idx:four --threads 1
same trained.onnx diff lenet.onnx
same lenet.onnx inject -o -
same lenet.onnx head --classes 7 -o -
same lenet.onnx extract --to logits -o -
same lenet.onnx run --input images.raw -o -
same injected.onnx strip -o -
"$TOOL" new lenet -o - --classes 4 --input 1,20,20 2>/dev/null |
    "$TOOL" inject - -o - 2>/dev/null | "$TOOL" strip - -o - >piped 2>.stderr
expect_same piped lenet.onnx
"$TOOL" diff lenet.onnx - <lenet.onnx >.stdout 2>.stderr || fail "it differs from itself"
last_command="onnx-mfm eval --compare -"
"$TOOL" eval trained.onnx --data idx:four --threads 1 --compare lenet.onnx |
    sed 's|lenet.onnx|/dev/stdin|g' >wanted
cat lenet.onnx | "$TOOL" eval trained.onnx --data idx:four --threads 1 --compare - >piped 2>.stderr
grep -q "McNemar" piped || fail "no comparison"
expect_same piped wanted
cat trained.onnx | "$TOOL" eval - --data idx:four --threads 1 --compare - >piped 2>.stderr
grep -Eq "^right here alone: 0 images, there alone: 0," piped || fail "it differs from itself"
"$TOOL" bench - --threads 1 --repeat 1 --batch 2 <lenet.onnx >.stdout 2>.stderr ||
    fail "bench does not read it"

# A file from where it has been read to.
(echo "a line"; cat lenet.onnx) >after
(read -r line; "$TOOL" strip - -o piped <&0 2>.stderr) <after
expect_stderr '/dev/stdin: nothing to remove'

# refused CODE MESSAGE COMMAND OPTION...: with what stands on standard input.
refused() {
    refused_code=$1 refused_message=$2
    shift 2
    last_command="onnx-mfm $*"
    "$TOOL" "$@" >.stdout 2>.stderr
    got=$?
    [ $got -eq "$refused_code" ] || fail "exit code $got instead of $refused_code"
    expect_stderr "$refused_message"
    [ ! -s .stdout ] || fail "something on standard output"
}
refused 3 'an input is never overwritten' inject - -o lenet.onnx <lenet.onnx
refused 2 'MODEL cannot be standard input: a run notes its file' train - -o x.onnx \
    --data idx:four <lenet.onnx
refused 2 'standard input is the model, and cannot be a list of images too' \
    predict - - <trained.onnx
refused 3 '/dev/stdin' inspect - </dev/null
refused 3 'cannot read /dev/stdin' inspect - <images.raw
[ ! -e x.onnx ] || fail "a refused command wrote something"

# One tensor w, whose numbers lie in a file x: from standard input there is no folder to look in.
{
    printf '\010\010\102\002\020\021\072\035\022\001g\052\030'
    printf '\010\001\020\001\102\001w\152\015\012\010location\022\001x\160\001'
} >beside.onnx
printf '\0\0\0\0' >x
refused 3 'external data of w: it lies beside the model.s file' inspect - <beside.onnx
refused 3 'external data of w: it lies beside the model.s file' inject - -o y.onnx <beside.onnx
"$TOOL" check - <beside.onnx >.stdout 2>.stderr
expect_stdout 'external data of w: it lies beside the model.s file'
