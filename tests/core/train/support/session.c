#include "tests/core/train/support/session.h"

#include <string.h>
#include <time.h>

#include "onnx/checkpoint.h"

enum { BATCH = 7, META_BATCH = 3 };

static void add_data(session *s)
{
    const mfm_shape *shape = &s->p.problem->main->values[s->p.problem->images].shape;
    tiny_data_new(s->p.ctx, (int)shape->dim[2], (int)shape->dim[3], (int)shape->dim[1], &s->data);
}

static const mfm_steps_values steps = {.factor = 0.5, .milestones = {.item = {2}, .count = 1}};

void session_init(session *s, const recipe *from, const char *method)
{
    memset(s, 0, sizeof *s);
    prepare(from, &s->p);
    add_data(s);
    s->options = (mfm_train_options){.method = mfm_method_find(method),
                                     .epochs = SESSION_EPOCHS,
                                     .batch = BATCH,
                                     .meta_batch = META_BATCH,
                                     .schedule = {.base = 0.05},
                                     .weight_decay = 5e-4,
                                     .seed = 17};
    s->meta_steps = (mfm_meta_steps){.every = 1, .from = 1};
    s->options.feature_memory = 1;
    s->modulator = (mfm_modulator_training){.lr = 0.01, .momentum = 0.9, .weight_decay = 1e-3};
}

void session_init_model(session *s, mfm_ctx *ctx, mfm_model *model, const session *like)
{
    memset(s, 0, sizeof *s);
    prepare_model(ctx, model, &s->p);
    add_data(s);
    s->options = like->options;
    s->meta_steps = (mfm_meta_steps){.every = 1, .from = 1};
    s->modulator = like->modulator;
    s->meta_steps = like->meta_steps;
}

void session_start(session *s)
{
    s->chosen[0] = (mfm_chosen){&mfm_modulator_training_settings, &s->modulator};
    s->chosen[1] = (mfm_chosen){&mfm_weighting_training_settings, &s->modulator};
    s->chosen[2] = (mfm_chosen){&mfm_meta_steps_settings, &s->meta_steps};
    s->chosen[3] = (mfm_chosen){&mfm_steps_settings, &steps};
    s->options.chosen = s->chosen;
    s->options.schedule.chosen = s->chosen;
    prepare_for_split(&s->p, &s->options, s->data.split);
    must(s->p.ctx, mfm_training_new(s->p.ctx, s->p.problem, &s->options, &s->training));
}

static void on_progress(void *self, const mfm_progress *progress)
{
    session *s = self;
    s->steps += progress->to_evaluate == 0;
    CU_ASSERT_EQUAL(progress->step, s->training->counters.step);
    CU_ASSERT(progress->epoch_first_step < progress->step);
    CU_ASSERT(progress->step <= progress->epoch_end_step);
    CU_ASSERT(progress->epoch_end_step <= progress->last_step);
    CU_ASSERT(progress->evaluated <= progress->to_evaluate);
    CU_ASSERT(progress->seconds_left > 0 || progress->step == progress->last_step);
    if (progress->to_evaluate == 0 && progress->step == s->stop_at)
        s->stop = 1;
    if (s->stop_evaluated && progress->evaluated >= s->stop_evaluated)
        s->stop = 1;
}

static int on_epoch(void *self, const mfm_epoch_report *report)
{
    session *s = self;
    const uint32_t index = report->epoch - 1;
    CU_ASSERT_FATAL(index < SESSION_EPOCHS);
    s->train_loss[index] = report->train_loss;
    s->meta_loss[index] = report->meta_loss;
    s->test_error[index] = report->test_error;
    s->validation_error[index] = report->validation_error;
    s->validation_loss[index] = report->validation_loss;
    s->lr[index] = report->lr;
    s->epochs++;
    CU_ASSERT_EQUAL(report->confusion->images, s->data.dataset.test.count);
    if (s->fail_epoch)
        return mfm_fail(s->p.ctx, s->fail_epoch, "the epoch's event says no");
    return MFM_OK;
}

static void on_note(void *self, const char *note)
{
    session *s = self;
    snprintf(s->note, sizeof s->note, "%s", note);
}

