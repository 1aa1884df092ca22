#include "onnx/transfer.h"

#include <jansson.h>
#include <string.h>

#include "onnx/modulator.h"
#include "onnx/proto/proto.h"

enum { MOST_LAYERS = 1 << 16, LARGEST = 1 << 24 };

/* ---- what the file tells ---- */

static int bad(mfm_ctx *ctx, const char *field)
{
    return mfm_fail(ctx, MFM_EDATA, "metadata " MFM_MODULATOR_KEY ": %s is missing or damaged",
                    field);
}

static bool read_number(const json_t *root, const char *key, json_int_t least, int64_t *number)
{
    const json_t *value = json_object_get(root, key);
    *number = json_integer_value(value);
    return json_is_integer(value) && *number >= least && *number <= LARGEST;
}

/* The outputs that a layer has are those of all. */
static int read_layer(mfm_ctx *ctx, const json_t *site, bool first, mfm_modulator_info *info)
{
    mfm_modulator_layer *to = &info->layers[info->n_layers];
    const char *layer = json_string_value(json_object_get(site, "layer"));
    const char *position = json_string_value(json_object_get(site, "position"));
    const char *gamma = json_string_value(json_object_get(site, "gamma"));
    const char *beta = json_string_value(json_object_get(site, "beta"));
    if (!layer || !position || !gamma || !beta || (!gamma[0] && !beta[0]) ||
        !read_number(site, "channels", 1, &to->channels))
        return bad(ctx, "sites");
    if (!first && (info->has_scale != !!gamma[0] || info->has_shift != !!beta[0]))
        return bad(ctx, "sites");
    info->has_scale = gamma[0];
    info->has_shift = beta[0];
    const int status = mfm_position_parse(ctx, position, &to->position);
    if (status)
        return status == MFM_EINVAL ? bad(ctx, "sites") : status;
    to->layer = mfm_strdup(ctx, layer);
    info->n_layers += to->layer != NULL;
    return to->layer ? MFM_OK : MFM_ENOMEM;
}

static int read_root(mfm_ctx *ctx, const json_t *root, mfm_modulator_info *info)
{
    const char *modulation = json_string_value(json_object_get(root, "modulation"));
    const json_t *sites = json_object_get(root, "sites");
    const size_t count = json_array_size(sites);
    if (!modulation)
        return bad(ctx, "modulation");
    int status = mfm_modulation_parse(ctx, modulation, &info->modulation);
    if (status)
        return status == MFM_EINVAL ? bad(ctx, "modulation") : status;
    if (!read_number(root, "classes", 1, &info->classes) ||
        !read_number(root, "hidden", 1, &info->hidden) ||
        !read_number(root, "hash_dim", 0, &info->hash_dim))
        return bad(ctx, "classes, hidden or hash_dim");
    if (count < 1 || count > MOST_LAYERS)
        return bad(ctx, "sites");
    info->layers = mfm_alloc(ctx, count, sizeof *info->layers);
    if (!info->layers)
        return MFM_ENOMEM;
    for (size_t i = 0; i < count && !status; i++)
        status = read_layer(ctx, json_array_get(sites, i), i == 0, info);
    return status;
}

int mfm_modulator_info_read(mfm_ctx *ctx, const mfm_model *modulator, mfm_modulator_info **result)
{
    const char *text = mfm_proto_metadata(modulator, MFM_MODULATOR_KEY);
    *result = NULL;
    if (!text)
        return mfm_fail(ctx, MFM_EINVAL, "%s: no modulator: the modulator.onnx of a run is needed",
                        mfm_model_path(modulator));
    mfm_modulator_info *info = mfm_alloc(ctx, 1, sizeof *info);
    if (!info)
        return MFM_ENOMEM;
    json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    const int status = json_is_object(root) ? read_root(ctx, root, info) : bad(ctx, "JSON");
    json_decref(root);
    if (!status) {
        *result = info;
        return MFM_OK;
    }
    mfm_modulator_info_free(ctx, info);
    return mfm_fail_in(ctx, status, "%s", mfm_model_path(modulator));
}

