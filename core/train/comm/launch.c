/* How the process was started, and the module of the MPI that has started it. */
#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/train/comm/comm_parts.h"

static int number(const char *name, int otherwise)
{
    const char *text = getenv(name);
    return text && *text ? atoi(text) : otherwise;
}

/* Open MPI's mpirun sets OMPI_COMM_WORLD_*; MPICH's, Intel's and srun --mpi=pmi2 set PMI_*; srun
 * --mpi=pmix and prterun PMIX_RANK. srun without any of them starts processes that do not know each
 * other; it sets SLURM_STEP_NUM_TASKS, which a batch script by itself does not have. */
mfm_launch mfm_launch_of(void)
{
    const char *chosen = getenv("MFM_MPI");
    const int tasks = number("SLURM_STEP_NUM_TASKS", 1);
    mfm_launch l = {.ranks = 1};
    if (chosen && strcmp(chosen, "none") == 0)
        return l;
    if (getenv("OMPI_COMM_WORLD_SIZE"))
        l = (mfm_launch){number("OMPI_COMM_WORLD_RANK", 0), number("OMPI_COMM_WORLD_SIZE", 1),
                         "openmpi", NULL};
    else if (getenv("PMI_SIZE"))
        l = (mfm_launch){number("PMI_RANK", 0), number("PMI_SIZE", 1), "mpich", NULL};
    else if (getenv("PMIX_RANK"))
        l = (mfm_launch){number("PMIX_RANK", 0), number("SLURM_STEP_NUM_TASKS", 0), "openmpi",
                         NULL};
    else if (tasks > 1)
        l = (mfm_launch){number("SLURM_PROCID", 0), tasks, "openmpi",
                         "srun has started it without MPI: srun --mpi=pmix, or --mpi=pmi2 for "
                         "MPICH"};
    return l;
}

/* Where modules lie: beside the program, as it is built, or where it is installed. */
static bool folder_of(int number_of_place, char folder[PATH_MAX])
{
    char self[PATH_MAX];
    const ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    if (number_of_place == 2) {
        snprintf(folder, PATH_MAX, "%s", MFM_MODULES);
        return true;
    }
    if (length < 0)
        return false;
    self[length] = '\0';
    char *slash = strrchr(self, '/');
    if (!slash)
        return false;
    *slash = '\0';
    const char *below = number_of_place == 0 ? "" : "/" MFM_MODULES_FROM_BIN;
    return snprintf(folder, PATH_MAX, "%s%s", self, below) < PATH_MAX;
}

/* A module by its name or its path. *module NULL: it is nowhere. why: what the loader says of one
 * that is there. */
static void load(const char *name, void **module, char why[MFM_TRANSPORT_TEXT])
{
    char folder[PATH_MAX], path[PATH_MAX];
    *module = NULL;
    why[0] = '\0';
    for (int place = 0; place < 3 && !*module; place++) {
        const bool whole = strchr(name, '/') != NULL;
        if (whole ? place > 0 : !folder_of(place, folder))
            continue;
        const int length = whole ? snprintf(path, sizeof path, "%s", name)
                                 : snprintf(path, sizeof path, "%s/onnx-mfm-%s.so", folder, name);
        if (length >= PATH_MAX || access(path, F_OK))
            continue;
        /* MPI's own modules look for its symbols among those of the process. */
        *module = dlopen(path, RTLD_NOW | RTLD_GLOBAL);
        if (!*module)
            snprintf(why, MFM_TRANSPORT_TEXT, ": %s", dlerror());
    }
}

/* The module of that MPI, or the one that the build found without knowing whose it is. */
static int find(mfm_ctx *ctx, const mfm_launch *l, const mfm_transport **transport)
{
    const char *chosen = getenv("MFM_MPI");
    const char *names[] = {chosen && *chosen ? chosen : l->mpi, "mpi"};
    char why[MFM_TRANSPORT_TEXT] = "";
    void *module = NULL;
    for (int i = 0; i < 2 && !module && !why[0]; i++)
        load(names[i], &module, why);
    *transport = module ? dlsym(module, MFM_TRANSPORT_SYMBOL) : NULL;
    if (*transport && (*transport)->version == MFM_TRANSPORT_VERSION)
        return MFM_OK;
    return mfm_fail(ctx, MFM_ENOTSUP,
                    "started as one of %d processes: %s %s%s: install its package, or build it "
                    "with MFM_WITH_MPI and that MPI's headers installed, or set MFM_MPI=none for "
                    "processes by themselves",
                    l->ranks,
                    *transport ? "another version's module of" : "no module that works for",
                    names[0], why);
}

int mfm_comm_open(mfm_ctx *ctx, const mfm_comm_events *events, mfm_comm **comm)
{
    const mfm_launch l = mfm_launch_of();
    const mfm_transport *transport = NULL;
    char name[MFM_TRANSPORT_TEXT] = "", message[MFM_TRANSPORT_TEXT] = "";
    int rank = 0, ranks = 1;
    *comm = NULL;
    if (l.ranks == 1)
        return MFM_OK;
    int status = l.hint ? mfm_fail(ctx, MFM_EINVAL, "one of %d processes: %s", l.ranks, l.hint)
                        : find(ctx, &l, &transport);
    if (!status && !transport->begin(&rank, &ranks, name, message))
        status = mfm_fail(ctx, MFM_EIO, "%s", message);
    if (status)
        return status;
    if (l.ranks && ranks != l.ranks)
        return mfm_fail(ctx, MFM_EINVAL,
                        "process %d of %d: %s finds %d: another MPI has started it: MFM_MPI=NAME "
                        "tells whose module to use, such as openmpi or mpich",
                        l.rank, l.ranks, name, ranks);
    if (ranks == 1) {
        transport->end();
        return MFM_OK;
    }
    status = mfm_comm_new(ctx, transport, rank, ranks, events, comm);
    if (status)
        transport->end();
    else
        mfm_comm_set_name(*comm, name);
    return status;
}
