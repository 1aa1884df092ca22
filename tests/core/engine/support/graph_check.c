#include "graph_check.h"

#include <math.h>
#include <string.h>

enum { OPSET = 17 };

mfm_net mfm_net_new(mfm_ctx *ctx)
{
    mfm_net net = {.ctx = ctx};
    net.status = mfm_graph_new(ctx, &net.graph);
    return net;
}

int mfm_net_input(mfm_net *net, enum mfm_role role, mfm_shape shape)
{
    int value = -1;
    if (!net->status)
        net->status = mfm_graph_input(net->graph, "input", role, &shape, &value);
    return value;
}

int mfm_net_param(mfm_net *net, mfm_shape shape, double scale)
{
    if (net->status)
        return -1;
    const mfm_key key = {.stream = MFM_STREAM_TEST, .node = (uint32_t)net->graph->n_values};
    const size_t count = (size_t)mfm_shape_count(&shape);
    real *data = mfm_alloc(net->ctx, count, sizeof *data);
    int value = -1;
    net->status = MFM_ENOMEM;
    if (data) {
        for (size_t i = 0; i < count; i++)
            data[i] = (real)(scale * mfm_random_normal(&key, i));
        net->status = mfm_graph_param(net->graph, "param", &shape, data, &value);
    }
    mfm_free(net->ctx, data);
    return value;
}

static int read_attrs(mfm_ctx *ctx, const mfm_op *op, char *rest, void *attr)
{
    int status = MFM_OK;
    mfm_attr_defaults(op, attr);
    for (char *word; !status && (word = strsep(&rest, " ")) != NULL;) {
        char *value = word;
        const char *name = strsep(&value, "=");
        status = mfm_attr_parse(ctx, op, attr, name, value ? value : "");
    }
    return status;
}

static int add_node(mfm_net *net, char *text, int segment, const int *in, int *out)
{
    char *rest = text;
    char *name = strsep(&rest, " ");
    const bool own = strncmp(name, "mfm:", 4) == 0;
    const mfm_op *op = own ? mfm_op_find("mfm", name + 4, 1) : mfm_op_find("", name, OPSET);
    if (!op)
        return mfm_fail(net->ctx, MFM_EDATA, "%s: no such operator", name);
    void *attr = mfm_alloc(net->ctx, 1, op->attr_size);
    if (!attr)
        return MFM_ENOMEM;
    int status = read_attrs(net->ctx, op, rest, attr);
    const int n_in = in[2] >= 0 ? 3 : in[1] >= 0 ? 2 : 1;
    if (!status)
        status = mfm_graph_add(net->graph, op, own ? 1 : OPSET, name, attr, in, n_in, NULL, 1, out);
    if (!status)
        net->graph->nodes[net->graph->n_nodes - 1].segment = segment;
    mfm_free(net->ctx, attr);
    return status;
}

int mfm_net_node(mfm_net *net, const char *text, int segment, int a, int b, int c)
{
    if (net->status)
        return -1;
    const int in[] = {a, b, c};
    int out = -1;
    char *copy = mfm_strdup(net->ctx, text);
    net->status = copy ? add_node(net, copy, segment, in, &out) : MFM_ENOMEM;
    mfm_free(net->ctx, copy);
    return out;
}

real *mfm_vector_new(const mfm_graph *graph)
{
    real *vector = mfm_alloc_aligned(graph->ctx, graph->params_size, sizeof *vector);
    if (vector)
        memset(vector, 0, graph->params_size * sizeof *vector);
    return vector;
}

/* Where value i lies in a parameter vector; count 0 when it is no parameter. */
static size_t span(const mfm_graph *graph, size_t i, size_t *offset)
{
    const mfm_value *value = &graph->values[i];
    *offset = value->offset;
    return value->kind == MFM_VALUE_PARAM ? (size_t)mfm_shape_count(&value->shape) : 0;
}

void mfm_vector_draw(const mfm_graph *graph, uint32_t stream, real *vector)
{
    for (size_t i = 0; i < graph->n_values; i++) {
        const mfm_key key = {.seed = stream, .stream = MFM_STREAM_TEST, .node = (uint32_t)i};
        size_t offset;
        const size_t count = span(graph, i, &offset);
        for (size_t k = 0; k < count; k++)
            vector[offset + k] = (real)(2 * mfm_random_uniform(&key, k) - 1);
    }
}

double mfm_vector_dot(const mfm_graph *graph, const real *a, const real *b)
{
    double sum = 0;
    for (size_t i = 0; i < graph->params_size; i++)
        sum += (double)a[i] * (double)b[i];
    return sum;
}

double mfm_vector_difference(const mfm_graph *graph, const real *a, const real *b)
{
    double worst = 0, largest = 1e-30;
    for (size_t i = 0; i < graph->params_size; i++) {
        const double error = fabs((double)a[i] - (double)b[i]);
        worst = error <= worst ? worst : isnan(error) ? INFINITY : error;
        largest = fmax(largest, fabs((double)b[i]));
    }
    return worst / largest;
}

mfm_plan_spec mfm_bench_spec(const mfm_slot *keep, int n_keep)
{
    static const mfm_pass passes[MFM_BENCH_PASSES] = {
        {MFM_FORWARD, 1}, {MFM_JVP, 1}, {MFM_VJP, 1}, {MFM_VJP_T, 1}};
    return (mfm_plan_spec){.batch = 2,
                           .training = true,
                           .passes = passes,
                           .n_passes = MFM_BENCH_PASSES,
                           .keep = keep,
                           .n_keep = n_keep,
                           .param_tangents = true,
                           .param_gradients = true,
                           .param_gradient_tangents = true};
}

static int make(mfm_bench *bench, const mfm_plan_spec *spec)
{
    const int status = mfm_plan_new(bench->ctx, bench->graph, spec, &bench->plan);
    if (status)
        return status;
    for (int lane = 0; lane < MFM_LANES; lane++) {
        bench->lane[lane] = mfm_vector_new(bench->graph);
        if (!bench->lane[lane])
            return MFM_ENOMEM;
        mfm_plan_bind_params(bench->plan, (enum mfm_lane)lane, bench->lane[lane]);
    }
    if (bench->graph->params_size)
        memcpy(bench->lane[MFM_X], bench->graph->params, bench->graph->params_size * sizeof(real));
    mfm_plan_bind_state(bench->plan, bench->graph->state);
    mfm_plan_set_step(bench->plan, MFM_STREAM_DROPOUT, 1, 1);
    return MFM_OK;
}

int mfm_bench_init(mfm_net net, const mfm_plan_spec *spec, mfm_bench *bench)
{
    *bench = (mfm_bench){.ctx = net.ctx, .graph = net.graph};
    const int status = net.status ? net.status : make(bench, spec);
    if (status)
        mfm_bench_clear(bench);
    return status;
}

void mfm_bench_clear(mfm_bench *bench)
{
    for (int lane = 0; lane < MFM_LANES; lane++)
        mfm_free_aligned(bench->ctx, bench->lane[lane]);
    mfm_plan_free(bench->plan);
    mfm_graph_free(bench->graph);
}

void mfm_bench_run(const mfm_bench *bench)
{
    for (int pass = 0; pass < MFM_BENCH_PASSES; pass++)
        mfm_plan_run(bench->plan, pass);
}
