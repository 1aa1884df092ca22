#include "onnx/modulator.h"

#include <jansson.h>
#include <math.h>
#include <string.h>

#include "core/engine/plan/plan.h"
#include "onnx/import/import.h"
#include "onnx/surgery/inject.h"
#include "onnx/transfer.h"
#include "tests/refusals.h"
#include "tests/onnx/hand.h"
#include "tests/suite.h"

enum { BATCH = 3, CLASSES = 5, MOST_OUTPUTS = 6, MOST_NUMBERS = 64 };

static mfm_ctx *ctx;

/* Numbers as a training might leave them, of both signs and different in each row. */
static void train(mfm_model *m, const mfm_inject_info *info)
{
    for (size_t i = 0; i < info->n_parameters; i++) {
        Onnx__TensorProto *t = mfm_proto_initializer(m, info->parameters[i]);
        for (size_t k = 0; k < t->raw_data.len / sizeof(float); k++) {
            const float w = (float)sin(1.7 * (double)k + (double)i);
            memcpy(t->raw_data.data + k * sizeof w, &w, sizeof w);
        }
    }
}

static mfm_model *injected(int64_t opset, const mfm_inject_options *options, mfm_inject_info **info)
{
    mfm_model *m = hand_residual(ctx, 8, opset);
    CU_ASSERT_EQUAL_FATAL(mfm_model_inject(ctx, m, options), MFM_OK);
    CU_ASSERT_EQUAL_FATAL(mfm_inject_info_read(ctx, m, info), MFM_OK);
    train(m, *info);
    return m;
}

typedef struct results {
    mfm_shape shape[MOST_OUTPUTS];
    real value[MOST_OUTPUTS][MOST_NUMBERS];
} results;

/* Three soft labels: one class for certain, unequal shares, and equal ones. */
static const real soft_label[BATCH * CLASSES] = {
    0,          0,          1,         0,         0,         (real)0.1, (real)0.2, (real)0.3,
    (real)0.15, (real)0.25, (real)0.2, (real)0.2, (real)0.2, (real)0.2, (real)0.2};

static void bind(mfm_plan *plan, const mfm_graph *graph, const char *label, real *images)
{
    static real labels[BATCH * CLASSES];
    memcpy(labels, soft_label, sizeof labels);
    for (size_t i = 0; i < graph->n_values; i++)
        if (graph->values[i].kind == MFM_VALUE_INPUT)
            mfm_plan_bind_input(plan, (int)i, MFM_X,
                                strcmp(graph->values[i].name, label) == 0 ? labels : images);
}

/* The first n outputs of the model, fed with the soft labels and with images of zeros. */
static bool run(const mfm_model *m, const char *label, size_t n, results *r)
{
    static real images[BATCH * 3 * 6 * 6];
    mfm_graph *graph;
    mfm_plan *plan;
    int outputs[MOST_OUTPUTS];
    mfm_slot keep[MOST_OUTPUTS];
    if (n > MOST_OUTPUTS || mfm_graph_import(ctx, m, n, &graph, outputs))
        return false;
    for (size_t i = 0; i < n; i++)
        keep[i] = (mfm_slot){outputs[i], MFM_X};
    const mfm_pass forward = {MFM_FORWARD, 1};
    const mfm_plan_spec spec = {
        .batch = BATCH, .passes = &forward, .n_passes = 1, .keep = keep, .n_keep = (int)n};
    CU_ASSERT_EQUAL_FATAL(mfm_plan_new(ctx, graph, &spec, &plan), MFM_OK);
    mfm_plan_bind_params(plan, MFM_X, graph->params);
    mfm_plan_bind_state(plan, graph->state);
    bind(plan, graph, label, images);
    mfm_plan_run(plan, 0);
    for (size_t i = 0; i < n; i++) {
        r->shape[i] = *mfm_plan_shape(plan, outputs[i]);
        const int64_t count = mfm_shape_count(&r->shape[i]);
        CU_ASSERT_FATAL(count <= MOST_NUMBERS);
        memcpy(r->value[i], mfm_plan_lane(plan, outputs[i], MFM_X), (size_t)count * sizeof(real));
    }
    mfm_plan_free(plan);
    mfm_graph_free(graph);
    return true;
}

