#include "onnx/surgery/inject.h"

#include <math.h>
#include <string.h>

#include "models/models.h"
#include "onnx/proto/validate.h"
#include "tests/refusals.h"
#include "tests/onnx/hand.h"
#include "tests/suite.h"

static mfm_ctx *ctx;

/* Injects, checks the graph, strips, and compares the bytes with those before. */
static bool comes_back(mfm_model *model, const mfm_inject_options *options)
{
    size_t before, during, after;
    void *a = hand_pack(ctx, model, &before);
    if (mfm_model_inject(ctx, model, options) || mfm_validate(model)) {
        printf("\n    %s\n", mfm_message(ctx));
        mfm_free(ctx, a);
        return false;
    }
    void *b = hand_pack(ctx, model, &during);
    if (mfm_model_strip(ctx, model)) {
        printf("\n    %s\n", mfm_message(ctx));
        mfm_free(ctx, a);
        mfm_free(ctx, b);
        return false;
    }
    void *c = hand_pack(ctx, model, &after);
    const bool same = before == after && memcmp(a, c, before) == 0 && during > before;
    mfm_free(ctx, a);
    mfm_free(ctx, b);
    mfm_free(ctx, c);
    return same;
}

static void test_identity(void)
{
    ctx = mfm_ctx_new(NULL);
    static const int64_t opsets[] = {7, 9, 10, 13, 18, 21};
    static const char *const several[] = {"conv:1", "conv:2", "fc:1"};
    for (size_t i = 0; i < sizeof opsets / sizeof opsets[0]; i++)
        for (int modulation = 0; modulation < MFM_MODULATIONS; modulation++)
            for (int form = 0; form < 8; form++) {
                mfm_model *m = hand_residual(ctx, i == 0 ? 3 : 8, opsets[i]);
                CU_ASSERT_EQUAL(mfm_proto_set_metadata(m, "own", "kept"), MFM_OK);
                const mfm_inject_options options = {
                    .layers = several,
                    .n_layers = form & 1 ? 3 : 1,
                    .position = form & 2 ? MFM_AT_CONV : MFM_AT_NORM,
                    .hash_dim = form & 4 ? 3 : 0,
                    .modulation = (mfm_modulation)modulation,
                };
                CU_ASSERT_TRUE(comes_back(m, &options));
                mfm_model_free(m);
            }
    mfm_ctx_free(ctx);
}

/* No rule bounds them. */
static void test_large_versions(void)
{
    ctx = mfm_ctx_new(NULL);
    static const char *const layer[] = {"conv:1"};
    const mfm_inject_options options = {.layers = layer, .n_layers = 1};
    static const int64_t versions[] = {INT32_MAX, (int64_t)INT32_MAX + 1, INT64_MAX};
    for (int i = 0; i < 3; i++) {
        mfm_model *m = hand_residual(ctx, versions[i], 13);
        CU_ASSERT_TRUE(comes_back(m, &options));
        mfm_model_free(m);
    }
    mfm_ctx_free(ctx);
}

static void test_architectures(void)
{
    ctx = mfm_ctx_new(NULL);
    static const char *const names[] = {"lenet", "resnet20", "resnet18"};
    static const char *const layers[] = {"last_conv", "first_conv", "fc:-1"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        mfm_model *m;
        CU_ASSERT_EQUAL_FATAL(mfm_model_make(ctx, names[i], NULL, &m), MFM_OK);
        CU_ASSERT_TRUE(comes_back(m, &(mfm_inject_options){0}));
        CU_ASSERT_TRUE(comes_back(m, &(mfm_inject_options){.layers = layers, .n_layers = 3}));
        mfm_model_free(m);
    }
    mfm_ctx_free(ctx);
}

static const Onnx__NodeProto *writer(const mfm_model *m, const char *value)
{
    const Onnx__GraphProto *graph = m->proto->graph;
    for (size_t i = 0; i < graph->n_node; i++)
        for (size_t k = 0; k < graph->node[i]->n_output; k++)
            if (strcmp(graph->node[i]->output[k], value) == 0)
                return graph->node[i];
    return NULL;
}

