#include "op_check_probe.h"

#include <math.h>
#include <string.h>

#include "op_check_values.h"

static bool is_output(int tensor)
{
    return tensor >= MFM_SAMPLE_PORTS;
}

bool mfm_probe_has(const mfm_probe *probe, int tensor)
{
    const mfm_sample *sample = probe->sample;
    if (is_output(tensor))
        return tensor - MFM_SAMPLE_PORTS < sample->n_out;
    return tensor < sample->n_in && !sample->in[tensor].absent;
}

/* The lanes that a tensor of this role can have at all. */
static bool has_lane(const mfm_probe *probe, int tensor, enum mfm_lane lane)
{
    if (!mfm_probe_has(probe, tensor))
        return false;
    return lane == MFM_X || is_output(tensor) || mfm_sample_differentiates(probe->sample, tensor);
}

bool mfm_probe_is_result(const mfm_probe *probe, int tensor, enum mfm_lane lane)
{
    const bool backward = lane == MFM_G || lane == MFM_DG;
    return has_lane(probe, tensor, lane) && is_output(tensor) != backward;
}

size_t mfm_probe_count(const mfm_probe *probe, int tensor)
{
    return (size_t)mfm_shape_count(&probe->tensors[tensor].shape);
}

/* Set-up leaves the shapes as they were inferred. */
static int set_up(mfm_probe *probe)
{
    mfm_shape shapes[MFM_SAMPLE_PORTS];
    for (int i = 0; i < probe->sample->n_out; i++)
        shapes[i] = probe->out[i]->shape;
    int status = mfm_node_setup(probe->ctx, &probe->node);
    for (int i = 0; i < probe->sample->n_out && !status; i++)
        if (!mfm_shape_equal(&probe->out[i]->shape, &shapes[i]))
            status = mfm_fail(probe->ctx, MFM_EDATA, "setup: must leave the shapes");
    return status;
}

static enum mfm_layout layout_of(const mfm_probe *probe, int tensor)
{
    return probe->row_major >> tensor & 1 ? MFM_ROW_MAJOR : MFM_CHANNELS_LAST;
}

static mfm_share share_of(const mfm_sample *sample)
{
    const mfm_shape *first = &sample->in[0].shape;
    if (sample->share.samples || sample->in[0].absent || first->rank == 0)
        return sample->share;
    return mfm_share_whole(first->dim[0]);
}

static int infer(mfm_probe *probe)
{
    const mfm_sample *sample = probe->sample;
    for (int i = 0; i < sample->n_in; i++) {
        probe->tensors[i].shape = sample->in[i].shape;
        probe->tensors[i].shape.layout = layout_of(probe, i);
        probe->in[i] = sample->in[i].absent ? NULL : &probe->tensors[i];
    }
    for (int i = 0; i < sample->n_out; i++) {
        probe->out[i] = &probe->tensors[MFM_SAMPLE_PORTS + i];
        probe->out[i]->shape.rank = -1;
    }
    probe->node = (mfm_node){.op = sample->op,
                             .name = "sample",
                             .attr = sample->attr,
                             .opset = sample->opset,
                             .training = sample->training,
                             .share = share_of(sample),
                             .n_in = sample->n_in,
                             .n_out = sample->n_out,
                             .in = probe->in,
                             .out = probe->out,
                             .accumulates = probe->accumulates,
                             .key = {.seed = 7, .stream = MFM_STREAM_DROPOUT, .step = 3}};
    int status = sample->op->shape(probe->ctx, &probe->node);
    for (int i = 0; i < sample->n_out; i++)
        probe->out[i]->shape.layout = layout_of(probe, MFM_SAMPLE_PORTS + i);
    for (int i = 0; i < sample->n_out && !status; i++)
        status = mfm_shape_check(probe->ctx, &probe->out[i]->shape, "inferred shape of an output");
    return status ? status : set_up(probe);
}

