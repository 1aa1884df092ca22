/* The checks themselves: a correct operator passes, every planted error is caught by the check that
 * is there for it. */
#include <math.h>
#include <string.h>

#include "../../../suite.h"
#include "op_check.h"

/* ---- y = a^2 b, a DATA, b PARAM: nonlinear in both, with every term of the second order ---- */

static size_t count_of(const mfm_node *node)
{
    return (size_t)mfm_shape_count(&node->in[0]->shape);
}

static real at(const real *lane, size_t i)
{
    return lane ? lane[i] : 0;
}

static void put(const mfm_node *node, int input, enum mfm_lane lane, size_t i, real value)
{
    real *to = mfm_in(node, input, lane);
    if (to)
        to[i] = mfm_accumulates(node, input, lane) ? to[i] + value : value;
}

static int square_shape(mfm_ctx *ctx, mfm_node *node)
{
    if (!mfm_shape_equal(&node->in[0]->shape, &node->in[1]->shape))
        return mfm_infer_fail(ctx, node, "two shapes: must be one");
    return mfm_infer_same(ctx, node);
}

static int square_setup(mfm_ctx *ctx, mfm_node *node)
{
    (void)ctx;
    node->saved_size = count_of(node);
    return MFM_OK;
}

static void square_forward(const mfm_node *node)
{
    const real *a = mfm_in(node, 0, MFM_X), *b = mfm_in(node, 1, MFM_X);
    for (size_t i = 0; i < count_of(node); i++) {
        node->saved[i] = 2 * a[i] * b[i];
        mfm_out(node, 0, MFM_X)[i] = a[i] * a[i] * b[i];
    }
}

static void square_jvp(const mfm_node *node)
{
    const real *a = mfm_in(node, 0, MFM_X);
    for (size_t i = 0; i < count_of(node); i++)
        mfm_out(node, 0, MFM_DX)[i] = node->saved[i] * at(mfm_in(node, 0, MFM_DX), i) +
                                      a[i] * a[i] * at(mfm_in(node, 1, MFM_DX), i);
}

/* J^T g, written or added to lane `lane` of both inputs. */
static void adjoint(const mfm_node *node, const real *g, enum mfm_lane lane, size_t i, real da,
                    real db)
{
    const real a = mfm_in(node, 0, MFM_X)[i];
    put(node, 0, lane, i, node->saved[i] * at(g, i) + da);
    put(node, 1, lane, i, a * a * at(g, i) + db);
}

static void square_vjp(const mfm_node *node)
{
    for (size_t i = 0; i < count_of(node); i++)
        adjoint(node, mfm_out(node, 0, MFM_G), MFM_G, i, 0, 0);
}

/* The second order's terms, each with a factor that is 1 in the correct operator. */
static void second_order(const mfm_node *node, real aa, real ab, real ba)
{
    const real *a = mfm_in(node, 0, MFM_X), *b = mfm_in(node, 1, MFM_X);
    for (size_t i = 0; i < count_of(node); i++) {
        const real g = at(mfm_out(node, 0, MFM_G), i);
        const real da = at(mfm_in(node, 0, MFM_DX), i), db = at(mfm_in(node, 1, MFM_DX), i);
        adjoint(node, mfm_out(node, 0, MFM_DG), MFM_DG, i,
                2 * g * (aa * b[i] * da + ab * a[i] * db), ba * 2 * g * a[i] * da);
    }
}

static void square_vjp_t(const mfm_node *node)
{
    second_order(node, 1, 1, 1);
}

static const mfm_rule square_rule = {square_forward, square_jvp, square_vjp, square_vjp_t};
static const mfm_port square_inputs[] = {
    {.name = "A", .role = MFM_DATA}, {.name = "B", .role = MFM_PARAM}, {0}};
static const mfm_port square_outputs[] = {{.name = "Y"}, {0}};
static const char *const square_samples[] = {"[7] [7]", "[2,3,2,2] [2,3,2,2]", "[] []", NULL};