/* The node that writes input i of a node. */
static const Onnx__NodeProto *before(const mfm_model *m, const Onnx__NodeProto *node, size_t i)
{
    return node && i < node->n_input ? writer(m, node->input[i]) : NULL;
}

static bool is(const Onnx__NodeProto *node, const char *op_type)
{
    return node && strcmp(node->op_type, op_type) == 0;
}

static float number(const mfm_model *m, const char *name, size_t i)
{
    const Onnx__TensorProto *t = mfm_proto_initializer(m, name);
    float value = NAN;
    if (t && (i + 1) * sizeof value <= t->raw_data.len)
        memcpy(&value, t->raw_data.data + i * sizeof value, sizeof value);
    return value;
}

/* From the modulated value back to the soft label, node by node. */
static void test_formula(void)
{
    ctx = mfm_ctx_new(NULL);
    mfm_model *m = hand_residual(ctx, 8, 17);
    mfm_inject_info *info;
    CU_ASSERT_EQUAL_FATAL(mfm_model_inject(ctx, m, &(mfm_inject_options){.seed = 5}), MFM_OK);
    CU_ASSERT_EQUAL_FATAL(mfm_inject_info_read(ctx, m, &info), MFM_OK);
    CU_ASSERT_EQUAL_FATAL(info->n_sites, 1);
    const mfm_inject_site *site = info->sites;
    CU_ASSERT_STRING_EQUAL(site->layer, "c2");
    CU_ASSERT_STRING_EQUAL(site->value, "n2");
    CU_ASSERT_TRUE(site->channels == 4 && site->rank == 4 && !site->renamed);
    CU_ASSERT_TRUE(info->classes == 5 && info->hidden == 100 && info->hash_dim == 0);
    CU_ASSERT_STRING_EQUAL(writer(m, "sum")->input[1], site->output);
    CU_ASSERT_STRING_EQUAL(writer(m, "sum")->input[0], "a1");

    const Onnx__NodeProto *add = writer(m, site->output); /* X + s (...) */
    CU_ASSERT_TRUE_FATAL(is(add, "Add") && strcmp(add->input[0], "n2") == 0);
    const Onnx__NodeProto *gated = before(m, add, 1);
    CU_ASSERT_TRUE_FATAL(is(gated, "Mul") && strcmp(gated->input[1], info->gate) == 0);
    const Onnx__NodeProto *shifted = before(m, gated, 0);
    CU_ASSERT_TRUE_FATAL(is(shifted, "Add") && strcmp(shifted->input[1], site->shift) == 0);
    const Onnx__NodeProto *scaled = before(m, shifted, 0);
    CU_ASSERT_TRUE_FATAL(is(scaled, "Mul") && strcmp(scaled->input[0], "n2") == 0 &&
                         strcmp(scaled->input[1], site->scale) == 0);

    const Onnx__NodeProto *shape = writer(m, site->scale);
    const Onnx__NodeProto *excess = before(m, shape, 0), *ratio = before(m, excess, 0);
    const Onnx__NodeProto *softmax = before(m, ratio, 0), *slice = before(m, softmax, 0);
    const Onnx__NodeProto *output = before(m, slice, 0), *relu = before(m, output, 0);
    const Onnx__NodeProto *hidden = before(m, relu, 0);
    CU_ASSERT_TRUE(is(shape, "Reshape") && is(excess, "Sub") && is(ratio, "Div"));
    CU_ASSERT_TRUE(is(softmax, "Softmax") && is(slice, "Slice") && is(output, "Gemm"));
    CU_ASSERT_TRUE_FATAL(is(relu, "Relu") && is(hidden, "Gemm"));
    CU_ASSERT_STRING_EQUAL(hidden->input[0], info->soft_label);
    CU_ASSERT_EQUAL(number(m, excess->input[1], 0), 1.0F);
    CU_ASSERT_EQUAL(number(m, ratio->input[1], 0), 0.25F);
    CU_ASSERT_EQUAL(number(m, info->soft_label, 4), 0.2F);
    CU_ASSERT_EQUAL(number(m, info->gate, 0), 0.0F);
    mfm_inject_info_free(ctx, info);
    mfm_model_free(m);
    mfm_ctx_free(ctx);
}

