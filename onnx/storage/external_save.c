#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "core/data/file_writer.h"
#include "onnx/proto/strmap.h"
#include "onnx/storage/external.h"
#include "onnx/storage/outline.h"
#include "onnx/storage/remote.h"

enum {
    LEAST = 1024,     /* bytes of a tensor that goes outside */
    ALIGNMENT = 4096, /* of its place */
    BLOCK = 1 << 20   /* bytes read at a time */
};
enum { TAIL = sizeof ".0123456789abcdef.data" - 1 }; /* of the name of the file beside */

_Static_assert((int)LEAST >= (int)MFM_OUTLINE_LEAST, "they stay outside of a model that is opened");

uint64_t mfm_external_largest(const mfm_model *model)
{
    const Onnx__ModelProto *proto = model->proto;
    uint64_t largest = protobuf_c_message_get_packed_size(&proto->graph->base);
    for (size_t i = 0; i < proto->n_training_info; i++) {
        const uint64_t size = protobuf_c_message_get_packed_size(&proto->training_info[i]->base);
        largest = size > largest ? size : largest;
    }
    return largest;
}

/* ---- what goes outside ---- */

/* The main graph is number 0, those of training follow; NULL: there is none in that place. */
static const Onnx__GraphProto *graph_at(const mfm_model *model, size_t i)
{
    return i ? model->proto->training_info[i - 1]->algorithm : model->proto->graph;
}

static size_t count_initializers(const mfm_model *model)
{
    size_t count = 0;
    for (size_t i = 0; i <= model->proto->n_training_info; i++)
        count += graph_at(model, i) ? graph_at(model, i)->n_initializer : 0;
    return count;
}

/* Those that were read from outside (NULL: whichever), or with `large` all large ones. */
static void choose(const mfm_model *model, const mfm_strmap *outside, bool large,
                   mfm_external_save *save)
{
    save->n_parts = 0;
    for (size_t i = 0; i <= model->proto->n_training_info; i++) {
        const Onnx__GraphProto *graph = graph_at(model, i);
        for (size_t k = 0; graph && k < graph->n_initializer; k++) {
            Onnx__TensorProto *t = graph->initializer[k];
            const bool was = outside && mfm_strmap_get(outside, mfm_proto_text(t->name), NULL);
            if ((was && t->raw_data.len) || (large && t->raw_data.len >= LEAST))
                save->parts[save->n_parts++] = (mfm_external_part){.tensor = t, .inside = *t};
        }
    }
}

static uint64_t size_of_parts(const mfm_external_save *save)
{
    uint64_t size = 0;
    for (size_t i = 0; i < save->n_parts; i++)
        size += save->parts[i].inside.raw_data.len;
    return size;
}

/* As it was read, as long as that leaves little enough inside. */
static int choose_as_read(const mfm_model *model, mfm_external_save *save)
{
    mfm_strmap outside;
    int status = MFM_OK;
    mfm_strmap_init(&outside, save->ctx);
    for (size_t i = 0; i < model->n_outside && !status; i++)
        status = mfm_strmap_set(&outside, model->outside[i], 0);
    if (!status)
        choose(model, &outside, false, save);
    if (!status && mfm_external_largest(model) > mfm_one_file_most + size_of_parts(save))
        choose(model, &outside, true, save);
    mfm_strmap_clear(&outside);
    return status;
}

/* ---- the file beside ---- */

/* The hash in its name is of what lies in it, tensor after tensor, and where. */
static XXH3_state_t *hash_begin(mfm_ctx *ctx)
{
    XXH3_state_t *state = mfm_alloc_aligned(ctx, 1, sizeof *state);
    if (state)
        XXH3_64bits_reset(state);
    return state;
}

static uint64_t hash_end(mfm_ctx *ctx, XXH3_state_t *state)
{
    const uint64_t hash = XXH3_64bits_digest(state);
    mfm_free_aligned(ctx, state);
    return hash;
}