static mfm_op square_op(void)
{
    return (mfm_op){.name = "Square",
                    .domain = "test",
                    .since = 1,
                    .inputs = square_inputs,
                    .outputs = square_outputs,
                    .shape = square_shape,
                    .layout = MFM_LAYOUT_ALIKE,
                    .samples = square_samples};
}

static mfm_impl square_impl(const mfm_rule *rule)
{
    return (mfm_impl){
        .backend = "test", .setup = square_setup, .rule = rule, .reads = MFM_READS_IN};
}

/* ---- planted errors ---- */

static void vjp_t_without_curvature(const mfm_node *node)
{
    second_order(node, 0, 1, 1);
}

static void vjp_t_with_half_a_cross_term(const mfm_node *node)
{
    second_order(node, 1, 1, (real)0.5);
}

static void vjp_t_off_by_one_part_in_a_thousand(const mfm_node *node)
{
    second_order(node, (real)1.001, 1, 1);
}

static void jvp_without_second_input(const mfm_node *node)
{
    for (size_t i = 0; i < count_of(node); i++)
        mfm_out(node, 0, MFM_DX)[i] = node->saved[i] * at(mfm_in(node, 0, MFM_DX), i);
}

static void wrong_slope_jvp(const mfm_node *node)
{
    square_jvp(node);
    for (size_t i = 0; i < count_of(node); i++)
        mfm_out(node, 0, MFM_DX)[i] *= (real)1.5;
}

static void wrong_slope_vjp(const mfm_node *node)
{
    for (size_t i = 0; i < count_of(node); i++) {
        const real a = mfm_in(node, 0, MFM_X)[i], g = mfm_out(node, 0, MFM_G)[i];
        put(node, 0, MFM_G, i, (real)1.5 * node->saved[i] * g);
        put(node, 1, MFM_G, i, (real)1.5 * a * a * g);
    }
}

static void forward_that_skips_the_last(const mfm_node *node)
{
    const size_t last = count_of(node) - 1;
    const real held = mfm_out(node, 0, MFM_X)[last];
    square_forward(node);
    mfm_out(node, 0, MFM_X)[last] = held;
}

static void forward_beyond_the_end(const mfm_node *node)
{
    square_forward(node);
    mfm_out(node, 0, MFM_X)[count_of(node)] = 1;
}

static void forward_beyond_saved(const mfm_node *node)
{
    square_forward(node);
    node->saved[-1] = 1;
}

static void jvp_that_changes_its_input(const mfm_node *node)
{
    square_jvp(node);
    mfm_in(node, 0, MFM_X)[0] = 0;
}

static void vjp_that_always_overwrites(const mfm_node *node)
{
    uint8_t held[2] = {node->accumulates[0], node->accumulates[1]};
    memset(node->accumulates, 0, 2);
    square_vjp(node);
    memcpy(node->accumulates, held, 2);
}

static void vjp_that_always_adds(const mfm_node *node)
{
    uint8_t held[2] = {node->accumulates[0], node->accumulates[1]};
    memset(node->accumulates, 0xFF, 2);
    square_vjp(node);
    memcpy(node->accumulates, held, 2);
}

/* Sets both inputs' garbage to zero before it adds: wrong only where the two are one tensor. */
static void vjp_that_clears_late(const mfm_node *node)
{
    real *gb = mfm_in(node, 1, MFM_G);
    square_vjp(node);
    if (node->in[0] == node->in[1])
        for (size_t i = 0; gb && i < count_of(node); i++)
            gb[i] = 0;
}

/* Without DG, leaves what lies in its results. */
static void vjp_t_that_skips_null(const mfm_node *node)
{
    if (mfm_out(node, 0, MFM_DG))
        square_vjp_t(node);
}

