#!/bin/sh
# sum_results.sh against results written here: sums_catch.sh WORK_FOLDER
set -eu
work=$1
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$work"

# results NAME STATUS...: a results file with one test a status.
results() {
    file=$work/$1.xml
    shift
    echo '<testsuite name="x">' >"$file"
    for status in "$@"; do
        case $status in
        run | fail | disabled)
            printf '\t<testcase name="t" status="%s">\n\t</testcase>\n' "$status" ;;
        *) printf '\t<testcase name="t" status="x">\n\t\t<skipped message="%s"/>\n' "$status" ;;
        esac
    done >>"$file"
    echo '</testsuite>' >>"$file"
}

# sums STATUS LAST_LINE NAME...
sums() {
    want=$1 line=$2
    shift 2
    status=0
    said=$(cd "$work" && sh "$here/sum_results.sh" "$@") || status=$?
    if [ "$status" -ne "$want" ] || [ "$(printf '%s\n' "$said" | tail -n 1)" != "$line" ]; then
        echo "$*: status $status for $want: $said: $line was to be said"
        exit 1
    fi
}

results good run run
results mixed run SKIP_RETURN_CODE=77
results bad run fail
results gone run "Unable to find executable"
results off run disabled
results idle SKIP_RETURN_CODE=77
head -n 3 "$work/good.xml" >"$work/cut.xml"

sums 0 "2 passed, 0 failed, 0 skipped" good.xml
sums 0 "3 passed, 0 failed, 1 skipped" good.xml mixed.xml
sums 1 "3 passed, 1 failed, 0 skipped" good.xml bad.xml
sums 1 "3 passed, 1 failed, 0 skipped" gone.xml good.xml
sums 1 "1 passed, 1 failed, 0 skipped" off.xml
sums 1 "0 passed, 0 failed, 1 skipped" idle.xml
sums 1 "3 passed, 1 failed, 0 skipped" cut.xml good.xml
sums 1 "2 passed, 1 failed, 0 skipped" good.xml never_written.xml
