#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/random.h"
#include "onnx/surgery/inject_parts.h"
#include "onnx/layers/links.h"
#include "onnx/storage/tensor_data.h"

/* Keys of the draws: far from the numbers that builders give their parameters. */
enum { DRAW_HIDDEN = 0x4d464d00, DRAW_HASH_GAMMA, DRAW_HASH_BETA };
enum { FLOAT_DATA = ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT, FIRST_SLICE_WITH_INPUTS = 10 };

/* Xavier (Glorot and Bengio, 2010): variance 2 / (fan_in + fan_out). */
static void draw_xavier(uint64_t seed, const int64_t dims[2], float *weight)
{
    const mfm_key key = {.seed = seed, .stream = MFM_STREAM_INIT, .node = DRAW_HIDDEN};
    const double deviation = sqrt(2.0 / (double)(dims[0] + dims[1]));
    for (int64_t i = 0; i < dims[0] * dims[1]; i++)
        weight[i] = (float)(deviation * mfm_random_normal(&key, (uint64_t)i));
}

/* One +1 or -1 in each column: column j of the result is a row of [d, columns] chosen by hash. */
static void draw_hash(uint64_t seed, uint32_t node, const int64_t dims[2], float *weight)
{
    const mfm_key key = {.seed = seed, .stream = MFM_STREAM_INIT, .node = node};
    for (int64_t j = 0; j < dims[1]; j++) {
        uint32_t words[4];
        mfm_random4(&key, (uint64_t)j, words);
        weight[(words[0] % (uint64_t)dims[0]) * (uint64_t)dims[1] + (uint64_t)j] =
            words[1] & 1 ? 1.0F : -1.0F;
    }
}

/* A float matrix filled in place after it was made with zeros. */
static const char *add_matrix(mfm_injector *in, const char *base, const int64_t dims[2],
                              float **numbers)
{
    const char *name = mfm_inject_tensor(in, base, FLOAT_DATA, dims, 2, NULL);
    const Onnx__GraphProto *graph = in->model->proto->graph;
    *numbers =
        name ? (float *)(void *)graph->initializer[graph->n_initializer - 1]->raw_data.data : NULL;
    return name;
}

static void add_parameter(mfm_injector *in, const char *name)
{
    mfm_inject_info *info = in->info;
    char *copy = name ? mfm_strdup(in->ctx, name) : NULL;
    if (copy)
        info->parameters[info->n_parameters++] = copy;
    else
        mfm_inject_keep(in, MFM_ENOMEM);
}

/* x [n, from] times weight [to, from] transposed, plus bias [to]. */
static const char *add_linear(mfm_injector *in, const char *base, const char *x, int64_t from,
                              int64_t to, bool zero)
{
    char part[64];
    float *numbers;
    snprintf(part, sizeof part, "%s.weight", base);
    const int64_t dims[2] = {to, from};
    const char *weight = add_matrix(in, part, dims, &numbers);
    if (numbers && !zero)
        draw_xavier(in->options->seed, dims, numbers);
    snprintf(part, sizeof part, "%s.bias", base);
    const char *bias = mfm_inject_tensor(in, part, FLOAT_DATA, &to, 1, NULL);
    add_parameter(in, weight);
    add_parameter(in, bias);
    Onnx__NodeProto *node;
    const char *y =
        mfm_inject_node(in, "Gemm", base, (const char *const[]){x, weight, bias}, 3, NULL, &node);
    if (node)
        mfm_inject_keep(in, mfm_proto_attr_int(in->model, node, "transB", 1));
    return y;
}

/* Columns from .. from + count of x [n, width]; x itself when they are all. */
static const char *add_columns(mfm_injector *in, const char *base, const char *x, int64_t width,
                               int64_t from, int64_t count)
{
    if (!x || count == width)
        return x;
    const int64_t end = from + count, axis = 1, one = 1;
    Onnx__NodeProto *node;
    if (in->opset < FIRST_SLICE_WITH_INPUTS) {
        const char *y = mfm_inject_node(in, "Slice", base, &x, 1, NULL, &node);
        if (node && !mfm_proto_attr_ints(in->model, node, "axes", &axis, 1) &&
            !mfm_proto_attr_ints(in->model, node, "starts", &from, 1) &&
            !mfm_proto_attr_ints(in->model, node, "ends", &end, 1))
            return y;
        mfm_inject_keep(in, MFM_ENOMEM);
        return NULL;
    }
    const int32_t type = ONNX__TENSOR_PROTO__DATA_TYPE__INT64;
    const char *const inputs[] = {
        x,
        mfm_inject_tensor(in, "mfm.starts", type, &one, 1, &from),
        mfm_inject_tensor(in, "mfm.ends", type, &one, 1, &end),
        mfm_inject_tensor(in, "mfm.axes", type, &one, 1, &axis),
    };
    return mfm_inject_node(in, "Slice", base, inputs, 4, NULL, NULL);
}

