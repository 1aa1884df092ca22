#!/bin/sh
# No folder of more than twenty files without sub-folders: check_folders.sh ROOT
# One line a breach; exits 1 when there is one, and 2 when there is nothing to check.
set -eu
cd "$1"
folders=$(find core onnx models tools tests examples -type d 2>/dev/null | sort)
[ -n "$folders" ] || { echo "no folders below $1"; exit 2; }
bad=0
for folder in $folders; do
    count=$(find "$folder" -maxdepth 1 -type f | wc -l)
    inner=$(find "$folder" -mindepth 1 -maxdepth 1 -type d | wc -l)
    if [ "$count" -gt 20 ] && [ "$inner" -eq 0 ]; then
        echo "$folder: $count files: at most 20 where there are no sub-folders"
        bad=1
    fi
done
exit $bad
