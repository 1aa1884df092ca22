/* What an observer of plans is told, and what a profile makes of it. */
#include <string.h>

#include "../../suite.h"
#include "core/engine/profile.h"
#include "tests/refusals.h"
#include "support/graph_check.h"

enum { BATCH = 2, IN = 3, OUT = 5, GEMM = 0, RELU = 1, NODES = 2 };

/* y = relu(x w), [2,3] by [3,5]: one product is 2 * 2 * 3 * 5 = 60 operations. */
typedef struct network {
    mfm_bench bench;
    int x, y;
    real data[BATCH * IN], tangent[BATCH * IN];
} network;

static int network_init(mfm_ctx *ctx, network *n)
{
    *n = (network){.data = {1, 2, 3, -1, 0, 1}, .tangent = {1, 0, 0, 0, 0, 1}};
    mfm_net net = mfm_net_new(ctx);
    n->x = mfm_net_input(&net, MFM_DATA, mfm_shape_of(2, -1, IN));
    const int w = mfm_net_param(&net, mfm_shape_of(2, IN, OUT), 1);
    n->y = mfm_net_node(&net, "Relu", 0, mfm_net_node(&net, "Gemm", 0, n->x, w, -1), -1, -1);
    const mfm_slot keep[] = {{n->x, MFM_DX}, {n->y, MFM_X}, {n->y, MFM_G}, {n->y, MFM_DG}};
    const mfm_plan_spec spec = mfm_bench_spec(keep, 4);
    const int status = mfm_bench_init(net, &spec, &n->bench);
    if (status)
        return status;
    mfm_plan_bind_input(n->bench.plan, n->x, MFM_X, n->data);
    mfm_plan_bind_input(n->bench.plan, n->x, MFM_DX, n->tangent);
    for (int lane = MFM_G; lane <= MFM_DG; lane++)
        memset(mfm_plan_lane(n->bench.plan, n->y, lane), 0, BATCH * OUT * sizeof(real));
    return MFM_OK;
}

static void begin(network *n, mfm_profile *profile)
{
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(ctx);
    CU_ASSERT_EQUAL_FATAL(network_init(ctx, n), MFM_OK);
    mfm_profile_begin(ctx, profile);
}

static void end(network *n, mfm_profile *profile)
{
    mfm_ctx *ctx = n->bench.ctx;
    mfm_profile_clear(profile);
    mfm_bench_clear(&n->bench);
    mfm_ctx_free(ctx);
}

static void test_sums(void)
{
    network n;
    mfm_profile profile;
    begin(&n, &profile);
    for (int round = 0; round < 3; round++)
        mfm_bench_run(&n.bench);
    CU_ASSERT_EQUAL(mfm_profile_end(&profile), MFM_OK);
    CU_ASSERT_EQUAL_FATAL(profile.n_passes, MFM_BENCH_PASSES);
    for (int i = 0; i < MFM_BENCH_PASSES; i++) {
        const mfm_profile_pass *pass = &profile.passes[i];
        CU_ASSERT_EQUAL(pass->pass, i);
        CU_ASSERT_EQUAL(pass->whole.calls, 3);
        CU_ASSERT_EQUAL(pass->nodes[GEMM].calls, 3);
        CU_ASSERT_EQUAL(pass->nodes[RELU].calls, 3);
        const uint64_t inside = pass->nodes[GEMM].nanoseconds + pass->nodes[RELU].nanoseconds;
        CU_ASSERT(inside > 0);
        CU_ASSERT(inside <= pass->whole.nanoseconds);
    }
    end(&n, &profile);
}

static void test_end(void)
{
    network n;
    mfm_profile profile, second;
    begin(&n, &profile);
    mfm_profile_begin(n.bench.ctx, &second);
    mfm_plan_run(n.bench.plan, MFM_BENCH_FORWARD);
    CU_ASSERT_EQUAL(mfm_profile_end(&profile), MFM_OK);
    mfm_plan_run(n.bench.plan, MFM_BENCH_FORWARD);
    CU_ASSERT_EQUAL(mfm_profile_end(&second), MFM_OK);
    mfm_plan_run(n.bench.plan, MFM_BENCH_FORWARD);
    CU_ASSERT_EQUAL(profile.passes[0].whole.calls, 1);
    CU_ASSERT_EQUAL(second.passes[0].whole.calls, 2);
    CU_ASSERT_PTR_NULL(mfm_ctx_observers(n.bench.ctx));
    mfm_profile_clear(&second);
    end(&n, &profile);
}

/* Gemm: x' w + x w' forward; no adjoint of x is wanted, so one product in the gradient, and
 * w's adjoint's tangent is x' against g plus x against g'. */
static void test_calls(void)
{
    static const double gemm[] = {60, 120, 60, 120};
    static const char *const names[] = {"forward", "tangent", "backward", "tangent of backward"};
    network n;
    mfm_profile profile;
    begin(&n, &profile);
    mfm_bench_run(&n.bench);
    CU_ASSERT_EQUAL(mfm_plan_nodes(n.bench.plan), NODES);
    for (int pass = 0; pass < MFM_BENCH_PASSES; pass++) {
        const mfm_call call = mfm_plan_call(n.bench.plan, pass, GEMM);
        CU_ASSERT_STRING_EQUAL(call.op, "Gemm");
        CU_ASSERT_EQUAL(call.shape->dim[1], OUT);
        CU_ASSERT_EQUAL(call.flop, gemm[pass]);
        CU_ASSERT_EQUAL(mfm_plan_call(n.bench.plan, pass, RELU).flop, 0);
        CU_ASSERT_STRING_EQUAL(mfm_plan_pass_name(n.bench.plan, pass), names[pass]);
    }
    CU_ASSERT_EQUAL(mfm_profile_end(&profile), MFM_OK);
    end(&n, &profile);
}

static int profile_once(mfm_ctx *ctx, void *self)
{
    (void)self;
    network n;
    mfm_profile profile;
    int status = network_init(ctx, &n);
    if (status)
        return status;
    mfm_profile_begin(ctx, &profile);
    mfm_bench_run(&n.bench);
    status = mfm_profile_end(&profile);
    mfm_profile_clear(&profile);
    mfm_bench_clear(&n.bench);
    return status;
}

static void test_failures(void)
{
    mfm_assert_refusals_are_told(profile_once, NULL);
}

static const mfm_case cases[] = {
    {"calls are counted, nodes take no longer than their pass", test_sums},
    {"two profiles watch at a time, each until its own end", test_end},
    {"operations are counted by the products that a pass makes", test_calls},
    {"memory that runs out is told at the end", test_failures},
};
MFM_SUITE("core/engine/profile", cases)
