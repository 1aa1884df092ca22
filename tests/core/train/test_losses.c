/* Losses and gradients against PyTorch's (tests/data/losses/make_losses.py), and what losses
 * refuse. */
#include <jansson.h>
#include <math.h>
#include <string.h>

#include "core/engine/plan/plan.h"
#include "core/train/problem/class_weights.h"
#include "core/train/losses/loss.h"
#include "tests/suite.h"

enum { N = 6, CLASSES = 5 };

static const uint32_t counts[CLASSES] = {100, 30, 9, 2, 1};

/* What a row of the fixture was made of: "name=value" words set the loss's own settings. */
typedef struct row {
    const char *key, *loss, *settings;
    bool mixed;
    mfm_class_weights weights;
} row;

#define BALANCED(over)                                                                             \
    {                                                                                              \
        MFM_WEIGHTS_CLASS_BALANCED, 0.9999, over, 0                                                \
    }
static const row rows[] = {
    {"cross-entropy", "cross-entropy", "", false, {0}},
    {"cross-entropy mixed", "cross-entropy", "", true, {0}},
    {"cross-entropy weighted", "cross-entropy", "", false, BALANCED(MFM_OVER_SAMPLES)},
    {"cross-entropy weighted mean", "cross-entropy", "", false, BALANCED(MFM_OVER_WEIGHTS)},
    {"cross-entropy inverse mean",
     "cross-entropy",
     "",
     false,
     {MFM_WEIGHTS_INVERSE, 0, MFM_OVER_WEIGHTS, 0}},
    {"cross-entropy weighted mixed", "cross-entropy", "", true, BALANCED(MFM_OVER_SAMPLES)},
    {"balanced-softmax", "balanced-softmax", "", false, {0}},
    {"logit-adjustment", "logit-adjustment", "tau=0.5", false, {0}},
    {"cosen", "cosen", "", false, {0}},
    {"cosen weighted mean mixed", "cosen", "", true, BALANCED(MFM_OVER_WEIGHTS)},
    {"focal softmax", "focal", "focal-form=0 focal-gamma=2", false, {0}},
    {"focal softmax mixed", "focal", "focal-form=0 focal-gamma=0.5", true, {0}},
    {"focal softmax weighted mean", "focal", "focal-form=0 focal-gamma=1", false,
     BALANCED(MFM_OVER_WEIGHTS)},
    {"focal sigmoid", "focal", "focal-form=1 focal-gamma=0.5", false, {0}},
    {"focal sigmoid weighted", "focal", "focal-form=1 focal-gamma=1", false,
     BALANCED(MFM_OVER_SAMPLES)},
    {"focal sigmoid mixed", "focal", "focal-form=1 focal-gamma=2", true, {0}},
    {"sigmoid", "sigmoid", "", false, {0}},
    {"sigmoid weighted mean", "sigmoid", "", false, BALANCED(MFM_OVER_WEIGHTS)},
    {"ldam", "ldam", "ldam-margin=0.5 ldam-scale=30", false, {0}},
    {"ldam weighted mean", "ldam", "", false, BALANCED(MFM_OVER_WEIGHTS)},
    {"ldam mixed", "ldam", "", true, {0}},
    {"label-smoothing", "label-smoothing", "smoothing=0.1", false, {0}},
    {"label-aware-smoothing", "label-aware-smoothing", "smoothing-head=0.4", false, {0}},
    {"label-aware-smoothing weighted mixed", "label-aware-smoothing", "", true,
     BALANCED(MFM_OVER_SAMPLES)},
};

/* Sets "name=number" words in a copy of the defaults. */
static void choose(const mfm_settings *settings, const char *words, void *values)
{
    char text[128], *at = NULL;
    memcpy(values, settings->defaults, settings->size);
    snprintf(text, sizeof text, "%s", words);
    for (char *word = strtok_r(text, " ", &at); word; word = strtok_r(NULL, " ", &at)) {
        char *equals = strchr(word, '=');
        bool found = false;
        for (size_t i = 0; i < settings->count; i++) {
            const mfm_option *o = &settings->options[i];
            if (strncmp(o->name, word, (size_t)(equals - word)) != 0 ||
                o->name[equals - word] != '\0')
                continue;
            found = true;
            void *field = (char *)values + o->offset;
            if (o->kind == MFM_OPTION_CHOICE)
                *(int *)field = atoi(equals + 1);
            else
                *(double *)field = atof(equals + 1);
        }
        CU_ASSERT_FATAL(found);
    }
}

/* A graph of logits, labels and a loss, run once. */
typedef struct bench {
    mfm_ctx *ctx;
    mfm_task task;
    mfm_graph *graph;
    mfm_plan *plan;
    double loss, gradient[N * CLASSES];
} bench;

static void fill(bool mixed, real *z, real *labels)
{
    for (int i = 0; i < N; i++) {
        for (int c = 0; c < CLASSES; c++)
            z[i * CLASSES + c] = (real)(2 * sin(1.3 * i + 0.7 * c + 0.2));
        if (!mixed)
            labels[i] = (real)(i * 2 % CLASSES);
        else {
            labels[i * CLASSES + i * 2 % CLASSES] += (real)0.7;
            labels[i * CLASSES + (N - 1 - i) * 2 % CLASSES] += (real)0.3;
        }
    }
}

