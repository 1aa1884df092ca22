# A run that writes a cache of features, killed at every call by which it changes that, and with
# every such call refused, by turns for want of space and for a failing disk: the results are those
# without a cache, and so are the next run's.
. "$SOURCE/tests/cli/lib.sh"

make_data four 4 3 2
expect_exit 0 new lenet -o lenet.onnx --classes 4 --input 1,20,20
GOMP_SPINCOUNT=0 # without the program's second start
export GOMP_SPINCOUNT
plain="train lenet.onnx -o out.onnx --run run --data idx:four --method base --batch 4 --lr 0.01
    --epochs 1 --threads 1 --freeze-before fc:1"
expect_exit 0 $plain --feature-cache cache
mv out.onnx whole.onnx
full=$(cat cache/*.features | wc -c)
clear() {
    rm -rf run out.onnx
}
clear

# disturb N HOW MIB: the run with its N-th call disturbed; leaves its exit code in $code.
disturb() {
    run="$plain --feature-cache cache --feature-memory $3"
    last_command="FAIL_AT=$1 FAIL_HOW=$2 onnx-mfm $run"
    FAIL_AT=$1 FAIL_HOW=$2 LD_PRELOAD=$FAIL_CALLS "$TOOL" $run >.stdout 2>.stderr
    code=$?
}

# The next run, which uses what is there.
check_next() {
    clear
    LD_PRELOAD=$FAIL_CALLS "$TOOL" $run >.stdout 2>.stderr || fail "the next run fails"
    [ "$(cat cache/*.features | wc -c)" -eq "$full" ] || fail "rows are missing, or there twice"
    cmp -s out.onnx whole.onnx || fail "another result of the next run"
    expect_no_stderr_but '^epoch |^the features'
    [ -z "$(find . -name '.*.mfm-tmp')" ] || fail "temporary files are left"
}

n=0 swept=0
while :; do
    n=$((n + 1))
    clear
    rm -rf cache
    disturb $n kill $((n % 2)) 2>/dev/null
    [ "$code" -eq 137 ] || fail "exit code $code after a kill"
    [ -d cache ] || continue
    size=$(cat cache/*.features 2>/dev/null | wc -c)
    check_next
    # What was there is read, not computed again.
    [ "$size" -le 64 ] || expect_stderr '^the features of .* read from cache/'
    clear
    rm -rf cache
    if [ $((n / 2 % 2)) -eq 0 ]; then how=28; else how=5; fi # ENOSPC, EIO
    disturb $n $how $((n % 2))
    cmp -s out.onnx whole.onnx || fail "another result"
    [ "$code" -eq 0 ] || fail "a cache that cannot be written ends the run"
    # Closing what has been synced may be refused, too: nothing is lost by it.
    [ "$(cat cache/*.features 2>/dev/null | wc -c)" -eq "$full" ] ||
        expect_stderr 'warning: cannot write cache/.*: features are kept in'
    check_next
    swept=$((swept + 1))
    [ "$size" -lt "$full" ] || break # this kill was at the call behind the last row, which syncs
done
[ "$swept" -gt 20 ] || fail "only $swept calls for the cache"