static void vjp_t_only_with_both_adjoints(const mfm_node *node)
{
    real *gb = mfm_in(node, 1, MFM_DG);
    square_vjp_t(node);
    for (size_t i = 0; gb && !mfm_in(node, 0, MFM_DG) && i < count_of(node); i++)
        gb[i] *= 2;
}

/* Keeps the tangent of jvp where the adjoint needs the slope: wrong when vjp follows jvp. */
static void jvp_that_spoils_saved(const mfm_node *node)
{
    square_jvp(node);
    for (size_t i = 0; i < count_of(node); i++)
        node->saved[i] *= 2;
}

typedef struct planted {
    const char *what;
    mfm_rule rule;
    enum mfm_check caught_by;
    bool in_double; /* only central differences show it */
} planted;

#define FORWARD square_forward
#define JVP     square_jvp
#define VJP     square_vjp
#define VJP_T   square_vjp_t
static const planted errors[] = {
    {"vjp_t lacks f''", {FORWARD, JVP, VJP, vjp_t_without_curvature}, MFM_CHECK_VJP_T, true},
    {"vjp_t is 0.1 % off",
     {FORWARD, JVP, VJP, vjp_t_off_by_one_part_in_a_thousand},
     MFM_CHECK_VJP_T,
     true},
    {"a cross term is halved",
     {FORWARD, JVP, VJP, vjp_t_with_half_a_cross_term},
     MFM_CHECK_SYMMETRY,
     false},
    {"jvp forgets an input",
     {FORWARD, jvp_without_second_input, VJP, VJP_T},
     MFM_CHECK_ADJOINT,
     false},
    {"jvp and vjp share a wrong slope",
     {FORWARD, wrong_slope_jvp, wrong_slope_vjp, VJP_T},
     MFM_CHECK_JVP,
     true},
    {"forward skips an element",
     {forward_that_skips_the_last, JVP, VJP, VJP_T},
     MFM_CHECK_WRITES,
     false},
    {"forward writes beyond the end",
     {forward_beyond_the_end, JVP, VJP, VJP_T},
     MFM_CHECK_WRITES,
     false},
    {"forward writes before saved",
     {forward_beyond_saved, JVP, VJP, VJP_T},
     MFM_CHECK_WRITES,
     false},
    {"jvp changes its input",
     {FORWARD, jvp_that_changes_its_input, VJP, VJP_T},
     MFM_CHECK_WRITES,
     false},
    {"vjp never accumulates",
     {FORWARD, JVP, vjp_that_always_overwrites, VJP_T},
     MFM_CHECK_ADD,
     false},
    {"vjp always accumulates",
     {FORWARD, JVP, vjp_that_always_adds, VJP_T},
     MFM_CHECK_WRITES,
     false},
    {"vjp loses a tied input", {FORWARD, JVP, vjp_that_clears_late, VJP_T}, MFM_CHECK_TIED, false},
    {"vjp_t needs DG", {FORWARD, JVP, VJP, vjp_t_that_skips_null}, MFM_CHECK_NULL, false},
    {"vjp_t wants both adjoints",
     {FORWARD, JVP, VJP, vjp_t_only_with_both_adjoints},
     MFM_CHECK_UNWANTED,
     false},
    {"jvp spoils what vjp needs",
     {FORWARD, jvp_that_spoils_saved, VJP, VJP_T},
     MFM_CHECK_ORDER,
     false},
};

/* Carried out by a back end of that one implementation. */
static mfm_op_report report_on(const mfm_op *op, mfm_impl impl)
{
    mfm_op_report report;
    impl.op = op;
    const mfm_impl *const impls[] = {&impl, NULL};
    const mfm_backend backend = {"test", impls};
    mfm_op_report_init(&report, NULL);
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(ctx);
    mfm_ctx_use_backend(ctx, &backend);
    CU_ASSERT_EQUAL(mfm_op_check(ctx, op, 5, &report), MFM_OK);
    mfm_ctx_free(ctx);
    return report;
}

