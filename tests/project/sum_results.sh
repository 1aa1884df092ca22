#!/bin/sh
# Sums CTest's JUnit files, names what failed or was skipped, and ends with the line
# "N passed, N failed, N skipped": sum_results.sh FILE...
# A test that could not be started has failed, whatever CTest calls it; so has a run whose file is
# missing or cut short. Exits with 1 when anything failed, or nothing passed.
set -eu
for file in "$@"; do
    echo "<file name=\"$(basename "$file" .xml)\"/>"
    if [ -r "$file" ]; then
        cat "$file"
    fi
    echo
    echo "<end/>"
done | awk '
function quoted(attribute,    text) {
    text = substr($0, index($0, attribute "=\"") + length(attribute) + 2)
    sub(/".*/, "", text)
    return text
}
function count(verdict, why) {
    sum[verdict]++
    if (verdict != "passed")
        print verdict ": " run ": " test (why ? ": " why : "")
}
/^<file /                       { run = quoted("name"); whole = 0 }
/<testcase /                    { test = quoted("name") }
/<testcase .*status="run"/      { count("passed") }
/<testcase .*status="fail"/     { count("failed") }
/<testcase .*status="disabled"/ { count("failed", "disabled") }
/<skipped message=/ {
    why = quoted("message")
    count(why ~ /^SKIP_/ ? "skipped" : "failed", why)
}
/^<\/testsuite>/                { whole = 1 }
/^<end\/>/ && !whole            { test = "all"; count("failed", "the results end early") }
END {
    printf "%d passed, %d failed, %d skipped\n", sum["passed"], sum["failed"], sum["skipped"]
    exit sum["failed"] > 0 || sum["passed"] == 0
}'
