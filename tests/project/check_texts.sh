#!/bin/sh
# No text of the project names a place that only one machine has (somebody's home or work folder),
# and none has a mark of unfinished work: check_texts.sh ROOT
# One line a breach; exits 1 when there is one, and 2 when there is nothing to check.
set -eu
cd "$1"
files=$(find . \( -name .git -o -path './build*' \) -prune -o -type f \( -name '*.[ch]' \
    -o -name '*.def' -o -name '*.sh' -o -name '*.py' -o -name '*.md' -o -name '*.json' \
    -o -name '*.cmake' -o -name '*.in' -o -name '*.txt' -o -name run \) -print | sort)
[ -n "$files" ] || { echo "no texts below $1"; exit 2; }
status=0
# The brackets keep the patterns from finding themselves.
# shellcheck disable=SC2086 # no file of the project has a space in its name
if grep -nE '(^|[^A-Za-z0-9_.}*)-])/(hom[e]|roo[t]|wor[k]|User[s]|mn[t])/' $files /dev/null; then
    echo "a path that only one machine has: paths are relative to the project or given by the user"
    status=1
fi
if grep -nE 'TOD[O]|FIXM[E]' $files /dev/null; then
    echo "unfinished work: finish it, or describe the limit in README.md"
    status=1
fi
exit $status
