# Ctrl-C in the middle of a run, and on from there: the same bytes as without.
. "$SOURCE/tests/cli/lib.sh"

make_data four 4 40 10
expect_exit 0 new lenet -o lenet.onnx --classes 4 --input 1,20,20
common="--data idx:four --imbalance 2 --batch 8 --meta-batch 8 --lr 0.01 --threads 1
    --epochs 40"

# A run that is interrupted once it has finished an epoch; leaves its exit code in $code.
interrupt() {
    last_command="onnx-mfm train lenet.onnx -o $1 (interrupted)"
    rm -f "$work/.stderr"
    "$TOOL" train lenet.onnx -o "$1" --run run $common >"$work/.stdout" 2>"$work/.stderr" &
    pid=$!
    tries=0
    until [ -s run/checkpoint.onnx ]; do
        tries=$((tries + 1))
        [ "$tries" -lt 600 ] || fail "no epoch within 60 seconds"
        sleep 0.1
    done
    kill -INT "$pid"
    wait "$pid"
    code=$?
}

interrupt out.onnx
[ "$code" -eq 130 ] || fail "exit code $code instead of 130"
expect_stderr 'onnx-mfm train: interrupted after (step|epoch) [0-9]+: the checkpoint is kept'
expect_stderr 'to go on: onnx-mfm train lenet.onnx -o out.onnx --run run --resume$'
[ ! -e out.onnx ] || fail "an unfinished run wrote its output"
expect_file run/modulator.onnx
grep -Eq 'imbalance 2: [1-9][0-9]* of 40 epochs finished' run/report.html ||
    fail "the page does not tell how far the run came"

# On to the end, then all of it at once.
expect_exit 0 train lenet.onnx -o out.onnx --run run --resume --threads 1
expect_exit 0 train lenet.onnx -o whole.onnx $common
expect_same out.onnx whole.onnx
expect_same out.onnx run/model.onnx
expect_same run/modulator.onnx whole.run/modulator.onnx
grep -q 'imbalance 2: 40 of 40 epochs finished' run/report.html ||
    fail "the page is not that of the whole run"
[ "$(wc -l <run/metrics.jsonl)" -eq 40 ] || fail "40 lines of metrics are due"
cut -d, -f1-5 run/metrics.jsonl >there.txt
cut -d, -f1-5 whole.run/metrics.jsonl >whole.txt
expect_same there.txt whole.txt
