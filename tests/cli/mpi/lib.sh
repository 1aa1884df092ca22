# What the tests of several ranks share, besides tests/cli/lib.sh: MPI is the launcher's name.
. "$SOURCE/tests/cli/lib.sh"
launch="sh $SOURCE/tests/cli/mpi/launch.sh"
MFM_MPI=$MPI
export MFM_MPI

# What launchers say of their own, and a lack of them.
$launch "$MPI" 1 true || exit 77

# expect_ranks CODE RANKS COMMAND OPTION...: runs the tool as so many ranks. CODE "some": any that
# is not 0.
expect_ranks() {
    wanted=$1 ranks=$2
    shift 2
    last_command="$ranks ranks of onnx-mfm $*"
    $launch "$MPI" "$ranks" "$TOOL" "$@" >"$work/.stdout" 2>"$work/.stderr"
    check_code $?
}

# expect_mixed CODE ARGUMENT...: what the launcher is given besides its first -n.
expect_mixed() {
    wanted=$1
    shift
    last_command="mpirun -n $*"
    $launch "$MPI" "$@" >"$work/.stdout" 2>"$work/.stderr"
    check_code $?
}

check_code() {
    [ "$1" -eq 77 ] && exit 77
    if [ "$wanted" = some ]; then
        [ "$1" -ne 0 ] || fail "exit code 0"
    else
        [ "$1" -eq "$wanted" ] || fail "exit code $1 instead of $wanted"
    fi
}

# A line that is there once, whatever the number of ranks.
expect_once() {
    [ "$(grep -Ec -- "$1" "$work/.stderr")" -eq 1 ] || fail "not once on standard error: $1"
}
