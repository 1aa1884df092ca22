# Two hosts on one machine: each rank in a network namespace of its own, with a delay and a limit of
# the rate on the link between them. Results are the same; a link that is cut ends the run.
. "$SOURCE/tests/cli/mpi/lib.sh"

skip() {
    echo "skipped: $1"
    exit 77
}
[ "$MPI" = mpich ] || skip "tried with MPICH, whose launcher needs no service on the other host"
command -v ip >/dev/null && command -v tc >/dev/null || skip "no ip, or no tc (iproute2)"
one=mfm-$$-1 two=mfm-$$-2
clear_hosts() {
    ip netns del $one 2>/dev/null
    ip netns del $two 2>/dev/null
    rm -rf "$work"
}
trap clear_hosts EXIT
ip netns add $one 2>/dev/null && ip netns add $two 2>/dev/null ||
    skip "the kernel or its owner forbids network namespaces"
at() { # HOST COMMAND...: there
    host=$1
    shift
    ip netns exec "$host" "$@"
}
ip link add near netns $one type veth peer name far netns $two || fail "no link"
at $one ip addr add 10.99.0.1/24 dev near
at $two ip addr add 10.99.0.2/24 dev far
for host in $one $two; do
    at $host ip link set lo up
done
at $one ip link set near up
at $two ip link set far up
tries=0
until [ "$(at $one cat /sys/class/net/near/operstate)" = up ] &&
    [ "$(at $two cat /sys/class/net/far/operstate)" = up ]; do
    tries=$((tries + 1))
    [ "$tries" -lt 300 ] || fail "the link does not come up"
    sleep 0.1
done
# 5 ms and 100 Mbit/s in each direction; the rate alone where the kernel knows no delays.
for end in "$one near" "$two far"; do
    set -- $end
    at $1 tc qdisc add dev $2 root netem delay 5ms rate 100mbit 2>/dev/null ||
        at $1 tc qdisc add dev $2 root tbf rate 100mbit burst 32kb latency 400ms ||
        skip "the kernel limits no rates"
done
at $one tc qdisc show dev near | grep -Eq 'netem|tbf' || fail "the link has no limit"

# What the launcher takes for ssh: [-x] ADDRESS COMMAND...
cat >hop <<END
#!/bin/sh
[ "\$1" = -x ] && shift
case \$1 in *.1) host=$one ;; *) host=$two ;; esac
shift
exec ip netns exec \$host sh -c "\$*"
END
chmod +x hop
# Two hosts on one machine would find each other's memory: TCP alone is to be used.
over_network() {
    # The limit is for a launcher that does not hear from the other host any more.
    at $one env UCX_TLS=tcp,self timeout -k 5 120 mpirun.mpich -launcher ssh \
        -launcher-exec "$work/hop" -localhost 10.99.0.1 -hosts 10.99.0.1,10.99.0.2 -n 2 "$TOOL" "$@"
}
sent() {
    at $one cat /sys/class/net/near/statistics/tx_bytes
}

make_data four 4 40 10
expect_exit 0 new lenet -o lenet.onnx --classes 4 --input 1,20,20
options="--data idx:four --imbalance 2 --batch 16 --meta-batch 8 --lr 0.01"
options="$options --method mfm --layer fc:1"
expect_exit 0 train lenet.onnx -o one.onnx $options --epochs 2
before=$(sent)
last_command="onnx-mfm train on two hosts"
over_network train lenet.onnx -o two.onnx $options --epochs 2 >.stdout 2>.stderr ||
    fail "exit code $?"
expect_same one.onnx two.onnx
# 14 steps with three vectors of 245 kB, of which half go each way, twice.
[ $(($(sent) - before)) -gt 5000000 ] || fail "the link was not used: $(sent) bytes"

# The link is cut: both sides wait, then say so.
over_network train lenet.onnx -o cut.onnx $options --epochs 100000 --rank-timeout 2 \
    >.stdout 2>.stderr &
pid=$!
await_checkpoint cut.run
at $one ip link set near down
tries=0
until grep -q 'rank 0 of 2: nothing heard from rank 1 for 2 seconds' .stderr; do
    tries=$((tries + 1))
    [ "$tries" -lt 600 ] || fail "nothing is said of a link that is cut"
    sleep 0.1
done
at $one ip link set near up # for the launcher to end the other host's
wait "$pid" && fail "exit code 0 after the link was cut"
[ ! -e cut.onnx ] || fail "an unfinished run wrote its output"
