#include "onnx/checkpoint.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "onnx/export.h"
#include "onnx/proto/proto.h"
#include "onnx/storage/external.h"
#include "onnx/storage/remote.h"
#include "onnx/storage/seal.h"
#include "onnx/storage/tensor_data.h"

#define KEY "mfm.checkpoint"

enum { VERSION = 1 };

/* ---- vectors: one initialiser a parameter, "mfm.first/fc1.weight", or one in all ---------------
 */

/* The part of a kept vector that one initialiser holds. */
typedef struct piece {
    char *name;
    mfm_shape shape;
    real *data; /* in storage order */
} piece;

/* Piece number `index` of a vector: of the index-th parameter of its layout. Its name is NULL after
 * the last, or with MFM_ENOMEM returned. */
static int next_piece(mfm_ctx *ctx, const mfm_kept *kept, size_t *index, piece *part)
{
    const mfm_graph *layout = kept->layout;
    part->name = NULL;
    if (!layout && (*index)++ == 0) {
        part->shape = (mfm_shape){.rank = 1, .dim = {(int64_t)kept->count}};
        part->data = kept->data;
        part->name = mfm_format(ctx, "mfm.%s", kept->name);
        return part->name ? MFM_OK : MFM_ENOMEM;
    }
    for (; layout && *index < layout->n_values; (*index)++) {
        const mfm_value *value = &layout->values[*index];
        if (value->kind != MFM_VALUE_PARAM)
            continue;
        (*index)++;
        part->shape = value->shape;
        part->data = kept->data + value->offset;
        part->name = mfm_format(ctx, "mfm.%s/%s", kept->name, value->name);
        return part->name ? MFM_OK : MFM_ENOMEM;
    }
    return MFM_OK;
}

static Onnx__StringStringEntryProto *new_entry(mfm_model *model, const char *key, const char *value)
{
    Onnx__StringStringEntryProto *entry = mfm_proto_new(model, sizeof *entry);
    if (!entry)
        return NULL;
    onnx__string_string_entry_proto__init(entry);
    entry->key = mfm_proto_string(model, key);
    entry->value = mfm_proto_string(model, value);
    if (entry->key && entry->value)
        return entry;
    mfm_proto_discard(model, entry);
    return NULL;
}

/* Hangs a message into a list, or frees it. NULL stands for an allocation that failed before. */
static int hang(mfm_model *model, void *array, size_t *count, void *message)
{
    const int status =
        message ? mfm_proto_append(model, array, count, message) : mfm_code(model->ctx);
    if (status)
        mfm_proto_discard(model, message);
    return status;
}

static int add_piece(mfm_model *model, Onnx__TrainingInfoProto *info, const piece *part,
                     real *row_major)
{
    Onnx__GraphProto *graph = info->algorithm;
    const size_t rank = (size_t)part->shape.rank;
    const int64_t *dim = part->shape.dim;
    Onnx__TensorProto *tensor =
        mfm_proto_tensor(model, part->name, ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT, dim, rank, NULL);
    if (tensor) {
        mfm_layout_to_row_major(&part->shape, part->data, row_major);
        mfm_tensor_set_reals(tensor, row_major);
    }
    int status = hang(model, &graph->initializer, &graph->n_initializer, tensor);
    if (!status)
        status = hang(model, &graph->output, &graph->n_output,
                      mfm_proto_value_info(model, part->name, dim, rank, NULL));
    if (!status)
        status = hang(model, &info->update_binding, &info->n_update_binding,
                      new_entry(model, part->name, part->name));
    return status;
}

/* Room for the largest piece of a vector. */
static real *room_for(mfm_ctx *ctx, const mfm_kept *kept)
{
    return mfm_alloc_aligned(ctx, kept->count, sizeof(real));
}