static int make_lane(mfm_probe *probe, int tensor, enum mfm_lane lane)
{
    const size_t count = mfm_probe_count(probe, tensor);
    if (!has_lane(probe, tensor, lane))
        return MFM_OK;
    probe->buffer[tensor][lane] = mfm_guarded_new(probe->ctx, count);
    probe->given[tensor][lane] = mfm_alloc(probe->ctx, count, sizeof(real));
    if (!probe->buffer[tensor][lane] || !probe->given[tensor][lane])
        return MFM_ENOMEM;
    if (!mfm_probe_is_result(probe, tensor, lane))
        return MFM_OK;
    probe->offset[tensor][lane] = probe->n_results;
    probe->n_results += count;
    return MFM_OK;
}

static int make_buffers(mfm_probe *probe)
{
    for (int t = 0; t < MFM_PROBE_TENSORS; t++)
        for (int lane = 0; lane < MFM_LANES; lane++)
            if (make_lane(probe, t, (enum mfm_lane)lane))
                return MFM_ENOMEM;
    for (int i = 0; i < probe->sample->n_in; i++) {
        probe->other_dx[i] = mfm_alloc(probe->ctx, mfm_probe_count(probe, i), sizeof(real));
        if (!probe->other_dx[i])
            return MFM_ENOMEM;
    }
    probe->node.saved = mfm_guarded_new(probe->ctx, probe->node.saved_size);
    probe->node.scratch = mfm_guarded_new(probe->ctx, probe->node.scratch_size);
    return probe->node.saved && probe->node.scratch ? MFM_OK : MFM_ENOMEM;
}

/* Drawn as they lie channels-last. */
static int lay_out(const mfm_probe *probe, int tensor, real *numbers)
{
    const mfm_shape *shape = &probe->tensors[tensor].shape;
    mfm_shape drawn = *shape;
    if (!numbers || shape->layout == MFM_CHANNELS_LAST || shape->rank != 4)
        return MFM_OK;
    real *turned = mfm_alloc(probe->ctx, mfm_probe_count(probe, tensor), sizeof *turned);
    if (!turned)
        return MFM_ENOMEM;
    drawn.layout = MFM_CHANNELS_LAST;
    mfm_layout_to_row_major(&drawn, numbers, turned);
    memcpy(numbers, turned, mfm_probe_count(probe, tensor) * sizeof *turned);
    mfm_free(probe->ctx, turned);
    return MFM_OK;
}

static int draw_given(mfm_probe *probe, uint64_t seed)
{
    mfm_key key = {.seed = seed, .stream = MFM_STREAM_TEST};
    int status = MFM_OK;
    for (int t = 0; t < MFM_PROBE_TENSORS && !status; t++) {
        const size_t count = mfm_probe_count(probe, t);
        for (int lane = 0; lane < MFM_LANES && !status; lane++, key.node++) {
            real *to = probe->given[t][lane];
            if (!to)
                continue;
            if (lane != MFM_X)
                mfm_draw_directions(&key, to, count);
            else if (!is_output(t))
                status = mfm_draw_values(probe->ctx, &key, &probe->sample->in[t], to, count);
            if (!status)
                status = lay_out(probe, t, to);
        }
    }
    for (int i = 0; i < probe->sample->n_in; i++, key.node++)
        mfm_draw_directions(&key, probe->other_dx[i], mfm_probe_count(probe, i));
    return status;
}

int mfm_probe_init(mfm_ctx *ctx, const mfm_sample *sample, uint64_t seed, uint64_t row_major,
                   mfm_probe *probe)
{
    *probe = (mfm_probe){.ctx = ctx, .sample = sample, .row_major = row_major};
    int status = infer(probe);
    if (!status)
        status = make_buffers(probe);
    if (!status)
        status = draw_given(probe, seed);
    if (status)
        mfm_probe_clear(probe);
    return status;
}

void mfm_probe_clear(mfm_probe *probe)
{
    for (int t = 0; t < MFM_PROBE_TENSORS; t++)
        for (int lane = 0; lane < MFM_LANES; lane++) {
            mfm_guarded_free(probe->ctx, probe->buffer[t][lane]);
            mfm_free(probe->ctx, probe->given[t][lane]);
        }
    for (int i = 0; i < MFM_SAMPLE_PORTS; i++)
        mfm_free(probe->ctx, probe->other_dx[i]);
    mfm_guarded_free(probe->ctx, probe->node.saved);
    mfm_guarded_free(probe->ctx, probe->node.scratch);
    mfm_node_release(probe->ctx, &probe->node);
}
