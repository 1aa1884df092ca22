/* A run written to a file and taken up again. */
#include "onnx/checkpoint.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "models/models.h"
#include "core/train/bilevel/hyper_training.h"
#include "onnx/surgery/inject.h"
#include "onnx/proto/proto.h"
#include "tests/refusals.h"
#include "tests/onnx/hand.h"
#include "tests/onnx/session.h"
#include "tests/scratch.h"
#include "tests/suite.h"

static const char *const run_options = "{\"lr\": 0.5, \"layers\": [\"last_conv\"]}";

static int prepare(session *s, int kind)
{
    const mfm_modulator_training modulator = {.optimizer = kind, .lr = 0.01, .momentum = 0.9};
    const mfm_chosen chosen[] = {{&mfm_modulator_training_settings, &modulator}, {NULL, NULL}};
    return session_prepare(s, (mfm_train_options){.chosen = chosen});
}

/* Over a small model, plain or modulated. */
static session begin(bool modulated, int kind)
{
    session s = {.ctx = mfm_ctx_new(NULL)};
    CU_ASSERT_PTR_NOT_NULL_FATAL(s.ctx);
    s.model = hand_residual(s.ctx, 8, 13);
    if (modulated)
        must(&s, mfm_model_inject(s.ctx, s.model, &(mfm_inject_options){.hidden = 4}));
    must(&s, prepare(&s, kind));
    return s;
}

static void end(session *s)
{
    session_release(s);
    mfm_ctx_free(s->ctx);
}

/* Numbers without a short decimal form; gaps between values stay 0. */
static void scatter(const mfm_graph *graph, enum mfm_value_kind kind, uint32_t node, real *vector)
{
    const mfm_key key = {.seed = 5, .stream = MFM_STREAM_TEST, .node = node};
    for (size_t i = 0; vector && i < graph->n_values; i++) {
        const mfm_value *value = &graph->values[i];
        const size_t count = value->kind == kind ? (size_t)mfm_shape_count(&value->shape) : 0;
        for (size_t k = 0; k < count; k++)
            vector[value->offset + k] =
                (real)(float)mfm_random_normal(&key, (uint64_t)(value->offset + k));
    }
}

static void go_on_for_a_while(mfm_training *t)
{
    for (int i = 0; i < t->n_kept; i++)
        scatter(t->kept[i].layout, MFM_VALUE_PARAM, (uint32_t)i + 1, t->kept[i].data);
    scatter(t->problem->main, MFM_VALUE_STATE, 0, t->state);
    for (int i = 0; i < t->n_kept_counts; i++)
        *t->kept_counts[i].count = 1234 - 617 * (uint64_t)i;
    t->counters = (mfm_counters){.step = 1234,
                                 .train_loss_sum = 1 / 3.0,
                                 .meta_loss_sum = 1e-300,
                                 .epoch_steps = 34,
                                 .epoch_meta_steps = 3,
                                 .best_error = 12.345678901234567,
                                 .last_error = 100,
                                 .best_epoch = 7,
                                 .best_validation_error = 11.1,
                                 .last_validation_error = 0x1.8p-3,
                                 .best_validation_test_error = 13.7,
                                 .best_validation_epoch = 5,
                                 .batches = {1234, 77},
                                 .seconds = 0.1};
}

static bool same(const real *a, const real *b, size_t count)
{
    return (!a && !b) || (a && b && memcmp(a, b, count * sizeof *a) == 0);
}

static bool same_kept(const mfm_training *a, const mfm_training *b)
{
    for (int i = 0; i < a->n_kept; i++)
        if (!same(a->kept[i].data, b->kept[i].data, a->kept[i].count))
            return false;
    for (int i = 0; i < a->n_kept_counts; i++)
        if (*a->kept_counts[i].count != *b->kept_counts[i].count)
            return false;
    return a->n_kept == b->n_kept && a->n_kept_counts == b->n_kept_counts;
}

static bool same_training(const mfm_training *a, const mfm_training *b)
{
    return same_kept(a, b) && same(a->state, b->state, a->problem->main->state_size) &&
           a->counters.step == b->counters.step &&
           memcmp(a->counters.batches, b->counters.batches, sizeof a->counters.batches) == 0 &&
           a->counters.epoch_steps == b->counters.epoch_steps &&
           a->counters.epoch_meta_steps == b->counters.epoch_meta_steps &&
           a->counters.train_loss_sum == b->counters.train_loss_sum &&
           a->counters.meta_loss_sum == b->counters.meta_loss_sum &&
           a->counters.best_error == b->counters.best_error &&
           a->counters.last_error == b->counters.last_error &&
           a->counters.best_epoch == b->counters.best_epoch &&
           a->counters.best_validation_error == b->counters.best_validation_error &&
           a->counters.last_validation_error == b->counters.last_validation_error &&
           a->counters.best_validation_test_error == b->counters.best_validation_test_error &&
           a->counters.best_validation_epoch == b->counters.best_validation_epoch &&
           a->counters.seconds == b->counters.seconds;
}

