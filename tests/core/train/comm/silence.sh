# A rank that hears nothing from another for longer than the time-out says so, and ends all; what it
# says gets through a launcher that is busy meanwhile.
mpi=$1 program=$2
out=$(mktemp)
trap 'rm -f "$out"' EXIT
sh "$SOURCE/tests/cli/mpi/launch.sh" "$mpi" 3 "$program" 3 0.5 >"$out" 2>&1
code=$?
[ "$code" -ne 77 ] || exit 77
heard='rank 0 of 3: nothing heard from rank [12] for 0.5 seconds'
if [ "$code" -eq 0 ] || ! grep -q "$heard" "$out"; then
    cat "$out"
    echo "FAILED: exit code $code, and the message above"
    exit 1
fi
