/*
 * One training step of every combination of form, switch, position, number of layers and hashing:
 * it runs and moves everything it should; it is the plain step where the form starts as the
 * identity; and, in double, its hypergradient agrees with differences. What makes no sense is
 * refused.
 *
 *     x [n, 2, 4, 4]
 *     a1 = Relu(BN(Conv 1x1, 2 to 4))                                conv:1
 *     a2 = Relu(BN(Conv 3x3) + a1)                                   conv:2, block:1
 *     a3 = Relu(BN(Conv 3x3) + a2)                                   conv:3, block:2
 *     logits = Gemm(Relu(Gemm(GlobalAveragePool(a3), 4 to 4)), 4 to 3)   fc:1, fc:2
 */
#include <math.h>
#include <string.h>

#include "core/train/bilevel/hyper_training.h"
#include "core/train/methods/method.h"
#include "core/train/training.h"
#include "tests/core/train/support/differences.h"
#include "tests/onnx/hand.h"

enum { CHANNELS = 4, CLASSES = 3, SEED = 3, WEIGHTS = 5, BATCH = 6, META_BATCH = 4 };
enum { BOTH, NO_SCALE, NO_SHIFT, NEITHER, SWITCHES };
static const double alpha = 0.1;

static void add_conv(mfm_model *m, int number, const char *x, int64_t from, int64_t side)
{
    char names[8][16], inputs[128];
    static const char *const parts[] = {"w", "s", "b", "m", "v"};
    for (int i = 0; i < 5; i++)
        snprintf(names[i], sizeof names[i], "%s%d", parts[i], number);
    snprintf(names[5], sizeof names[5], "c%d", number);
    snprintf(names[6], sizeof names[6], "n%d", number);
    hand_weight(m, names[0], HAND_DIMS(CHANNELS, from, side, side));
    for (int i = 1; i < 5; i++)
        hand_weight(m, names[i], HAND_DIMS(CHANNELS));
    snprintf(inputs, sizeof inputs, "%s %s", x, names[0]);
    Onnx__NodeProto *conv = hand_node(m, "Conv", "", inputs, names[5]);
    const int64_t pad = side / 2, pads[] = {pad, pad, pad, pad};
    CU_ASSERT_EQUAL_FATAL(mfm_proto_attr_ints(m, conv, "pads", pads, 4), MFM_OK);
    snprintf(inputs, sizeof inputs, "%s %s %s %s %s", names[5], names[1], names[2], names[3],
             names[4]);
    hand_node(m, "BatchNormalization", "", inputs, names[6]);
}

static void add_gemm(mfm_model *m, const char *weight, const char *inputs, const char *output,
                     int64_t to)
{
    hand_weight(m, weight, HAND_DIMS(to, CHANNELS));
    Onnx__NodeProto *gemm = hand_node(m, "Gemm", "", inputs, output);
    CU_ASSERT_EQUAL_FATAL(mfm_proto_attr_int(m, gemm, "transB", 1), MFM_OK);
}

static mfm_model *make_model(mfm_ctx *ctx)
{
    mfm_model *m = hand_model(ctx, 8, 17);
    hand_input(m, "x", HAND_DIMS(-1, 2, 4, 4));
    add_conv(m, 1, "x", 2, 1);
    hand_node(m, "Relu", "", "n1", "a1");
    add_conv(m, 2, "a1", CHANNELS, 3);
    hand_node(m, "Add", "", "n2 a1", "sum2");
    hand_node(m, "Relu", "", "sum2", "a2");
    add_conv(m, 3, "a2", CHANNELS, 3);
    hand_node(m, "Add", "", "n3 a2", "sum3");
    hand_node(m, "Relu", "", "sum3", "a3");
    hand_node(m, "GlobalAveragePool", "", "a3", "pool");
    hand_node(m, "Flatten", "", "pool", "flat");
    add_gemm(m, "fc1", "flat fc1", "f1", CHANNELS);
    hand_node(m, "Relu", "", "f1", "r1");
    add_gemm(m, "fc2", "r1 fc2", "logits", CLASSES);
    hand_output(m, "logits", HAND_DIMS(-1, CLASSES));
    return m;
}

/* The layers that have each position: one, and several. */
static const char *const several[MFM_POSITIONS][3] = {
    [MFM_AT_NORM] = {"conv:3", "conv:1", "fc:1"},
    [MFM_AT_CONV] = {"conv:2", "conv:3", "fc:1"},
    [MFM_AT_ACT] = {"conv:1", "fc:1"},
    [MFM_AT_BLOCK] = {"conv:2", "conv:3"},
};

static mfm_inject_options options_of(int form, int without, int position, int many, int hash_dim)
{
    const size_t count = several[position][2] ? 3 : 2;
    return (mfm_inject_options){.layers = several[position],
                                .n_layers = many ? count : 1,
                                .position = (mfm_position)position,
                                .modulation = (mfm_modulation)form,
                                .hidden = 5,
                                .hash_dim = hash_dim,
                                .no_scale = without & NO_SCALE,
                                .no_shift = without & NO_SHIFT,
                                .seed = SEED};
}

static bool makes_sense(const mfm_inject_options *o)
{
    const bool shifts = o->modulation != MFM_ATTENTION && o->modulation != MFM_GATED;
    return shifts ? !(o->no_scale && o->no_shift) : !o->no_scale && !o->no_shift;
}

static bool starts_as_identity(const mfm_inject_options *o)
{
    return o->no_scale || (o->modulation != MFM_ATTENTION && o->modulation != MFM_GATED);
}