/* A softmax of C zeros, summed up in float and divided, or multiplied by the reciprocal, as
 * runtimes do; over the share that the file has, gamma - 1 is 0 for every C. */
static void test_exact_start(void)
{
    float sum = 0;
    size_t inexact = 0;
    for (int channels = 1; channels <= 65536; channels++) {
        const float one = expf(0), share = 1.0F / (float)channels;
        sum += one;
        const float reciprocal = 1.0F / sum;
        inexact += one / sum / share - 1.0F != 0.0F;
        inexact += one * reciprocal / share - 1.0F != 0.0F;
    }
    CU_ASSERT_EQUAL(inexact, 0);
}

/* W1 [100, 5] is Xavier-normal, standard deviation sqrt(2 / 105); the rest is zero. */
static void test_start(void)
{
    ctx = mfm_ctx_new(NULL);
    mfm_model *m = hand_residual(ctx, 8, 17);
    mfm_inject_info *info;
    CU_ASSERT_EQUAL_FATAL(mfm_model_inject(ctx, m, &(mfm_inject_options){.seed = 5}), MFM_OK);
    CU_ASSERT_EQUAL_FATAL(mfm_inject_info_read(ctx, m, &info), MFM_OK);
    CU_ASSERT_EQUAL_FATAL(info->n_parameters, 4);
    double sum = 0, squares = 0;
    for (size_t i = 0; i < 500; i++) {
        const double w = number(m, info->parameters[0], i);
        sum += w;
        squares += w * w;
    }
    const double expected = sqrt(2.0 / 105);
    CU_ASSERT_TRUE(fabs(sqrt(squares / 500) - expected) < 4 * expected / sqrt(1000));
    CU_ASSERT_TRUE(fabs(sum / 500) < 4 * expected / sqrt(500));
    static const size_t counts[] = {500, 100, 8 * 100, 8};
    for (size_t k = 0; k < 4; k++) {
        const Onnx__TensorProto *t = mfm_proto_initializer(m, info->parameters[k]);
        CU_ASSERT_PTR_NOT_NULL_FATAL(t);
        CU_ASSERT_EQUAL(t->raw_data.len, counts[k] * sizeof(float));
        for (size_t i = 0; k && i < counts[k]; i++)
            CU_ASSERT_EQUAL(number(m, info->parameters[k], i), 0.0F);
    }
    mfm_inject_info_free(ctx, info);
    mfm_model_free(m);
    mfm_ctx_free(ctx);
}

/* Each column of the fixed matrices has one entry, +1 or -1. */
static void test_hashing(void)
{
    ctx = mfm_ctx_new(NULL);
    mfm_model *m = hand_residual(ctx, 8, 17);
    CU_ASSERT_EQUAL_FATAL(mfm_model_inject(ctx, m, &(mfm_inject_options){.hash_dim = 3}), MFM_OK);
    static const char *const matrices[] = {"mfm.hash.gamma.matrix", "mfm.hash.beta.matrix"};
    for (size_t k = 0; k < 2; k++)
        for (size_t j = 0; j < 4; j++) {
            float total = 0;
            size_t present = 0;
            for (size_t i = 0; i < 3; i++) {
                const float w = number(m, matrices[k], 4 * i + j);
                total += fabsf(w);
                present += w != 0;
            }
            CU_ASSERT_TRUE(total == 1 && present == 1);
        }
    CU_ASSERT_EQUAL(mfm_proto_initializer(m, "mfm.output.weight")->dims[0], 6);
    mfm_model_free(m);
    mfm_ctx_free(ctx);
}