static int save(void *self, const mfm_training *training)
{
    session *s = self;
    const struct timespec a_while = {.tv_nsec = 20000000};
    if (s->spare_from)
        nanosleep(&a_while, NULL);
    s->saves++;
    s->last_saved = training->counters.step;
    if (s->fail_save)
        return mfm_fail(s->p.ctx, s->fail_save, "the save event says no");
    if (!s->checkpoint)
        return MFM_OK;
    return mfm_checkpoint_save(s->p.ctx, s->p.model, training, "{}", s->checkpoint, NULL);
}

void session_repeat_tests(session *s, uint32_t count)
{
    mfm_images *test = &s->data.dataset.test;
    const size_t size = mfm_dataset_image_size(&s->data.dataset);
    uint8_t *pixels = mfm_alloc(s->p.ctx, count, size);
    uint16_t *labels = mfm_alloc(s->p.ctx, count, sizeof *labels);
    CU_ASSERT_FATAL(pixels && labels);
    for (uint32_t i = 0; i < count; i++) {
        memcpy(pixels + i * size, test->pixels + i % test->count * size, size);
        labels[i] = test->labels[i % test->count];
    }
    mfm_free(s->p.ctx, test->pixels);
    mfm_free(s->p.ctx, test->labels);
    *test = (mfm_images){.count = count, .pixels = pixels, .labels = labels};
}

void session_validate(session *s, uint32_t per_class)
{
    const mfm_split_options options = {.imbalance = 2,
                                       .meta_per_class = TINY_META,
                                       .meta_from = MFM_META_DISJOINT,
                                       .validation_per_class = per_class,
                                       .seed = 3};
    mfm_split_free(s->p.ctx, s->data.split);
    CU_ASSERT_EQUAL_FATAL(mfm_split_new(s->p.ctx, &s->data.dataset, &options, &s->data.split),
                          MFM_OK);
}

int session_run(session *s)
{
    const mfm_train_data data = tiny_data_parts(&s->data);
    const mfm_train_events events = {.self = s,
                                     .on_progress = on_progress,
                                     .on_epoch = on_epoch,
                                     .save = save,
                                     .save_seconds = s->save_seconds,
                                     .spare_from = s->spare_from,
                                     .on_note = on_note};
    return mfm_train(s->training, &data, &events, &s->stop);
}

void session_clear(session *s)
{
    mfm_training_free(s->training);
    tiny_data_clear(&s->data);
    prepared_clear(&s->p);
}

static bool same(const real *a, const real *b, size_t count)
{
    if (!a || !b)
        return a == b;
    return count == 0 || memcmp(a, b, count * sizeof *a) == 0;
}

static bool same_counters(const mfm_counters *a, const mfm_counters *b)
{
    return a->step == b->step && a->train_loss_sum == b->train_loss_sum &&
           a->meta_loss_sum == b->meta_loss_sum && a->epoch_steps == b->epoch_steps &&
           a->epoch_meta_steps == b->epoch_meta_steps && a->best_error == b->best_error &&
           a->last_error == b->last_error && a->best_epoch == b->best_epoch &&
           memcmp(&a->best_validation_error, &b->best_validation_error, sizeof(double)) == 0 &&
           a->best_validation_epoch == b->best_validation_epoch;
}

static bool same_kept(const mfm_training *s, const mfm_training *t)
{
    if (s->n_kept != t->n_kept || s->n_kept_counts != t->n_kept_counts)
        return false;
    for (int i = 0; i < s->n_kept; i++)
        if (strcmp(s->kept[i].name, t->kept[i].name) != 0 ||
            !same(s->kept[i].data, t->kept[i].data, s->kept[i].count))
            return false;
    for (int i = 0; i < s->n_kept_counts; i++)
        if (*s->kept_counts[i].count != *t->kept_counts[i].count)
            return false;
    return true;
}

bool session_same(const session *a, const session *b)
{
    const mfm_training *s = a->training, *t = b->training;
    return same_kept(s, t) && same(s->state, t->state, s->problem->main->state_size) &&
           same_counters(&s->counters, &t->counters);
}