/* A path for a file of this test; removed by the test. */
static char *fresh_path(char path[SCRATCH])
{
    CU_ASSERT_PTR_NOT_NULL_FATAL(scratch_file(path, "checkpoint"));
    return path;
}

static void everything_comes_back(void)
{
    for (int form = 0; form < 3; form++) {
        const int kind = form == 2 ? MFM_ADAM : MFM_SGD;
        char path[SCRATCH];
        session a = begin(form > 0, kind), b = {.ctx = mfm_ctx_new(NULL)};
        go_on_for_a_while(a.training);
        must(&a,
             mfm_checkpoint_save(a.ctx, a.model, a.training, run_options, fresh_path(path), NULL));
        must(&b, mfm_model_load(b.ctx, path, &b.model));
        must(&b, prepare(&b, kind));
        must(&b, mfm_checkpoint_restore(b.ctx, b.model, b.training));
        CU_ASSERT(same_training(a.training, b.training));
        char *options = NULL;
        must(&b, mfm_checkpoint_options(b.ctx, b.model, &options));
        CU_ASSERT_STRING_EQUAL(options, "{\"lr\":0.5,\"layers\":[\"last_conv\"]}");
        mfm_free(b.ctx, options);
        unlink(path);
        end(&a);
        end(&b);
    }
}

static void a_checkpoint_of_a_checkpoint_is_the_same_file(void)
{
    char path[SCRATCH];
    session a = begin(true, MFM_ADAM), b = {.ctx = mfm_ctx_new(NULL)};
    go_on_for_a_while(a.training);
    must(&a, mfm_checkpoint_save(a.ctx, a.model, a.training, run_options, fresh_path(path), NULL));
    must(&b, mfm_model_load(b.ctx, path, &b.model));
    must(&b, prepare(&b, MFM_ADAM));
    must(&b, mfm_checkpoint_restore(b.ctx, b.model, b.training));
    size_t before, after;
    void *first = hand_pack(b.ctx, b.model, &before);
    must(&b, mfm_checkpoint_save(b.ctx, b.model, b.training, run_options, path, NULL));
    session c = {.ctx = mfm_ctx_new(NULL)};
    must(&c, mfm_model_load(c.ctx, path, &c.model));
    void *second = hand_pack(c.ctx, c.model, &after);
    CU_ASSERT(before == after && memcmp(first, second, before) == 0);
    mfm_free(b.ctx, first);
    mfm_free(c.ctx, second);
    unlink(path);
    end(&a);
    end(&b);
    end(&c);
}

/* With nothing trained, the model that was injected into; saving leaves it alone, too. */
static void stripping_gives_back_the_model(void)
{
    char path[SCRATCH];
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    mfm_model *plain = hand_residual(ctx, 8, 13);
    session a = begin(true, MFM_ADAM), b = {.ctx = mfm_ctx_new(NULL)};
    size_t sizes[4];
    void *bytes[4];
    bytes[0] = hand_pack(ctx, plain, &sizes[0]);
    must(&a, mfm_checkpoint_save(a.ctx, a.model, a.training, run_options, fresh_path(path), NULL));
    must(&b, mfm_model_load(b.ctx, path, &b.model));
    CU_ASSERT_PTR_NOT_NULL(mfm_proto_metadata(b.model, "mfm.checkpoint"));
    must(&b, mfm_checkpoint_strip(b.ctx, b.model));
    bytes[1] = hand_pack(a.ctx, a.model, &sizes[1]);
    bytes[2] = hand_pack(b.ctx, b.model, &sizes[2]);
    CU_ASSERT(sizes[1] == sizes[2] && memcmp(bytes[1], bytes[2], sizes[1]) == 0);
    must(&b, mfm_model_strip(b.ctx, b.model));
    bytes[3] = hand_pack(b.ctx, b.model, &sizes[3]);
    CU_ASSERT(sizes[0] == sizes[3] && memcmp(bytes[0], bytes[3], sizes[0]) == 0);
    mfm_free(ctx, bytes[0]);
    mfm_free(a.ctx, bytes[1]);
    mfm_free(b.ctx, bytes[2]);
    mfm_free(b.ctx, bytes[3]);
    unlink(path);
    end(&a);
    end(&b);
    mfm_model_free(plain);
    mfm_ctx_free(ctx);
}

