#include "core/train/bilevel/meta_step.h"

#include <assert.h>
#include <string.h>

#include "core/train/comm/comm.h"

static const char *const virtual_forms[] = {
    [MFM_VIRTUAL_PLAIN] = "plain", [MFM_VIRTUAL_FULL] = "full", NULL};
static const char *const virtual_params[] = {
    [MFM_VIRTUAL_ALL] = "all", [MFM_VIRTUAL_CLASSIFIER] = "classifier", NULL};

static const char *no_meta_steps(const void *values, const mfm_run_facts *run)
{
    (void)values;
    return mfm_no_meta_steps(run);
}

static const mfm_option table[] = {
    {.name = "meta-every",
     .kind = MFM_OPTION_UINT,
     .value = "K",
     .min = 1,
     .max = 1e9,
     .offset = offsetof(mfm_meta_steps, every),
     .idle = no_meta_steps,
     .help = "a meta step every K steps"},
    {.name = "meta-from-epoch",
     .kind = MFM_OPTION_UINT,
     .value = "E",
     .min = 1,
     .max = 1e9,
     .offset = offsetof(mfm_meta_steps, from),
     .idle = mfm_no_meta_set,
     .help = "first epoch with meta steps"},
    {.name = "meta-until-epoch",
     .kind = MFM_OPTION_UINT,
     .value = "E",
     .min = 0,
     .max = 1e9,
     .offset = offsetof(mfm_meta_steps, until),
     .silent_default = true,
     .idle = mfm_no_meta_set,
     .help = "last epoch with meta steps; after it the hyper-parameters stay as they are (default: "
             "0, the last of all)"},
    {.name = "virtual-step",
     .kind = MFM_OPTION_CHOICE,
     .value = "FORM",
     .choices = virtual_forms,
     .offset = offsetof(mfm_meta_steps, virtual_form),
     .idle = no_meta_steps,
     .help =
         "a gradient step, or a full one with the momentum and weight decay of the weights' own"},
    {.name = "virtual-params",
     .kind = MFM_OPTION_CHOICE,
     .value = "WHICH",
     .choices = virtual_params,
     .offset = offsetof(mfm_meta_steps, virtual_params),
     .idle = no_meta_steps,
     .help = "weights that the virtual step moves; the last layer's alone cost less"},
};

static const mfm_meta_steps defaults = {.every = 1, .from = 1};
const mfm_settings mfm_meta_steps_settings = MFM_SETTINGS("Meta steps", table, defaults);

const char *mfm_no_meta_steps(const mfm_run_facts *run)
{
    const mfm_meta_steps *m = mfm_chosen_values(run->options, &mfm_meta_steps_settings);
    const uint64_t epochs = run->options->epochs;
    const uint64_t last = m->until && m->until < epochs ? m->until : epochs;
    const char *none = mfm_no_meta_set(NULL, run);
    return none || m->from <= last ? none : "no epoch has meta steps";
}

typedef struct meta_step {
    mfm_bilevel *bilevel;
    const mfm_modulator_training *how; /* NULL: phi is never stepped */
    const mfm_meta_steps *steps;
    /* For hyper-parameters by image: the rows of the batch, of all ranks, of which each is there
     * once after merging; `slot` [samples] finds where a row has been seen. */
    uint32_t *rows, *slot;
    real *merged; /* [batch, width] */
} meta_step;

static int place_rows(mfm_training *t, meta_step *m)
{
    const mfm_hyper *hyper = &t->problem->hypers[0];
    if (hyper->kind != MFM_HYPER_ROWS)
        return MFM_OK;
    m->rows = mfm_alloc(t->ctx, t->options.batch, sizeof *m->rows);
    m->slot = mfm_alloc(t->ctx, t->problem->spec.task->samples, sizeof *m->slot);
    m->merged = mfm_alloc(t->ctx, t->options.batch, hyper->width * sizeof *m->merged);
    return m->rows && m->slot && m->merged ? MFM_OK : MFM_ENOMEM;
}

/* What the virtual step moves, as a list of flags by value; NULL for all. */
static int choose_moved(mfm_training *t, const meta_step *m, bool **moved)
{
    const mfm_classifier *classifier = &t->problem->classifier;
    *moved = NULL;
    if (!m->how || m->steps->virtual_params == MFM_VIRTUAL_ALL)
        return MFM_OK;
    const int status = mfm_classifier_need(t->ctx, classifier, "--virtual-params classifier");
    if (status)
        return status;
    *moved = mfm_alloc(t->ctx, t->problem->main->n_values, sizeof **moved);
    if (!*moved)
        return MFM_ENOMEM;
    (*moved)[classifier->weight] = true;
    if (classifier->bias >= 0)
        (*moved)[classifier->bias] = true;
    return MFM_OK;
}

