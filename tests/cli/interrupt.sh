# Ctrl-C in the middle of a run, and on from there: the same bytes as without.
. "$SOURCE/tests/cli/lib.sh"

make_data four 4 16 5
expect_exit 0 new lenet -o lenet.onnx --classes 4 --input 1,20,20
options="--data idx:four --imbalance 2 --batch 8 --meta-batch 8 --lr 0.01 --threads 1"
common="$options --epochs 12"

# A pipe with room for a few lines of progress: a run that tells it its epochs stands still after
# some, however quick it is. What stands in it are pages of zeros.
nearly_full_pipe() {
    rm -f full
    mkfifo full && exec 9<>full || fail "no pipe"
    dd if=/dev/zero of=full bs=4096 count=1024 oflag=nonblock 2>/dev/null
    head -c 4096 <&9 >/dev/null && head -c 3700 /dev/zero >&9 || fail "no room in the pipe"
}

# start OUTPUT RUN OPTION...: in the background, up to its first checkpoint; the process is $pid. A
# shell ignores SIGINT for what it starts in the background, and what is ignored stays so: IGNORED
# tells env to ignore more, or else less.
start() {
    nearly_full_pipe
    last_command="onnx-mfm train lenet.onnx -o $1 --run $2 (interrupted)"
    env ${IGNORED:---default-signal=INT} "$TOOL" train lenet.onnx -o "$1" --run "$2" $common \
        >"$work/.stdout" 2>full 9>&- &
    pid=$!
    await_checkpoint "$2"
}

# end SIGNAL: to the process, which stands still until its pipe is read; its exit code is $code.
end() {
    kill -"$1" "$pid" || fail "the run has ended by itself"
    tr -d '\0' <full >"$work/.stderr" 9>&- &
    reader=$!
    exec 9>&-
    wait "$pid" 2>/dev/null
    code=$?
    wait "$reader"
}

# interrupt SIGNAL CODE OUTPUT RUN: a run that is interrupted once it has finished an epoch.
interrupt() {
    start "$3" "$4"
    end "$1"
    [ "$code" -eq "$2" ] || fail "exit code $code instead of $2 after SIG$1"
    expect_stderr 'interrupted after [a-z ]+ [0-9]+(, in its evaluation)?: the checkpoint is kept'
    [ ! -e "$3" ] || fail "an unfinished run wrote its output"
}

interrupt INT 130 out.onnx run
expect_stderr 'to go on: onnx-mfm train --run run --resume$'
expect_file run/modulator.onnx
grep -Eq 'imbalance 2: [1-9][0-9]* of 12 epochs finished' run/report.html ||
    fail "the page does not tell how far the run came"
interrupt TERM 143 term.onnx term
interrupt HUP 129 hup.onnx hup

# What a process was started to ignore does not end it: the run goes to its end.
for signal in INT HUP; do
    IGNORED=--ignore-signal=$signal start ignored.onnx ignored
    end $signal
    [ "$code" -eq 0 ] || fail "an ignored SIG$signal ended the run"
    expect_file ignored.onnx
    rm -r ignored.onnx ignored
done

# On to the end, then all of it at once.
expect_exit 0 train lenet.onnx -o out.onnx --run run --resume --threads 1
expect_exit 0 train lenet.onnx -o whole.onnx $common
expect_same out.onnx whole.onnx
expect_same out.onnx run/model.onnx
expect_same run/modulator.onnx whole.run/modulator.onnx
grep -q 'imbalance 2: 12 of 12 epochs finished' run/report.html ||
    fail "the page is not that of the whole run"
[ "$(wc -l <run/metrics.jsonl)" -eq 12 ] || fail "12 lines of metrics are due"
# So after the other signals.
for signal in term hup; do
    expect_exit 0 train lenet.onnx -o $signal.onnx --run $signal --resume --threads 1
    expect_same $signal.onnx whole.onnx
done
cut -d, -f1-5 run/metrics.jsonl >there.txt
cut -d, -f1-5 whole.run/metrics.jsonl >whole.txt
expect_same there.txt whole.txt

# A checkpoint within an epoch whenever one is due: the results stay the same, also when the run is
# killed there and goes on.
expect_exit 0 train lenet.onnx -o often.onnx $options --epochs 3 --checkpoint-minutes 0.000001
expect_exit 0 train lenet.onnx -o seldom.onnx $options --epochs 3 --checkpoint-minutes 0
expect_same often.onnx seldom.onnx
common="$common --checkpoint-minutes 0.000001"
start killed.onnx killed
end KILL
expect_exit 0 train lenet.onnx -o killed.onnx --run killed --resume --threads 1 \
    --checkpoint-minutes 0
expect_same killed.onnx whole.onnx

# Several runs at a time: one note for all of them, whether the signal comes to each process, as
# from a terminal, or to the first alone, as by kill; and each stops after its step, with a
# checkpoint.
mkdir ten && "$MAKE_IDX" ten 10 1000 2 28 || fail "make-idx"
several="reproduce table6 --rows base --fashion-mnist idx:ten --epochs 2000 --seeds 1-2 --jobs 2
    --threads 1"
stop_several() { # SIGNAL CODE RUN WHO
    last_command="onnx-mfm $several --run $3 (SIG$1 to $4)"
    setsid env --default-signal=INT "$TOOL" $several --run "$3" \
        >"$work/.stdout" 2>"$work/.stderr" &
    pid=$!
    for seed in 1 2; do
        await_checkpoint "$3/table6/base/fashion-1000/seed-$seed"
    done
    [ "$4" = all ] && to=-$pid || to=$pid
    kill -s "$1" -- "$to" || fail "the runs have ended by themselves"
    wait "$pid" 2>/dev/null
    code=$?
    [ "$code" -eq "$2" ] || fail "exit code $code instead of $2 after SIG$1"
    [ "$(grep -c . "$work/.stderr")" -eq 2 ] || fail "not one note and one last word"
    expect_stderr '^stopping the runs after their steps; once more stops at once$'
    expect_stderr '^onnx-mfm reproduce: interrupted: the same command goes on$'
    for seed in 1 2; do
        log=$3/table6/base/fashion-1000/seed-$seed.log
        grep -Eq 'interrupted after [a-z ]+ [0-9]+(, in its evaluation)?: the checkpoint is kept' \
            "$log" || fail "$log: the run was not stopped: $(tail -n 3 "$log")"
    done
}
stop_several INT 130 both all
stop_several TERM 143 first one