/* The logits keep their name; what made them is renamed while the modulator is there. */
static void test_output(void)
{
    ctx = mfm_ctx_new(NULL);
    mfm_model *m = hand_residual(ctx, 8, 17);
    static const char *const fc[] = {"fc:1"};
    const mfm_inject_options options = {.layers = fc, .n_layers = 1};
    mfm_inject_info *info;
    CU_ASSERT_EQUAL_FATAL(mfm_model_inject(ctx, m, &options), MFM_OK);
    CU_ASSERT_EQUAL_FATAL(mfm_inject_info_read(ctx, m, &info), MFM_OK);
    CU_ASSERT_STRING_EQUAL(info->sites[0].output, "logits");
    CU_ASSERT_TRUE(info->sites[0].renamed);
    CU_ASSERT_TRUE(is(writer(m, info->sites[0].value), "Gemm"));
    CU_ASSERT_TRUE(is(writer(m, "logits"), "Add"));
    CU_ASSERT_STRING_EQUAL(m->proto->graph->output[0]->name, "logits");
    mfm_inject_info_free(ctx, info);
    mfm_model_free(m);
    m = hand_residual(ctx, 8, 17);
    CU_ASSERT_TRUE(comes_back(m, &options));
    mfm_model_free(m);
    mfm_ctx_free(ctx);
}

/* n2 read by an If's branch, and another branch that has an n2 of its own. */
static void test_inner_graphs(void)
{
    ctx = mfm_ctx_new(NULL);
    mfm_model *m = hand_residual(ctx, 8, 17);
    Onnx__NodeProto *node = hand_node(m, "If", "", "x", "chosen");
    for (size_t i = 0; i < 2; i++) {
        mfm_model *inner = hand_model(ctx, 8, 17);
        if (i == 1)
            hand_node(inner, "Neg", "", "x", "n2");
        hand_node(inner, "Relu", "", "n2", "inner");
        hand_output(inner, "inner", HAND_DIMS(1));
        CU_ASSERT_EQUAL(mfm_proto_attr_int(m, node, i ? "else_branch" : "then_branch", 0), MFM_OK);
        node->attribute[i]->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__GRAPH;
        node->attribute[i]->g = inner->proto->graph;
        inner->proto->graph = NULL;
        mfm_model_free(inner);
    }
    static const char *const conv[] = {"conv:2"};
    const mfm_inject_options options = {
        .layers = conv, .n_layers = 1, .position = MFM_AT_NORM, .no_scale = true};
    CU_ASSERT_TRUE(comes_back(m, &options));
    CU_ASSERT_EQUAL_FATAL(mfm_model_inject(ctx, m, &options), MFM_OK);
    CU_ASSERT_STRING_EQUAL(node->attribute[0]->g->node[0]->input[0], "mfm.modulated");
    CU_ASSERT_STRING_EQUAL(node->attribute[1]->g->node[1]->input[0], "n2");
    mfm_model_free(m);
    mfm_ctx_free(ctx);
}

static void test_names(void)
{
    ctx = mfm_ctx_new(NULL);
    mfm_model *m = hand_residual(ctx, 8, 17);
    hand_node(m, "Relu", "mfm.softmax", "x", "mfm.soft_label");
    hand_node(m, "Relu", "mfm.switch", "x", "mfm.modulated");
    mfm_inject_info *info;
    CU_ASSERT_EQUAL_FATAL(mfm_model_inject(ctx, m, &(mfm_inject_options){0}), MFM_OK);
    CU_ASSERT_EQUAL(mfm_validate(m), MFM_OK);
    CU_ASSERT_EQUAL_FATAL(mfm_inject_info_read(ctx, m, &info), MFM_OK);
    CU_ASSERT_STRING_EQUAL(info->soft_label, "mfm.soft_label.1");
    CU_ASSERT_STRING_EQUAL(info->gate, "mfm.switch.1");
    CU_ASSERT_EQUAL(mfm_model_strip(ctx, m), MFM_OK);
    CU_ASSERT_PTR_NOT_NULL(writer(m, "mfm.soft_label"));
    CU_ASSERT_PTR_NOT_NULL(writer(m, "mfm.modulated"));
    mfm_inject_info_free(ctx, info);
    mfm_model_free(m);
    mfm_ctx_free(ctx);
}

static bool refused(mfm_model *m, const mfm_inject_options *options, int code, const char *part)
{
    const int status = mfm_model_inject(ctx, m, options);
    const bool told = status == code && strstr(mfm_message(ctx), part);
    if (!told)
        printf("\n    %d: %s\n", status, status ? mfm_message(ctx) : "injected");
    mfm_model_free(m);
    return told;
}

