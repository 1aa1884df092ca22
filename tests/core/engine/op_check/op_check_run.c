/* A run of a probe: load the buffers, call the passes, look for damage, gather the results. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "op_check_probe.h"
#include "op_check_values.h"

static bool has_bit(uint32_t set, int bit)
{
    return set >> bit & 1;
}

/* The tensor whose numbers an input takes. */
static int origin(const mfm_probe_run *run, int tensor)
{
    return run->tie_to && tensor == run->tie_to ? run->tie_from : tensor;
}

static double scale_of(const mfm_probe_run *run)
{
    return run->scale != 0 ? run->scale : 1;
}

/* The direction along which an input moves, 0 where it has no tangent. */
static double direction(const mfm_probe *probe, const mfm_probe_run *run, int tensor, size_t i)
{
    const int from = origin(run, tensor);
    if (!probe->given[from][MFM_DX] || has_bit(run->no_dx, tensor))
        return 0;
    return (double)(run->swapped ? probe->other_dx[from] : probe->given[from][MFM_DX])[i];
}

/* Element i of a lane that is given to the passes. */
static real given_value(const mfm_probe *probe, const mfm_probe_run *run, int tensor,
                        enum mfm_lane lane, size_t i)
{
    if (tensor < MFM_SAMPLE_PORTS) {
        const double moved = direction(probe, run, tensor, i);
        return lane == MFM_X ? (real)((double)probe->given[origin(run, tensor)][MFM_X][i] +
                                      run->shift * moved)
                             : (real)(scale_of(run) * moved);
    }
    const int output = tensor - MFM_SAMPLE_PORTS;
    const bool moves = !has_bit(run->no_dg, output);
    const double moved = moves ? (double)probe->given[tensor][MFM_DG][i] : 0;
    if (lane == MFM_DG)
        return (real)(scale_of(run) * moved);
    const bool there = !has_bit(run->no_g, output);
    return (real)(there ? (double)probe->given[tensor][MFM_G][i] + run->shift * moved : 0);
}

static bool any_given(const mfm_probe *probe, const mfm_probe_run *run, enum mfm_lane lane)
{
    const bool inputs = lane == MFM_DX;
    const uint32_t none = inputs ? run->no_dx : lane == MFM_G ? run->no_g : run->no_dg;
    const int count = inputs ? probe->sample->n_in : probe->sample->n_out;
    for (int i = 0; i < count; i++)
        if (probe->buffer[inputs ? i : MFM_SAMPLE_PORTS + i][lane] &&
            (run->zeros || !has_bit(none, i)))
            return true;
    return false;
}

/* op.h: when a pass is called at all. A lane that no pass writes is NULL. */
static bool pass_runs(const mfm_probe *probe, const mfm_probe_run *run, enum mfm_lane pass)
{
    const bool linear = probe->sample->op->linear;
    switch (pass) {
    case MFM_X:
        return true;
    case MFM_DX:
        return any_given(probe, run, MFM_DX);
    case MFM_G:
        return any_given(probe, run, MFM_G);
    default:
        return any_given(probe, run, MFM_DG) ||
               (!linear && any_given(probe, run, MFM_G) && any_given(probe, run, MFM_DX));
    }
}

static bool lane_is_null(const mfm_probe *probe, const mfm_probe_run *run, int tensor,
                         enum mfm_lane lane)
{
    if (mfm_probe_is_result(probe, tensor, lane)) {
        const uint32_t unwanted = lane == MFM_G    ? run->unwanted_g
                                  : lane == MFM_DG ? run->unwanted_dg
                                                   : 0;
        return has_bit(unwanted, tensor) || !pass_runs(probe, run, lane);
    }
    if (run->zeros || lane == MFM_X)
        return false;
    if (tensor < MFM_SAMPLE_PORTS)
        return has_bit(run->no_dx, tensor);
    return has_bit(lane == MFM_G ? run->no_g : run->no_dg, tensor - MFM_SAMPLE_PORTS);
}

static bool adds(const mfm_probe_run *run, int input, enum mfm_lane lane)
{
    return has_bit(lane == MFM_G ? run->accumulate_g : run->accumulate_dg, input);
}

