#!/bin/sh
# No source file beyond 500 lines, no C function beyond 70, no line beyond 100 columns:
# check_lengths.sh ROOT
# One line a breach; exits 1 when there is one, and 2 when there is nothing to check. A function is
# what stands between a "{" and a "}" in the first column, as clang-format leaves it.
set -eu
cd "$1"
files=$(find core onnx models tools tests examples \
    \( -name '*.[ch]' -o -name '*.sh' -o -name '*.py' \) \
    2>/dev/null | sort)
[ -n "$files" ] || { echo "no sources below $1"; exit 2; }
# shellcheck disable=SC2086 # no file of the project has a space in its name
awk '
function breach(line, what, found, most) {
    printf "%s:%d: %s %d: at most %d\n", FILENAME, line, what, found, most
    bad = 1
}
FNR == 1 { start = 0 }
FNR == 501 { breach(FNR, "line", FNR, 500) }
# Bytes stand in for columns where a line is plain ASCII; others are left to clang-format.
length($0) > 100 && $0 !~ /[^ -~\t]/ { breach(FNR, "columns", length($0), 100) }
FILENAME ~ /[.][ch]$/ && /^[{]/ { start = FNR }
FILENAME ~ /[.][ch]$/ && /^}/ && start {
    if (FNR - start - 1 > 70)
        breach(start, "lines of a function", FNR - start - 1, 70)
    start = 0
}
END { exit bad }
' $files