static int add_kept(mfm_model *model, Onnx__TrainingInfoProto *info, const mfm_kept *kept)
{
    real *row_major = room_for(model->ctx, kept);
    int status = row_major ? MFM_OK : MFM_ENOMEM;
    piece part;
    for (size_t i = 0; !status;) {
        status = next_piece(model->ctx, kept, &i, &part);
        if (status || !part.name)
            break;
        status = add_piece(model, info, &part, row_major);
        mfm_free(model->ctx, part.name);
    }
    mfm_free_aligned(model->ctx, row_major);
    return status;
}

static Onnx__TrainingInfoProto *new_training_info(mfm_model *model)
{
    Onnx__TrainingInfoProto *info = mfm_proto_new(model, sizeof *info);
    if (!info)
        return NULL;
    onnx__training_info_proto__init(info);
    info->algorithm = mfm_proto_new(model, sizeof *info->algorithm);
    if (info->algorithm) {
        onnx__graph_proto__init(info->algorithm);
        info->algorithm->name = mfm_proto_string(model, "mfm.training");
    }
    if (info->algorithm && info->algorithm->name)
        return info;
    mfm_proto_discard(model, info);
    return NULL;
}

/* Whether some of the model's tensors have fewer digits than training computes with: then the
 * vectors that lie in the model are kept besides, with all of them. */
static bool is_narrow(const mfm_model *model)
{
    const Onnx__GraphProto *graph = model->proto->graph;
    bool narrow = false;
    for (size_t i = 0; i < graph->n_initializer; i++)
        narrow |= mfm_type_is_narrow(graph->initializer[i]->data_type);
    for (size_t i = 0; i < graph->n_node; i++) {
        const Onnx__AttributeProto *value = mfm_proto_attr(graph->node[i], "value");
        narrow |= value && value->t && mfm_type_is_narrow(value->t->data_type);
    }
    return narrow;
}

/* The running statistics as a vector; of nothing when there are none. */
static mfm_kept statistics_of(const mfm_training *t)
{
    mfm_kept kept = {.name = "statistics"};
    for (int i = 0; i < t->n_kept; i++)
        if (t->kept[i].in_model && t->kept[i].data == t->w && t->state)
            kept.count = t->kept[i].layout->state_size;
    kept.data = t->state;
    return kept;
}

static int add_vectors(mfm_model *model, const mfm_training *t)
{
    const bool narrow = is_narrow(model);
    const mfm_kept statistics = statistics_of(t);
    Onnx__TrainingInfoProto *info = new_training_info(model);
    if (!info)
        return MFM_ENOMEM;
    int status = MFM_OK;
    for (int i = 0; i < t->n_kept && !status; i++)
        if (!t->kept[i].in_model || narrow)
            status = add_kept(model, info, &t->kept[i]);
    if (!status && narrow && statistics.count)
        status = add_kept(model, info, &statistics);
    if (status) {
        mfm_proto_discard(model, info);
        return status;
    }
    return hang(model, &model->proto->training_info, &model->proto->n_training_info, info);
}

/* ---- counters ----------------------------------------------------------------------------- */

static json_t *exact(double number)
{
    char text[64];
    snprintf(text, sizeof text, "%a", number);
    return json_string(text);
}

static json_t *whole(uint64_t number)
{
    return json_integer((json_int_t)number);
}

static json_t *batches_to_json(const mfm_counters *c)
{
    json_t *list = json_array();
    for (int i = 0; i < MFM_MAX_STREAMS; i++)
        json_array_append_new(list, whole(c->batches[i]));
    return list;
}

