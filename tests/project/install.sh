#!/bin/sh
# Installs a build, then builds and runs tests/project/consumer against it, once by find_package and
# once by pkg-config: install.sh BUILD_FOLDER WORK_FOLDER C_COMPILER
set -eu
build=$1 work=$2 cc=$3
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

for program in "$work/cmake/consumer" "$work/by-pkg-config"; do
    said=$(LD_LIBRARY_PATH=$(dirname "$pc")/.. "$program")
    [ "$said" = "classes 10" ] || { echo "$program said: $said"; exit 1; }
done

# Every public header stands alone, and none leads to a private one.
find "$work/prefix/include" -name '*.h' | while read -r header; do
    printf '#include "%s"\n' "$header" |
        "$cc" -std=c11 -Wall -Wextra -Werror -fsyntax-only -xc $(pkg-config --cflags onnx-mfm) - ||
        { echo "does not stand alone: $header"; exit 1; }
done

if [ -e "$work/prefix/bin/onnx-mfm" ]; then
    "$work/prefix/bin/onnx-mfm" --version
fi
echo "installed headers: $(find "$work/prefix/include" -name '*.h' | wc -l)"