static void load_lane(mfm_probe *probe, const mfm_probe_run *run, int tensor, enum mfm_lane lane)
{
    real *to = probe->buffer[tensor][lane];
    const bool null = !to || lane_is_null(probe, run, tensor, lane);
    probe->tensors[tensor].lane[lane] = null ? NULL : to;
    if (!to)
        return;
    const size_t count = mfm_probe_count(probe, tensor);
    const bool result = mfm_probe_is_result(probe, tensor, lane);
    const bool starts = result && lane >= MFM_G && adds(run, tensor, lane);
    for (size_t i = 0; i < count; i++)
        if (starts)
            to[i] = probe->given[tensor][lane][i];
        else if (result)
            to[i] = run->prefill != 0 ? (real)run->prefill : (real)NAN;
        else
            to[i] = given_value(probe, run, tensor, lane, i);
}

static void load(mfm_probe *probe, const mfm_probe_run *run)
{
    for (int t = 0; t < MFM_PROBE_TENSORS; t++)
        for (int lane = 0; lane < MFM_LANES; lane++)
            load_lane(probe, run, t, (enum mfm_lane)lane);
    for (int i = 0; i < probe->sample->n_in; i++) {
        const bool same = run->tie_same && i == run->tie_to;
        if (probe->in[i])
            probe->in[i] = &probe->tensors[same ? run->tie_from : i];
        probe->accumulates[i] = (uint8_t)((same || adds(run, i, MFM_G)) << MFM_G |
                                          (same || adds(run, i, MFM_DG)) << MFM_DG);
    }
}

static void fill_nan(real *to, size_t count)
{
    for (size_t i = 0; to && i < count; i++)
        to[i] = (real)NAN;
}

/* NaN in one lane of all inputs or of all outputs. */
static void poison(mfm_probe *probe, bool outputs, enum mfm_lane lane)
{
    for (int i = 0; i < MFM_SAMPLE_PORTS; i++) {
        const int t = outputs ? MFM_SAMPLE_PORTS + i : i;
        fill_nan(probe->buffer[t][lane], mfm_probe_has(probe, t) ? mfm_probe_count(probe, t) : 0);
    }
}

/* NaN in one lane of the inputs that are only added. */
static void poison_additive(mfm_probe *probe, enum mfm_lane lane)
{
    for (int i = 0; i < probe->sample->n_in; i++)
        if (mfm_is_additive(probe->sample->op, i))
            fill_nan(probe->buffer[i][lane],
                     mfm_probe_has(probe, i) ? mfm_probe_count(probe, i) : 0);
}

static void poison_values(mfm_probe *probe)
{
    poison_additive(probe, MFM_X);
    if (!(probe->node.impl->reads & MFM_READS_IN))
        poison(probe, false, MFM_X);
    if (!(probe->node.impl->reads & MFM_READS_OUT))
        poison(probe, true, MFM_X);
}

static void poison_tangents(mfm_probe *probe)
{
    poison_additive(probe, MFM_DX);
    if (probe->sample->op->linear)
        poison(probe, false, MFM_DX);
    if (!(probe->node.impl->reads & MFM_READS_OUT))
        poison(probe, true, MFM_DX);
}

static void gather(const mfm_probe *probe, real *results, enum mfm_lane lane)
{
    for (int t = 0; t < MFM_PROBE_TENSORS; t++) {
        if (!mfm_probe_is_result(probe, t, lane))
            continue;
        const size_t count = mfm_probe_count(probe, t);
        real *to = results + probe->offset[t][lane];
        const real *from = probe->tensors[t].lane[lane];
        for (size_t i = 0; i < count; i++)
            to[i] = from ? from[i] : 0;
    }
}

static bool guards_intact(const mfm_probe *probe)
{
    bool intact = mfm_guarded_intact(probe->node.saved, probe->node.saved_size) &&
                  mfm_guarded_intact(probe->node.scratch, probe->node.scratch_size);
    for (int t = 0; t < MFM_PROBE_TENSORS; t++)
        for (int lane = 0; lane < MFM_LANES; lane++)
            if (probe->buffer[t][lane])
                intact =
                    intact && mfm_guarded_intact(probe->buffer[t][lane], mfm_probe_count(probe, t));
    return intact;
}

static bool is_state(const mfm_probe *probe, int tensor)
{
    return tensor < probe->sample->n_in && mfm_sample_role(probe->sample->op, tensor) == MFM_STATE;
}

