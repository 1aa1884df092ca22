#include "onnx/expand/expand.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "onnx/expand/expand_parts.h"
#include "onnx/functions/flat.h"

static const char by_attribute[] = "with broadcasting by attributes";

const mfm_expansion mfm_expansions[] = {
    {"Add", 6, 6, by_attribute, mfm_expand_broadcast, NULL},
    {"And", 1, 6, by_attribute, mfm_expand_broadcast, NULL},
    {"Attention", 23, 0, "softmax(scale Q K^T + mask) V by heads", mfm_expand_attention, NULL},
    {"Cast", 6, 0, "numbers as truth values: those that are not 0", mfm_expand_cast, NULL},
    {"ConstantOfShape", 9, 0, "one number everywhere, in a shape that depends on the batch size",
     mfm_expand_fill, NULL},
    {"Div", 6, 6, by_attribute, mfm_expand_broadcast, NULL},
    {"Equal", 1, 6, by_attribute, mfm_expand_broadcast, NULL},
    {"Gather", 1, 0, "with places that depend on the batch size, image by image", mfm_expand_gather,
     mfm_gather_is_by_batch},
    {"GatherElements", 11, 0, "with constant places of each image of a fixed batch",
     mfm_expand_gather_images, mfm_gather_lists_images},
    {"GatherND", 11, 0, "with constant places of each image of a fixed batch",
     mfm_expand_gather_images, mfm_gather_lists_images},
    {"Greater", 1, 6, by_attribute, mfm_expand_broadcast, NULL},
    {"LayerNormalization", 17, 0, "with its mean and 1 / deviation, where they are read",
     mfm_expand_layer_norm, mfm_layer_norm_shows},
    {"Less", 1, 6, by_attribute, mfm_expand_broadcast, NULL},
    {"MeanVarianceNormalization", 9, 0, "mean 0 and variance 1 along axes",
     mfm_expand_mean_variance, NULL},
    {"Mul", 6, 6, by_attribute, mfm_expand_broadcast, NULL},
    {"OneHot", 9, 0, "along a new axis one number at a place, another elsewhere",
     mfm_expand_one_hot, NULL},
    {"Or", 1, 6, by_attribute, mfm_expand_broadcast, NULL},
    {"Pow", 1, 6, by_attribute, mfm_expand_broadcast, NULL},
    {"ScatterElements", 16, 0, "with reduction mul, at constant places", mfm_expand_scatter_product,
     mfm_scatter_multiplies},
    {"ScatterND", 16, 0, "with reduction mul, at constant places", mfm_expand_scatter_product,
     mfm_scatter_multiplies},
    {"Squeeze", 1, 0, "without axes: those of length 1 at every batch", mfm_expand_squeeze,
     mfm_squeeze_names_none},
    {"Sub", 6, 6, by_attribute, mfm_expand_broadcast, NULL},
    {"Xor", 1, 6, by_attribute, mfm_expand_broadcast, NULL},
    {"ai.onnx.ml.ArrayFeatureExtractor", 1, 0, "columns by their numbers", mfm_expand_columns,
     NULL},
    {"ai.onnx.ml.Normalizer", 1, 0, "rows divided by their norm, L1 or L2", mfm_expand_normalizer,
     NULL},
    {"ai.onnx.ml.Scaler", 1, 0, "(x - offset) scale of columns; both stay as they are",
     mfm_expand_scaler, NULL},
    {NULL, 0, 0, NULL, NULL, NULL}};

/* "Split" of ONNX's own domain, "DOMAIN.Scaler" of another. */
static bool is_called(const Onnx__NodeProto *node, const char *name)
{
    const char *dot = strrchr(name, '.'), *domain = mfm_proto_text(node->domain);
    if (!dot)
        return mfm_proto_is(node, name);
    return strlen(domain) == (size_t)(dot - name) &&
           strncmp(domain, name, (size_t)(dot - name)) == 0 &&
           strcmp(mfm_proto_text(node->op_type), dot + 1) == 0;
}

const mfm_expansion *mfm_expansion_of(const mfm_model *model, const Onnx__NodeProto *node)
{
    const int64_t opset = mfm_node_opset(model, node);
    for (const mfm_expansion *e = mfm_expansions; e->name; e++)
        if (is_called(node, e->name) && opset >= e->since && (!e->until || opset <= e->until))
            return e;
    return NULL;
}

enum { OPSET = 13, WORDS = 256 };