/* NULL when run_options is no JSON object or list, or memory ran out. */
static char *counters_text(const mfm_training *t, const char *run_options)
{
    const mfm_counters *c = &t->counters;
    json_t *all = json_object();
    int bad = json_object_set_new(all, "version", whole(VERSION));
    bad |= json_object_set_new(all, "step", whole(c->step));
    bad |= json_object_set_new(all, "epoch_steps", whole(c->epoch_steps));
    bad |= json_object_set_new(all, "epoch_meta_steps", whole(c->epoch_meta_steps));
    bad |= json_object_set_new(all, "batches", batches_to_json(c));
    for (int i = 0; i < t->n_kept_counts; i++)
        bad |= json_object_set_new(all, t->kept_counts[i].name, whole(*t->kept_counts[i].count));
    bad |= json_object_set_new(all, "train_loss_sum", exact(c->train_loss_sum));
    bad |= json_object_set_new(all, "meta_loss_sum", exact(c->meta_loss_sum));
    bad |= json_object_set_new(all, "best_error", exact(c->best_error));
    bad |= json_object_set_new(all, "last_error", exact(c->last_error));
    bad |= json_object_set_new(all, "best_epoch", whole(c->best_epoch));
    bad |= json_object_set_new(all, "best_validation_error", exact(c->best_validation_error));
    bad |= json_object_set_new(all, "last_validation_error", exact(c->last_validation_error));
    bad |= json_object_set_new(all, "best_validation_test_error",
                               exact(c->best_validation_test_error));
    bad |= json_object_set_new(all, "best_validation_epoch", whole(c->best_validation_epoch));
    bad |= json_object_set_new(all, "seconds", exact(c->seconds));
    bad |= json_object_set_new(all, "options", json_loads(run_options, 0, NULL));
    char *text = bad ? NULL : json_dumps(all, JSON_COMPACT);
    json_decref(all);
    return text;
}

static int add_counters(mfm_model *model, const mfm_training *t, const char *run_options)
{
    char *text = counters_text(t, run_options);
    if (!text)
        return mfm_fail(model->ctx, MFM_EINVAL,
                        "checkpoint: the counters and options cannot be written as JSON: the "
                        "options must be an object or a list");
    const int status = mfm_proto_set_metadata(model, KEY, text);
    free(text);
    return status;
}

int mfm_checkpoint_save(mfm_ctx *ctx, mfm_model *model, const mfm_training *t,
                        const char *run_options, const char *path, const char *previous)
{
    int status = mfm_checkpoint_strip(ctx, model);
    for (int i = 0; i < t->n_kept && !status; i++)
        if (t->kept[i].in_model)
            status = mfm_model_write_values(ctx, model, t->kept[i].layout, t->kept[i].data,
                                            t->kept[i].data == t->w ? t->state : NULL);
    if (!status)
        status = add_vectors(model, t);
    if (!status)
        status = add_counters(model, t, run_options);
    if (!status)
        status = mfm_model_save_sealed(ctx, model, path, previous);
    const int stripped = mfm_checkpoint_strip(ctx, model);
    return status ? status : stripped;
}

int mfm_checkpoint_strip(mfm_ctx *ctx, mfm_model *model)
{
    (void)ctx;
    Onnx__ModelProto *proto = model->proto;
    for (size_t i = proto->n_training_info; i-- > 0;) {
        const Onnx__GraphProto *algorithm = proto->training_info[i]->algorithm;
        if (algorithm && strcmp(mfm_proto_text(algorithm->name), "mfm.training") == 0)
            mfm_proto_remove(model, &proto->training_info, &proto->n_training_info, i);
    }
    static const char *const keys[2] = {KEY, MFM_SEAL_KEY};
    int status = MFM_OK;
    for (int i = 0; i < 2 && !status; i++)
        if (mfm_proto_metadata(model, keys[i]))
            status = mfm_proto_set_metadata(model, keys[i], NULL);
    return status;
}

/* The seal is that of the file alone, which names the weights beside it by a hash. */
static int open_whole(mfm_ctx *ctx, const char *path, mfm_model **model)
{
    *model = NULL;
    int status = mfm_seal_check(ctx, path);
    if (!status)
        status = mfm_model_open(ctx, path, model);
    return status ? status : mfm_external_check(*model);
}

int mfm_checkpoint_check(mfm_ctx *ctx, const char *path)
{
    mfm_model *model;
    const int status = open_whole(ctx, path, &model);
    mfm_model_free(model);
    return status;
}