/* Makes scale and shift of every site the first outputs of the injected graph, and the soft label
 * an input that must be fed. Returns how many. */
static size_t look_inside(mfm_model *m, const mfm_inject_info *info)
{
    Onnx__GraphProto *g = m->proto->graph;
    for (size_t i = g->n_initializer; i-- > 0;)
        if (strcmp(g->initializer[i]->name, info->soft_label) == 0)
            mfm_proto_remove(m, &g->initializer, &g->n_initializer, i);
    while (g->n_output)
        mfm_proto_remove(m, &g->output, &g->n_output, 0);
    for (size_t i = 0; i < info->n_sites; i++) {
        if (info->sites[i].scale[0])
            hand_output(m, info->sites[i].scale, HAND_DIMS(-1, 1, 1, 1));
        if (info->sites[i].shift[0])
            hand_output(m, info->sites[i].shift, HAND_DIMS(-1, 1, 1, 1));
    }
    return g->n_output;
}

static bool is_gamma(const mfm_model *modulator, size_t output)
{
    return strncmp(modulator->proto->graph->output[output]->name, "gamma.", 6) == 0;
}

static void compare(const mfm_model *modulator, const results *whole, const results *alone,
                    size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const double plus = is_gamma(modulator, i) ? 1 : 0;
        CU_ASSERT_TRUE_FATAL(mfm_shape_equal(&whole->shape[i], &alone->shape[i]));
        CU_ASSERT_EQUAL(alone->shape[i].dim[0], BATCH);
        for (int64_t k = 0; k < mfm_shape_count(&alone->shape[i]); k++)
            CU_ASSERT_DOUBLE_EQUAL((double)alone->value[i][k], (double)whole->value[i][k] + plus,
                                   2e-7 * (1 + fabs((double)alone->value[i][k])));
    }
}

/* Sets *n to the outputs that were compared. */
static mfm_model *compared(int64_t opset, const mfm_inject_options *options, results *alone,
                           size_t *n)
{
    mfm_inject_info *info;
    static results whole;
    mfm_model *m = injected(opset, options, &info), *modulator;
    CU_ASSERT_EQUAL_FATAL(mfm_model_modulator(ctx, m, &modulator), MFM_OK);
    *n = look_inside(m, info);
    CU_ASSERT_EQUAL_FATAL(modulator->proto->graph->n_output, *n);
    const bool ran =
        run(m, info->soft_label, *n, &whole) && run(modulator, info->soft_label, *n, alone);
    if (!ran)
        printf("\n    %s\n", mfm_message(ctx));
    CU_ASSERT_TRUE_FATAL(ran);
    compare(modulator, &whole, alone, *n);
    mfm_inject_info_free(ctx, info);
    mfm_model_free(m);
    return modulator;
}

static void test_same_numbers(void)
{
    ctx = mfm_ctx_new(NULL);
    static const int64_t opsets[] = {7, 9, 10, 13, 18};
    static const char *const layers[] = {"conv:1", "conv:2", "fc:1"};
    static results alone;
    for (size_t i = 0; i < sizeof opsets / sizeof opsets[0]; i++)
        for (int modulation = 0; modulation < MFM_MODULATIONS; modulation++)
            for (int form = 0; form < 4; form++) {
                size_t n;
                const mfm_inject_options options = {.layers = layers,
                                                    .n_layers = form & 1 ? 3 : 1,
                                                    .hidden = 7,
                                                    .hash_dim = form & 2 ? 3 : 0,
                                                    .modulation = (mfm_modulation)modulation};
                const bool shifts = modulation != MFM_ATTENTION && modulation != MFM_GATED;
                mfm_model_free(compared(opsets[i], &options, &alone, &n));
                CU_ASSERT_EQUAL(n, options.n_layers * (shifts ? 2 : 1));
            }
    mfm_ctx_free(ctx);
}