/* Of adam there is no virtual step of this form: its scale depends on the gradient. */
static int check_optimizer(mfm_training *t, const meta_step *m)
{
    const mfm_optimizer_kind *kind = t->optimizer.kind;
    if (m->steps->virtual_form != MFM_VIRTUAL_FULL || kind == mfm_optimizers[MFM_SGD] ||
        kind == mfm_optimizers[MFM_NESTEROV])
        return MFM_OK;
    return mfm_fail(t->ctx, MFM_EINVAL, "--virtual-step full: the optimizer %s: use %s or %s",
                    kind->name, mfm_optimizers[MFM_SGD]->name, mfm_optimizers[MFM_NESTEROV]->name);
}

static int make_bilevel(mfm_training *t, meta_step *m)
{
    bool *moved = NULL;
    int status = check_optimizer(t, m);
    if (!status)
        status = choose_moved(t, m, &moved);
    const mfm_bilevel_spec spec = {.batch = t->options.batch,
                                   .meta_batch = t->options.meta_batch,
                                   .share = mfm_training_share(t),
                                   .meta_share = mfm_training_meta_share(t),
                                   .comm = t->options.comm,
                                   .meta = m->how ? MFM_META_EXACT : MFM_META_NEVER,
                                   .sharp = mfm_sharpness_on(&t->sharpness),
                                   .full = m->how && m->steps->virtual_form == MFM_VIRTUAL_FULL,
                                   .moved = moved};
    if (!status)
        status = mfm_bilevel_new(t->ctx, t->problem, &spec, &m->bilevel);
    mfm_free(t->ctx, moved);
    return status;
}

int mfm_meta_step_begin(mfm_training *t, const mfm_settings *how)
{
    meta_step *m = mfm_alloc(t->ctx, 1, sizeof *m);
    if (!m)
        return MFM_ENOMEM;
    t->method_state = m;
    m->how = how ? mfm_chosen_values(&t->options, how) : NULL;
    m->steps = mfm_chosen_values(&t->options, &mfm_meta_steps_settings);
    int status = mfm_training_add_hyper(t, 0, m->how);
    if (!status)
        status = place_rows(t, m);
    if (!status)
        status = make_bilevel(t, m);
    if (!status)
        mfm_bilevel_bind(m->bilevel, t->w, t->state, &t->hypers[0].phi);
    return status;
}

void mfm_meta_step_end(mfm_training *t)
{
    meta_step *m = t->method_state;
    mfm_bilevel_free(m->bilevel);
    mfm_free(t->ctx, m->rows);
    mfm_free(t->ctx, m->slot);
    mfm_free(t->ctx, m->merged);
    mfm_free(t->ctx, m);
    t->method_state = NULL;
}

size_t mfm_meta_step_bytes(const mfm_training *t)
{
    const meta_step *m = t->method_state;
    size_t bytes = mfm_bilevel_bytes(m->bilevel);
    if (m->rows)
        bytes +=
            t->options.batch * (t->problem->hypers[0].width * sizeof *m->merged + sizeof *m->rows) +
            t->problem->spec.task->samples * sizeof *m->slot;
    return bytes;
}

/* ---- a step --------------------------------------------------------------------------------- */

static bool is_due(const mfm_training *t, const meta_step *m)
{
    const uint64_t epoch = t->epoch + 1;
    return m->how && epoch >= m->steps->from && (!m->steps->until || epoch <= m->steps->until) &&
           t->counters.step % m->steps->every == 0;
}

bool mfm_meta_step_reads(const mfm_training *t, int stream)
{
    return stream == MFM_META_STEP_TRAIN || is_due(t, t->method_state);
}

/* The rows of this rank's samples; NULL where there are none. */
static uint32_t *own_rows(const mfm_training *t, const meta_step *m)
{
    const mfm_share share = mfm_training_share(t);
    return m->rows ? m->rows + mfm_share_first(&share) : NULL;
}

static void find_rows(const mfm_training *t, const meta_step *m, const mfm_batch *batch)
{
    const mfm_share share = mfm_training_share(t);
    assert(!m->rows || batch->indices);
    for (int64_t i = 0; m->rows && i < mfm_share_count(&share); i++)
        own_rows(t, m)[i] = mfm_task_row(t->problem->spec.task, batch->indices[i]);
    if (m->rows)
        mfm_comm_gather_rows(t->options.comm, t->options.batch, m->rows, sizeof *m->rows);
}