static void test_refusals(void)
{
    ctx = mfm_ctx_new(NULL);
    static const char *const none[] = {"conv:9"}, *const first[] = {"conv:1"};
    mfm_model *m = hand_residual(ctx, 8, 17);
    CU_ASSERT_EQUAL(mfm_model_strip(ctx, m), MFM_EINVAL);
    CU_ASSERT_PTR_NOT_NULL(strstr(mfm_message(ctx), "it has no modulator"));
    CU_ASSERT_EQUAL(mfm_model_inject(ctx, m, &(mfm_inject_options){0}), MFM_OK);
    CU_ASSERT_TRUE(refused(m, &(mfm_inject_options){0}, MFM_EINVAL, "strip it first"));
#define REFUSED(code, part, ...)                                                                   \
    CU_ASSERT_TRUE(                                                                                \
        refused(hand_residual(ctx, 8, 17), &(mfm_inject_options){__VA_ARGS__}, code, part))
    REFUSED(MFM_EINVAL, "no such layer", .layers = none, .n_layers = 1);
    REFUSED(MFM_EINVAL, "no position 'block'", .layers = first, .n_layers = 1,
            .position = MFM_AT_BLOCK);
    REFUSED(MFM_EINVAL, "7 classes: it has 5", .classes = 7);
    REFUSED(MFM_EINVAL, "neither scale nor shift", .no_scale = true, .no_shift = true);
    REFUSED(MFM_EINVAL, "neither scale nor shift", .no_scale = true, .modulation = MFM_GATED);
    REFUSED(MFM_EINVAL, "gated has no shift", .no_shift = true, .modulation = MFM_GATED);
    REFUSED(MFM_EINVAL, "attention has no shift", .no_shift = true, .modulation = MFM_ATTENTION);
    REFUSED(MFM_EINVAL, "hidden -1", .hidden = -1);
    REFUSED(MFM_EINVAL, "hash dimension 1000000", .hash_dim = 1000000);
    m = hand_residual(ctx, 3, 6);
    CU_ASSERT_TRUE(
        refused(m, &(mfm_inject_options){0}, MFM_ENOTSUP, "operator set 6: 7 is the first"));
    m = hand_residual(ctx, 8, 17);
    mfm_proto_initializer(m, "w2")->data_type = ONNX__TENSOR_PROTO__DATA_TYPE__INT32;
    CU_ASSERT_TRUE(refused(m, &(mfm_inject_options){0}, MFM_ENOTSUP, "c2: its weights are not"));
    mfm_ctx_free(ctx);
}

/* Strips a model whose injected part was tampered with. */
static bool unfit(mfm_model *m, const char *part)
{
    const int status = mfm_model_strip(ctx, m);
    const bool told = status == MFM_EDATA && strstr(mfm_message(ctx), part);
    if (!told)
        printf("\n    %d: %s\n", status, status ? mfm_message(ctx) : "stripped");
    mfm_model_free(m);
    return told;
}

static mfm_model *injected(void)
{
    mfm_model *m = hand_residual(ctx, 8, 17);
    CU_ASSERT_EQUAL_FATAL(mfm_model_inject(ctx, m, &(mfm_inject_options){0}), MFM_OK);
    return m;
}

static void test_tampering(void)
{
    ctx = mfm_ctx_new(NULL);
    mfm_model *m = injected();
    hand_node(m, "Relu", "", "mfm.softmax.out", "y");
    CU_ASSERT_TRUE(unfit(m, "value 'mfm.softmax.out': is read outside the modulator"));
    m = injected();
    hand_node(m, "Relu", "mfm.softmax", "x", "y");
    CU_ASSERT_TRUE(unfit(m, "node 'mfm.softmax': the graph has it twice"));
    m = injected();
    hand_output(m, "mfm.scale.out", HAND_DIMS(1));
    CU_ASSERT_TRUE(unfit(m, "value 'mfm.scale.out': is read outside the modulator"));
    m = injected();
    Onnx__GraphProto *graph = m->proto->graph;
    mfm_proto_remove(m, &graph->input, &graph->n_input, graph->n_input - 1);
    CU_ASSERT_TRUE(unfit(m, "input 'mfm.switch': the graph does not have it"));
    static const char *const broken[] = {"",
                                         "{",
                                         "[]",
                                         "{\"version\":1}",
                                         "{\"version\":\"1\"}",
                                         "{\"version\":1,\"modulation\":\"none\"}"};
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        m = injected();
        CU_ASSERT_EQUAL(mfm_proto_set_metadata(m, MFM_INJECT_KEY, broken[i]), MFM_OK);
        CU_ASSERT_TRUE(unfit(m, "cannot read the metadata mfm.inject"));
    }
    m = injected();
    CU_ASSERT_EQUAL(mfm_proto_set_metadata(m, MFM_INJECT_KEY, "{\"version\":2}"), MFM_OK);
    CU_ASSERT_EQUAL(mfm_model_strip(ctx, m), MFM_ENOTSUP);
    mfm_model_free(m);
    mfm_ctx_free(ctx);
}