/* Rows of gamma have mean 1 when it is scaled-softmax, and differ from row to row. */
static void test_mean(void)
{
    ctx = mfm_ctx_new(NULL);
    static results r;
    size_t n;
    mfm_model *m = compared(17, &(mfm_inject_options){.hidden = 7}, &r, &n);
    CU_ASSERT_STRING_EQUAL(m->proto->graph->output[0]->name, "gamma.c2");
    CU_ASSERT_STRING_EQUAL(m->proto->graph->output[1]->name, "beta.c2");
    CU_ASSERT_TRUE(r.shape[0].rank == 4 && r.shape[0].dim[1] == 4 && r.shape[0].dim[3] == 1);
    for (size_t row = 0; row < BATCH; row++) {
        double sum = 0;
        for (size_t c = 0; c < 4; c++)
            sum += (double)r.value[0][4 * row + c];
        CU_ASSERT_DOUBLE_EQUAL(sum / 4, 1, 1e-6);
        CU_ASSERT_TRUE(fabs((double)r.value[0][4 * row] - 1) > 1e-3);
    }
    CU_ASSERT_TRUE(fabs((double)(r.value[0][0] - r.value[0][4])) > 1e-3);
    mfm_model_free(m);
    mfm_ctx_free(ctx);
}

/* As it starts, before any training: gamma is 1 and beta is 0, to the bit. */
static void test_identity(void)
{
    ctx = mfm_ctx_new(NULL);
    static results r;
    mfm_model *m = hand_residual(ctx, 8, 17), *modulator;
    CU_ASSERT_EQUAL_FATAL(mfm_model_inject(ctx, m, &(mfm_inject_options){0}), MFM_OK);
    CU_ASSERT_EQUAL_FATAL(mfm_model_modulator(ctx, m, &modulator), MFM_OK);
    CU_ASSERT_TRUE_FATAL(run(modulator, "mfm.soft_label", 2, &r));
    for (size_t i = 0; i < BATCH * 4; i++)
        CU_ASSERT_TRUE(r.value[0][i] == 1 && r.value[1][i] == 0);
    mfm_model_free(modulator);
    mfm_model_free(m);
    mfm_ctx_free(ctx);
}

/* Only what gamma and beta follow from is there, and the one input has no default. */
static void test_alone(void)
{
    ctx = mfm_ctx_new(NULL);
    mfm_inject_info *info;
    mfm_model *m = injected(17, &(mfm_inject_options){.no_shift = true}, &info), *modulator;
    size_t before, after;
    void *a = hand_pack(ctx, m, &before);
    CU_ASSERT_EQUAL_FATAL(mfm_model_modulator(ctx, m, &modulator), MFM_OK);
    void *b = hand_pack(ctx, m, &after);
    CU_ASSERT_TRUE(before == after && memcmp(a, b, before) == 0);
    const Onnx__GraphProto *g = modulator->proto->graph;
    CU_ASSERT_EQUAL_FATAL(g->n_input, 1);
    CU_ASSERT_STRING_EQUAL(g->input[0]->name, info->soft_label);
    CU_ASSERT_PTR_NULL(mfm_proto_initializer(modulator, info->soft_label));
    CU_ASSERT_PTR_NULL(mfm_proto_initializer(modulator, info->gate));
    CU_ASSERT_PTR_NULL(mfm_proto_initializer(modulator, "fc"));
    CU_ASSERT_EQUAL(g->n_output, 1);
    /* Gemm, Relu, Gemm, Softmax, Div, Sub, Reshape, Add. */
    CU_ASSERT_EQUAL(g->n_node, 8);
    CU_ASSERT_EQUAL(mfm_model_opset(modulator, ""), 17);
    CU_ASSERT_EQUAL(modulator->proto->ir_version, 8);
    CU_ASSERT_EQUAL(modulator->proto->n_opset_import, 1);
    CU_ASSERT_PTR_NULL(mfm_proto_metadata(modulator, MFM_INJECT_KEY));
    mfm_free(ctx, a);
    mfm_free(ctx, b);
    mfm_inject_info_free(ctx, info);
    mfm_model_free(modulator);
    mfm_model_free(m);
    mfm_ctx_free(ctx);
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "(none)";
}

