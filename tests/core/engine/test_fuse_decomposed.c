/* Operators that exporters write out in parts: found whole, and only then. All passes agree with
 * those of the parts. */
#include "core/engine/fuse.h"

#include "support/fuse_check.h"
#include "tests/suite.h"

enum { SIDE = 4, WIDTH = 6 };

static int number(mfm_net *net, double value)
{
    const mfm_shape scalar = mfm_shape_of(0);
    const real data = (real)value;
    int to = -1;
    if (!net->status)
        net->status = mfm_graph_const(net->graph, "number", &scalar, &data, &to);
    return to;
}

/* Convolution to WIDTH channels, as tokens [n, 16, WIDTH]. */
static int tokens(mfm_net *net, fuse_inputs *inputs)
{
    fuse_add_inputs(net, SIDE, 5, inputs);
    const int w = mfm_net_param(net, mfm_shape_of(4, WIDTH, 3, 1, 1), 0.5);
    const int image = mfm_net_node(net, "Conv", 0, inputs->images, w, -1);
    const int rows = mfm_net_node(net, "Reshape shape=0,6,16", 0, image, -1, -1);
    return mfm_net_node(net, "Transpose perm=0,2,1", 0, rows, -1, -1);
}

static void head(mfm_net *net, int x, fuse_inputs *inputs)
{
    const int mean = mfm_net_node(net, "ReduceMean axes=1 keepdims=0", 0, x, -1, -1);
    const int w = mfm_net_param(net, mfm_shape_of(2, WIDTH, 4), 0.5);
    const int logits = mfm_net_node(net, "MatMul", 0, mean, w, -1);
    inputs->loss = mfm_net_node(net, "mfm:SoftmaxCrossEntropy", 0, logits, inputs->labels, -1);
}

typedef struct form {
    double epsilon;
    const char *second_mean;
    int bias; /* its axes; 0: none */
} form;

static int norm(mfm_net *net, int x, const form *f)
{
    const int m = mfm_net_node(net, "ReduceMean axes=-1", 0, x, -1, -1);
    const int d = mfm_net_node(net, "Sub", 0, x, m, -1);
    const int p = mfm_net_node(net, "Mul", 0, d, d, -1);
    const int v = mfm_net_node(net, f->second_mean, 0, p, -1, -1);
    const int e = mfm_net_node(net, "Add", 0, number(net, f->epsilon), v, -1);
    const int q = mfm_net_node(net, "Sqrt", 0, e, -1, -1);
    const int n = mfm_net_node(net, "Div", 0, d, q, -1);
    const int s = mfm_net_node(net, "Mul", 0, mfm_net_param(net, mfm_shape_of(1, WIDTH), 1), n, -1);
    if (!f->bias)
        return s;
    const mfm_shape bias = f->bias == 1 ? mfm_shape_of(1, WIDTH) : mfm_shape_of(2, 16, WIDTH);
    return mfm_net_node(net, "Add", 0, s, mfm_net_param(net, bias, 1), -1);
}

/* exact: with the root of 2. turned: the half within. */
static int gelu(mfm_net *net, int x, double root, bool turned)
{
    const int a = mfm_net_node(net, "Div", 0, x, number(net, root), -1);
    const int b = mfm_net_node(net, "Erf", 0, a, -1, -1);
    const int c = mfm_net_node(net, "Add", 0, b, number(net, 1), -1);
    const int half = number(net, 0.5);
    if (turned)
        return mfm_net_node(net, "Mul", 0, mfm_net_node(net, "Mul", 0, half, c, -1), x, -1);
    return mfm_net_node(net, "Mul", 0, mfm_net_node(net, "Mul", 0, x, c, -1), half, -1);
}

