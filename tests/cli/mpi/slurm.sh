# srun starts the ranks: the bits of one process, and a checkpoint when the job is cancelled. A
# SLURM of one machine is started for it, which only root can do, and only where it is installed.
. "$SOURCE/tests/cli/lib.sh"

case $MPI in
openmpi) type=pmix ;;
mpich) type=pmi2 ;;
*) echo "skipped: what srun calls $MPI is not known" && exit 77 ;;
esac
[ "$(id -u)" -eq 0 ] || { echo "skipped: not root" && exit 77; }
for program in munged slurmctld slurmd srun scancel; do
    command -v $program >/dev/null || { echo "skipped: no $program" && exit 77; }
done

# Sockets have short names; ports are taken by number.
slurm=$(mktemp -d)
port=$((20000 + $$ % 10000))
end() {
    for daemon in slurmd slurmctld munged; do
        [ ! -s "$slurm/$daemon.pid" ] || kill "$(cat "$slurm/$daemon.pid")" 2>/dev/null
    done
    sleep 1
    rm -rf "$slurm" "$work"
}
trap end EXIT
chmod 755 "$slurm"
mkdir "$slurm/state" "$slurm/spool"
head -c 1024 /dev/urandom >"$slurm/key"
chmod 400 "$slurm/key"
host=$(hostname -s)
cat >"$slurm/slurm.conf" <<END
ClusterName=one
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthInfo=socket=$slurm/munge
SlurmctldPort=$port
SlurmdPort=$((port + 10000))
StateSaveLocation=$slurm/state
SlurmdSpoolDir=$slurm/spool
SlurmctldPidFile=$slurm/slurmctld.pid
SlurmdPidFile=$slurm/slurmd.pid
SlurmctldLogFile=$slurm/slurmctld.log
SlurmdLogFile=$slurm/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
ReturnToService=2
NodeName=$host NodeAddr=127.0.0.1 CPUs=4
PartitionName=all Nodes=ALL Default=YES
END
export SLURM_CONF="$slurm/slurm.conf"
munged --force --key-file="$slurm/key" --socket="$slurm/munge" --pid-file="$slurm/munged.pid" \
    --log-file="$slurm/munged.log" --seed-file="$slurm/seed" &&
    slurmctld -f "$SLURM_CONF" && slurmd -f "$SLURM_CONF" &&
    timeout 60 srun --mpi=$type -n 2 true 2>"$slurm/said" ||
    { echo "skipped: SLURM does not run here: $(cat "$slurm/said" 2>/dev/null)" && exit 77; }

make_data four 4 40 10
expect_exit 0 new lenet -o lenet.onnx --classes 4 --input 1,20,20
options="--data idx:four --imbalance 2 --batch 16 --meta-batch 8 --meta-per-class 4 --lr 0.01"
ranks() {
    last_command="srun -n $1 onnx-mfm train"
    number=$1
    shift
    srun -J mfm-$$ -K --mpi=$type -n "$number" "$TOOL" train "$@" >.stdout 2>.stderr
}
expect_exit 0 train lenet.onnx -o one.onnx $options --layer fc:1 --epochs 3
ranks 2 lenet.onnx -o two.onnx $options --layer fc:1 --epochs 3 || fail "exit code $?"
expect_same two.onnx one.onnx
ranks 3 lenet.onnx -o three.onnx $options --layer fc:1 --epochs 3 || fail "exit code $?"
expect_same three.onnx one.onnx

# Started as processes that do not know each other.
last_command="srun --mpi=none"
srun --mpi=none -n 2 "$TOOL" train lenet.onnx -o x.onnx $options >.stdout 2>.stderr &&
    fail "exit code 0"
expect_stderr 'one of 2 processes: srun has started it without MPI: srun --mpi=pmix'

# cancelled SIGNAL CODE: the job ends with that code and a checkpoint, and goes on.
# SLURM lets what is stopped go on a moment before its signal comes: hence many epochs.
expect_exit 0 train lenet.onnx -o whole.onnx $options --method base --epochs 500
cancelled() {
    rm -rf cut.run cut.onnx
    ranks 2 lenet.onnx -o cut.onnx $options --method base --epochs 500 &
    pid=$!
    await_checkpoint cut.run
    all_ranks STOP
    scancel $1 -n mfm-$$
    # SLURM sends it in a while, and what is stopped keeps it, unless SLURM lets it go on as well.
    tries=0
    while grep -q '^State:.*stopped' "$one/status" 2>/dev/null &&
        grep -q '^ShdPnd:[^1-9a-f]*$' "$one/status" 2>/dev/null; do
        tries=$((tries + 1))
        [ "$tries" -lt 15000 ] || fail "no signal within five minutes"
        sleep 0.02
    done
    all_ranks CONT
    wait "$pid"
    code=$?
    last_command="srun, cancelled by scancel $1"
    [ "$code" -eq "$2" ] || fail "exit code $code instead of $2"
    expect_stderr 'interrupted after .*: the checkpoint is kept'
    expect_exit 0 train --run cut.run --resume
    expect_same cut.onnx whole.onnx
}
cancelled "" 143
cancelled "-s USR1" 138