/* Training changes numbers: they stay. A tool's shapes for the modulator's values go with it. */
static void test_after_training(void)
{
    ctx = mfm_ctx_new(NULL);
    mfm_model *m = injected();
    Onnx__GraphProto *graph = m->proto->graph;
    Onnx__ValueInfoProto *info =
        mfm_proto_value_info(m, "mfm.modulated", (const int64_t[]){-1, 4, 6, 6}, 4, "n");
    CU_ASSERT_FATAL(info && !mfm_proto_append(m, &graph->value_info, &graph->n_value_info, info));
    mfm_proto_initializer(m, "fc")->raw_data.data[0] = 0x77;
    CU_ASSERT_EQUAL_FATAL(mfm_model_strip(ctx, m), MFM_OK);
    CU_ASSERT_EQUAL(mfm_proto_initializer(m, "fc")->raw_data.data[0], 0x77);
    CU_ASSERT_EQUAL(graph->n_value_info, 0);
    CU_ASSERT_EQUAL(graph->n_node, 10);
    mfm_model_free(m);
    mfm_ctx_free(ctx);
}

typedef struct packed {
    const void *bytes;
    size_t size;
} packed;

static int inject_and_strip(mfm_ctx *own, void *self)
{
    const packed *p = self;
    static const char *const layers[] = {"conv:1", "fc:1"};
    const mfm_inject_options options = {
        .layers = layers, .n_layers = 2, .hidden = 3, .hash_dim = 2};
    mfm_model *m;
    int status = mfm_model_parse(own, p->bytes, p->size, "m.onnx", &m);
    if (status)
        return status;
    status = mfm_model_inject(own, m, &options);
    if (!status)
        status = mfm_model_strip(own, m);
    mfm_model_free(m);
    return status;
}

static void test_memory(void)
{
    ctx = mfm_ctx_new(NULL);
    mfm_model *m = hand_residual(ctx, 8, 9);
    packed p;
    void *bytes = hand_pack(ctx, m, &p.size);
    p.bytes = bytes;
    mfm_assert_refusals_are_told(inject_and_strip, &p);
    mfm_free(ctx, bytes);
    mfm_model_free(m);
    mfm_ctx_free(ctx);
}

static const mfm_case cases[] = {
    {"stripping gives back the bytes: every operator set, modulation and form", test_identity},
    {"and of files of any IR version", test_large_versions},
    {"stripping gives back the bytes of whole architectures", test_architectures},
    {"the nodes compute X + s ((gamma - 1) X + beta)", test_formula},
    {"softmax(0) over its share is 1 for any number of channels", test_exact_start},
    {"the hidden layer starts Xavier-normal, all else at zero", test_start},
    {"a hashing layer sends each channel to one number", test_hashing},
    {"an output of the graph keeps its name", test_output},
    {"inner graphs read the modulated value, and keep their own", test_inner_graphs},
    {"no name that is in use is taken", test_names},
    {"what cannot be injected is refused with its reason", test_refusals},
    {"a tampered modulator is not stripped blindly", test_tampering},
    {"trained numbers stay, shapes of the modulator's values go", test_after_training},
    {"any refused allocation is reported, and nothing leaks", test_memory},
};
MFM_SUITE("onnx/inject", cases)
