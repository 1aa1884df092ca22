/*
 * An operator says how the tensors of rank 4 that it reads and writes may lie in memory
 * (mfm_op.layout). In each way that it allows, all four passes must give what they give when all
 * lie channels-last.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "op_check.h"

static uint64_t tensors_of_rank_4(const mfm_probe *probe)
{
    uint64_t set = 0;
    for (int t = 0; t < MFM_PROBE_TENSORS; t++)
        if (mfm_probe_has(probe, t) && probe->tensors[t].shape.rank == 4)
            set |= UINT64_C(1) << t;
    return set;
}

/* The results of the row-major tensors as they lie channels-last. */
static void turn_back(mfm_checker *checker, const mfm_probe *probe, real *results, real *room)
{
    for (int t = 0; t < MFM_PROBE_TENSORS; t++)
        for (int lane = 0; lane < MFM_LANES; lane++) {
            mfm_shape shape = checker->probe.tensors[t].shape;
            if (!(probe->row_major >> t & 1) || !mfm_probe_is_result(probe, t, (enum mfm_lane)lane))
                continue;
            real *numbers = results + probe->offset[t][lane];
            shape.layout = MFM_CHANNELS_LAST;
            mfm_layout_to_engine(&shape, numbers, room);
            memcpy(numbers, room, mfm_probe_count(probe, t) * sizeof *numbers);
        }
}

static int check_layout(mfm_checker *checker, uint64_t row_major)
{
    char detail[64];
    mfm_probe probe;
    snprintf(detail, sizeof detail, "row-major tensors (a set): %#llx",
             (unsigned long long)row_major);
    int status = mfm_probe_init(checker->ctx, checker->sample, checker->seed, row_major, &probe);
    if (status) {
        mfm_checker_note(checker, MFM_CHECK_LAYOUTS, INFINITY, mfm_message(checker->ctx));
        return status == MFM_ENOMEM ? status : MFM_OK;
    }
    const char *fault = mfm_probe_go(&probe, &(mfm_probe_run){0}, checker->a);
    if (fault)
        mfm_checker_note(checker, MFM_CHECK_LAYOUTS, INFINITY, fault);
    turn_back(checker, &probe, checker->a, checker->b);
    mfm_checker_note(checker, MFM_CHECK_LAYOUTS,
                     mfm_checker_difference_all(checker, checker->a, checker->base, 0), detail);
    mfm_probe_clear(&probe);
    return MFM_OK;
}

/* Every sub-set of the tensors where each may lie in any way; all or none where they must be alike.
 * Draws depend on the place in memory. */
int mfm_check_layouts(mfm_checker *checker)
{
    const mfm_op *op = checker->sample->op;
    const uint64_t all = tensors_of_rank_4(&checker->probe);
    const bool each = op->layout == MFM_LAYOUT_NEAR || op->layout == MFM_LAYOUT_FREE;
    int status = MFM_OK;
    if (!all || op->layout == MFM_LAYOUT_IMAGES || (op->random && checker->sample->training))
        return MFM_OK;
    for (uint64_t set = all; set && !status; set = each ? (set - 1) & all : 0)
        status = check_layout(checker, set);
    return status;
}