void mfm_modulator_info_free(mfm_ctx *ctx, mfm_modulator_info *info)
{
    if (!info)
        return;
    for (size_t i = 0; i < info->n_layers; i++)
        mfm_free(ctx, info->layers[i].layer);
    mfm_free(ctx, info->layers);
    mfm_free(ctx, info);
}

/* ---- its numbers ---- */

/* Two modulators, of the same form once they are compared. */
typedef struct transfer {
    mfm_ctx *ctx;
    mfm_model *to;
    const mfm_model *own, *other; /* the modulators of `to` and of the file, alone */
    const mfm_modulator_info *ours, *theirs;
    const size_t *from; /* [layers]; NULL: the same numbers */
    int64_t channels;   /* of all layers */
} transfer;

static size_t from_layer(const transfer *t, size_t ours)
{
    return t->from ? t->from[ours] : ours;
}

static int refuse(const transfer *t, const char *what, long long ours, long long theirs)
{
    return mfm_fail(t->ctx, MFM_EINVAL, "%s is of another form: %s: %lld, in %s %lld",
                    mfm_model_path(t->other), what, theirs, mfm_model_path(t->to), ours);
}

static int compare_info(transfer *t)
{
    const mfm_modulator_info *a = t->ours, *b = t->theirs;
    const struct {
        const char *what;
        long long ours, theirs;
    } numbers[] = {{"classes", a->classes, b->classes},
                   {"modulated layers", (long long)a->n_layers, (long long)b->n_layers},
                   {"hidden neurons", a->hidden, b->hidden},
                   {"hashed values (0: none)", a->hash_dim, b->hash_dim},
                   {"scales (0: none)", a->has_scale, b->has_scale},
                   {"shifts (0: none)", a->has_shift, b->has_shift}};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        if (numbers[i].ours != numbers[i].theirs)
            return refuse(t, numbers[i].what, numbers[i].ours, numbers[i].theirs);
    if (a->modulation != b->modulation)
        return mfm_fail(t->ctx, MFM_EINVAL, "%s is of another form: %s, in %s %s",
                        mfm_model_path(t->other), mfm_modulation_name(b->modulation),
                        mfm_model_path(t->to), mfm_modulation_name(a->modulation));
    for (size_t k = 0; k < a->n_layers; k++) {
        const mfm_modulator_layer *ours = &a->layers[k], *theirs = &b->layers[from_layer(t, k)];
        if (ours->channels != theirs->channels)
            return mfm_fail(t->ctx, MFM_EINVAL,
                            "layer %s of %s has %lld channels, %s of %s has %lld: the numbers must "
                            "agree",
                            theirs->layer, mfm_model_path(t->other), (long long)theirs->channels,
                            ours->layer, mfm_model_path(t->to), (long long)ours->channels);
        t->channels += ours->channels;
    }
    return MFM_OK;
}

/* The next node from *i on that is no Reshape, which depends on the rank of a layer alone. */
static const char *next_operator(const mfm_model *model, size_t *i)
{
    const Onnx__GraphProto *graph = model->proto->graph;
    while (*i < graph->n_node && mfm_proto_is(graph->node[*i], "Reshape"))
        ++*i;
    return *i < graph->n_node ? mfm_proto_text(graph->node[(*i)++]->op_type) : NULL;
}

/* The next float32 initialiser from *i on: the numbers, and not the bounds of slices. */
static Onnx__TensorProto *next_numbers(const mfm_model *model, size_t *i)
{
    const Onnx__GraphProto *graph = model->proto->graph;
    while (*i < graph->n_initializer) {
        Onnx__TensorProto *tensor = graph->initializer[(*i)++];
        if (tensor->data_type == ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT)
            return tensor;
    }
    return NULL;
}

static bool same_shape(const Onnx__TensorProto *a, const Onnx__TensorProto *b)
{
    return a->n_dims == b->n_dims && memcmp(a->dims, b->dims, a->n_dims * sizeof *a->dims) == 0 &&
           a->raw_data.len == b->raw_data.len;
}

/* One modulator's graph is the other's, whatever their operator sets: the same operators in a row,
 * and numbers of the same shapes. A network that somebody drew by hand is none of ours. */