/* Places, and the name by the content. */
static int find_places(const char *path, mfm_external_save *save)
{
    XXH3_state_t *state = hash_begin(save->ctx);
    if (!state)
        return MFM_ENOMEM;
    uint64_t at = 0;
    for (size_t i = 0; i < save->n_parts; i++) {
        mfm_external_part *p = &save->parts[i];
        p->offset = (at + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
        at = p->offset + p->inside.raw_data.len;
        XXH3_64bits_update(state, p->inside.raw_data.data, p->inside.raw_data.len);
        XXH3_64bits_update(state, &p->offset, sizeof p->offset);
    }
    const uint64_t hash = hash_end(save->ctx, state);
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
    save->name = mfm_format(save->ctx, "%s.%016" PRIx64 ".data", base, hash);
    if (save->name)
        save->path = mfm_format(save->ctx, "%.*s%s", (int)(base - path), path, save->name);
    return save->path ? MFM_OK : MFM_ENOMEM;
}

static int write_parts(const mfm_external_save *save)
{
    static const uint8_t zeros[ALIGNMENT];
    mfm_file_writer *writer;
    int status = mfm_file_writer_open(save->ctx, save->path, &writer);
    uint64_t at = 0;
    for (size_t i = 0; i < save->n_parts && !status; i++) {
        const mfm_external_part *p = &save->parts[i];
        mfm_file_writer_put(writer, zeros, (size_t)(p->offset - at));
        mfm_file_writer_put(writer, p->inside.raw_data.data, p->inside.raw_data.len);
        at = p->offset + p->inside.raw_data.len;
    }
    if (!status)
        status = mfm_file_writer_commit(writer, NULL);
    mfm_file_writer_close(writer);
    return status;
}

static void set_entry(mfm_external_part *p, size_t i, const char *key, char *value)
{
    onnx__string_string_entry_proto__init(&p->entries[i]);
    p->entries[i].key = (char *)key;
    p->entries[i].value = value;
    p->list[i] = &p->entries[i];
}

static void turn_outside(mfm_external_save *save)
{
    for (size_t i = 0; i < save->n_parts; i++) {
        mfm_external_part *p = &save->parts[i];
        Onnx__TensorProto *t = p->tensor;
        snprintf(p->offset_text, sizeof p->offset_text, "%" PRIu64, p->offset);
        snprintf(p->length_text, sizeof p->length_text, "%zu", p->inside.raw_data.len);
        set_entry(p, 0, "location", save->name);
        set_entry(p, 1, "offset", p->offset_text);
        set_entry(p, 2, "length", p->length_text);
        t->has_raw_data = 0;
        t->raw_data = (ProtobufCBinaryData){0};
        t->n_external_data = 3;
        t->external_data = p->list;
        t->has_data_location = 1;
        t->data_location = ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL;
    }
}

int mfm_external_save_begin(mfm_ctx *ctx, const mfm_model *model, const char *path, bool as_read,
                            mfm_external_save *save)
{
    *save = (mfm_external_save){.ctx = ctx};
    save->parts = mfm_alloc(ctx, count_initializers(model), sizeof *save->parts);
    int status = save->parts ? MFM_OK : MFM_ENOMEM;
    if (!status && as_read)
        status = choose_as_read(model, save);
    else if (!status)
        choose(model, NULL, true, save);
    if (!status && save->n_parts)
        status = find_places(path, save);
    save->before = save->path && access(save->path, F_OK) == 0;
    if (!status && save->n_parts)
        status = write_parts(save);
    if (status) {
        mfm_free(ctx, save->path);
        save->path = NULL; /* nothing was written */
    } else {
        turn_outside(save);
    }
    return status;
}

void mfm_external_save_end(mfm_external_save *save, bool keep)
{
    for (size_t i = 0; i < save->n_parts; i++)
        *save->parts[i].tensor = save->parts[i].inside;
    if (save->path && !keep && !save->before)
        unlink(save->path);
    mfm_free(save->ctx, save->parts);
    mfm_free(save->ctx, save->name);
    mfm_free(save->ctx, save->path);
}

/* ---- whether it is what was written ---- */

static int by_offset(const void *a, const void *b)
{
    const mfm_remote *const *x = a, *const *y = b;
    return ((*x)->offset > (*y)->offset) - ((*x)->offset < (*y)->offset);
}

static int hash_tensor(const mfm_model *model, const mfm_remote *remote, XXH3_state_t *state,
                       uint8_t *block)
{
    const size_t size = remote->tensor->raw_data.len;
    int status = MFM_OK;
    for (size_t at = 0, n; at < size && !status; at += n) {
        n = size - at < BLOCK ? size - at : BLOCK;
        status = mfm_remote_read(model, remote->tensor, at, block, n);
        if (!status)
            XXH3_64bits_update(state, block, n);
    }
    XXH3_64bits_update(state, &remote->offset, sizeof remote->offset);
    return status;
}

/* list: room for all remotes. */
static int hash_file(const mfm_model *model, int fd, const mfm_remote **list, uint8_t *block,
                     uint64_t *hash)
{
    XXH3_state_t *state = hash_begin(model->ctx);
    if (!state)
        return MFM_ENOMEM;
    size_t n = 0;
    for (size_t i = 0; i < model->n_remotes; i++)
        if (model->remotes[i].fd == fd)
            list[n++] = &model->remotes[i];
    if (n)
        qsort(list, n, sizeof(const mfm_remote *), by_offset);
    int status = MFM_OK;
    for (size_t i = 0; i < n && !status; i++)
        status = hash_tensor(model, list[i], state, block);
    *hash = hash_end(model->ctx, state);
    return status;
}

/* The name ends in that hash. */
static bool is_named(const char *name, uint64_t hash)
{
    char end[TAIL + 1];
    const size_t length = strlen(name);
    snprintf(end, sizeof end, ".%016" PRIx64 ".data", hash);
    return length > TAIL && strcmp(name + length - TAIL, end) == 0;
}

int mfm_external_check(const mfm_model *model)
{
    mfm_ctx *ctx = model->ctx;
    const mfm_remote **list = mfm_alloc(ctx, model->n_remotes, sizeof *list);
    uint8_t *block = mfm_alloc(ctx, BLOCK, 1);
    int status = list && block ? MFM_OK : MFM_ENOMEM;
    for (size_t i = 0; i < model->n_beside && !status; i++) {
        uint64_t hash = 0;
        status = hash_file(model, model->beside[i].fd, list, block, &hash);
        if (!status && !is_named(model->beside[i].location, hash))
            status = mfm_fail(ctx, MFM_EDATA,
                              "%s: its weights in %s are not those that its name tells: they were "
                              "damaged, or not written by this program",
                              model->path, model->beside[i].location);
    }
    mfm_free(ctx, list);
    mfm_free(ctx, block);
    return status;
}
