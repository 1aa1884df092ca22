# Evaluation as people see it: its progress on a terminal, nothing of it elsewhere, and its end.
. "$SOURCE/tests/cli/lib.sh"

make_data four 4 12 75
expect_exit 0 new resnet32 -o m.onnx --classes 4 --input 1,20,20
eval="eval m.onnx --data idx:four --threads 1 --batch 2"

expect_exit 0 $eval
expect_no_stderr
expect_stdout '^error '
cp .stdout plain.txt

# A terminal for all three; what is drawn is taken away before the result is printed.
command -v script >/dev/null || { echo "skipped: no script(1), which makes a terminal"; exit 77; }
last_command="script -c onnx-mfm $eval"
script -qec "stty cols 200; '$TOOL' $eval" /dev/null >.stdout 2>.stderr </dev/null ||
    fail "exit code $?"
tr '\r' '\n' <.stdout >lines.txt
grep -Eq 'evaluating \[\.{20}\] 0 of 300 images$' lines.txt || fail "no line at the start"
grep -Eq 'evaluating \[#+\.*\] [1-9][0-9]* of 300 images, [0-9]+ (s|min .*) left$' lines.txt ||
    fail "no line with the time that is left"
for text in $(grep '^error ' plain.txt); do
    grep -Fq -- "$text" lines.txt || fail "the result lacks $text"
done

# On 80 columns no line is longer, and the time that is left is there; on fewer it is what stays.
expect_exit 0 new lenet -o lenet.onnx --classes 4 --input 1,20,20
train="train lenet.onnx --data idx:four --method base --batch 8 --epochs 12 --lr 0.01"
train="$train --milestones none --validation disjoint:2 --threads 1"
for columns in 80 40; do
    last_command="script -c onnx-mfm $train ($columns columns)"
    script -qec "stty cols $columns; '$TOOL' $train -o t$columns.onnx --run run$columns" /dev/null \
        >.stdout 2>.stderr </dev/null || fail "exit code $?"
    tr '\r' '\n' <.stdout | sed -n 's/^.\[K\(epoch .*\)/\1/p' >lines.txt
    [ -s lines.txt ] || fail "no line of a run's progress"
    ! grep -Ev "^epoch [0-9]+/12 .* ([0-9]+ (s|min|h) ?)+([0-9]+ (s|min) )?left$" lines.txt ||
        fail "a line without the time that is left"
    awk -v columns=$columns 'length >= columns { exit 1 }' lines.txt || fail "a line is too long"
done
# In a file there is a line for each epoch, with what it took and what is left.
expect_exit 0 $train -o file.onnx --run file
expect_stderr '^epoch 3/12  loss .* error [0-9.]+ %  validation .* lr 0.01  [0-9]+ s in steps, '
expect_stderr '^epoch 3/12 .*, [0-9]+ s left$'
expect_stderr '^epoch 12/12 .* 0 s left$'

# interrupt SIGNAL CODE COMMAND...: once the command has taken the signal into its hands, which the
# shell that is about to become it may have done as well.
interrupt() {
    signal=$1 wanted=$2
    shift 2
    last_command="onnx-mfm $* (interrupted)"
    env --default-signal=INT "$TOOL" "$@" >.stdout 2>.stderr &
    pid=$!
    tries=0
    until [ "/proc/$pid/exe" -ef "$TOOL" ] &&
        caught=$(sed -n 's/^SigCgt:[[:space:]]*//p' /proc/$pid/status 2>/dev/null) &&
        [ $((0x0$caught & 2)) -ne 0 ]; do
        tries=$((tries + 1))
        [ "$tries" -lt 3000 ] || fail "the signal was not taken within five minutes"
        sleep 0.1
    done
    kill -"$signal" "$pid"
    wait "$pid"
    code=$?
    [ "$code" -eq "$wanted" ] || fail "exit code $code instead of $wanted after SIG$signal"
    [ ! -s .stdout ] || fail "something on standard output"
}
make_data long 4 12 3000
interrupt INT 130 eval m.onnx --data idx:long --threads 1 --batch 10 --json
expect_stderr '^interrupted$'
interrupt TERM 143 eval m.onnx --data idx:long --threads 1 --batch 10
head -c 16000000 /dev/zero >images.raw
interrupt INT 130 run m.onnx --input images.raw -o logits.npy --threads 1
expect_stderr '^stopping after this batch; once more stops at once$'
expect_stderr 'interrupted after [0-9]+ of 10000 images: nothing was written$'
[ -z "$(find . -name '*logits*')" ] || fail "something of the output is there"

# As soon as it is noticed, which is before the model is read: that something ended is told, too.
for signal in TERM:143 INT:130; do
    rm -rf early.run
    interrupt ${signal%:*} ${signal#*:} train m.onnx -o early.onnx --data idx:long --batch 8 \
        --epochs 9
    expect_stderr '^interrupted before the training began$|interrupted after .*checkpoint is kept'
    [ ! -e early.onnx ] || fail "something of the output is there"
done
