#include "core/data/array_form.h"

#include <math.h>

mfm_array_form mfm_array_form_of(const mfm_shape *row, bool channels_last)
{
    return (mfm_array_form){.row = *row,
                            .axis = row->rank == 3 && channels_last ? 2 : 0,
                            .turns = row->rank == 3 && !channels_last};
}

void mfm_array_form_clear(mfm_ctx *ctx, mfm_array_form *form)
{
    mfm_free(ctx, form->mean);
    mfm_free(ctx, form->deviation);
    *form = (mfm_array_form){.axis = 0};
}

size_t mfm_array_form_length(const mfm_array_form *form)
{
    return (size_t)form->row.dim[form->axis];
}

int mfm_array_form_make_scale(mfm_ctx *ctx, mfm_array_form *form)
{
    const size_t length = mfm_array_form_length(form);
    form->mean = mfm_alloc(ctx, length, sizeof *form->mean);
    form->deviation = mfm_alloc(ctx, length, sizeof *form->deviation);
    return form->mean && form->deviation ? MFM_OK : MFM_ENOMEM;
}

/* Which mean and deviation number i of a row has. */
static size_t index_along(const mfm_array_form *form, size_t i)
{
    size_t inner = 1;
    for (int a = form->axis + 1; a < form->row.rank; a++)
        inner *= (size_t)form->row.dim[a];
    return i / inner % mfm_array_form_length(form);
}

/* ---- measuring ---- */

typedef struct range {
    float low, high;
} range;

/* Sums of the numbers along the axis, or of their squared distances from the mean. */
static void add_up(const mfm_array_form *form, const mfm_images *rows, const double *mean,
                   double *sum)
{
    const size_t size = (size_t)mfm_shape_count(&form->row);
    for (size_t r = 0; r < rows->count; r++)
        for (size_t i = 0; i < size; i++) {
            const size_t k = index_along(form, i);
            const double x = (double)rows->numbers[r * size + i] - (mean ? mean[k] : 0);
            sum[k] += mean ? x * x : x;
        }
}

static void find_ranges(const mfm_array_form *form, const mfm_images *rows, range *ranges)
{
    const size_t size = (size_t)mfm_shape_count(&form->row);
    for (size_t k = 0; k < mfm_array_form_length(form); k++)
        ranges[k] = (range){INFINITY, -INFINITY};
    for (size_t r = 0; r < rows->count; r++)
        for (size_t i = 0; i < size; i++) {
            range *of = &ranges[index_along(form, i)];
            const float x = rows->numbers[r * size + i];
            of->low = x < of->low ? x : of->low;
            of->high = x > of->high ? x : of->high;
        }
}

int mfm_array_form_measure(mfm_ctx *ctx, const mfm_dataset *dataset, mfm_array_form *form)
{
    const mfm_images *rows = &dataset->train;
    if (rows->count == 0)
        return mfm_fail(ctx, MFM_EDATA, "%s: no training rows to measure mean and deviation on",
                        dataset->name);
    const size_t length = mfm_array_form_length(form);
    const double each = (double)rows->count * (double)mfm_shape_count(&form->row) / (double)length;
    range *ranges = mfm_alloc(ctx, length, sizeof *ranges);
    if (!ranges || mfm_array_form_make_scale(ctx, form)) {
        mfm_free(ctx, ranges);
        return MFM_ENOMEM;
    }
    find_ranges(form, rows, ranges);
    add_up(form, rows, NULL, form->mean);
    for (size_t k = 0; k < length; k++)
        form->mean[k] =
            ranges[k].low < ranges[k].high ? form->mean[k] / each : (double)ranges[k].low;
    add_up(form, rows, form->mean, form->deviation);
    for (size_t k = 0; k < length; k++)
        form->deviation[k] = ranges[k].low < ranges[k].high ? sqrt(form->deviation[k] / each) : 1;
    mfm_free(ctx, ranges);
    return MFM_OK;
}

/* ---- checks ---- */

int mfm_array_form_check(mfm_ctx *ctx, const mfm_array_form *form)
{
    for (size_t k = 0; form->mean && k < mfm_array_form_length(form); k++) {
        if (!isfinite(form->mean[k]))
            return mfm_fail(ctx, MFM_EDATA, "mean %g at %zu: must be a number", form->mean[k], k);
        if (!(form->deviation[k] > 0) || !isfinite(form->deviation[k]))
            return mfm_fail(ctx, MFM_EDATA, "deviation %g at %zu: must be above 0",
                            form->deviation[k], k);
    }
    return MFM_OK;
}

static int check_part(mfm_ctx *ctx, const mfm_array_form *form, const mfm_dataset *dataset,
                      const mfm_images *rows, const char *part)
{
    const size_t size = (size_t)mfm_shape_count(&form->row);
    for (size_t r = 0; r < rows->count; r++)
        for (size_t i = 0; i < size; i++)
            if (!isfinite(mfm_array_form_number(form, i, rows->numbers[r * size + i])))
                return mfm_fail(ctx, MFM_EDATA,
                                "%s: %s row %zu, number %zu: %g with mean %g and deviation %g is "
                                "beyond float32",
                                dataset->name, part, r, i, (double)rows->numbers[r * size + i],
                                form->mean[index_along(form, i)],
                                form->deviation[index_along(form, i)]);
    return MFM_OK;
}

int mfm_array_form_check_data(mfm_ctx *ctx, const mfm_array_form *form, const mfm_dataset *dataset)
{
    int status = MFM_OK;
    if (form->mean)
        status = check_part(ctx, form, dataset, &dataset->train, "training");
    if (form->mean && !status)
        status = check_part(ctx, form, dataset, &dataset->test, "test");
    return status;
}

/* ---- use ---- */

float mfm_array_form_number(const mfm_array_form *form, size_t i, float number)
{
    if (!form->mean)
        return number;
    const size_t k = index_along(form, i);
    return (float)(((double)number - form->mean[k]) / form->deviation[k]);
}

void mfm_array_form_row(const mfm_array_form *form, const float *from, real *to)
{
    const size_t size = (size_t)mfm_shape_count(&form->row);
    const size_t channels = form->turns ? (size_t)form->row.dim[0] : 1, plane = size / channels;
    for (size_t c = 0; c < channels; c++)
        for (size_t p = 0; p < plane; p++) {
            const size_t i = c * plane + p;
            to[p * channels + c] = (real)mfm_array_form_number(form, i, from[i]);
        }
}
