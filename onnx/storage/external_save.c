#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "core/data/file_writer.h"
#include "onnx/proto/strmap.h"
#include "onnx/storage/external.h"

enum { LEAST = 1024, ALIGNMENT = 4096 }; /* bytes of a tensor that goes outside; of its place */

bool mfm_external_wanted(const mfm_model *model, uint64_t most)
{
    return model->n_outside ||
           protobuf_c_message_get_packed_size(&model->proto->graph->base) > most;
}

/* Those that lay outside, or, of a model that had none there, all large ones. */
static int choose(const mfm_model *model, mfm_external_save *save)
{
    const Onnx__GraphProto *graph = model->proto->graph;
    mfm_strmap outside;
    mfm_strmap_init(&outside, save->ctx);
    int status = MFM_OK;
    for (size_t i = 0; i < model->n_outside && !status; i++)
        status = mfm_strmap_set(&outside, model->outside[i], 0);
    save->parts = mfm_alloc(save->ctx, graph->n_initializer, sizeof *save->parts);
    if (!save->parts)
        status = MFM_ENOMEM;
    for (size_t i = 0; i < graph->n_initializer && !status; i++) {
        Onnx__TensorProto *t = graph->initializer[i];
        const bool goes = model->n_outside ? mfm_strmap_get(&outside, mfm_proto_text(t->name), NULL)
                                           : t->raw_data.len >= LEAST;
        if (goes && t->raw_data.len)
            save->parts[save->n_parts++] = (mfm_external_part){.tensor = t, .inside = *t};
    }
    mfm_strmap_clear(&outside);
    return status;
}

/* Places, and the name by the content. */
static int find_places(const char *path, mfm_external_save *save)
{
    XXH3_state_t *state = mfm_alloc_aligned(save->ctx, 1, sizeof *state);
    if (!state)
        return MFM_ENOMEM;
    uint64_t at = 0;
    XXH3_64bits_reset(state);
    for (size_t i = 0; i < save->n_parts; i++) {
        mfm_external_part *p = &save->parts[i];
        p->offset = (at + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
        at = p->offset + p->inside.raw_data.len;
        XXH3_64bits_update(state, p->inside.raw_data.data, p->inside.raw_data.len);
        XXH3_64bits_update(state, &p->offset, sizeof p->offset);
    }
    const uint64_t hash = XXH3_64bits_digest(state);
    mfm_free_aligned(save->ctx, state);
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

int mfm_external_save_begin(mfm_ctx *ctx, const mfm_model *model, const char *path,
                            mfm_external_save *save)
{
    *save = (mfm_external_save){.ctx = ctx};
    int status = choose(model, save);
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
