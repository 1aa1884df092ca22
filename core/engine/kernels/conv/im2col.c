#include "core/engine/kernels/conv/im2col.h"

#include <string.h>

enum { PARALLEL_FROM = 16384 };

/* One window: kh * kw runs of `depth` channels. */
static void gather(const mfm_conv_shape *s, const real *image, int64_t y, int64_t x, int64_t depth,
                   real *to)
{
    for (int64_t i = 0; i < s->kh; i++) {
        const int64_t row = y * s->stride[0] - s->pad_begin[0] + i * s->dilation[0];
        for (int64_t j = 0; j < s->kw; j++, to += depth) {
            const int64_t col = x * s->stride[1] - s->pad_begin[1] + j * s->dilation[1];
            if (row < 0 || row >= s->h || col < 0 || col >= s->w)
                memset(to, 0, (size_t)depth * sizeof *to);
            else
                memcpy(to, image + (row * s->w + col) * s->c, (size_t)depth * sizeof *to);
        }
    }
}

void mfm_im2col(const mfm_conv_shape *s, int64_t group, int64_t r0, int64_t r1, const real *x,
                real *columns)
{
    const int64_t depth = s->c / s->groups, length = s->kh * s->kw * depth;
#pragma omp parallel for if ((r1 - r0) * s->ow * length >= PARALLEL_FROM)
    for (int64_t r = r0; r < r1; r++) {
        const real *image = x + r / s->oh * s->h * s->w * s->c + group * depth;
        for (int64_t i = 0; i < s->ow; i++)
            gather(s, image, r % s->oh, i, depth, columns + ((r - r0) * s->ow + i) * length);
    }
}

/* Adds the windows of result row y that meet image row `row` through kernel row i. */
static void add_row(const mfm_conv_shape *s, const real *columns, int64_t i, int64_t depth,
                    real *gx_row)
{
    const int64_t length = s->kh * s->kw * depth;
    for (int64_t x = 0; x < s->ow; x++)
        for (int64_t j = 0; j < s->kw; j++) {
            const int64_t col = x * s->stride[1] - s->pad_begin[1] + j * s->dilation[1];
            if (col < 0 || col >= s->w)
                continue;
            const real *from = columns + x * length + (i * s->kw + j) * depth;
            real *to = gx_row + col * s->c;
            for (int64_t k = 0; k < depth; k++)
                to[k] += from[k];
        }
}

/* Goes by image rows, not by windows: no two threads write the same pixel. */
void mfm_im2col_adjoint(const mfm_conv_shape *s, int64_t group, int64_t r0, int64_t r1,
                        const real *columns, real *gx)
{
    const int64_t depth = s->c / s->groups, width = s->ow * s->kh * s->kw * depth;
    const int64_t first = r0 / s->oh * s->h, last = ((r1 - 1) / s->oh + 1) * s->h;
#pragma omp parallel for if ((r1 - r0) * width >= PARALLEL_FROM)
    for (int64_t image_row = first; image_row < last; image_row++) {
        const int64_t image = image_row / s->h, row = image_row % s->h;
        for (int64_t i = 0; i < s->kh; i++) {
            const int64_t offset = row + s->pad_begin[0] - i * s->dilation[0];
            const int64_t r = image * s->oh + offset / s->stride[0];
            if (offset < 0 || offset % s->stride[0] || offset / s->stride[0] >= s->oh || r < r0 ||
                r >= r1)
                continue;
            add_row(s, columns + (r - r0) * width, i, depth,
                    gx + image_row * s->w * s->c + group * depth);
        }
    }
}