/* An image that is in the batch several times has the sum of its gradients. gradient: rows of this
 * rank's samples. */
static const real *merge_rows(const mfm_training *t, const meta_step *m, const real *gradient)
{
    const size_t width = t->problem->hypers[0].width, n = t->options.batch;
    const mfm_share share = mfm_training_share(t);
    memcpy(m->merged + (size_t)mfm_share_first(&share) * width, gradient,
           (size_t)mfm_share_count(&share) * width * sizeof *gradient);
    mfm_comm_gather_rows(t->options.comm, t->options.batch, m->merged, width * sizeof *m->merged);
    for (uint32_t i = 0; i < n; i++) {
        const uint32_t first = m->slot[m->rows[i]];
        if (first >= i || m->rows[first] != m->rows[i]) {
            m->slot[m->rows[i]] = i;
            continue;
        }
        for (size_t k = 0; k < width; k++)
            m->merged[first * width + k] += m->merged[i * width + k];
        m->rows[i] = MFM_NO_ROW;
    }
    return m->merged;
}

static double rate(const mfm_training *t, const meta_step *m, double lr)
{
    const double own = mfm_modulator_lr(m->how);
    return m->how->follow ? own * lr / t->options.schedule.base : own;
}

/* The step on w itself, were the gradient the virtual one: of sgd, m the momentum so far,
 *     w - lr (mu m + d),  d = g + decay w;   of nesterov  w - lr (mu^2 m + (1 + mu) d). */
static mfm_virtual_step full_step(const mfm_training *t, double lr)
{
    const mfm_optimizer *o = &t->optimizer;
    const double mu = ((const mfm_momentum_values *)(const void *)o->values)->momentum;
    const bool nesterov = o->kind == mfm_optimizers[MFM_NESTEROV];
    return (mfm_virtual_step){.alpha = nesterov ? lr * (1 + mu) : lr,
                              .momentum = nesterov ? mu * mu / (1 + mu) : mu,
                              .weight_decay = o->weight_decay,
                              .spare_vectors = o->spare_vectors,
                              .spared = o->spared,
                              .velocity = o->first};
}

/* phi is stepped along its hypergradient. */
static void step_phi(mfm_training *t, meta_step *m, const mfm_batch *meta, double lr)
{
    mfm_hyper_state *hyper = &t->hypers[0];
    const mfm_virtual_step step = m->steps->virtual_form == MFM_VIRTUAL_FULL
                                      ? full_step(t, lr)
                                      : (mfm_virtual_step){.alpha = lr};
    mfm_bilevel_virtual(m->bilevel, meta, &step);
    const real *gradient = mfm_bilevel_hypergradients(m->bilevel)[0];
    if (m->rows)
        mfm_optimizer_step_rows(&hyper->optimizer, rate(t, m, lr), -step.alpha, m->rows,
                                t->options.batch, merge_rows(t, m, gradient), hyper->phi);
    else
        mfm_optimizer_step(&hyper->optimizer, rate(t, m, lr), -step.alpha, gradient, hyper->phi);
}

static const real *gradient_nearby(void *bilevel)
{
    return mfm_bilevel_gradient_nearby(bilevel);
}

void mfm_step_weights(mfm_training *t, mfm_bilevel *bilevel, double lr)
{
    const real *gradient =
        mfm_sharpen(&t->sharpness, t->problem->main, mfm_bilevel_gradient(bilevel), t->w,
                    gradient_nearby, bilevel);
    mfm_optimizer_step(&t->optimizer, lr, 1, gradient, t->w);
}

void mfm_meta_step_run(mfm_training *t, const mfm_batch *batches, double lr,
                       mfm_step_losses *losses)
{
    meta_step *m = t->method_state;
    const mfm_batch *train = &batches[MFM_META_STEP_TRAIN];
    find_rows(t, m, train);
    mfm_bilevel_begin(m->bilevel, train, own_rows(t, m), t->options.seed, t->counters.step);
    if (is_due(t, m))
        step_phi(t, m, &batches[MFM_META_STEP_META], lr);
    find_rows(t, m, train);
    mfm_step_weights(t, m->bilevel, lr);
    const mfm_bilevel_losses last = mfm_bilevel_last(m->bilevel);
    *losses = (mfm_step_losses){.train = last.train, .meta = last.meta};
}
