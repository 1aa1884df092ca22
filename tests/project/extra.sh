#!/bin/sh
# Parts from outside the tree: with MFM_EXTRA a loss, sampler, method, optimiser, schedule, mixing,
# finishing and recipe are on the command line, one file and one line each.
#     extra.sh SOURCE_FOLDER WORK_FOLDER C_COMPILER MAKE_IDX
set -eu
source=$1 work=$2 cc=$3 make_idx=$4
here=$(cd "$(dirname "$0")" && pwd)

fail() {
    echo "FAILED: $*"
    cat "$work/out" 2>/dev/null
    exit 1
}

mkdir -p "$work"
rm -rf "$work/extra"
cp -r "$here/extra" "$work/extra" # not below the tree
# Little optimisation, which other tests are for: the lists are what is tried here.
cmake -S "$source" -B "$work/build" -DCMAKE_C_COMPILER="$cc" -DCMAKE_BUILD_TYPE=Debug \
    -DCMAKE_C_FLAGS_DEBUG=-O1 -DMFM_WITH_MPI=OFF -DMFM_STRICT=ON -DMFM_TESTS=OFF \
    -DMFM_EXTRA="$work/extra" >"$work/out" 2>&1 || fail "configure"
cmake --build "$work/build" -j "$(getconf _NPROCESSORS_ONLN)" >"$work/out" 2>&1 || fail "build"
tool=$work/build/tools/onnx-mfm

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
