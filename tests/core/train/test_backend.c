/* A second back end, from outside the tree: it carries out two operators, here by handing them to
 * the processor and counting, and nothing of plans and training changes for it. */
#include <string.h>

#include "core/engine/impl.h"
#include "core/train/bilevel/hyper_training.h"
#include "core/train/methods/method.h"
#include "core/train/training.h"
#include "tests/core/train/support/prepared.h"

enum { BATCH = 6, META_BATCH = 4, SEED = 11 };
static const double alpha = 0.1;

/* ---- the back end ---- */

enum { GEMM, RELU, OPS };
static const mfm_impl *of_processor[OPS];
static int set_up, released, called;

static const mfm_impl *own(const mfm_node *node)
{
    return of_processor[node->op == of_processor[RELU]->op ? RELU : GEMM];
}

static int setup(mfm_ctx *ctx, mfm_node *node)
{
    set_up++;
    node->kernel = mfm_alloc(ctx, 1, 1); /* as if there were something to prepare */
    if (!node->kernel)
        return MFM_ENOMEM;
    return own(node)->setup ? own(node)->setup(ctx, node) : MFM_OK;
}

static void release(mfm_ctx *ctx, mfm_node *node)
{
    released++;
    mfm_free(ctx, node->kernel);
}

static void forward(const mfm_node *node)
{
    called |= 1;
    own(node)->rule->forward(node);
}

static void jvp(const mfm_node *node)
{
    called |= 2;
    own(node)->rule->jvp(node);
}

static void vjp(const mfm_node *node)
{
    called |= 4;
    own(node)->rule->vjp(node);
}

static void vjp_t(const mfm_node *node)
{
    called |= 8;
    own(node)->rule->vjp_t(node);
}

static const mfm_rule rule = {forward, jvp, vjp, vjp_t};

static mfm_impl stand_in(const mfm_ctx *ctx, int which, const char *name)
{
    const mfm_op *op = mfm_op_find("", name, 13);
    of_processor[which] = mfm_impl_find(ctx, op);
    CU_ASSERT_PTR_NOT_NULL_FATAL(of_processor[which]);
    return (mfm_impl){.op = op,
                      .backend = "toy",
                      .setup = setup,
                      .release = release,
                      .rule = &rule,
                      .parts = of_processor[which]->parts,
                      .reads = of_processor[which]->reads};
}

/* ---- a step with and without it ---- */

typedef struct outcome {
    mfm_step_losses losses;
    real *w;
} outcome;

static void run(const prepared *p, const mfm_batch *train, const mfm_batch *meta, outcome *out)
{
    const mfm_modulator_training modulator = {.lr = 0.01};
    const mfm_chosen chosen[] = {{&mfm_modulator_training_settings, &modulator}, {NULL, NULL}};
    const mfm_train_options options = {.method = mfm_method_find("mfm"),
                                       .chosen = chosen,
                                       .epochs = 1,
                                       .batch = BATCH,
                                       .meta_batch = META_BATCH,
                                       .seed = SEED};
    mfm_training *t;
    must(p->ctx, mfm_training_new(p->ctx, p->problem, &options, &t));
    const mfm_batch batches[MFM_MAX_STREAMS] = {*train, *meta};
    options.method->step(t, batches, alpha, &out->losses);
    const size_t size = p->problem->main->params_size;
    out->w = vector_new(p->ctx, size);
    memcpy(out->w, t->w, size * sizeof(real));
    mfm_training_free(t);
}

static void test_same_bits(void)
{
    prepared p;
    prepare(&(recipe){"lenet",
                      {.classes = 4, .channels = 1, .height = 20, .width = 20, .seed = 1},
                      {"last_conv"},
                      {0}},
            &p);
    const mfm_impl toys[OPS] = {stand_in(p.ctx, GEMM, "Gemm"), stand_in(p.ctx, RELU, "Relu")};
    const mfm_impl *const impls[] = {&toys[GEMM], &toys[RELU], NULL};
    const mfm_backend toy = {"toy", impls};
    mfm_batch train = batch_new(&p, BATCH, 1), meta = batch_new(&p, META_BATCH, 2);
    outcome plain, other;
    run(&p, &train, &meta, &plain);
    CU_ASSERT_EQUAL(set_up, 0);
    mfm_ctx_use_backend(p.ctx, &toy);
    run(&p, &train, &meta, &other);
    mfm_ctx_use_backend(p.ctx, NULL);
    CU_ASSERT(set_up > 0);
    CU_ASSERT_EQUAL(set_up, released);
    CU_ASSERT_EQUAL(called, 15); /* all four passes */
    const size_t size = p.problem->main->params_size;
    CU_ASSERT_EQUAL(memcmp(plain.w, other.w, size * sizeof(real)), 0);
    CU_ASSERT_EQUAL(plain.losses.train, other.losses.train);
    CU_ASSERT_EQUAL(plain.losses.meta, other.losses.meta);
    mfm_free_aligned(p.ctx, plain.w);
    mfm_free_aligned(p.ctx, other.w);
    batch_clear(&p, &train);
    batch_clear(&p, &meta);
    prepared_clear(&p);
}

static const mfm_case cases[] = {
    {"a step with another back end's operators has the same bits", test_same_bits},
};
MFM_SUITE("core/train/backend", cases)
