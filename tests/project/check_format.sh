#!/bin/sh
# Every C file as clang-format 14 leaves it: check_format.sh ROOT. Other versions break lines
# elsewhere, so that only this one is asked; without it the check is skipped (77).
set -eu
cd "$1"
tool=
for name in clang-format-14 clang-format; do
    case $($name --version 2>/dev/null) in
    *"version 14."*) tool=${tool:-$name} ;;
    esac
done
[ -n "$tool" ] || { echo "skipped: no clang-format 14 (tools/setup.sh --test)"; exit 77; }
files=$(find core onnx models tools tests examples -name '*.[ch]' 2>/dev/null | sort)
[ -n "$files" ] || { echo "no sources below $1"; exit 2; }
# shellcheck disable=SC2086 # no file of the project has a space in its name
$tool --dry-run --Werror --style=file $files 2>&1
