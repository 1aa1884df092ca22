/* Long chains: planned in time that grows with their length, without a stack that grows with it,
 * and the same bits whether values are kept or restored. */
#include <string.h>
#include <sys/resource.h>

#include "../support/graph_check.h"
#include "tests/suite.h"

enum { DEPTH = 20000, CHANNELS = 2, BATCH = 2, PIXELS = 4, IMAGE = BATCH * CHANNELS * PIXELS };
enum { FORWARD, BACKWARD, PASSES };

static const mfm_pass passes[PASSES] = {{MFM_FORWARD, 1}, {MFM_VJP, 1}};

/* Normalisation with Relu, again and again with the same parameters. */
static mfm_net chain(mfm_ctx *ctx, int *x, int *y)
{
    mfm_net net = mfm_net_new(ctx);
    const mfm_shape channel = mfm_shape_of(1, CHANNELS);
    const real mean[CHANNELS] = {0}, variance[CHANNELS] = {1, 1};
    *x = mfm_net_input(&net, MFM_DATA, mfm_shape_of(4, -1, CHANNELS, 2, 2));
    int in[5] = {*x, mfm_net_param(&net, channel, 1), mfm_net_param(&net, channel, 1)};
    if (!net.status)
        net.status = mfm_graph_state(net.graph, "mean", &channel, mean, &in[3]);
    if (!net.status)
        net.status = mfm_graph_state(net.graph, "variance", &channel, variance, &in[4]);
    const mfm_op *op = mfm_op_find("mfm", "BatchNormalizationRelu", 1);
    for (int i = 0; i < DEPTH && !net.status; i++)
        net.status = mfm_graph_add(net.graph, op, 1, "", NULL, in, 5, NULL, 1, &in[0]);
    *y = in[0];
    return net;
}

static mfm_bench run(real *image, bool restore)
{
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(ctx);
    int x, y;
    const mfm_net net = chain(ctx, &x, &y);
    const mfm_slot keep[] = {{y, MFM_X}, {y, MFM_G}};
    const mfm_plan_spec spec = {.batch = BATCH,
                                .training = true,
                                .passes = passes,
                                .n_passes = PASSES,
                                .keep = keep,
                                .n_keep = 2,
                                .param_gradients = true,
                                .restore = restore,
                                .restore_after = FORWARD};
    mfm_bench b;
    const int status = mfm_bench_init(net, &spec, &b);
    if (status)
        printf("\n    %s", mfm_message(ctx));
    CU_ASSERT_EQUAL_FATAL(status, MFM_OK);
    mfm_plan_bind_input(b.plan, x, MFM_X, image);
    mfm_plan_run(b.plan, FORWARD);
    for (int i = 0; i < IMAGE; i++)
        mfm_plan_lane(b.plan, y, MFM_G)[i] = 1;
    mfm_plan_run(b.plan, BACKWARD);
    return b;
}

static void clear(mfm_bench *b)
{
    mfm_ctx *ctx = b->ctx;
    mfm_bench_clear(b);
    mfm_ctx_free(ctx);
}

static void test_chain(void)
{
    const struct rlimit stack = {1 << 19, 1 << 19}; /* 26 bytes a node */
    CU_ASSERT_EQUAL_FATAL(setrlimit(RLIMIT_STACK, &stack), 0);
    real image[IMAGE];
    const mfm_key key = {.stream = MFM_STREAM_TEST};
    for (uint64_t i = 0; i < IMAGE; i++)
        image[i] = (real)mfm_random_normal(&key, i);
    mfm_bench kept = run(image, false), restored = run(image, true);
    CU_ASSERT_EQUAL(
        memcmp(kept.lane[MFM_G], restored.lane[MFM_G], kept.graph->params_size * sizeof(real)), 0);
    CU_ASSERT(kept.lane[MFM_G][0] != 0);
    clear(&kept);
    clear(&restored);
}

static const mfm_case cases[] = {
    {"a deep chain runs, with values kept and restored, to the same bits", test_chain},
};
MFM_SUITE("core/engine/plan_deep", cases)
