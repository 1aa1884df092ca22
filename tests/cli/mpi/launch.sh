#!/bin/sh
# launch.sh MPI RANKS PROGRAM [ARGUMENT...]: the program as so many ranks of that MPI ("openmpi",
# "mpich", "mpi": whatever mpirun is) on this machine, more than it has processors too, as root too.
# Exits with 77 where the launcher is missing.
mpi=$1 ranks=$2
shift 2
case $mpi in
openmpi) launcher=mpirun.openmpi ;;
mpich) launcher=mpirun.mpich ;;
*) launcher=mpirun ;;
esac
command -v "$launcher" >/dev/null || launcher=mpirun
if ! command -v "$launcher" >/dev/null; then
    echo "skipped: no launcher of $mpi"
    exit 77
fi
# Of Open MPI; another's launcher does not know them.
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
export OMPI_MCA_rmaps_base_oversubscribe=1 OMPI_MCA_hwloc_base_binding_policy=none
# What containers forbid, and what needs a network: messages go by memory.
export OMPI_MCA_btl_vader_single_copy_mechanism=none
exec "$launcher" -n "$ranks" "$@"