static void test_metadata(void)
{
    ctx = mfm_ctx_new(NULL);
    static const char *const layers[] = {"conv:1", "fc:1"};
    mfm_inject_info *info;
    const mfm_inject_options options = {
        .layers = layers, .n_layers = 2, .hidden = 7, .modulation = MFM_GATED};
    mfm_model *m = injected(17, &options, &info), *modulator;
    CU_ASSERT_EQUAL_FATAL(mfm_model_modulator(ctx, m, &modulator), MFM_OK);
    json_t *root = json_loads(mfm_proto_metadata(modulator, MFM_MODULATOR_KEY), 0, NULL);
    CU_ASSERT_STRING_EQUAL(text_of(root, "modulation"), "gated");
    CU_ASSERT_STRING_EQUAL(text_of(root, "soft_label"), "mfm.soft_label");
    CU_ASSERT_EQUAL(json_integer_value(json_object_get(root, "classes")), CLASSES);
    CU_ASSERT_EQUAL(json_integer_value(json_object_get(root, "hidden")), 7);
    const json_t *sites = json_object_get(root, "sites");
    CU_ASSERT_EQUAL_FATAL(json_array_size(sites), 2);
    CU_ASSERT_STRING_EQUAL(text_of(json_array_get(sites, 0), "layer"), "c1");
    CU_ASSERT_STRING_EQUAL(text_of(json_array_get(sites, 0), "gamma"), "gamma.c1");
    CU_ASSERT_STRING_EQUAL(text_of(json_array_get(sites, 1), "beta"), "");
    CU_ASSERT_EQUAL(json_integer_value(json_object_get(json_array_get(sites, 1), "channels")), 5);
    json_decref(root);
    mfm_inject_info_free(ctx, info);
    mfm_model_free(modulator);
    mfm_model_free(m);
    mfm_ctx_free(ctx);
}

/* The modulator of a model of another operator set that took the numbers of `other`, alone. */
static mfm_model *transferred(int64_t opset, const mfm_inject_options *options,
                              const mfm_model *other, const size_t *from)
{
    mfm_model *m = hand_residual(ctx, 8, opset), *modulator;
    CU_ASSERT_EQUAL_FATAL(mfm_model_inject(ctx, m, options), MFM_OK);
    const int status = mfm_modulator_transfer(ctx, m, other, from);
    if (status)
        printf("\n    %s\n", mfm_message(ctx));
    CU_ASSERT_EQUAL_FATAL(status, MFM_OK);
    CU_ASSERT_EQUAL_FATAL(mfm_model_modulator(ctx, m, &modulator), MFM_OK);
    mfm_model_free(m);
    return modulator;
}

/* Output i of a is output at[i] of b, to the bit. */
static void expect_outputs(const mfm_model *a, const mfm_model *b, size_t n, const size_t *at)
{
    static results x, y;
    CU_ASSERT_TRUE_FATAL(run(a, "mfm.soft_label", n, &x) && run(b, "mfm.soft_label", n, &y));
    for (size_t i = 0; i < n; i++)
        CU_ASSERT_EQUAL(memcmp(x.value[i], y.value[at[i]], BATCH * 4 * sizeof(real)), 0);
}

/* conv:1 and conv:2 have 4 channels each. The layers' outputs are gamma and beta of the first, then
 * of the second; mapped across, those of the second come first. */
static void test_transfer(void)
{
    ctx = mfm_ctx_new(NULL);
    static const char *const layers[] = {"conv:1", "conv:2"};
    static const size_t across[] = {1, 0}, same[] = {0, 1, 2, 3}, swapped[] = {2, 3, 0, 1};
    static const mfm_modulation forms[] = {MFM_SCALED_SOFTMAX, MFM_FILM};
    for (int form = 0; form < 2; form++)
        for (int hash_dim = 0; hash_dim < 4; hash_dim += 3) {
            mfm_inject_options o = {.layers = layers,
                                    .n_layers = 2,
                                    .hidden = 7,
                                    .hash_dim = hash_dim,
                                    .modulation = forms[form],
                                    .seed = 1};
            mfm_inject_info *info;
            mfm_model *m = injected(18, &o, &info), *other, *own;
            CU_ASSERT_EQUAL_FATAL(mfm_model_modulator(ctx, m, &other), MFM_OK);
            o.seed = 2; /* other numbers, and other hash matrices */
            own = transferred(9, &o, other, NULL);
            expect_outputs(own, other, 4, same);
            mfm_model_free(own);
            own = transferred(13, &o, other, across);
            expect_outputs(own, other, 4, swapped);
            mfm_model_free(own);
            mfm_model_free(other);
            mfm_inject_info_free(ctx, info);
            mfm_model_free(m);
        }
    mfm_ctx_free(ctx);
}

