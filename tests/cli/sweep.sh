# A short run, killed at every call by which it changes a file, and with every such call refused, by
# turns for want of space and for a failing disk. Whatever is left, the same command or --resume
# leads to the results of an undisturbed run, and messages say which. With FILES=two by a program
# that puts the weights of each model into a file beside it.
. "$SOURCE/tests/cli/lib.sh"

make_data four 4 6 2
expect_exit 0 new lenet -o lenet.onnx --classes 4 --input 1,20,20
options="--data idx:four --batch 10 --meta-batch 4 --meta-per-class 2 --hidden 4 --lr 0.01"
options="$options --threads 1 --validation disjoint:1"
GOMP_SPINCOUNT=0 # without the program's second start
export GOMP_SPINCOUNT
run="train lenet.onnx -o out.onnx --run run $options --epochs 2 --checkpoint-minutes 0.0000001"

# Models by their names, and weights: those that models have, and the two of checkpoints.
results() {
    find . \( -name 'out.onnx*' -o -name 'model.onnx*' -o -name 'best.onnx*' \
        -o -name 'modulator.onnx*' \) -exec cksum {} + | sort -k 3
    find run -name 'checkpoint*.data' | wc -l
}
expect_exit 0 $run
results >whole.results
weights=$(find . -name '*.data' | wc -l)
[ "$weights" -eq "$([ "$FILES" = two ] && echo 6 || echo 0)" ] || fail "$weights files of weights"
cut -d, -f1-5 run/metrics.jsonl >whole.txt
clear() {
    rm -rf run out.onnx out.onnx.*.data .[!.]*.mfm-tmp
}
clear

# disturb N HOW: the run with its N-th call disturbed; leaves its exit code in $code.
disturb() {
    last_command="FAIL_AT=$1 FAIL_HOW=$2 onnx-mfm $run"
    FAIL_AT=$1 FAIL_HOW=$2 FAIL_COUNT=count LD_PRELOAD=$FAIL_CALLS "$TOOL" $run >.stdout 2>.stderr
    code=$?
}

# The same command, or what its message names. Nothing is synced here, either.
recover() {
    LD_PRELOAD=$FAIL_CALLS "$TOOL" $run >.stdout 2>.stderr && return
    grep -q 'not empty: --resume goes on' .stderr || fail "neither begun nor told to resume"
    LD_PRELOAD=$FAIL_CALLS "$TOOL" train --run run --resume --threads 1 >.stdout 2>.stderr ||
        fail "it does not go on"
}

check() {
    results | cmp -s - whole.results || fail "other models: $(results | diff - whole.results)"
    [ "$FILES" = two ] || cmp -s out.onnx run/model.onnx || fail "another model in the run folder"
    cut -d, -f1-5 run/metrics.jsonl | cmp -s - whole.txt || fail "other metrics"
    [ -z "$(find . -name '.*.mfm-tmp')" ] || fail "temporary files are left"
}

disturb 0 kill
[ "$code" -eq 0 ] || fail "the run does not work with its calls counted"
check
clear
calls=$(cat count)
[ "$calls" -gt 60 ] || fail "only $calls calls counted"
n=0
while [ "$n" -lt "$calls" ]; do
    n=$((n + 1))
    disturb "$n" kill 2>/dev/null
    [ "$code" -eq 137 ] || fail "exit code $code after a kill"
    recover
    check
    clear
    # ENOSPC, EIO: nothing but the message and the exit code goes by which it is.
    if [ $((n % 2)) -eq 0 ]; then how=28; else how=5; fi
    disturb "$n" $how
    case $code in
    0) ;; # what was refused was not needed
    3 | 4) grep -Eq 'No space left|Input/output error' .stderr || fail "no reason" ;;
    *) fail "exit code $code" ;;
    esac
    [ "$code" -eq 0 ] || recover
    check
    clear
done