static void run(bench *b, const row *r)
{
    static const mfm_pass passes[] = {{MFM_FORWARD, 1}, {MFM_VJP, 1}};
    _Alignas(max_align_t) unsigned char values[MFM_MAX_SETTINGS_SIZE];
    _Alignas(64) real z[64] = {0}, labels[64] = {0}, table[64], costs[64];
    const mfm_loss *loss = mfm_loss_find(r->loss);
    CU_ASSERT_PTR_NOT_NULL_FATAL(loss);
    mfm_chosen chosen[3] = {{&mfm_class_weights_settings, &r->weights}};
    if (loss->settings[0]) {
        choose(loss->settings[0], r->settings, values);
        chosen[1] = (mfm_chosen){loss->settings[0], values};
    }
    const mfm_loss_spec spec = {loss, chosen, &b->task, r->mixed};
    const mfm_shape logits = mfm_shape_of(2, -1, CLASSES),
                    square = mfm_shape_of(2, CLASSES, CLASSES);
    mfm_loss_site site = {.graph = b->graph, .name = "loss", .table = -1, .costs = -1};
    const mfm_shape per_sample = mfm_shape_of(1, -1);
    mfm_graph_input(b->graph, "z", MFM_DATA, &logits, &site.logits);
    mfm_graph_input(b->graph, "labels", MFM_INDEX, r->mixed ? &logits : &per_sample, &site.labels);
    if (mfm_loss_has_table(&spec))
        mfm_graph_input(b->graph, "table", MFM_INDEX, &square, &site.table);
    if (loss->change_costs)
        mfm_graph_input(b->graph, "costs", MFM_INDEX, &square, &site.costs);
    mfm_loss_ends ends;
    int mean;
    CU_ASSERT_EQUAL_FATAL(mfm_loss_add(&spec, &site, &ends), MFM_OK);
    CU_ASSERT_EQUAL_FATAL(mfm_loss_add_mean(&spec, &site, ends.losses, -1, &mean), MFM_OK);
    const mfm_slot keep[] = {{mean, MFM_X}, {mean, MFM_G}, {site.logits, MFM_G}};
    const mfm_plan_spec plan = {
        .batch = N, .training = true, .passes = passes, .n_passes = 2, .keep = keep, .n_keep = 3};
    CU_ASSERT_EQUAL_FATAL(mfm_plan_new(b->ctx, b->graph, &plan, &b->plan), MFM_OK);
    fill(r->mixed, z, labels);
    mfm_loss_fill_table(&spec, CLASSES, 0, table);
    mfm_plan_bind_input(b->plan, site.logits, MFM_X, z);
    mfm_plan_bind_input(b->plan, site.labels, MFM_X, labels);
    if (site.table >= 0)
        mfm_plan_bind_input(b->plan, site.table, MFM_X, table);
    for (int i = 0; i < CLASSES * CLASSES; i++) /* xi_pk = 1 / (1 + p + 2 k) */
        costs[i] = (real)-log(1 + i / CLASSES + 2 * (i % CLASSES));
    if (site.costs >= 0)
        mfm_plan_bind_input(b->plan, site.costs, MFM_X, costs);
    *mfm_plan_lane(b->plan, mean, MFM_G) = 1;
    mfm_plan_run(b->plan, 0);
    mfm_plan_run(b->plan, 1);
    b->loss = (double)*mfm_plan_lane(b->plan, mean, MFM_X);
    for (int i = 0; i < N * CLASSES; i++)
        b->gradient[i] = (double)mfm_plan_lane(b->plan, site.logits, MFM_G)[i];
}

static void bench_init(bench *b)
{
    *b = (bench){.ctx = mfm_ctx_new(NULL)};
    CU_ASSERT_EQUAL_FATAL(mfm_task_init(b->ctx, &b->task, CLASSES, counts, CLASSES, 0), MFM_OK);
    CU_ASSERT_EQUAL_FATAL(mfm_graph_new(b->ctx, &b->graph), MFM_OK);
}

static void bench_clear(bench *b)
{
    mfm_plan_free(b->plan);
    mfm_graph_free(b->graph);
    mfm_task_clear(b->ctx, &b->task);
    mfm_ctx_free(b->ctx);
}