static void another_models_training_info_is_left_alone(void)
{
    session a = begin(false, MFM_SGD);
    Onnx__ModelProto *proto = a.model->proto;
    Onnx__TrainingInfoProto *info = mfm_proto_new(a.model, sizeof *info);
    CU_ASSERT_PTR_NOT_NULL_FATAL(info);
    onnx__training_info_proto__init(info);
    must(&a, mfm_proto_append(a.model, &proto->training_info, &proto->n_training_info, info));
    must(&a, mfm_checkpoint_strip(a.ctx, a.model));
    CU_ASSERT_EQUAL(proto->n_training_info, 1);
    char *options = (char *)"";
    must(&a, mfm_checkpoint_options(a.ctx, a.model, &options));
    CU_ASSERT_PTR_NULL(options);
    CU_ASSERT_EQUAL(mfm_checkpoint_restore(a.ctx, a.model, a.training), MFM_EDATA);
    end(&a);
}

static void options_must_be_json(void)
{
    static const char *const bad[] = {"", "{", "7", "{\"a\":}"};
    for (int i = 0; i < 4; i++) {
        char path[SCRATCH];
        session a = begin(false, MFM_SGD);
        CU_ASSERT_EQUAL(
            mfm_checkpoint_save(a.ctx, a.model, a.training, bad[i], fresh_path(path), NULL),
            MFM_EINVAL);
        CU_ASSERT_PTR_NOT_NULL(strstr(mfm_message(a.ctx), "options"));
        CU_ASSERT_EQUAL(a.model->proto->n_training_info, 0);
        unlink(path);
        end(&a);
    }
}

static void what_cannot_be_written_is_told(void)
{
    session a = begin(false, MFM_SGD);
    CU_ASSERT_EQUAL(mfm_checkpoint_save(a.ctx, a.model, a.training, run_options,
                                        "/nowhere/at/all/checkpoint.onnx", NULL),
                    MFM_EIO);
    CU_ASSERT_EQUAL(a.model->proto->n_training_info, 0);
    CU_ASSERT_PTR_NULL(mfm_proto_metadata(a.model, "mfm.checkpoint"));
    end(&a);
}

/* ---- damage ------------------------------------------------------------------------------- */

static Onnx__GraphProto *algorithm_of(const mfm_model *model)
{
    return model->proto->training_info[0]->algorithm;
}

typedef int damage_fn(mfm_model *model);

/* A modulated checkpoint, damaged, and what resuming says. */
static bool is_told(damage_fn *damage, int code, const char *word)
{
    char path[SCRATCH];
    session a = begin(true, MFM_ADAM), b = {.ctx = mfm_ctx_new(NULL)};
    go_on_for_a_while(a.training);
    must(&a, mfm_checkpoint_save(a.ctx, a.model, a.training, run_options, fresh_path(path), NULL));
    must(&b, mfm_model_load(b.ctx, path, &b.model));
    must(&b, prepare(&b, MFM_ADAM));
    must(&b, damage(b.model));
    const int status = mfm_checkpoint_restore(b.ctx, b.model, b.training);
    const bool good = status == code && strstr(mfm_message(b.ctx), word);
    if (!good)
        printf("\n    %d: %s\n", status, mfm_message(b.ctx));
    unlink(path);
    end(&a);
    end(&b);
    return good;
}

static int without_a_tensor(mfm_model *m)
{
    Onnx__GraphProto *graph = algorithm_of(m);
    mfm_proto_remove(m, &graph->initializer, &graph->n_initializer, 2);
    return MFM_OK;
}

static int with_a_shorter_tensor(mfm_model *m)
{
    Onnx__TensorProto *tensor = algorithm_of(m)->initializer[0];
    tensor->dims[0]--;
    tensor->raw_data.len -= tensor->raw_data.len / (size_t)(tensor->dims[0] + 1);
    return MFM_OK;
}

static int with_an_infinite_moment(mfm_model *m)
{
    const float infinite = INFINITY;
    memcpy(algorithm_of(m)->initializer[1]->raw_data.data, &infinite, sizeof infinite);
    return MFM_OK;
}

static int without_training_info(mfm_model *m)
{
    Onnx__ModelProto *proto = m->proto;
    mfm_proto_remove(m, &proto->training_info, &proto->n_training_info, 0);
    return MFM_OK;
}

static int without_metadata(mfm_model *m)
{
    return mfm_proto_set_metadata(m, "mfm.checkpoint", NULL);
}