int mfm_checkpoint_load(mfm_ctx *ctx, const char *path, mfm_model **model)
{
    int status = open_whole(ctx, path, model);
    if (!status)
        status = mfm_remote_fetch(*model);
    if (status) {
        mfm_model_free(*model);
        *model = NULL;
    }
    return status;
}

/* ---- resuming ----------------------------------------------------------------------------- */

static int damaged(mfm_ctx *ctx, const mfm_model *model, const char *what)
{
    return mfm_fail(ctx, MFM_EDATA, "%s: checkpoint: %s is missing or damaged",
                    mfm_model_path(model), what);
}

/* The metadata's object; NULL with MFM_EDATA or MFM_ENOTSUP recorded. */
static json_t *read_counters(mfm_ctx *ctx, const mfm_model *model)
{
    const char *text = mfm_proto_metadata(model, KEY);
    json_t *all = text ? json_loads(text, 0, NULL) : NULL;
    const json_int_t version = json_integer_value(json_object_get(all, "version"));
    if (!all || version < 1)
        damaged(ctx, model, "metadata " KEY);
    else if (version > VERSION)
        mfm_fail(ctx, MFM_ENOTSUP, "%s: checkpoint: version %lld: up to %d can be read",
                 mfm_model_path(model), (long long)version, VERSION);
    else
        return all;
    json_decref(all);
    return NULL;
}

int mfm_checkpoint_options(mfm_ctx *ctx, const mfm_model *model, char **options)
{
    *options = NULL;
    if (!mfm_proto_metadata(model, KEY))
        return MFM_OK;
    json_t *all = read_counters(ctx, model);
    if (!all)
        return mfm_code(ctx);
    char *text = json_dumps(json_object_get(all, "options"), JSON_COMPACT | JSON_ENCODE_ANY);
    int status = MFM_EDATA;
    if (!text) {
        damaged(ctx, model, "the options");
    } else {
        *options = mfm_strdup(ctx, text);
        status = *options ? MFM_OK : MFM_ENOMEM;
    }
    free(text);
    json_decref(all);
    return status;
}

static bool get_whole(const json_t *all, const char *key, uint64_t *number)
{
    const json_t *value = json_object_get(all, key);
    if (!json_is_integer(value) || json_integer_value(value) < 0)
        return false;
    *number = (uint64_t)json_integer_value(value);
    return true;
}

static bool get_exact(const json_t *all, const char *key, double *number)
{
    const char *text = json_string_value(json_object_get(all, key));
    char *end = NULL;
    if (!text)
        return false;
    *number = strtod(text, &end);
    return end != text && !*end;
}

/* Files from before streams could be read at different paces do not tell: they read one batch of
 * each stream a step. */
static bool get_batches(const json_t *all, mfm_counters *c)
{
    if (!get_whole(all, "epoch_meta_steps", &c->epoch_meta_steps))
        c->epoch_meta_steps = c->epoch_steps;
    const json_t *list = json_object_get(all, "batches");
    for (size_t i = 0; i < MFM_MAX_STREAMS; i++) {
        const json_t *number = json_array_get(list, i);
        if (list && (!json_is_integer(number) || json_integer_value(number) < 0))
            return false;
        c->batches[i] = list ? (uint64_t)json_integer_value(number) : c->step;
    }
    return true;
}

/* Files from before there were validation parts do not tell: their runs have none. */
static bool get_validation(const json_t *all, mfm_counters *c)
{
    uint64_t epoch;
    if (!json_object_get(all, "best_validation_epoch"))
        return true;
    const bool good =
        get_exact(all, "best_validation_error", &c->best_validation_error) &&
        get_exact(all, "last_validation_error", &c->last_validation_error) &&
        get_exact(all, "best_validation_test_error", &c->best_validation_test_error) &&
        get_whole(all, "best_validation_epoch", &epoch) && epoch <= UINT32_MAX;
    if (good)
        c->best_validation_epoch = (uint32_t)epoch;
    return good;
}