/* Sets the attributes of "Reshape shape=0,0,-1 allowzero=0". */
static int read_attributes(mfm_ctx *ctx, const mfm_op *op, char *words, void *attr)
{
    char *rest;
    int status = MFM_OK;
    mfm_attr_defaults(op, attr);
    strtok_r(words, " ", &rest);
    for (char *word; !status && (word = strtok_r(NULL, " ", &rest));) {
        char *value = strchr(word, '=');
        *value++ = '\0';
        status = mfm_attr_parse(ctx, op, attr, word, value);
    }
    return status;
}

int mfm_parts_add(mfm_parts *p, const char *what, int a, int b, int c)
{
    const int in[] = {a, b, c};
    char words[WORDS];
    int n_in = 0, out = MFM_NO_VALUE;
    bool on_images = false;
    if (p->status)
        return MFM_NO_VALUE;
    for (; n_in < 3 && in[n_in] != MFM_NO_VALUE; n_in++)
        on_images |= p->im->on_images[in[n_in]];
    snprintf(words, sizeof words, "%.*s", (int)strcspn(what, " "), what);
    const mfm_op *op = mfm_op_find("", words, OPSET);
    snprintf(words, sizeof words, "%s", what);
    void *attr = mfm_alloc(p->im->ctx, 1, op->attr_size);
    p->status = attr ? read_attributes(p->im->ctx, op, words, attr) : MFM_ENOMEM;
    if (!p->status)
        p->status =
            mfm_graph_add(p->im->graph, op, OPSET, p->node->name, attr, in, n_in, NULL, 1, &out);
    if (!p->status)
        p->status = mfm_import_bind_output(p->im, "", out, on_images);
    mfm_free(p->im->ctx, attr);
    return out;
}

char *mfm_parts_list(char text[MFM_LIST_TEXT], const int64_t *list, int count)
{
    assert(count <= MFM_MAX_RANK);
    size_t used = 0;
    text[0] = '\0';
    for (int i = 0; i < count; i++)
        used += (size_t)snprintf(text + used, MFM_LIST_TEXT - used, "%s%lld", i ? "," : "",
                                 (long long)list[i]);
    return text;
}

int mfm_parts_add_list(mfm_parts *p, const char *what, const int64_t *list, int count, int a, int b)
{
    char words[WORDS], numbers[MFM_LIST_TEXT];
    snprintf(words, sizeof words, "%s%s", what, mfm_parts_list(numbers, list, count));
    return mfm_parts_add(p, words, a, b, MFM_NO_VALUE);
}

int mfm_parts_const(mfm_parts *p, const mfm_shape *shape, const real *row_major)
{
    int value = MFM_NO_VALUE;
    const size_t count = (size_t)mfm_shape_count(shape);
    real *stored =
        p->status ? NULL : mfm_alloc_aligned(p->im->ctx, count ? count : 1, sizeof *stored);
    if (!stored && !p->status)
        p->status = MFM_ENOMEM;
    if (stored && count)
        mfm_layout_to_engine(shape, row_major, stored);
    if (!p->status)
        p->status = mfm_graph_const(p->im->graph, "", shape, stored, &value);
    if (!p->status)
        p->status = mfm_import_bind_output(p->im, "", value, false);
    mfm_free_aligned(p->im->ctx, stored);
    return value;
}

int mfm_parts_number(mfm_parts *p, double number)
{
    const mfm_shape scalar = {.rank = 0};
    const real one = (real)number;
    return mfm_parts_const(p, &scalar, &one);
}

int mfm_parts_input(mfm_parts *p, size_t input, enum mfm_role role)
{
    int value = MFM_NO_VALUE;
    if (!p->status && input < p->node->n_input && p->node->input[input][0])
        p->status = mfm_import_argument(p->im, p->node, input, role, &value);
    return value;
}

mfm_shape mfm_parts_shape(mfm_parts *p, int value)
{
    mfm_shape shape = {.rank = 0};
    if (!p->status && value != MFM_NO_VALUE)
        p->status = mfm_import_shape(p->im, value, mfm_fold_batches[0], &shape);
    return shape;
}

bool mfm_parts_wants(const mfm_parts *p, size_t output)
{
    return output < p->node->n_output && p->node->output[output][0] &&
           mfm_strmap_get(&p->im->needed, p->node->output[output], NULL);
}

void mfm_parts_output(mfm_parts *p, size_t output, int value)
{
    if (!p->status)
        p->status =
            mfm_import_bind_value(p->im, p->node->output[output], value, p->im->on_images[value]);
}