static void refuse_transfer(const mfm_model *other, const mfm_inject_options *options, int code,
                            const char *message)
{
    mfm_model *m = hand_residual(ctx, 8, 17);
    CU_ASSERT_EQUAL_FATAL(mfm_model_inject(ctx, m, options), MFM_OK);
    size_t before, after;
    void *a = hand_pack(ctx, m, &before);
    CU_ASSERT_EQUAL(mfm_modulator_transfer(ctx, m, other, NULL), code);
    if (!strstr(mfm_message(ctx), message))
        printf("\n    %s\n", mfm_message(ctx));
    CU_ASSERT_PTR_NOT_NULL(strstr(mfm_message(ctx), message));
    void *b = hand_pack(ctx, m, &after);
    CU_ASSERT_TRUE(before == after && memcmp(a, b, before) == 0);
    mfm_free(ctx, a);
    mfm_free(ctx, b);
    mfm_model_free(m);
}

static void test_transfer_refusals(void)
{
    ctx = mfm_ctx_new(NULL);
    static const char *const two[] = {"conv:1", "conv:2"}, *const fc[] = {"fc:1"};
    const mfm_inject_options plain = {.hidden = 7};
    mfm_inject_info *info;
    mfm_model *m = injected(17, &plain, &info), *other;
    CU_ASSERT_EQUAL_FATAL(mfm_model_modulator(ctx, m, &other), MFM_OK);
    mfm_inject_options o = {.hidden = 7, .layers = two, .n_layers = 2};
    refuse_transfer(other, &o, MFM_EINVAL, "modulated layers: 1, in");
    o = (mfm_inject_options){.hidden = 7, .layers = fc, .n_layers = 1};
    refuse_transfer(other, &o, MFM_EINVAL, "layer c2 of");
    refuse_transfer(other, &(mfm_inject_options){.hidden = 8}, MFM_EINVAL, "hidden neurons: 7, in");
    refuse_transfer(other, &(mfm_inject_options){.hidden = 7, .hash_dim = 2}, MFM_EINVAL,
                    "hashed values (0: none): 0, in");
    refuse_transfer(other, &(mfm_inject_options){.hidden = 7, .no_shift = true}, MFM_EINVAL,
                    "shifts (0: none): 1, in");
    refuse_transfer(other, &(mfm_inject_options){.hidden = 7, .modulation = MFM_FILM}, MFM_EINVAL,
                    "scaled-softmax, in");
    refuse_transfer(m, &plain, MFM_EINVAL, "the modulator.onnx of a run is needed");
    strcpy(other->proto->graph->node[1]->op_type, "Tan"); /* Relu it was */
    refuse_transfer(other, &plain, MFM_EINVAL, "not of the form that inject makes");
    CU_ASSERT_EQUAL(mfm_proto_set_metadata(other, MFM_MODULATOR_KEY, "{\"modulation\":\"film\"}"),
                    MFM_OK);
    refuse_transfer(other, &plain, MFM_EDATA, "classes, hidden or hash_dim is missing or damaged");
    mfm_model_free(other);
    mfm_inject_info_free(ctx, info);
    mfm_model_free(m);
    mfm_ctx_free(ctx);
}

/* Takes the modulator out of a model that was tampered with. */
static bool unfit(mfm_model *m, int code, const char *part)
{
    mfm_model *modulator;
    const int status = mfm_model_modulator(ctx, m, &modulator);
    const bool told = status == code && !modulator && strstr(mfm_message(ctx), part);
    if (!told)
        printf("\n    %d: %s\n", status, status ? mfm_message(ctx) : "taken out");
    mfm_model_free(m);
    return told;
}

