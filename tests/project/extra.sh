#!/bin/sh
# Parts from outside the tree: with MFM_EXTRA a loss, sampler, method, optimiser, schedule, mixing,
# finishing and recipe are on the command line, one file and one line each. In builds whose
# MFM_EXTRA is a copy of tests/project/extra.
#     extra.sh WORK_FOLDER TOOL MAKE_IDX
set -eu
work=$1 tool=$2 make_idx=$3

fail() {
    echo "FAILED: $*"
    cat "$work/out" 2>/dev/null
    exit 1
}

mkdir -p "$work"
cd "$work"
rm -rf data ./*.run ./*.onnx
mkdir data
"$make_idx" data 3 20 5 20
"$tool" new lenet -o lenet.onnx --classes 3 --input 1,20,20 >"$work/out"
train() {
    OMP_NUM_THREADS=1 "$tool" train lenet.onnx -o out.onnx --run out.run --data idx:data \
        --batch 10 --epochs 3 --lr 0.01 "$@" >"$work/out" 2>&1 || fail "train $*"
}
"$tool" train --help >help
[ "$(grep -c '^  toy  ' help)" -eq 7 ] || fail "the help does not list seven toys"
grep -q 'loss-factor' help || fail "the help has no option of the toy loss"
for option in method loss sampler mix optimizer schedule finish; do
    rm -rf out.run
    case $option in method) base= ;; *) base="--method base" ;; esac
    train $base --$option toy
    grep -q "\"$option\": \"toy\"" out.run/run.json || fail "run.json: no $option toy"
done
rm -rf out.run
train --recipe toy
grep -q '"loss-factor": 3' out.run/run.json || fail "the recipe's option is not there"
grep -q '"lr":0.0025' out.run/metrics.jsonl || fail "the toy schedule does not halve the rate"
echo "ok"
