#include "tools/infer/run_outputs.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "tools/files.h"

/* ---- which ------------------------------------------------------------------------------------
 */

static int check_distinct(mfm_ctx *ctx, const mfm_run_outputs *o, const char *path)
{
    for (size_t i = 0; i < o->count; i++)
        if (strcmp(o->item[i].path, path) == 0)
            return mfm_fail(ctx, MFM_EUSAGE, "%s: two values are to be written there",
                            mfm_output_name(path));
    return MFM_OK;
}

/* Takes name and path, which the caller has made with mfm_strdup or mfm_format; name NULL: the
 * logits. */
static int add(mfm_ctx *ctx, const mfm_model *model, mfm_run_outputs *o, char *name, char *path)
{
    int status = path ? check_distinct(ctx, o, path) : MFM_ENOMEM;
    if (!status)
        status = mfm_check_output(ctx, path, mfm_model_path(model));
    if (!status)
        status = mfm_grow(ctx, &o->item, o->count, &o->capacity, sizeof *o->item);
    if (!status) {
        o->item[o->count++] = (mfm_run_output){.name = name, .path = path};
        return MFM_OK;
    }
    mfm_free(ctx, name);
    mfm_free(ctx, path);
    return status;
}

static int add_text(mfm_ctx *ctx, const mfm_model *model, const char *text, mfm_run_outputs *o)
{
    const char *equals = strrchr(text, '=');
    if (!equals || equals == text || !equals[1])
        return mfm_fail(ctx, MFM_EUSAGE, "--value: %.80s: expected NAME=FILE", text);
    char *name = mfm_format(ctx, "%.*s", (int)(equals - text), text);
    return name ? add(ctx, model, o, name, mfm_strdup(ctx, equals + 1)) : MFM_ENOMEM;
}

/* Names of exporters may have slashes, which are no folders here. */
static int add_output(mfm_ctx *ctx, const mfm_model *model, const char *folder, const char *output,
                      mfm_run_outputs *o)
{
    char *name = mfm_strdup(ctx, output);
    if (!name)
        return MFM_ENOMEM;
    char *path = mfm_format(ctx, "%s/%s.npy", folder, output);
    for (char *c = path ? path + strlen(folder) + 1 : NULL; c && *c; c++)
        *c = *c == '/' ? '_' : *c;
    return add(ctx, model, o, name, path);
}

int mfm_run_outputs_collect(mfm_ctx *ctx, const mfm_model *model, const char *logits,
                            const mfm_strings *values, const char *folder, mfm_run_outputs *outputs)
{
    int status = MFM_OK;
    if (logits)
        status = add(ctx, model, outputs, NULL, mfm_strdup(ctx, logits));
    for (size_t i = 0; i < values->count && !status; i++)
        status = add_text(ctx, model, values->item[i], outputs);
    if (status || !folder)
        return status;
    if (mkdir(folder, 0777) && errno != EEXIST)
        return mfm_fail_errno(ctx, errno, "make", folder);
    for (size_t i = 0; i < mfm_model_outputs(model) && !status; i++)
        status = add_output(ctx, model, folder, mfm_model_output(model, i), outputs);
    return status;
}

void mfm_run_outputs_clear(mfm_ctx *ctx, mfm_run_outputs *outputs)
{
    for (size_t i = 0; i < outputs->count; i++) {
        mfm_row_file_close(&outputs->item[i].file);
        mfm_free(ctx, outputs->item[i].name);
        mfm_free(ctx, outputs->item[i].path);
    }
    mfm_free(ctx, outputs->item);
    mfm_free_aligned(ctx, outputs->row_major);
    mfm_free(ctx, outputs->numbers);
    *outputs = (mfm_run_outputs){.count = 0};
}

/* ---- writing -----------------------------------------------------------------------------------
 */

int mfm_run_outputs_open(mfm_ctx *ctx, const mfm_plan *plan, int64_t batch, size_t images,
                         mfm_run_outputs *outputs)
{
    size_t most = 1;
    for (size_t i = 0; i < outputs->count; i++) {
        mfm_run_output *o = &outputs->item[i];
        mfm_shape shape = *mfm_plan_shape(plan, o->value);
        const size_t numbers = (size_t)mfm_shape_count(&shape);
        most = numbers > most ? numbers : most;
        o->length = numbers / (size_t)batch;
        o->rows = shape.dim[0] / batch;
        shape.dim[0] = mfm_count_times(o->rows, (int64_t)images);
        int status = mfm_shape_check(ctx, &shape, o->path);
        if (!status)
            status = mfm_row_file_open(ctx, o->path, &shape, &o->file);
        if (status)
            return status;
    }
    outputs->row_major = mfm_alloc_aligned(ctx, most, sizeof *outputs->row_major);
    outputs->numbers = mfm_alloc(ctx, most, sizeof *outputs->numbers);
    return outputs->row_major && outputs->numbers ? MFM_OK : MFM_ENOMEM;
}

void mfm_run_outputs_put(mfm_run_outputs *outputs, const mfm_plan *plan, size_t images)
{
    for (size_t i = 0; i < outputs->count; i++) {
        mfm_run_output *o = &outputs->item[i];
        const size_t numbers = o->length * images;
        mfm_layout_to_row_major(mfm_plan_shape(plan, o->value),
                                mfm_plan_lane(plan, o->value, MFM_X), outputs->row_major);
        for (size_t k = 0; k < numbers; k++)
            outputs->numbers[k] = (float)outputs->row_major[k];
        mfm_row_file_put(&o->file, outputs->numbers, numbers);
    }
}

int mfm_run_outputs_commit(mfm_run_outputs *outputs)
{
    int status = MFM_OK;
    for (size_t i = 0; i < outputs->count && !status; i++)
        status = mfm_row_file_commit(&outputs->item[i].file);
    return status;
}

void mfm_run_outputs_tell(const mfm_run_outputs *outputs)
{
    char shape[MFM_SHAPE_TEXT];
    for (size_t i = 0; i < outputs->count; i++) {
        const mfm_run_output *o = &outputs->item[i];
        printf("wrote %s: %s %s\n", mfm_output_name(o->path), o->name ? o->name : "logits",
               mfm_shape_text(&o->file.shape, shape));
    }
}