/* An injected model in whose metadata one text is another of the same or another length. */
static mfm_model *rewritten(const char *text, const char *other)
{
    mfm_model *m = hand_residual(ctx, 8, 17);
    CU_ASSERT_EQUAL_FATAL(mfm_model_inject(ctx, m, &(mfm_inject_options){0}), MFM_OK);
    const char *old = mfm_proto_metadata(m, MFM_INJECT_KEY);
    const char *at = strstr(old, text);
    CU_ASSERT_PTR_NOT_NULL_FATAL(at);
    char *fresh = mfm_format(ctx, "%.*s%s%s", (int)(at - old), old, other, at + strlen(text));
    CU_ASSERT_EQUAL_FATAL(mfm_proto_set_metadata(m, MFM_INJECT_KEY, fresh), MFM_OK);
    mfm_free(ctx, fresh);
    return m;
}

static void test_tampering(void)
{
    ctx = mfm_ctx_new(NULL);
    CU_ASSERT_TRUE(unfit(hand_residual(ctx, 8, 17), MFM_EINVAL, "it has no modulator"));
    CU_ASSERT_TRUE(unfit(rewritten("\"mfm.scale.out\"", "\"nowhere\""), MFM_EDATA, "nowhere"));
    CU_ASSERT_TRUE(unfit(rewritten("\"mfm.scale.out\"", "\"logits\""), MFM_EDATA,
                         "the modulator depends on x: only the soft label mfm.soft_label"));
    CU_ASSERT_TRUE(unfit(rewritten("\"soft_label\":\"mfm.soft_label\"", "\"soft_label\":\"none\""),
                         MFM_EDATA, "soft label none: not an input"));
    CU_ASSERT_TRUE(unfit(rewritten("\"rank\":4", "\"rank\":400"), MFM_EDATA, "rank"));
    CU_ASSERT_TRUE(unfit(rewritten("\"sites\"", "\"places\""), MFM_EDATA, "mfm.inject"));
    mfm_ctx_free(ctx);
}

/* Names in use inside the modulator do not collide with those of its outputs. */
static void test_names(void)
{
    ctx = mfm_ctx_new(NULL);
    mfm_model *m = rewritten("\"layer\":\"c2\"", "\"layer\":\"one\""), *modulator;
    CU_ASSERT_EQUAL_FATAL(mfm_model_modulator(ctx, m, &modulator), MFM_OK);
    CU_ASSERT_STRING_EQUAL(modulator->proto->graph->output[0]->name, "gamma.one");
    CU_ASSERT_PTR_NOT_NULL(mfm_proto_initializer(modulator, "gamma.one.1"));
    mfm_model_free(modulator);
    mfm_model_free(m);
    mfm_ctx_free(ctx);
}

typedef struct packed {
    const void *bytes;
    size_t size;
} packed;

static int take_out(mfm_ctx *own, void *self)
{
    const packed *p = self;
    mfm_model *m, *modulator;
    int status = mfm_model_parse(own, p->bytes, p->size, "m.onnx", &m);
    if (status)
        return status;
    status = mfm_model_modulator(own, m, &modulator);
    mfm_model_free(modulator);
    mfm_model_free(m);
    return status;
}

static void test_memory(void)
{
    ctx = mfm_ctx_new(NULL);
    static const char *const layers[] = {"conv:1", "fc:1"};
    mfm_inject_info *info;
    packed p;
    mfm_model *m = injected(17, &(mfm_inject_options){.layers = layers, .n_layers = 2}, &info);
    void *bytes = hand_pack(ctx, m, &p.size);
    p.bytes = bytes;
    mfm_assert_refusals_are_told(take_out, &p);
    mfm_free(ctx, bytes);
    mfm_inject_info_free(ctx, info);
    mfm_model_free(m);
    mfm_ctx_free(ctx);
}

static const mfm_case cases[] = {
    {"gamma is the injected graph's scale plus 1, beta its shift", test_same_numbers},
    {"rows of a scaled softmax have mean 1", test_mean},
    {"before any training gamma is 1 and beta 0, to the bit", test_identity},
    {"only what gamma and beta follow from is in it", test_alone},
    {"the metadata tell modulation, sizes and sites", test_metadata},
    {"metadata that do not fit the graph are refused", test_tampering},
    {"names of outputs are free ones", test_names},
    {"a modulator starts from another's numbers, layer by layer", test_transfer},
    {"one of another form is refused and changes nothing", test_transfer_refusals},
    {"any refused allocation is reported, and nothing leaks", test_memory},
};
MFM_SUITE("onnx/modulator", cases)