/* The STATE inputs, or all others, hold what was loaded. */
static bool given_unchanged(const mfm_probe *probe, const mfm_probe_run *run, bool state)
{
    for (int t = 0; t < MFM_PROBE_TENSORS; t++)
        for (int lane = 0; lane < MFM_LANES; lane++) {
            const real *now = probe->buffer[t][lane];
            if (!now || state != is_state(probe, t) ||
                mfm_probe_is_result(probe, t, (enum mfm_lane)lane))
                continue;
            for (size_t i = 0; i < mfm_probe_count(probe, t); i++)
                if (now[i] != given_value(probe, run, t, (enum mfm_lane)lane, i))
                    return false;
        }
    return true;
}

static const char *fault(mfm_probe *probe, enum mfm_lane pass, const char *what)
{
    static const char *const names[] = {"forward", "jvp", "vjp", "vjp_t"};
    snprintf(probe->fault, sizeof probe->fault, "%s %s", names[pass], what);
    return probe->fault;
}

/* Runs the pass that writes `lane`, and takes its results before the next can disturb them. */
static const char *run_pass(mfm_probe *probe, const mfm_probe_run *run, enum mfm_lane lane,
                            real *results)
{
    const mfm_rule *rule = probe->node.impl->rule;
    void (*const passes[])(const mfm_node *) = {rule->forward, rule->jvp, rule->vjp, rule->vjp_t};
    fill_nan(probe->node.scratch, probe->node.scratch_size);
    if (passes[lane] && pass_runs(probe, run, lane))
        passes[lane](&probe->node);
    gather(probe, results, lane);
    if (!guards_intact(probe))
        return fault(probe, lane, "writes outside its buffers");
    if (!run->poison && !(given_unchanged(probe, run, false) && given_unchanged(probe, run, true)))
        return fault(probe, lane, "changes what it reads");
    return NULL;
}

const char *mfm_probe_go(mfm_probe *probe, const mfm_probe_run *run, real *results)
{
    static const enum mfm_lane orders[2][MFM_LANES] = {{MFM_X, MFM_DX, MFM_G, MFM_DG},
                                                       {MFM_X, MFM_G, MFM_DX, MFM_DG}};
    const enum mfm_lane *order = orders[run->jvp_last];
    load(probe, run);
    fill_nan(probe->node.saved, probe->node.saved_size);
    const char *what = NULL;
    for (int k = 0; k < MFM_LANES && !what; k++) {
        if (run->poison && k == 3)
            poison_tangents(probe);
        what = run_pass(probe, run, order[k], results);
        if (run->poison && k == 0)
            poison_values(probe);
    }
    return what;
}

static bool state_finite(const mfm_probe *probe)
{
    for (int t = 0; t < probe->sample->n_in; t++)
        for (size_t i = 0; is_state(probe, t) && i < mfm_probe_count(probe, t); i++)
            if (probe->buffer[t][MFM_X] && !isfinite((double)probe->buffer[t][MFM_X][i]))
                return false;
    return true;
}

const char *mfm_probe_update(mfm_probe *probe, real *results)
{
    const mfm_probe_run plain = {0};
    const char *what = mfm_probe_go(probe, &plain, results);
    if (what)
        return what;
    fill_nan(probe->node.scratch, probe->node.scratch_size);
    probe->node.impl->update(&probe->node);
    if (!guards_intact(probe))
        return "update writes outside its buffers";
    if (!given_unchanged(probe, &plain, false))
        return "update changes inputs that are not state";
    if (given_unchanged(probe, &plain, true))
        return "update leaves the state as it was";
    for (int lane = 0; lane < MFM_LANES; lane++)
        gather(probe, results, (enum mfm_lane)lane);
    return state_finite(probe) ? NULL : "update writes a number that is not finite";
}

const char *mfm_probe_restore(mfm_probe *probe, real *results)
{
    const mfm_probe_run plain = {0};
    const char *what = mfm_probe_go(probe, &plain, results);
    if (what)
        return what;
    fill_nan(probe->node.scratch, probe->node.scratch_size);
    poison(probe, true, MFM_X);
    probe->node.impl->restore(&probe->node);
    if (!guards_intact(probe))
        return "restore writes outside its buffers";
    if (!(given_unchanged(probe, &plain, false) && given_unchanged(probe, &plain, true)))
        return "restore changes what it reads";
    for (int lane = 0; lane < MFM_LANES; lane++)
        gather(probe, results, (enum mfm_lane)lane);
    return NULL;
}