static int truncated(mfm_model *m)
{
    char *text = mfm_strdup(m->ctx, mfm_proto_metadata(m, "mfm.checkpoint"));
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    text[strlen(text) / 2] = '\0';
    const int status = mfm_proto_set_metadata(m, "mfm.checkpoint", text);
    mfm_free(m->ctx, text);
    return status;
}

/* Puts `to` where the metadata has `from`, of the same length. */
static int with(mfm_model *m, const char *from, const char *to)
{
    char *text = mfm_strdup(m->ctx, mfm_proto_metadata(m, "mfm.checkpoint"));
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    char *at = strstr(text, from);
    CU_ASSERT_PTR_NOT_NULL_FATAL(at);
    memcpy(at, to, strlen(from));
    const int status = mfm_proto_set_metadata(m, "mfm.checkpoint", text);
    mfm_free(m->ctx, text);
    return status;
}

static int with_a_negative_step(mfm_model *m)
{
    return with(m, "\"step\":1234", "\"step\":-123");
}

static int with_a_step_of_text(mfm_model *m)
{
    return with(m, "\"step\":1234", "\"step\":\"12\"");
}

static int without_a_counter(mfm_model *m)
{
    return with(m, "\"seconds\"", "\"SECONDS\"");
}

static int with_a_loss_that_is_no_number(mfm_model *m)
{
    return with(m, "\"train_loss_sum\":\"0x1", "\"train_loss_sum\":\"zzz");
}

static int of_a_later_version(mfm_model *m)
{
    return with(m, "\"version\":1", "\"version\":9");
}

static void damage_is_told(void)
{
    CU_ASSERT(is_told(without_a_tensor, MFM_EDATA, "missing or damaged"));
    CU_ASSERT(is_told(with_a_shorter_tensor, MFM_EDATA, "missing or damaged"));
    CU_ASSERT(is_told(with_an_infinite_moment, MFM_EDATA, "number 0 is not finite"));
    CU_ASSERT(is_told(without_training_info, MFM_EDATA, "missing or damaged"));
    CU_ASSERT(is_told(without_metadata, MFM_EDATA, "mfm.checkpoint"));
    CU_ASSERT(is_told(truncated, MFM_EDATA, "mfm.checkpoint"));
    CU_ASSERT(is_told(with_a_negative_step, MFM_EDATA, "counter"));
    CU_ASSERT(is_told(with_a_step_of_text, MFM_EDATA, "counter"));
    CU_ASSERT(is_told(without_a_counter, MFM_EDATA, "counter"));
    CU_ASSERT(is_told(with_a_loss_that_is_no_number, MFM_EDATA, "counter"));
    CU_ASSERT(is_told(of_a_later_version, MFM_ENOTSUP, "version 9"));
}

/* ---- allocations -------------------------------------------------------------------------- */

typedef struct packed_model {
    void *bytes;
    size_t size;
    char path[SCRATCH];
} packed_model;

static int attempt(mfm_ctx *ctx, void *self)
{
    const packed_model *packed = self;
    session s = {.ctx = ctx};
    int status = mfm_model_parse(ctx, packed->bytes, packed->size, "packed", &s.model);
    if (!status)
        status = prepare(&s, MFM_ADAM);
    if (!status)
        status = mfm_checkpoint_save(ctx, s.model, s.training, run_options, packed->path, NULL);
    session_release(&s);
    if (!status)
        status = mfm_model_load(ctx, packed->path, &s.model);
    if (!status)
        status = prepare(&s, MFM_ADAM);
    if (!status)
        status = mfm_checkpoint_restore(ctx, s.model, s.training);
    session_release(&s);
    return status;
}

static void a_refused_allocation_is_told(void)
{
    session a = begin(true, MFM_ADAM);
    packed_model packed;
    packed.bytes = hand_pack(a.ctx, a.model, &packed.size);
    fresh_path(packed.path);
    mfm_assert_refusals_are_told(attempt, &packed);
    unlink(packed.path);
    mfm_free(a.ctx, packed.bytes);
    end(&a);
}

static const mfm_case cases[] = {
    {"vectors, counters and options come back bit by bit", everything_comes_back},
    {"a checkpoint of a checkpoint is the same file",
     a_checkpoint_of_a_checkpoint_is_the_same_file},
    {"stripping gives back the model", stripping_gives_back_the_model},
    {"another's training_info is left alone", another_models_training_info_is_left_alone},
    {"options must be a JSON object or list", options_must_be_json},
    {"what cannot be written is told, and leaves the model", what_cannot_be_written_is_told},
    {"damage is told", damage_is_told},
    {"a refused allocation is told, and leaks nothing", a_refused_allocation_is_told},
};
MFM_SUITE("onnx/checkpoint", cases)
