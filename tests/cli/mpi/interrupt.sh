# A signal at one rank, or at the launcher, ends all with a checkpoint, from which any number of
# ranks goes on; so does a rank that is killed, from the checkpoint before.
. "$SOURCE/tests/cli/mpi/lib.sh"

make_data four 4 40 10
expect_exit 0 new lenet -o lenet.onnx --classes 4 --input 1,20,20
options="--data idx:four --imbalance 2 --method base --batch 16 --lr 0.01"

# Open MPI's launcher lets stopped ranks go on, if for a moment only (await_launcher).
epochs_of() {
    if [ "$1" = all ]; then echo 200; else echo 60; fi
}

# start OUTPUT RANKS: in the background, up to its first checkpoint; the launcher is $pid.
start() {
    last_command="$2 ranks of onnx-mfm train -o $1.onnx (interrupted)"
    # The launcher itself, not the shell that starts it: signals go to it.
    env --default-signal=INT $launch "$MPI" "$2" "$TOOL" train lenet.onnx -o $1.onnx $options \
        --epochs "$(epochs_of "$1")" >"$work/.stdout" 2>"$work/.stderr" &
    pid=$!
    await_checkpoint "$1.run"
    all_ranks STOP
}

# The process that is rank $1 of the run in this folder.
process_of() {
    for process in /proc/[0-9]*; do
        [ "$(readlink "$process/cwd" 2>/dev/null)" = "$work" ] || continue
        [ "$(readlink "$process/exe" 2>/dev/null)" = "$(readlink -f "$TOOL")" ] || continue
        tr '\0' '\n' <"$process/environ" 2>/dev/null |
            grep -Eq "^(OMPI_COMM_WORLD_RANK|PMI_RANK)=$1\$" && echo "${process#/proc/}"
    done | head -n 1
}

# Stops the ranks again, and tells whether no signal waits for one of them.
one_waits() {
    waits=1
    for process in /proc/[0-9]*; do
        [ "$process/cwd" -ef "$work" ] && [ "$process/exe" -ef "$TOOL" ] &&
            kill -STOP "${process#/proc/}" &&
            grep -q '^ShdPnd:[^1-9a-f]*$' "$process/status" && waits=0
    done 2>/dev/null
    return $waits
}

# Until the launcher has passed its signal on. Open MPI's lets the ranks go on at once and sends it
# after a second; MPICH's now and then waits until they go on.
await_launcher() {
    tries=0
    while one_waits && [ "$tries" -lt 250 ]; do
        tries=$((tries + 1))
        sleep 0.02
    done
}

# interrupt OUTPUT SIGNAL CODE WHERE: "launcher", or a rank. CODE "some": any but 0; "any": any.
interrupt() {
    start "$1" 3
    if [ "$4" = launcher ]; then
        kill -"$2" "$pid"
        await_launcher
    else
        kill -"$2" "$(process_of "$4")"
    fi
    all_ranks CONT
    wait "$pid"
    code=$?
    [ ! -e "$1.onnx" ] || fail "an unfinished run wrote its output"
    case $3 in
    any) true ;;
    some) [ "$code" -ne 0 ] ;;
    *) [ "$code" -eq "$3" ] ;;
    esac || fail "exit code $code instead of $3 after SIG$2 at $4"
}

interrupt rank INT 130 2
expect_once 'interrupted after [a-z ]+ [0-9]+(, in its evaluation)?: the checkpoint is kept'
interrupt lead TERM 143 0
expect_once 'interrupted after [a-z ]+ [0-9]+(, in its evaluation)?: the checkpoint is kept'
# Open MPI's launcher ends by itself, and sends the ranks SIGTERM; the exit code of MPICH's is now
# and then 0, whatever the ranks' are.
interrupt all INT any launcher
interrupt killed KILL some 1

# On to the end with other numbers of ranks.
ranks=1
for run in rank lead all killed; do
    if [ $ranks = 1 ]; then
        expect_exit 0 train --run $run.run --resume
    else
        expect_ranks 0 $ranks train --run $run.run --resume
    fi
    [ "$(wc -l <$run.run/metrics.jsonl)" -eq "$(epochs_of $run)" ] ||
        fail "$(epochs_of $run) lines of metrics are due in $run"
    ranks=$((ranks + 1))
done
# The bytes of all of it in one process.
expect_exit 0 train lenet.onnx -o whole.onnx $options --epochs "$(epochs_of rank)"
for run in rank lead killed; do
    expect_same whole.onnx $run.onnx
done
expect_exit 0 train lenet.onnx -o long.onnx $options --epochs "$(epochs_of all)"
expect_same long.onnx all.onnx
