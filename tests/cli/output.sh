# Where files go: through links, into devices and pipes, to standard output.
. "$SOURCE/tests/cli/lib.sh"

make_data four 4 12 4
expect_exit 0 new lenet -o lenet.onnx --classes 4 --input 1,20,20
expect_exit 0 inject lenet.onnx -o injected.onnx
head -c 3200 /dev/zero >images.raw
expect_exit 0 run lenet.onnx --input images.raw -o logits.raw
train="--data idx:four --epochs 1 --batch 8 --meta-batch 4 --meta-per-class 2 --threads 1"
expect_exit 0 train lenet.onnx -o trained.onnx $train

# to_stdout FILE COMMAND OPTION...: "-o -" gives the bytes of FILE, and messages to standard error.
to_stdout() {
    wanted_file=$1
    shift
    last_command="onnx-mfm $*"
    "$TOOL" "$@" >piped 2>.stderr || fail "exit code $?"
    expect_same piped "$wanted_file"
    expect_stderr '^wrote standard output'
    "$TOOL" "$@" 2>/dev/null | cat >piped
    expect_same piped "$wanted_file"
}
to_stdout lenet.onnx new lenet -o - --classes 4 --input 1,20,20
to_stdout injected.onnx inject lenet.onnx -o -
to_stdout lenet.onnx strip injected.onnx -o -
to_stdout logits.raw run lenet.onnx --input images.raw -o -
last_command="onnx-mfm train -o -"
"$TOOL" train lenet.onnx -o - $train --run piped.run >piped 2>.stderr || fail "exit code $?"
expect_same piped trained.onnx
expect_stderr '^test error: last '
expect_refusal 2 'missing required option --run DIR: -o - gives the run folder no name' \
    train lenet.onnx -o - $train
[ ! -e ./- ] || fail "a file called - was made"
expect_exit 0 new lenet -o ./- --classes 4 --input 1,20,20
expect_same ./- lenet.onnx

# What stands before and after in standard output stays, under every name of it.
for name in - /dev/stdout /dev/fd/1 /proc/self/fd/1; do
    (echo before; "$TOOL" new lenet -o $name --classes 4 --input 1,20,20 2>/dev/null; echo after) \
        >piped
    (echo before; cat lenet.onnx) >wanted
    cmp -s -n "$(wc -c <wanted)" piped wanted || fail "$name lost what was before, or the model"
    [ "$(tail -c 6 piped)" = after ] || fail "$name lost what came after"
done
case $(readlink /dev/stdout) in
/proc/*) ;;
*) fail "/dev/stdout is no longer the link it was" ;;
esac

# Links stay; what they lead to is replaced, or made.
mkdir elsewhere
ln -s elsewhere/real.onnx link.onnx
for turn in made replaced; do
    expect_exit 0 new lenet -o link.onnx --classes 4 --input 1,20,20
    [ -L link.onnx ] || fail "the link is gone: its file was to be $turn"
    expect_same elsewhere/real.onnx lenet.onnx
done
ln -s /dev/null null.onnx
expect_exit 0 inject lenet.onnx -o null.onnx
[ -L null.onnx ] && [ -c null.onnx ] || fail "a link to a device was replaced"
expect_exit 0 train lenet.onnx -o null.onnx $train --run null.run
[ -L null.onnx ] && [ -c null.onnx ] || fail "a link to a device was replaced"
expect_same null.run/model.onnx trained.onnx
ln -s lenet.onnx self.onnx
expect_refusal 3 'an input is never overwritten' inject lenet.onnx -o self.onnx
mkfifo pipe.onnx
cat pipe.onnx >piped &
expect_exit 0 inject lenet.onnx -o pipe.onnx
wait
expect_same piped injected.onnx
if [ -c /dev/full ]; then
    expect_exit 4 new lenet -o /dev/full
    expect_stderr 'cannot write /dev/full: No space left on device$'
    [ -c /dev/full ] || fail "a device was replaced"
fi
[ -z "$(find . -name '.*.mfm-tmp')" ] || fail "temporary files are left"
