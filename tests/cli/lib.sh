# What the command line's tests share. TOOL and MAKE_IDX come from CTest. Every test works in a
# folder of its own, which is removed at the end; the first expectation that does not hold ends it.

set -u
LC_ALL=C
export LC_ALL
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1

fail() {
    echo "FAILED: $*" >&2
    echo "--- the command: ${last_command:-none}" >&2
    echo "--- its standard output:" >&2
    cat "$work/.stdout" >&2 2>/dev/null
    echo "--- its standard error:" >&2
    cat "$work/.stderr" >&2 2>/dev/null
    exit 1
}

# expect_exit CODE COMMAND OPTION...: runs the tool.
expect_exit() {
    wanted=$1
    shift
    last_command="onnx-mfm $*"
    "$TOOL" "$@" >"$work/.stdout" 2>"$work/.stderr"
    got=$?
    [ "$got" -eq "$wanted" ] || fail "exit code $got instead of $wanted"
}

# An extended regular expression that a line must match.
expect_stdout() {
    grep -Eq -- "$1" "$work/.stdout" || fail "nothing on standard output matches: $1"
}

expect_stderr() {
    grep -Eq -- "$1" "$work/.stderr" || fail "nothing on standard error matches: $1"
}

expect_no_stderr() {
    [ ! -s "$work/.stderr" ] || fail "something on standard error"
}

# Every line on standard error matches.
expect_no_stderr_but() {
    grep -Evq -- "$1" "$work/.stderr" && fail "a line on standard error does not match: $1"
    return 0
}

expect_file() {
    [ -s "$1" ] || fail "$1 was not written"
}

expect_same() {
    cmp -s "$1" "$2" || fail "$1 and $2 differ"
}

expect_different() {
    cmp -s "$1" "$2" && fail "$1 and $2 are the same"
    return 0
}

# expect_refusal CODE MESSAGE COMMAND OPTION...: fails with that code, says so on standard error in
# the form "onnx-mfm COMMAND: ...", says nothing on standard output and writes nothing.
expect_refusal() {
    refusal_code=$1
    refusal_message=$2
    shift 2
    find . ! -name '.std*' | sort >"$work/.stdbefore"
    expect_exit "$refusal_code" "$@"
    find . ! -name '.std*' | sort >"$work/.stdafter"
    cmp -s "$work/.stdbefore" "$work/.stdafter" ||
        fail "files changed: $(diff "$work/.stdbefore" "$work/.stdafter")"
    [ ! -s "$work/.stdout" ] || fail "something on standard output"
    expect_stderr "^onnx-mfm $1: .*"
    expect_stderr "$refusal_message"
}

# Waits for the first checkpoint in a run folder.
await_checkpoint() {
    tries=0
    until [ -s "$1/checkpoint.onnx" ]; do
        tries=$((tries + 1))
        [ "$tries" -lt 15000 ] || fail "no epoch within 5 minutes"
        sleep 0.02
    done
}

# all_ranks SIGNAL: to each process of the tool in this folder. Stopped as soon as they have a
# checkpoint and continued later, they do not come to their end before the signal of a test.
all_ranks() {
    reached=0
    for process in /proc/[0-9]*; do
        [ "$process/cwd" -ef "$work" ] && [ "$process/exe" -ef "$TOOL" ] &&
            kill -"$1" "${process#/proc/}" && reached=$((reached + 1)) one=$process
    done
    [ "$reached" -gt 0 ] || [ "$1" = CONT ] || fail "the run has ended by itself"
}

# make_data FOLDER CLASSES PER_CLASS TEST_PER_CLASS [SEED [FIRST]]
make_data() {
    mkdir -p "$1" && "$MAKE_IDX" "$1" "$2" "$3" "$4" 20 "${5:-0}" "${6:-0}" || fail "make-idx $*"
}

commands=$(sed -n 's/^COMMAND(\([a-z_]*\),.*/\1/p' "$SOURCE/tools/commands/commands.def")