static void test_correct(void)
{
    const mfm_op op = square_op();
    const mfm_op_report report = report_on(&op, square_impl(&square_rule));
    CU_ASSERT_EQUAL(report.samples, 3);
    CU_ASSERT_EQUAL(report.failures, 0);
    for (int i = 0; i < MFM_CHECKS; i++) {
        const bool differences = i == MFM_CHECK_JVP || i == MFM_CHECK_VJP_T;
        const bool told = i == MFM_CHECK_UPDATE || i == MFM_CHECK_RESTORE || i == MFM_CHECK_RANKS ||
                          i == MFM_CHECK_ALONG;
        const bool runs = !told && (!differences || sizeof(real) == 8);
        CU_ASSERT_EQUAL(report.worst[i] >= 0, runs);
    }
}

static void test_planted(void)
{
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        if (errors[i].in_double && sizeof(real) < 8)
            continue;
        const mfm_op op = square_op();
        const mfm_op_report report = report_on(&op, square_impl(&errors[i].rule));
        if (!report.failed[errors[i].caught_by])
            printf("\n    %s: not caught by '%s'", errors[i].what,
                   mfm_check_name(errors[i].caught_by));
        CU_ASSERT_TRUE(report.failed[errors[i].caught_by] > 0);
    }
}

static void test_unclaimed_linearity(void)
{
    mfm_op op = square_op();
    op.linear = true;
    CU_ASSERT_TRUE(report_on(&op, square_impl(&square_rule)).failed[MFM_CHECK_READS] > 0);
}

static void test_unclaimed_reads(void)
{
    const mfm_op op = square_op();
    mfm_impl impl = square_impl(&square_rule);
    impl.reads = MFM_READS_NONE;
    CU_ASSERT_TRUE(report_on(&op, impl).failed[MFM_CHECK_READS] > 0);
    impl.reads = MFM_READS_OUT;
    CU_ASSERT_TRUE(report_on(&op, impl).failed[MFM_CHECK_READS] > 0);
}

/* Goes element by element through memory, and yet takes tensors that lie in different ways. */
static void test_unclaimed_layouts(void)
{
    mfm_op op = square_op();
    const mfm_impl impl = square_impl(&square_rule);
    op.layout = MFM_LAYOUT_FREE;
    CU_ASSERT_TRUE(report_on(&op, impl).failed[MFM_CHECK_LAYOUTS] > 0);
}

static void restore_too_large(const mfm_node *node)
{
    square_forward(node);
    mfm_out(node, 0, MFM_X)[0] *= 1 + (real)1e-5;
}

static void test_restore(void)
{
    const mfm_op op = square_op();
    mfm_impl impl = square_impl(&square_rule);
    impl.restore = square_forward;
    CU_ASSERT_EQUAL(report_on(&op, impl).failures, 0);
    impl.restore = restore_too_large;
    CU_ASSERT_TRUE(report_on(&op, impl).failed[MFM_CHECK_RESTORE] > 0);
    impl.restore = square_jvp; /* not the outputs */
    CU_ASSERT_TRUE(report_on(&op, impl).failed[MFM_CHECK_RESTORE] > 0);
}

/* The same operator with its second factor packed where it stays. */
static int packing_setup(mfm_ctx *ctx, mfm_node *node)
{
    node->packed_size = node->frozen ? count_of(node) : 0;
    return square_setup(ctx, node);
}

static void pack(const mfm_node *node)
{
    memcpy(node->packed, mfm_in(node, 1, MFM_X), count_of(node) * sizeof *node->packed);
}

static void pack_nothing(const mfm_node *node)
{
    memset(node->packed, 0, count_of(node) * sizeof *node->packed);
}

static void pack_once(const mfm_node *node)
{
    if (node->packed[0] == 0)
        pack(node);
}