static void losses_and_gradients_are_pytorchs(void)
{
    const double tolerance = sizeof(real) == sizeof(double) ? 1e-12 : 2e-5;
    json_t *fixture = json_load_file(MFM_TEST_DATA "/losses/losses.json", 0, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(fixture);
    CU_ASSERT_EQUAL(json_object_size(fixture), sizeof rows / sizeof rows[0]);
    for (size_t k = 0; k < sizeof rows / sizeof rows[0]; k++) {
        const json_t *expected = json_object_get(fixture, rows[k].key);
        CU_ASSERT_PTR_NOT_NULL_FATAL(expected);
        bench b;
        bench_init(&b);
        run(&b, &rows[k]);
        const double loss = json_real_value(json_object_get(expected, "loss"));
        double worst = fabs(b.loss - loss) / fabs(loss);
        for (size_t i = 0; i < N * CLASSES; i++) {
            const json_t *g = json_array_get(json_object_get(expected, "gradient"), i);
            worst = fmax(worst, fabs(b.gradient[i] - json_real_value(g)));
        }
        if (!(worst < tolerance))
            printf("\n    %s: off by %g", rows[k].key, worst);
        CU_ASSERT(worst < tolerance);
        bench_clear(&b);
    }
    json_decref(fixture);
}

/* The fixture has a row for each loss. */
static void every_loss_is_compared(void)
{
    for (int i = 0; mfm_losses[i]; i++) {
        bool found = false;
        for (size_t k = 0; k < sizeof rows / sizeof rows[0]; k++)
            found = found || strcmp(rows[k].loss, mfm_losses[i]->name) == 0;
        if (!found)
            printf("\n    no row for %s", mfm_losses[i]->name);
        CU_ASSERT(found);
    }
}

static void weights_set_in_at_their_epoch(void)
{
    bench b;
    bench_init(&b);
    const mfm_class_weights weights = {MFM_WEIGHTS_INVERSE, 0, MFM_OVER_SAMPLES, 3};
    const mfm_chosen chosen[] = {{&mfm_class_weights_settings, &weights}, {NULL, NULL}};
    const mfm_loss_spec spec = {.chosen = chosen, .task = &b.task};
    real table[CLASSES * CLASSES];
    mfm_loss_fill_table(&spec, CLASSES, 2, table);
    for (int i = 0; i < CLASSES * CLASSES; i++)
        CU_ASSERT_EQUAL(table[i], i % (CLASSES + 1) == 0);
    mfm_loss_fill_table(&spec, CLASSES, 3, table);
    /* 1/100 + 1/30 + 1/9 + 1/2 + 1 = 1489 / 900; the mean weight is 1 */
    CU_ASSERT_DOUBLE_EQUAL(table[0], 5 * 9.0 / 1489, 1e-6);
    CU_ASSERT_DOUBLE_EQUAL(table[24], 5 * 900.0 / 1489, 1e-6);
    bench_clear(&b);
}

/* A class that does not occur has no weight, and does not count in the mean. */
static void absent_classes_have_no_weight(void)
{
    const uint32_t some[] = {4, 0, 1};
    const mfm_class_weights weights = {MFM_WEIGHTS_INVERSE, 0, MFM_OVER_SAMPLES, 0};
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    mfm_task task;
    CU_ASSERT_EQUAL_FATAL(mfm_task_init(ctx, &task, 4, some, 3, 0), MFM_OK);
    const double scale = mfm_class_weights_scale(&weights, &task);
    CU_ASSERT_DOUBLE_EQUAL(scale * mfm_class_weight(&weights, &task, 0), 0.4, 1e-12);
    CU_ASSERT_EQUAL(mfm_class_weight(&weights, &task, 1), 0);
    CU_ASSERT_DOUBLE_EQUAL(scale * mfm_class_weight(&weights, &task, 2), 1.6, 1e-12);
    CU_ASSERT_EQUAL(mfm_class_weight(&weights, &task, 3), 0);
    mfm_task_clear(ctx, &task);
    mfm_ctx_free(ctx);
}

static void losses_that_need_the_task_refuse_to_do_without(void)
{
    bench b;
    bench_init(&b);
    const mfm_shape logits = mfm_shape_of(2, -1, CLASSES), per_sample = mfm_shape_of(1, -1);
    const mfm_shape square = mfm_shape_of(2, CLASSES, CLASSES);
    mfm_loss_site site = {.graph = b.graph, .name = "loss", .table = -1};
    mfm_graph_input(b.graph, "z", MFM_DATA, &logits, &site.logits);
    mfm_graph_input(b.graph, "labels", MFM_INDEX, &per_sample, &site.labels);
    mfm_graph_input(b.graph, "costs", MFM_INDEX, &square, &site.costs);
    for (int i = 0; mfm_losses[i]; i++) {
        const mfm_loss_spec spec = {.loss = mfm_losses[i]};
        mfm_loss_ends ends;
        const int status = mfm_loss_add(&spec, &site, &ends);
        CU_ASSERT_EQUAL(status, mfm_losses[i]->counts ? MFM_EINVAL : MFM_OK);
        if (status)
            CU_ASSERT_PTR_NOT_NULL(strstr(mfm_message(b.ctx), mfm_losses[i]->name));
    }
    bench_clear(&b);
}

static const mfm_case cases[] = {
    {"losses and gradients are PyTorch's", losses_and_gradients_are_pytorchs},
    {"every loss is compared", every_loss_is_compared},
    {"class weights set in at their epoch, with mean 1", weights_set_in_at_their_epoch},
    {"classes that do not occur have no weight", absent_classes_have_no_weight},
    {"losses that need the number of images refuse to do without",
     losses_that_need_the_task_refuse_to_do_without},
};
MFM_SUITE("core/train/losses", cases)
