#!/bin/sh
# Installs a build, then builds and runs tests/project/consumer against it, by find_package, by
# pkg-config, and as C++, and runs the examples: install.sh BUILD_FOLDER WORK_FOLDER C_COMPILER
# CXX_COMPILER MAKE_IDX
set -eu
build=$1 work=$2 cc=$3 cxx=$4 make_idx=$5
here=$(cd "$(dirname "$0")" && pwd)
rm -rf "$work"
mkdir -p "$work"
cmake --install "$build" --prefix "$work/made" >"$work/install.log"
# Whatever leans on the place it was installed to at first fails from here on.
mv "$work/made" "$work/prefix"

cmake -S "$here/consumer" -B "$work/cmake" -DCMAKE_C_COMPILER="$cc" \
    -DCMAKE_PREFIX_PATH="$work/prefix" >"$work/configure.log"
cmake --build "$work/cmake" >"$work/build.log" || { cat "$work/build.log"; exit 1; }

pc=$(find "$work/prefix" -name onnx-mfm.pc)
[ -n "$pc" ] || { echo "no onnx-mfm.pc was installed"; exit 1; }
PKG_CONFIG_PATH=$(dirname "$pc")
export PKG_CONFIG_PATH
# shellcheck disable=SC2046 # flags are words
"$cc" -std=c11 -Wall -Werror "$here/consumer/main.c" -o "$work/by-pkg-config" \
    $(pkg-config --cflags --libs onnx-mfm)
# shellcheck disable=SC2046
"$cxx" -std=c++17 -Wall -Wextra -Werror -xc++ "$here/consumer/main.c" -xnone -o "$work/by-c++" \
    $(pkg-config --cflags --libs onnx-mfm)

for program in "$work/cmake/consumer" "$work/by-pkg-config" "$work/by-c++"; do
    said=$(LD_LIBRARY_PATH=$(dirname "$pc")/.. "$program")
    [ "$said" = "classes 10" ] || { echo "$program said: $said"; exit 1; }
done

# The examples train, inject and serve.
cmake -S "$here/../../examples" -B "$work/examples" -DCMAKE_C_COMPILER="$cc" \
    -DCMAKE_CXX_COMPILER="$cxx" -DCMAKE_PREFIX_PATH="$work/prefix" >"$work/configure.log"
cmake --build "$work/examples" >"$work/build.log" || { cat "$work/build.log"; exit 1; }
mkdir "$work/data" && "$make_idx" "$work/data" 4 40 10 20
LD_LIBRARY_PATH=$(dirname "$pc")/..
export LD_LIBRARY_PATH
examples=$work/examples
"$examples/train" "idx:$work/data" "$work/trained.onnx" 6 >"$work/said"
grep -q '^epoch 6: loss .*, test error 0.00 %$' "$work/said" || { cat "$work/said"; exit 1; }
"$examples/inject" "$work/trained.onnx" "$work/injected.onnx" fc:1 >"$work/said"
grep -q 'without its modulator it is the file before$' "$work/said" ||
    { cat "$work/said"; exit 1; }
# The image behind the 16 bytes of the header is of class 0, the next of class 1.
for class in 0 1; do
    tail -c +$((17 + 400 * class)) "$work/data/t10k-images-idx3-ubyte" | head -c 400 >"$work/image"
    "$examples/serve" "$work/trained.onnx" "$work/image" >"$work/said"
    head -n 1 "$work/said" | grep -q "^$class: " || { cat "$work/said"; exit 1; }
    "$examples/serve-cpp" "$work/trained.onnx" "$work/image" >"$work/said"
    grep -q "^class $class: " "$work/said" || { cat "$work/said"; exit 1; }
done
unset LD_LIBRARY_PATH

# Every public header stands alone, in C and in C++, and none leads to a private one.
find "$work/prefix/include" -name '*.h' | while read -r header; do
    printf '#include "%s"\n' "$header" |
        "$cc" -std=c11 -Wall -Wextra -Werror -fsyntax-only -xc $(pkg-config --cflags onnx-mfm) - ||
        { echo "does not stand alone: $header"; exit 1; }
    printf '#include "%s"\n' "$header" |
        "$cxx" -std=c++17 -Wall -Wextra -Wpedantic -Werror -fsyntax-only -xc++ \
            $(pkg-config --cflags onnx-mfm) - ||
        { echo "does not stand alone in C++: $header"; exit 1; }
    grep -q '^MFM_C_BEGIN$' "$header" || [ "${header##*/}" = linkage.h ] ||
        { echo "C++ would not find what it declares (core/base/linkage.h): $header"; exit 1; }
done

if [ -e "$work/prefix/bin/onnx-mfm" ]; then
    "$work/prefix/bin/onnx-mfm" --version
fi
echo "installed headers: $(find "$work/prefix/include" -name '*.h' | wc -l)"