static void packed_forward(const mfm_node *node)
{
    square_forward(node);
    const real *a = mfm_in(node, 0, MFM_X);
    for (size_t i = 0; i < count_of(node) && node->packed; i++)
        mfm_out(node, 0, MFM_X)[i] = a[i] * a[i] * node->packed[i];
}

static void test_frozen(void)
{
    mfm_rule rule = square_rule;
    rule.forward = packed_forward;
    const mfm_op op = square_op();
    mfm_impl impl = square_impl(&rule);
    impl.setup = packing_setup;
    impl.prepare = pack;
    CU_ASSERT_EQUAL(report_on(&op, impl).failures, 0);
    impl.prepare = pack_nothing;
    CU_ASSERT_TRUE(report_on(&op, impl).failed[MFM_CHECK_FROZEN] > 0);
    impl.prepare = pack_once; /* what was bound first */
    CU_ASSERT_TRUE(report_on(&op, impl).failed[MFM_CHECK_FROZEN] > 0);
}

static int kernel_setup(mfm_ctx *ctx, mfm_node *node)
{
    node->kernel = mfm_alloc(ctx, 1, 1);
    return node->kernel ? square_setup(ctx, node) : MFM_ENOMEM;
}

static void release_kernel(mfm_ctx *ctx, mfm_node *node)
{
    mfm_free(ctx, node->kernel);
}

static int careless_setup(mfm_ctx *ctx, mfm_node *node)
{
    node->kernel = mfm_alloc(ctx, 1, 1);
    return square_setup(ctx, node);
}

static int forgetful_setup(mfm_ctx *ctx, mfm_node *node)
{
    node->out[0]->shape.rank = 0;
    return square_setup(ctx, node);
}

static void test_memory(void)
{
    const mfm_op op = square_op();
    mfm_impl impl = square_impl(&square_rule);
    impl.setup = kernel_setup;
    impl.release = release_kernel;
    CU_ASSERT_EQUAL(report_on(&op, impl).failures, 0);
    impl.setup = careless_setup;
    CU_ASSERT_TRUE(report_on(&op, impl).failed[MFM_CHECK_MEMORY] > 0);
}

static int shapeless(mfm_ctx *ctx, mfm_node *node)
{
    (void)ctx;
    (void)node;
    return MFM_OK;
}

static void test_samples_missing(void)
{
    mfm_op op = square_op();
    mfm_impl impl = square_impl(&square_rule);
    op.samples = NULL;
    CU_ASSERT_EQUAL(report_on(&op, impl).failed[MFM_CHECK_SAMPLES], 1);
    static const char *const refused[] = {"[2] [3]", "[2]", NULL};
    op.samples = refused + 2;
    CU_ASSERT_EQUAL(report_on(&op, impl).failed[MFM_CHECK_SAMPLES], 1);
    op.samples = refused;
    CU_ASSERT_EQUAL(report_on(&op, impl).failed[MFM_CHECK_SAMPLES], 2);
    op = square_op();
    op.shape = shapeless;
    CU_ASSERT_EQUAL(report_on(&op, impl).failed[MFM_CHECK_SAMPLES], 3);
    op = square_op();
    impl.setup = forgetful_setup;
    CU_ASSERT_EQUAL(report_on(&op, impl).failed[MFM_CHECK_SAMPLES], 2); /* the third is a scalar */
}

static const mfm_case cases[] = {
    {"a correct operator passes every check", test_correct},
    {"each planted error is caught by the check that is there for it", test_planted},
    {"a lane that `reads` does not claim must not be read", test_unclaimed_reads},
    {"values that are not restored to the bit are caught", test_restore},
    {"parameters that are not prepared, or not anew, are caught", test_frozen},
    {"an unchecked allocation in set-up is caught", test_memory},
    {"an operator that calls itself linear is caught", test_unclaimed_linearity},
    {"layouts that an operator takes wrongly are caught", test_unclaimed_layouts},
    {"no samples, refused samples and wrong shapes are failures", test_samples_missing},
};
MFM_SUITE("core/engine/op_check", cases)
