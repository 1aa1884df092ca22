#!/bin/sh
# A shared library for any x86-64 comes with those for wider vectors: the loader takes the highest
# that the processor has, and each trains and infers what the program NATIVE does, to rounding.
#     hwcaps.sh SOURCE_FOLDER WORK_FOLDER C_COMPILER NATIVE MAKE_IDX CXX_COMPILER
set -eu
LC_ALL=C
export LC_ALL
source=$1 work=$2 cc=$3 native=$4 make_idx=$5 cxx=$6
here=$(cd "$(dirname "$0")" && pwd)

fail() {
    echo "FAILED: $*"
    exit 1
}

loader=$(readelf -l "$native" | sed -n 's/.*program interpreter: \(.*\)]$/\1/p')
levels=$("$loader" --help | sed -n 's/^ *\(x86-64-v[34]\) (supported, searched)$/\1/p')
[ -n "$levels" ] || { echo "skipped: the loader here takes neither x86-64-v3 nor v4"; exit 77; }

mkdir -p "$work"
# -O1, which compiles in half the time of -O2: what is asked is which library is loaded, and that it
# computes what another compilation does. NATIVE has -O3.
cmake -S "$source" -B "$work/build" -DCMAKE_C_COMPILER="$cc" -DCMAKE_BUILD_TYPE=Release \
    -DCMAKE_C_FLAGS_RELEASE="-O1 -DNDEBUG" \
    -DBUILD_SHARED_LIBS=ON -DMFM_TESTS=OFF >"$work/configure.log" 2>&1 ||
    { cat "$work/configure.log"; exit 1; }
cmake --build "$work/build" -j "$(getconf _NPROCESSORS_ONLN)" >"$work/build.log" 2>&1 ||
    { tail -n 40 "$work/build.log"; exit 1; }
sh "$here/install.sh" "$work/build" "$work/install" "$cc" "$cxx" "$make_idx"
tool=$work/install/prefix/bin/onnx-mfm
lib=$(dirname "$(find "$work/install/prefix" -name libonnx-mfm.so)")

# expect_loaded FOLDER: the one that the program takes its library from, also where it starts itself
# again.
expect_loaded() {
    got=$(LD_DEBUG=libs "$tool" --version 2>&1 |
        sed -n 's/.*calling init: \(.*\)\/libonnx-mfm\.so.*/\1/p' | sort -u)
    [ "$(cd "$got" && pwd)" = "$(cd "$1" && pwd)" ] || fail "loaded from $got instead of $1"
}

cd "$work"
rm -rf data run.* logits.*
mkdir data
"$make_idx" data 4 40 10 20
"$native" new resnet20 --classes 4 --input 1,20,20 -o resnet.onnx >new.log
# Two images of 1, -1/2, 0, 1, -1/2, ...
printf '\000\000\200\077\000\000\000\277\000\000\000\000' >pattern
for doubling in 1 2 3 4 5 6 7 8 9; do
    cat pattern pattern >twice
    mv twice pattern
done
head -c 3200 pattern >images

# results NAME PROGRAM: logits of the fresh network and of one after a step of MFM, one a line, to
# logits.NAME. A step, and a short one: more would let what rounding leaves grow.
results() {
    "$2" train resnet.onnx -o "$1.onnx" --run "run.$1" --data idx:data --imbalance 10 \
        --meta-per-class 4 --batch 64 --meta-batch 8 --lr 0.001 --epochs 1 --threads 1 \
        >"train.$1.log" 2>&1 || { cat "train.$1.log"; fail "training by $1"; }
    for model in resnet "$1"; do
        "$2" run "$model.onnx" --input images -o raw --threads 1 >run.log
        od -An -v -tf4 -w4 raw
    done >"logits.$1"
    [ "$(wc -l <"logits.$1")" -eq 16 ] || fail "16 logits of $1 are due"
}

# same NAME: its logits are those of native within 1e-5 of the largest.
same() {
    paste logits.native "logits.$1" | awk -v name="$1" '
        function size(x) { return x < 0 ? -x : x }
        { if (size($1) > most) most = size($1); if (size($1 - $2) > off) off = size($1 - $2) }
        END { printf "%s: %.2g off, the largest logit is %.2g\n", name, off, most
              exit !(most > 0 && off <= 1e-5 * most) }' || fail "$1 does not compute the same"
}

results native "$native"
expect_loaded "$lib/glibc-hwcaps/$(echo "$levels" | head -n 1)"
mkdir -p plain
cp "$lib"/libonnx-mfm.so.* plain
for level in $levels plain; do
    folder=$lib/glibc-hwcaps/$level
    [ "$level" != plain ] || folder=$work/plain
    LD_LIBRARY_PATH=$folder
    export LD_LIBRARY_PATH
    expect_loaded "$folder"
    results "$level" "$tool"
    same "$level"
done
unset LD_LIBRARY_PATH
# The package of such a build has all of them.
sh "$here/package.sh" "$work/build" "$work/package" "$make_idx" || [ $? -eq 77 ]