static const char *add_hash(mfm_injector *in, const char *base, uint32_t draw, const char *x,
                            int64_t channels)
{
    const int64_t dims[2] = {in->options->hash_dim, channels};
    float *numbers;
    char part[64];
    snprintf(part, sizeof part, "%s.matrix", base);
    const char *matrix = add_matrix(in, part, dims, &numbers);
    if (numbers)
        draw_hash(in->options->seed, draw, dims, numbers);
    return mfm_inject_node(in, "MatMul", base, (const char *const[]){x, matrix}, 2, NULL, NULL);
}

void mfm_inject_network(mfm_injector *in, int64_t channels, mfm_inject_net *net)
{
    const mfm_inject_info *info = in->info;
    const int64_t half = info->hash_dim ? info->hash_dim : channels;
    const int64_t width = half * (in->has_scale + in->has_shift);
    const int64_t beta_at = in->has_scale ? half : 0;
    const char *x =
        add_linear(in, "mfm.hidden", info->soft_label, info->classes, info->hidden, false);
    x = mfm_inject_node(in, "Relu", "mfm.relu", &x, 1, NULL, NULL);
    x = add_linear(in, "mfm.output", x, info->hidden, width, true);
    *net = (mfm_inject_net){.gamma = in->has_scale ? x : NULL,
                            .beta = in->has_shift ? x : NULL,
                            .beta_at = beta_at,
                            .width = width};
    if (!info->hash_dim)
        return;
    if (in->has_scale)
        net->gamma = add_hash(in, "mfm.hash.gamma", DRAW_HASH_GAMMA,
                              add_columns(in, "mfm.gamma", x, width, 0, half), channels);
    if (in->has_shift)
        net->beta = add_hash(in, "mfm.hash.beta", DRAW_HASH_BETA,
                             add_columns(in, "mfm.beta", x, width, beta_at, half), channels);
    net->beta_at = 0;
    net->width = channels;
}

static const char *add_scalar(mfm_injector *in, const char *base, float value)
{
    const int64_t one = 1;
    return mfm_inject_tensor(in, base, FLOAT_DATA, &one, 1, &value);
}

static const char *add_softmax(mfm_injector *in, const char *x)
{
    Onnx__NodeProto *node;
    const char *y = mfm_inject_node(in, "Softmax", "mfm.softmax", &x, 1, NULL, &node);
    /* On [n, C] axis 1 means the same before opset 13, when axes after it were flattened. */
    if (node)
        mfm_inject_keep(in, mfm_proto_attr_int(in->model, node, "axis", 1));
    return y;
}

/* y / share: 1 where y is the share. */
static const char *add_ratio(mfm_injector *in, const char *y, float share)
{
    return mfm_inject_node(in, "Div", "mfm.ratio",
                           (const char *const[]){y, add_scalar(in, "mfm.share", share)}, 2, NULL,
                           NULL);
}

/* gamma - 1 from its numbers z [n, channels]. */
static const char *add_gamma(mfm_injector *in, const char *z, int64_t channels)
{
    switch (in->info->modulation) {
    case MFM_SCALED_SOFTMAX:
        z = add_ratio(in, add_softmax(in, z), 1.0F / (float)channels);
        break;
    case MFM_SCALED_SIGMOID:
        z = add_ratio(in, mfm_inject_node(in, "Sigmoid", "mfm.sigmoid", &z, 1, NULL, NULL), 0.5F);
        break;
    case MFM_ATTENTION:
        z = mfm_inject_node(in, "Sigmoid", "mfm.sigmoid", &z, 1, NULL, NULL);
        break;
    case MFM_GATED:
        z = add_softmax(in, z);
        break;
    case MFM_FILM:
    case MFM_MODULATIONS:
        return z;
    }
    return mfm_inject_node(in, "Sub", "mfm.excess",
                           (const char *const[]){z, add_scalar(in, "mfm.one", 1)}, 2, NULL, NULL);
}