static int compare_graphs(const transfer *t)
{
    size_t i = 0, k = 0;
    const char *a, *b;
    do {
        a = next_operator(t->own, &i);
        b = next_operator(t->other, &k);
    } while (a && b && strcmp(a, b) == 0);
    bool same = !a && !b;
    const Onnx__TensorProto *x, *y;
    i = k = 0;
    do {
        x = next_numbers(t->own, &i);
        y = next_numbers(t->other, &k);
    } while (x && y && same_shape(x, y));
    same &= !x && !y;
    return same ? MFM_OK
                : mfm_fail(t->ctx, MFM_EINVAL,
                           "%s: its network is not of the form that inject makes",
                           mfm_model_path(t->other));
}

/* rows x columns floats, of which blocks of channels lie in rows (along 0) or columns (along 1),
 * one block of all layers after another; each layer takes its own from where the other has it. */
static void copy_blocks(const transfer *t, const Onnx__TensorProto *from, Onnx__TensorProto *to,
                        int along)
{
    const int64_t rows = to->dims[0], columns = to->n_dims > 1 ? to->dims[1] : 1;
    const int64_t length = along ? columns : rows;
    float *x = (float *)(void *)to->raw_data.data;
    const float *y = (const float *)(const void *)from->raw_data.data;
    for (int64_t block = 0; block < length; block += t->channels) {
        int64_t at = block;
        for (size_t k = 0; k < t->ours->n_layers; at += t->ours->layers[k++].channels) {
            int64_t source = block;
            for (size_t j = 0; j < from_layer(t, k); j++)
                source += t->theirs->layers[j].channels;
            for (int64_t c = 0; c < t->ours->layers[k].channels; c++)
                for (int64_t i = 0; i < (along ? rows : columns); i++)
                    if (along)
                        x[i * columns + at + c] = y[i * columns + source + c];
                    else
                        x[(at + c) * columns + i] = y[(source + c) * columns + i];
        }
    }
}

/* In the order that inject makes them: weight and bias of the hidden layer and of the output layer,
 * then hashing matrices [hash_dim, channels], then single numbers. */
static int copy_numbers(const transfer *t)
{
    enum { HIDDEN_WEIGHT, HIDDEN_BIAS, OUTPUT_WEIGHT, OUTPUT_BIAS, FURTHER };
    size_t i = 0, k = 0;
    const Onnx__TensorProto *own, *other;
    for (int n = 0; (own = next_numbers(t->own, &i)) != NULL; n++) {
        other = next_numbers(t->other, &k);
        Onnx__TensorProto *to = mfm_proto_initializer(t->to, own->name);
        if (!to && own->dims[0] == 1)
            continue; /* what makes gamma of gamma - 1 is the modulator's alone */
        if (!to)
            return mfm_fail(t->ctx, MFM_EDATA, "%s: initializer %s: the graph does not have it",
                            mfm_model_path(t->to), own->name);
        const bool by_channel = t->theirs->hash_dim ? n >= FURTHER && own->n_dims == 2
                                                    : n == OUTPUT_WEIGHT || n == OUTPUT_BIAS;
        if (by_channel)
            copy_blocks(t, other, to, t->theirs->hash_dim ? 1 : 0);
        else
            memcpy(to->raw_data.data, other->raw_data.data, to->raw_data.len);
    }
    return MFM_OK;
}

int mfm_modulator_transfer(mfm_ctx *ctx, mfm_model *injected, const mfm_model *modulator,
                           const size_t *from)
{
    mfm_modulator_info *ours = NULL, *theirs = NULL;
    mfm_model *own = NULL;
    int status = mfm_model_modulator(ctx, injected, &own);
    if (!status)
        status = mfm_modulator_info_read(ctx, own, &ours);
    if (!status)
        status = mfm_modulator_info_read(ctx, modulator, &theirs);
    transfer t = {.ctx = ctx,
                  .to = injected,
                  .own = own,
                  .other = modulator,
                  .ours = ours,
                  .theirs = theirs,
                  .from = from};
    if (!status)
        status = compare_info(&t);
    if (!status)
        status = compare_graphs(&t);
    if (!status)
        status = copy_numbers(&t);
    mfm_modulator_info_free(ctx, ours);
    mfm_modulator_info_free(ctx, theirs);
    mfm_model_free(own);
    return status;
}
