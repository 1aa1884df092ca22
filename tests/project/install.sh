#!/bin/sh
# Installs a build, then builds and runs tests/project/consumer against it, by find_package, by
# pkg-config, and as C++: install.sh BUILD_FOLDER WORK_FOLDER C_COMPILER CXX_COMPILER
set -eu
build=$1 work=$2 cc=$3 cxx=$4
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
