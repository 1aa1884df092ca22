#!/bin/sh
# Every relative link of a page leads somewhere: check_links.sh ROOT
# One line a breach; exits 1 when there is one, and 2 when there is nothing to check.
set -eu
cd "$1"
pages=$(find . \( -name .git -o -path './build*' \) -prune -o -name '*.md' -print | sort)
[ -n "$pages" ] || { echo "no pages below $1"; exit 2; }
status=0
for page in $pages; do
    folder=$(dirname "$page")
    for link in $(grep -oE '\]\([^)# ]+' "$page" | cut -c3- | grep -v '^[a-z]*:'); do
        if [ ! -e "$folder/$link" ]; then
            echo "$page: $link: no such file"
            status=1
        fi
    done
done
exit $status
