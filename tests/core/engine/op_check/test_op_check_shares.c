/* The checks by threads, by ranks and by axes, on y = x + b for x [n, c] and b [c]: a sum over
 * samples by chunks passes, others are caught. */
#include <omp.h>
#include <string.h>

#include "../../../suite.h"
#include "core/engine/kernels/broadcast.h"
#include "core/engine/rules.h"
#include "op_check.h"

static void apply(const mfm_node *node, enum mfm_lane lane)
{
    mfm_broadcast_binary(MFM_BINARY_ADD, &node->out[0]->shape, &node->in[0]->shape,
                         mfm_in(node, 0, lane), &node->in[1]->shape, mfm_in(node, 1, lane),
                         mfm_out(node, 0, lane), false);
}

static void give_x(const mfm_node *node, enum mfm_lane lane)
{
    real *to = mfm_in(node, 0, lane);
    if (to)
        mfm_broadcast_copy(&node->out[0]->shape, &node->in[0]->shape, mfm_out(node, 0, lane), 1, to,
                           mfm_accumulates(node, 0, lane));
}

static void by_chunks(const mfm_node *node, enum mfm_lane lane)
{
    real *to = mfm_in(node, 1, lane);
    give_x(node, lane);
    if (to)
        mfm_broadcast_reduce(&node->share, &node->out[0]->shape, mfm_out(node, 0, lane), NULL, NULL,
                             1, &node->in[1]->shape, to, mfm_accumulates(node, 1, lane));
}

/* gb in `parts` sums, one behind the other. */
static void by_parts(const mfm_node *node, enum mfm_lane lane, int64_t parts)
{
    const int64_t n = node->in[0]->shape.dim[0], c = node->in[0]->shape.dim[1];
    const real *g = mfm_out(node, 0, lane);
    real *to = mfm_in(node, 1, lane);
    give_x(node, lane);
    for (int64_t k = 0; k < c && to; k++) {
        real total = mfm_accumulates(node, 1, lane) ? to[k] : 0;
        for (int64_t p = 0; p < parts; p++) {
            real sum = 0;
            for (int64_t i = n * p / parts; i < n * (p + 1) / parts && g; i++)
                sum += g[i * c + k];
            total += sum;
        }
        to[k] = total;
    }
}

static void in_order(const mfm_node *node, enum mfm_lane lane)
{
    by_parts(node, lane, 1);
}

static void by_threads(const mfm_node *node, enum mfm_lane lane)
{
    by_parts(node, lane, omp_get_max_threads());
}

static int infer(mfm_ctx *ctx, mfm_node *node)
{
    return mfm_infer_same(ctx, node);
}

static const mfm_port inputs[] = {
    {"x", MFM_DATA, false, false}, {"b", MFM_PARAM, false, false}, {0}};
static const mfm_port outputs[] = {{"y", MFM_DATA, false, false}, {0}};
static const char *const samples[] = {"[37,6] [6]", NULL};

static mfm_op_report report_with(void (*adjoint)(const mfm_node *node, enum mfm_lane lane),
                                 unsigned traits)
{
    const mfm_linear parts = {apply, adjoint};
    const mfm_op op = {.name = "Shift",
                       .domain = "",
                       .since = 1,
                       .inputs = inputs,
                       .outputs = outputs,
                       .shape = infer,
                       .linear = true,
                       .traits = traits,
                       .batch = MFM_BATCH_FIRST,
                       .samples = samples};
    const mfm_impl impl = {.op = &op, .backend = "test", .rule = &mfm_rule_linear, .parts = &parts};
    const mfm_impl *const impls[] = {&impl, NULL};
    const mfm_backend backend = {"test", impls};
    mfm_op_report report;
    mfm_op_report_init(&report, NULL);
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(ctx);
    mfm_ctx_use_backend(ctx, &backend);
    CU_ASSERT_EQUAL(mfm_op_check(ctx, &op, 5, &report), MFM_OK);
    mfm_ctx_free(ctx);
    return report;
}

static mfm_op_report report_on(void (*adjoint)(const mfm_node *node, enum mfm_lane lane))
{
    return report_with(adjoint, 0);
}

static void test_chunks(void)
{
    const mfm_op_report report = report_on(by_chunks);
    CU_ASSERT_EQUAL(report.failures, 0);
    CU_ASSERT_EQUAL(report.worst[MFM_CHECK_THREADS], 0);
    CU_ASSERT_EQUAL(report.worst[MFM_CHECK_RANKS], 0);
}

static void test_order(void)
{
    const mfm_op_report report = report_on(in_order);
    CU_ASSERT_EQUAL(report.failed[MFM_CHECK_THREADS], 0);
    CU_ASSERT_TRUE(report.failed[MFM_CHECK_RANKS] > 0);
}

static void test_threads(void)
{
    CU_ASSERT_TRUE(report_on(by_threads).failed[MFM_CHECK_THREADS] > 0);
}

/* b has a number for each place of axis 1; without an attribute it works along axis 0. */
static void test_axes(void)
{
    CU_ASSERT_TRUE(report_with(by_chunks, MFM_ALONG_AXES).failed[MFM_CHECK_ALONG] > 0);
    CU_ASSERT_EQUAL(report_with(by_chunks, MFM_ALONG_LAST).failures, 0);
}

static const mfm_case cases[] = {
    {"a sum by chunks passes", test_chunks},
    {"a sum from the first sample to the last is caught", test_order},
    {"a sum by threads is caught", test_threads},
    {"axes that an operator does not work along are caught", test_axes},
};
MFM_SUITE("core/engine/op_check_shares", cases)