/* By tanh, the cube as a power or as products; kappa has its value, or another. */
static int gelu_by_tanh(mfm_net *net, int x, double kappa, bool by_power)
{
    const int square = by_power ? -1 : mfm_net_node(net, "Mul", 0, x, x, -1);
    const int cube = by_power ? mfm_net_node(net, "Pow", 0, x, number(net, 3), -1)
                              : mfm_net_node(net, "Mul", 0, x, square, -1);
    const int k = mfm_net_node(net, "Mul", 0, number(net, kappa), cube, -1);
    const int s = mfm_net_node(net, "Add", 0, x, k, -1);
    const int u = mfm_net_node(net, "Mul", 0, number(net, 0.7978845608), s, -1);
    const int c =
        mfm_net_node(net, "Add", 0, number(net, 1), mfm_net_node(net, "Tanh", 0, u, -1, -1), -1);
    const int half = number(net, 0.5);
    if (by_power)
        return mfm_net_node(net, "Mul", 0, mfm_net_node(net, "Mul", 0, half, x, -1), c, -1);
    return mfm_net_node(net, "Mul", 0, half, mfm_net_node(net, "Mul", 0, x, c, -1), -1);
}

typedef struct network {
    form norm;
    double root;
    bool turned;
    double kappa; /* by tanh, turned: the cube as a power; 0: by erf */
} network;

static int gelu_of(mfm_net *net, int x, const network *n)
{
    return n->kappa != 0 ? gelu_by_tanh(net, x, n->kappa, n->turned)
                         : gelu(net, x, n->root, n->turned);
}

static mfm_bench build(const network *n, bool fuse, fuse_inputs *inputs)
{
    mfm_net net = mfm_net_new(fuse_ctx());
    head(&net, gelu_of(&net, norm(&net, tokens(&net, inputs), &n->norm), n), inputs);
    CU_ASSERT_EQUAL_FATAL(net.status, MFM_OK);
    if (fuse)
        CU_ASSERT_EQUAL_FATAL(mfm_graph_fuse(net.graph, &inputs->loss, 1), MFM_OK);
    const mfm_slot keep[] = {{inputs->loss, MFM_X}, {inputs->loss, MFM_G}};
    const mfm_plan_spec spec = mfm_bench_spec(keep, 2);
    return fuse_run(net, &spec, inputs);
}

static void check(const network *n, int norms, int gelus)
{
    fuse_inputs inputs[2];
    mfm_bench plain = build(n, false, &inputs[0]), fused = build(n, true, &inputs[1]);
    CU_ASSERT_EQUAL(fuse_count(fused.graph, "LayerNormalization"), norms);
    CU_ASSERT_EQUAL(fuse_count(fused.graph, "Gelu"), gelus);
    CU_ASSERT_EQUAL(fuse_count(fused.graph, n->kappa != 0 ? "Tanh" : "Erf"), 1 - gelus);
    fuse_expect_same(&fused, &plain, sizeof(real) == 8 ? 1e-10 : 1e-4);
    fuse_finish(&plain);
    fuse_finish(&fused);
}

static const double root = 1.4142135623730951; /* of 2; files have it rounded to float */

static void test_whole(void)
{
    check(&(network){{1e-5, "ReduceMean axes=-1", 1}, root, false, 0}, 1, 1);
    check(&(network){{1e-3, "ReduceMean axes=2", 0}, root, true, 0}, 1, 1);
    check(&(network){{1e-5, "ReduceMean axes=-1", 1}, 0, false, 0.044715}, 1, 1);
    check(&(network){{1e-5, "ReduceMean axes=-1", 1}, 0, true, 0.044715}, 1, 1);
}

static void test_parts(void)
{
    check(&(network){{1e-5, "ReduceMean axes=1", 1}, root, false, 0}, 0, 1); /* over other axes */
    check(&(network){{1e-5, "ReduceMean axes=-1", 2}, root, false, 0}, 1,
          1); /* a bias of its own */
    check(&(network){{1e-5, "ReduceMean axes=-1", 1}, 1.5, false, 0}, 1, 0);
    check(&(network){{1e-5, "ReduceMean axes=-1", 1}, 0, true, 0.05}, 1, 0);
}

static const mfm_case cases[] = {
    {"LayerNormalization and Gelu in parts become whole", test_whole},
    {"what only looks like them stays", test_parts},
};
MFM_SUITE("core/engine/fuse_decomposed", cases)
