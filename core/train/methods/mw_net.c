/*
 * Meta-Weight-Net (Shu et al., NeurIPS 2019): each sample of a batch counts by a weight that a
 * small network makes from its loss l, held constant:
 *
 *     V(l) = sigmoid(W2 relu(W1 l + b1) + b2),      W1 [100, 1], W2 [1, 100]
 *     L    = (1/n) sum_i V(l_i) l_i                  or  sum_i V(l_i) l_i / sum_i V(l_i)
 *
 * W and b start uniform in +-1 / sqrt(inputs), as the authors' framework has it.
 */
#include <math.h>

#include "core/base/random.h"
#include "core/train/problem/chain.h"
#include "core/train/bilevel/meta_step.h"
#include "core/train/problem/split_network.h"

enum { HIDDEN = 100, INIT_NODE = 900 };
enum norm { BY_COUNT, BY_WEIGHTS };

typedef struct weighting {
    int norm; /* enum norm */
} weighting;

static const char *const norms[] = {[BY_COUNT] = "count", [BY_WEIGHTS] = "weights", NULL};

static const mfm_option weighting_table[] = {
    {.name = "weighting-norm",
     .kind = MFM_OPTION_CHOICE,
     .value = "BY",
     .choices = norms,
     .offset = offsetof(weighting, norm),
     .help = "divide the sum of weighted losses by the samples of the batch, or by the sum of "
             "their weights"},
};

static const weighting weighting_defaults = {.norm = BY_WEIGHTS};
static const mfm_settings weighting_settings =
    MFM_SETTINGS("Weighting", weighting_table, weighting_defaults);

/* A parameter [to, from] or [to], uniform in +-1 / sqrt(inputs). */
static int add_param(mfm_graph *graph, const char *name, const mfm_shape *shape, int inputs,
                     const mfm_key *key, int *value)
{
    real numbers[HIDDEN];
    const int64_t count = mfm_shape_count(shape);
    const double bound = 1 / sqrt(inputs);
    for (int64_t i = 0; i < count; i++)
        numbers[i] = (real)(bound * (2 * mfm_random_uniform(key, (uint64_t)i) - 1));
    return mfm_graph_param(graph, name, shape, numbers, value);
}

/* y = x W^T + b, x [n, from]. */
static void add_layer(mfm_chain *c, const char *weight, const char *bias, int from, int to,
                      mfm_key *key)
{
    const mfm_shape w = mfm_shape_of(2, to, from), b = mfm_shape_of(1, to);
    int in[2];
    if (!c->status)
        c->status = add_param(c->graph, weight, &w, from, key, &in[0]);
    key->node++;
    if (!c->status)
        c->status = add_param(c->graph, bias, &b, from, key, &in[1]);
    key->node++;
    mfm_chain_add(c, "Gemm", "transB=1", in[0], in[1]);
}

/* The losses [n] in, h [n] out: the weights, divided by their mean where they are the norm. */
static int make_network(mfm_ctx *ctx, const weighting *o, uint64_t seed, mfm_graph **graph,
                        int *losses, int *h)
{
    const mfm_shape per_sample = mfm_shape_of(1, -1);
    mfm_key key = {.seed = seed, .stream = MFM_STREAM_INIT, .node = INIT_NODE};
    int status = mfm_graph_new(ctx, graph);
    if (!status)
        status = mfm_graph_input(*graph, "losses", MFM_DATA, &per_sample, losses);
    mfm_chain c = {.graph = *graph, .name = "weighting", .last = *losses, .status = status};
    mfm_chain_add(&c, "Unsqueeze", "axes=1", -1, -1);
    add_layer(&c, "fc1.weight", "fc1.bias", 1, HIDDEN, &key);
    mfm_chain_add(&c, "Relu", NULL, -1, -1);
    add_layer(&c, "fc2.weight", "fc2.bias", HIDDEN, 1, &key);
    mfm_chain_add(&c, "Sigmoid", NULL, -1, -1);
    mfm_chain_add(&c, "Squeeze", "axes=1", -1, -1);
    if (o->norm == BY_WEIGHTS) {
        const int weights = c.last;
        mfm_chain_add(&c, "ReduceMean", "axes=0", -1, -1);
        mfm_chain_add_second(&c, "Div", weights);
    }
    *h = c.last;
    return c.status;
}

/* The losses of the samples are shared by all: the objective is their mean with weights. */
static int add_objective(mfm_problem *p, int *h)
{
    static const mfm_shape per_sample = {.rank = 1, .dim = {-1}};
    int status = mfm_problem_add_losses(p, MFM_SEGMENT_LOSSES, "losses", &p->plain);
    if (!status)
        status = mfm_graph_input(p->main, "sample_weights", MFM_DATA, &per_sample, h);
    p->objective = p->plain;
    return status
               ? status
               : mfm_problem_add_mean(p, MFM_SEGMENT_OBJECTIVE, "weighted_loss", *h, &p->objective);
}

static int add_parts(mfm_problem *p, const weighting *o, uint64_t seed)
{
    mfm_graph *network = NULL;
    int losses, weights, h, hyper;
    int status = add_objective(p, &h);
    if (!status)
        status = make_network(p->ctx, o, seed, &network, &losses, &weights);
    if (status) {
        mfm_graph_free(network);
        return status;
    }
    status = mfm_problem_add_hyper(p, "weighting", MFM_HYPER_GRAPH, network, 0, &hyper);
    if (!status)
        status = mfm_problem_read(p, p->plain.losses, hyper, losses);
    if (!status)
        status = mfm_problem_give(p, hyper, weights, h);
    return status ? status : mfm_problem_finish(p);
}

static int build(mfm_ctx *ctx, mfm_network *network, const mfm_task *task,
                 const mfm_train_options *options, mfm_problem **problem)
{
    const mfm_loss_spec spec = mfm_loss_spec_of(options, task);
    int status = mfm_problem_of_network(ctx, network, &spec, problem);
    if (!status)
        status = add_parts(*problem, mfm_chosen_values(options, &weighting_settings),
                           task ? task->seed : 0);
    if (status) {
        mfm_problem_free(*problem);
        *problem = NULL;
    }
    return status;
}

static int begin(mfm_training *t)
{
    return mfm_meta_step_begin(t, &mfm_weighting_training_settings);
}

static const mfm_settings *const settings[] = {
    &weighting_settings, &mfm_weighting_training_settings, &mfm_meta_steps_settings, NULL};

const mfm_method mfm_method_mw_net = {
    .name = "mw-net",
    .summary = "Meta-Weight-Net: samples weighted by a network that reads their losses",
    .settings = settings,
    .streams = {{.name = "train", .from = MFM_FROM_TRAIN}, {.name = "meta", .from = MFM_FROM_META}},
    .rate_option = "weighting-lr",
    .sharpens = true,
    .build = build,
    .begin = begin,
    .reads = mfm_meta_step_reads,
    .step = mfm_meta_step_run,
    .end = mfm_meta_step_end,
    .bytes = mfm_meta_step_bytes};