static bool get_counters(const json_t *all, mfm_training *t)
{
    mfm_counters *c = &t->counters;
    uint64_t best_epoch = 0;
    bool good =
        get_whole(all, "step", &c->step) && get_whole(all, "epoch_steps", &c->epoch_steps) &&
        get_batches(all, c) && get_exact(all, "train_loss_sum", &c->train_loss_sum) &&
        get_exact(all, "meta_loss_sum", &c->meta_loss_sum) &&
        get_exact(all, "best_error", &c->best_error) &&
        get_exact(all, "last_error", &c->last_error) && get_exact(all, "seconds", &c->seconds) &&
        get_whole(all, "best_epoch", &best_epoch) && best_epoch <= UINT32_MAX &&
        get_validation(all, c);
    c->best_epoch = (uint32_t)best_epoch;
    for (int i = 0; i < t->n_kept_counts && good; i++)
        good = get_whole(all, t->kept_counts[i].name, t->kept_counts[i].count);
    return good;
}

static const Onnx__GraphProto *training_graph(const mfm_model *model)
{
    for (size_t i = 0; i < model->proto->n_training_info; i++) {
        const Onnx__GraphProto *graph = model->proto->training_info[i]->algorithm;
        if (graph && strcmp(mfm_proto_text(graph->name), "mfm.training") == 0)
            return graph;
    }
    return NULL;
}

static const Onnx__TensorProto *find_tensor(const Onnx__GraphProto *graph, const char *name)
{
    for (size_t i = 0; i < graph->n_initializer; i++)
        if (strcmp(mfm_proto_text(graph->initializer[i]->name), name) == 0)
            return graph->initializer[i];
    return NULL;
}

static int restore_piece(mfm_ctx *ctx, const mfm_model *model, const Onnx__GraphProto *graph,
                         const piece *part, real *row_major)
{
    const Onnx__TensorProto *tensor = find_tensor(graph, part->name);
    if (!tensor || tensor->data_type != ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT ||
        mfm_tensor_size(tensor) != (size_t)mfm_shape_count(&part->shape))
        return damaged(ctx, model, part->name);
    mfm_tensor_get_reals(tensor, row_major);
    for (size_t i = 0; i < mfm_tensor_size(tensor); i++)
        if (!isfinite(row_major[i]))
            return mfm_fail(ctx, MFM_EDATA, "%s: checkpoint: %s: number %zu is not finite",
                            mfm_model_path(model), part->name, i);
    mfm_layout_to_engine(&part->shape, row_major, part->data);
    return MFM_OK;
}

static int restore_kept(mfm_ctx *ctx, const mfm_model *model, const Onnx__GraphProto *graph,
                        const mfm_kept *kept)
{
    real *row_major = room_for(ctx, kept);
    int status = row_major ? MFM_OK : MFM_ENOMEM;
    piece part;
    for (size_t i = 0; !status;) {
        status = next_piece(ctx, kept, &i, &part);
        if (status || !part.name)
            break;
        status = restore_piece(ctx, model, graph, &part, row_major);
        mfm_free(ctx, part.name);
    }
    mfm_free_aligned(ctx, row_major);
    return status;
}

int mfm_checkpoint_restore(mfm_ctx *ctx, const mfm_model *model, mfm_training *t)
{
    const Onnx__GraphProto *graph = training_graph(model);
    json_t *all = read_counters(ctx, model);
    if (!all)
        return mfm_code(ctx);
    const bool good = graph && get_counters(all, t);
    json_decref(all);
    if (!good)
        return damaged(ctx, model, "a counter or the optimiser's state");
    const bool narrow = is_narrow(model);
    const mfm_kept statistics = statistics_of(t);
    int status = MFM_OK;
    for (int i = 0; i < t->n_kept && !status; i++)
        if (!t->kept[i].in_model || narrow)
            status = restore_kept(ctx, model, graph, &t->kept[i]);
    if (!status && narrow && statistics.count)
        status = restore_kept(ctx, model, graph, &statistics);
    return status;
}