/* Weights of its own for every tensor; hand_weight's are all alike. */
static void prepare_combination(const mfm_inject_options *o, prepared *p)
{
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(ctx);
    mfm_model *m = make_model(ctx);
    must(ctx, mfm_model_inject(ctx, m, o));
    prepare_model(ctx, m, p);
    perturb(p->problem->main, WEIGHTS, 0.4, p->w);
}

typedef struct outcome {
    mfm_step_losses losses;
    real *w, *phi;
} outcome;

static void run_step(const prepared *p, const char *method, const mfm_batch *train,
                     const mfm_batch *meta, double modulator_lr, outcome *out)
{
    const mfm_modulator_training modulator = {.lr = modulator_lr};
    const mfm_chosen chosen[] = {{&mfm_modulator_training_settings, &modulator}, {NULL, NULL}};
    const mfm_train_options options = {.method = mfm_method_find(method),
                                       .chosen = chosen,
                                       .epochs = 1,
                                       .batch = BATCH,
                                       .meta_batch = META_BATCH,
                                       .seed = SEED};
    const size_t n = p->problem->main->params_size, m = p->modulator->params_size;
    mfm_training *t;
    must(p->ctx, mfm_training_new(p->ctx, p->problem, &options, &t));
    memcpy(t->w, p->w, n * sizeof(real));
    const mfm_batch batches[MFM_MAX_STREAMS] = {*train, *meta};
    options.method->step(t, batches, alpha, &out->losses);
    CU_ASSERT(isfinite(out->losses.train) && isfinite(out->losses.meta));
    CU_ASSERT_EQUAL(mfm_training_check_finite(t), MFM_OK);
    out->w = vector_new(p->ctx, n);
    out->phi = vector_new(p->ctx, m);
    memcpy(out->w, t->w, n * sizeof(real));
    if (t->hypers[0].phi)
        memcpy(out->phi, t->hypers[0].phi, m * sizeof(real));
    mfm_training_free(t);
}

static void outcome_clear(const prepared *p, outcome *out)
{
    mfm_free_aligned(p->ctx, out->w);
    mfm_free_aligned(p->ctx, out->phi);
}

/* The step with a modulator that learns, and with one that does not: the latter against the plain
 * step, bit for bit. */
static void check_steps(const prepared *p, const mfm_inject_options *o)
{
    mfm_batch train = batch_new(p, BATCH, 1), meta = batch_new(p, META_BATCH, 2);
    outcome plain, still, learning;
    run_step(p, "base", &train, &meta, 0, &plain);
    run_step(p, "mfm", &train, &meta, 0, &still);
    run_step(p, "mfm", &train, &meta, 100, &learning);
    const size_t n = p->problem->main->params_size, m = p->modulator->params_size;
    const bool same = memcmp(plain.w, still.w, n * sizeof(real)) == 0;
    CU_ASSERT_EQUAL(same, starts_as_identity(o));
    CU_ASSERT_EQUAL(plain.losses.train == still.losses.train, starts_as_identity(o));
    CU_ASSERT(memcmp(still.phi, p->phi, m * sizeof(real)) == 0);
    CU_ASSERT(memcmp(learning.phi, p->phi, m * sizeof(real)) != 0);
    CU_ASSERT(memcmp(learning.w, still.w, n * sizeof(real)) != 0);
    CU_ASSERT(learning.losses.meta == still.losses.meta);
    outcome_clear(p, &plain);
    outcome_clear(p, &still);
    outcome_clear(p, &learning);
    batch_clear(p, &train);
    batch_clear(p, &meta);
}

static void check_refused(const mfm_inject_options *o)
{
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    mfm_model *m = make_model(ctx);
    CU_ASSERT_EQUAL(mfm_model_inject(ctx, m, o), MFM_EINVAL);
    CU_ASSERT_PTR_NOT_NULL(strstr(mfm_message(ctx), mfm_modulation_name(o->modulation)));
    mfm_model_free(m);
    mfm_ctx_free(ctx);
}

static void check_combination(const mfm_inject_options *o)
{
    if (!makes_sense(o)) {
        check_refused(o);
        return;
    }
    const unsigned before = CU_get_number_of_failures();
    prepared p;
    prepare_combination(o, &p);
    check_steps(&p, o);
#ifdef MFM_DOUBLE
    check_hypergradient(&p, &(difference_case){.few_kinks = true}, SEED);
#endif
    prepared_clear(&p);
    if (CU_get_number_of_failures() != before)
        printf("\n    %s, %zu layers at %s, hash %d%s%s\n", mfm_modulation_name(o->modulation),
               o->n_layers, mfm_position_name(o->position), o->hash_dim,
               o->no_scale ? ", no scale" : "", o->no_shift ? ", no shift" : "");
}

static void check_position(int position)
{
    for (int form = 0; form < MFM_MODULATIONS; form++)
        for (int without = 0; without < SWITCHES; without++)
            for (int many = 0; many < 2; many++)
                for (int hash_dim = 0; hash_dim <= 3; hash_dim += 3) {
                    const mfm_inject_options o =
                        options_of(form, without, position, many, hash_dim);
                    check_combination(&o);
                }
}

static void test_norm(void)
{
    check_position(MFM_AT_NORM);
}

static void test_conv(void)
{
    check_position(MFM_AT_CONV);
}

static void test_act(void)
{
    check_position(MFM_AT_ACT);
}

static void test_block(void)
{
    check_position(MFM_AT_BLOCK);
}

static const mfm_case cases[] = {
    {"every form, switch, number of layers and hashing after the normalisation", test_norm},
    {"and directly after the layer", test_conv},
    {"and after its activation", test_act},
    {"and after the residual block", test_block},
};

MFM_SUITE("core/train/modulations", cases)
