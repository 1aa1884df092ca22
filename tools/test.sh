#!/bin/sh
# Installs what is missing, builds every variant and runs all tests; ends with the line
# "N passed, N failed, N skipped" over all of them, and fails when anything failed.
#
#     sh tools/test.sh               on a fresh clone, as root or with sudo
#     MFM_SETUP=0 sh tools/test.sh   installs nothing
#     MFM_PEERS=1 sh tools/test.sh   installs PyTorch too, so that its exports are read
#
# What each variant is for:
#     release   the product as it is used: every test
#     asan      address and undefined-behaviour sanitizers: what is not slow; no MPI, which they
#               would not run with
#     double    derivatives, where rounding does not hide errors
#     clang     another compiler: its warnings are errors, and operators, not optimised; convolution
#               without oneDNN, and parts from outside
#     fuzz      libFuzzer over hostile files, a fixed number of them
set -eu
cd "$(dirname "$0")/.."

if [ "${MFM_SETUP:-1}" != 0 ]; then
    sh tools/setup.sh --test
    if [ "${MFM_PEERS:-0}" != 0 ]; then
        # Without them the checks against PyTorch's exports are skipped, and said to be.
        sh tools/setup.sh --peers || echo "test.sh: going on without PyTorch" >&2
    fi
fi

# An environment with onnx and ONNX Runtime. Where it cannot be made, the tests that need it are
# skipped.
venv=build/venv
python=$PWD/$venv/bin/python
mkdir -p build
if ! "$python" -c 'import numpy, onnx, onnxruntime, PIL' 2>/dev/null; then
    python3 -m venv "$venv" >build/venv.log 2>&1 &&
        "$python" -m pip install -q --disable-pip-version-check numpy onnx onnxruntime pillow \
            >>build/venv.log 2>&1 ||
        echo "test.sh: no onnx and ONNX Runtime (build/venv.log): their tests are skipped" >&2
fi
[ -x "$python" ] || python=python3

jobs=$(getconf _NPROCESSORS_ONLN)
# Several tests at a time share the cores: threads that wait give way soon.
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-2}" GOMP_SPINCOUNT="${GOMP_SPINCOUNT:-1000}"
export ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1
export UBSAN_OPTIONS=print_stacktrace=1
export LSAN_OPTIONS="suppressions=$PWD/tests/project/lsan.supp:print_suppressions=0"

# Tests write thousands of files, and the disk is waited for at each: they lie in memory where there
# are 6 GiB of it.
if [ -z "${TMPDIR:-}" ]; then
    free=$(df -Pk /dev/shm 2>/dev/null | awk 'NR == 2 { print $4 }')
    if [ "${free:-0}" -ge 6291456 ] && TMPDIR=$(mktemp -d /dev/shm/onnx-mfm-XXXXXX); then
        export TMPDIR
        trap 'rm -rf "$TMPDIR"' EXIT
    else
        unset TMPDIR
    fi
fi

results=
configuration= # what the next preset is configured with besides
# variant NAME TARGETS [CTEST_OPTION...]: builds targets of a preset, runs its tests. A build that
# fails leaves no results, which counts as a failure; so does a test whose program is not there.
variant() {
    name=$1 targets=$2
    shift 2
    file=$PWD/build/results/$name.xml
    results="$results $file"
    rm -f "$file"
    echo "== $name"
    started=$(date +%s)
    # shellcheck disable=SC2086 # these are words
    if ! { cmake --preset "$name" -DMFM_PYTHON="$python" $configuration &&
        cmake --build --preset "$name" --target $targets; } >"build/$name.log" 2>&1; then
        tail -n 40 "build/$name.log"
        echo "test.sh: the build of $name failed: build/$name.log"
        return 0
    fi
    built=$(date +%s)
    ctest --preset "$name" --output-junit "$file" -j "$jobs" --no-tests=error "$@" || true
    echo "== $name: built in $((built - started)) s, tested in $(($(date +%s) - built)) s"
}

variant release all
configuration=-DMFM_WITH_MPI=OFF
variant asan all -LE '^(slow|interop|project|fuzz)$'
configuration=
# Refused memory, architectures and numbers of ranks are the same whatever the width of numbers.
variant double all -L '^(op|unit|train)$' \
    -E '^(core/train/memory|core/train/comm/.*_(1|2|4|7|16)|models/models)$'
rm -rf build/extra
cp -r tests/project/extra build/extra # not below the tree's own folders
configuration="-DMFM_WITH_ONEDNN=OFF -DMFM_EXTRA=$PWD/build/extra"
variant clang all -R '^(op/|core/engine/conv$|project/extra$)'
configuration=-DMFM_STRICT=ON # clang's warnings of the parts that are for oneDNN
variant fuzz fuzz-targets -L '^fuzz$'

# shellcheck disable=SC2086 # no path of the project has a space in its name
sh tests/project/sum_results.sh $results
