/*
 * How a row of an array becomes what a model reads. A row is one sample, a table's line, a signal
 * or an image of numbers, and lies as the model's input is declared: [features], [channels,
 * length], [channels, height, width] or, of a model that reads rows of pixels, [height, width,
 * channels].
 *
 * Numbers stay as they are, or become (x - mean) / deviation with a mean and a deviation for each
 * index along one axis: that of features, or of channels.
 */
#ifndef MFM_ARRAY_FORM_H
#define MFM_ARRAY_FORM_H

#include <stdbool.h>
#include <stddef.h>

#include "core/base/context.h"
#include "core/base/linkage.h"
#include "core/base/real.h"
#include "core/base/shape.h"
#include "core/data/sources/dataset.h"

MFM_C_BEGIN

typedef struct mfm_array_form {
    mfm_shape row; /* without the axis of samples; rank 0: there are no arrays */
    int axis;      /* of row, along which mean and deviation go */
    bool turns;    /* [channels, height, width], of which the engine stores the channels last */
    double *mean, *deviation; /* [row.dim[axis]]; NULL both: numbers stay as they are */
} mfm_array_form;

/* channels_last: of a row of rank 3, else the first axis is that of channels. */
mfm_array_form mfm_array_form_of(const mfm_shape *row, bool channels_last);
void mfm_array_form_clear(mfm_ctx *ctx, mfm_array_form *form);

/* How many numbers mean and deviation have. */
size_t mfm_array_form_length(const mfm_array_form *form);
/* Makes room for them. */
int mfm_array_form_make_scale(mfm_ctx *ctx, mfm_array_form *form);
/* Sets them to those of the dataset's training rows, in double: the deviation is that of the
 * population. What is the same in all rows becomes 0, its deviation being 1. */
int mfm_array_form_measure(mfm_ctx *ctx, const mfm_dataset *dataset, mfm_array_form *form);
/* MFM_EDATA for a mean or a deviation that cannot be used. */
int mfm_array_form_check(mfm_ctx *ctx, const mfm_array_form *form);
/* MFM_EDATA for a number of the dataset that leaves float32 in this form. */
int mfm_array_form_check_data(mfm_ctx *ctx, const mfm_array_form *form, const mfm_dataset *dataset);

/* Number i of a row, row-major. */
float mfm_array_form_number(const mfm_array_form *form, size_t i, float number);
/* A row as the engine stores it; from and to do not overlap. */
void mfm_array_form_row(const mfm_array_form *form, const float *from, real *to);

MFM_C_END

#endif
