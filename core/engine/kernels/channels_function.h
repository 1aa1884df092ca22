/*
 * A function behind a normalisation, y = f(u) of u = shift + scale x by channel: hooks of
 * channels.h that find u anew from x wherever they need it, so that it is never stored. forward  y
 * = f(u) jvp      y' = f'(u) u' vjp      h  = f'(u) g                   is what the normalisation
 * gets for g, vjp_t    h' = f'(u) g' + f''(u) u' g    for g' where u' = line + of_x x + of_dx x'.
 */
#ifndef MFM_CHANNELS_FUNCTION_H
#define MFM_CHANNELS_FUNCTION_H

#include "core/engine/kernels/channels.h"

/* Coefficients of a channel, by row. */
enum {
    MFM_CHANNELS_SHIFT,
    MFM_CHANNELS_SCALE,
    MFM_CHANNELS_LINE,
    MFM_CHANNELS_OF_X,
    MFM_CHANNELS_OF_DX,
    MFM_CHANNELS_ROWS
};

/* A pass at work. Lanes that are zero are NULL. */
typedef struct mfm_channels_function {
    /* As of mfm_pointwise (core/engine/rules.h). */
    void (*value)(const void *attr, size_t n, const real *x, real *y);
    void (*slopes)(const void *attr, size_t n, const real *x, const real *y, real *d1, real *d2);
    const void *attr;
    bool by_output;          /* slopes read f(u) too */
    bool linear;             /* piece by piece: f'' is 0, and slopes not asked for it */
    int64_t channels, width; /* a row has the coefficients as often as fits its width */
    real *row[MFM_CHANNELS_ROWS];
    const real *x, *dx, *g, *dg; /* g and dg: of the output */
} mfm_channels_function;

/* Reals of the rows. */
size_t mfm_channels_function_size(int64_t channels);
/* Points the rows to their places from `at` on. */
void mfm_channels_function_place(mfm_channels_function *f, int64_t channels, real *at);
/* One row from its numbers by channel. */
void mfm_channels_function_set(mfm_channels_function *f, int row, const real *by_channel);

/* Made streams: h, h'. `self` is an mfm_channels_function. */
void mfm_channels_make_adjoint(const void *self, int64_t at, int64_t n, real *to);
void mfm_channels_make_adjoint_tangent(const void *self, int64_t at, int64_t n, real *to);
/* Finished outputs, from u and u'. */
void mfm_channels_finish_value(const void *self, int64_t at, int64_t n, real *to);
void mfm_channels_finish_tangent(const void *self, int64_t at, int64_t n, real *to);

#endif
