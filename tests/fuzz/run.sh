#!/bin/sh
# run.sh DRIVER LIBFUZZER RUNS WORK_FOLDER: writes the target's seeds and lets libFuzzer go on from
# them. What it finds stays in WORK_FOLDER; `DRIVER FILE` replays it.
set -eu
driver=$1 fuzzer=$2 runs=$3 work=$4
rm -rf "$work"
mkdir -p "$work/corpus" "$work/seeds"
"$driver" --seeds "$work/seeds"
# One thread: libFuzzer counts the ways that inputs take, and threads would mix them. A limit on the
# time of one input only where it hangs.
OMP_NUM_THREADS=1 "$fuzzer" -runs="$runs" -seed=1 -timeout=600 -rss_limit_mb=4096 \
    -print_final_stats=1 -artifact_prefix="$work/" "$work/corpus" "$work/seeds" >"$work/log" 2>&1 ||
    { tail -n 60 "$work/log"; exit 1; }
tail -n 12 "$work/log"