/* [n, channels] to [n, channels, 1, ...], or [n, 1, ..., channels]. */
static const char *add_broadcast(mfm_injector *in, const char *base, const char *x,
                                 const mfm_inject_site *site)
{
    if (site->rank == 2)
        return x;
    int64_t dims[MFM_LINK_RANK];
    for (int i = 0; i < site->rank; i++)
        dims[i] = i == 0 ? -1 : i == site->axis ? site->channels : 1;
    const int64_t rank = site->rank;
    const char *const inputs[] = {
        x,
        mfm_inject_tensor(in, "mfm.shape", ONNX__TENSOR_PROTO__DATA_TYPE__INT64, &rank, 1, dims)};
    return mfm_inject_node(in, "Reshape", base, inputs, 2, NULL, NULL);
}

void mfm_inject_factors(mfm_injector *in, const mfm_inject_net *net, size_t index, int64_t column,
                        const char **scale, const char **shift)
{
    const mfm_inject_site *site = &in->info->sites[index];
    *scale = *shift = "";
    if (in->has_scale) {
        const char *z = add_columns(in, "mfm.gamma", net->gamma, net->width, net->gamma_at + column,
                                    site->channels);
        *scale = add_broadcast(in, "mfm.scale", add_gamma(in, z, site->channels), site);
    }
    if (in->has_shift) {
        const char *z = add_columns(in, "mfm.beta", net->beta, net->width, net->beta_at + column,
                                    site->channels);
        *shift = add_broadcast(in, "mfm.shift", z, site);
    }
}

/* ---- what is there ---- */

static bool is_zero(const Onnx__TensorProto *tensor, real *room)
{
    const size_t count = mfm_tensor_size(tensor);
    mfm_tensor_get_reals(tensor, room);
    for (size_t i = 0; i < count; i++)
        if (room[i] != 0)
            return false;
    return true;
}

/* Of each network there are the hidden layer's weight and bias, then the output layer's. */
static int look_for_numbers(mfm_ctx *ctx, const mfm_model *model, const mfm_inject_info *info,
                            bool *nothing)
{
    enum { OF_NETWORK = 4, OF_HIDDEN = 2 };
    for (size_t i = 0; i < info->n_parameters && *nothing; i++) {
        const Onnx__TensorProto *tensor = mfm_proto_initializer(model, info->parameters[i]);
        if (i % OF_NETWORK < OF_HIDDEN)
            continue;
        real *room = tensor && mfm_tensor_is_float(tensor)
                         ? mfm_alloc(ctx, mfm_tensor_size(tensor) + 1, sizeof *room)
                         : NULL;
        if (tensor && !room && mfm_tensor_is_float(tensor))
            return MFM_ENOMEM;
        *nothing = room && is_zero(tensor, room);
        mfm_free(ctx, room);
    }
    return MFM_OK;
}

int mfm_model_modulates_nothing(mfm_ctx *ctx, const mfm_model *model, bool *nothing)
{
    mfm_inject_info *info = NULL;
    int status = mfm_inject_info_read(ctx, model, &info);
    *nothing = info && mfm_modulation_starts_at_one(info->modulation);
    if (!status && *nothing)
        status = look_for_numbers(ctx, model, info, nothing);
    mfm_inject_info_free(ctx, info);
    return status;
}

static const char *add_cast(mfm_injector *in, const char *x, int32_t type)
{
    Onnx__NodeProto *node;
    const char *y = mfm_inject_node(in, "Cast", "mfm.cast", &x, 1, NULL, &node);
    if (node)
        mfm_inject_keep(in, mfm_proto_attr_int(in->model, node, "to", type));
    return y;
}

void mfm_inject_modulation(mfm_injector *in, mfm_inject_site *site, int32_t type, const char *scale,
                           const char *shift)
{
    const bool cast = type != ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT;
    const char *delta = shift;
    if (!scale || !shift)
        return;
    const char *x = cast && scale[0]
                        ? add_cast(in, site->value, ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT)
                        : site->value;
    if (scale[0])
        delta = mfm_inject_node(in, "Mul", "mfm.scaled", (const char *const[]){x, scale}, 2, NULL,
                                NULL);
    if (scale[0] && shift[0])
        delta = mfm_inject_node(in, "Add", "mfm.shifted", (const char *const[]){delta, shift}, 2,
                                NULL, NULL);
    delta = mfm_inject_node(in, "Mul", "mfm.switched", (const char *const[]){delta, in->info->gate},
                            2, NULL, NULL);
    if (cast)
        delta = add_cast(in, delta, type);
    mfm_inject_node(in, "Add", "mfm.modulate", (const char *const[]){site->value, delta}, 2,
                    site->output, NULL);
}
