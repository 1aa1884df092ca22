#include "core/engine/kernels/conv/winograd/winograd_tiles.h"

#include "core/engine/kernels/vec.h"

enum { LANES = MFM_VEC_LANES };

static int64_t at_most(int64_t value, int64_t limit)
{
    return value < limit ? value : limit;
}

int64_t mfm_winograd_step(int64_t tiles, int64_t channels)
{
    return (tiles * channels / LANES | 1) * LANES;
}

typedef struct position {
    int64_t image, row, column; /* row, column: of tiles */
} position;

static position position_of(const mfm_winograd_direction *d, int64_t tile)
{
    const int64_t per_image = d->tile_rows * d->tile_columns, within = tile % per_image;
    return (position){tile / per_image, within / d->tile_columns, within % d->tile_columns};
}

static void next_tile(const mfm_winograd_direction *d, position *p)
{
    if (++p->column < d->tile_columns)
        return;
    p->column = 0;
    if (++p->row < d->tile_rows)
        return;
    p->row = 0;
    p->image++;
}

/* The tile whose first element is (row, column) of an image of this side, either perhaps negative;
 * *offset: where that lies. */
static mfm_winograd_tile tile_of(const mfm_winograd_side *s, int64_t image, int64_t row,
                                 int64_t column, int64_t *offset)
{
    *offset = ((image * s->h + row) * s->w + column) * s->c;
    return (mfm_winograd_tile){.row_step = s->w * s->c,
                               .column_step = s->c,
                               .row0 = row < 0 ? -row : 0,
                               .row1 = s->h - row,
                               .column0 = column < 0 ? -column : 0,
                               .column1 = s->w - column,
                               .lanes = LANES};
}

mfm_winograd_rows mfm_winograd_rows_of(const mfm_winograd_direction *d, const mfm_winograd_side *s,
                                       const real *images, int64_t first, int64_t end)
{
    if (first >= end)
        return (mfm_winograd_rows){images, images};
    const position a = position_of(d, first), b = position_of(d, end - 1);
    const int64_t row = a.image * s->h + at_most(a.row * d->form->out, s->h);
    const int64_t row_end = b.image * s->h + at_most((b.row + 1) * d->form->out, s->h);
    return (mfm_winograd_rows){images + row * s->w * s->c, images + row_end * s->w * s->c};
}

void mfm_winograd_read_block(const mfm_winograd_direction *d, const real *x, mfm_winograd_block b,
                             real *v, int64_t step)
{
    const int64_t c = d->from.c;
    position p = position_of(d, b.first);
    for (int64_t t = 0; t < b.tiles; t++, next_tile(d, &p)) {
        int64_t offset;
        const mfm_winograd_tile tile = tile_of(&d->from, p.image, p.row * d->form->out - d->pad[0],
                                               p.column * d->form->out - d->pad[1], &offset);
        for (int64_t i = 0; i < c; i += LANES)
            d->form->input(x + offset + i, &tile, v + i * b.room + t * LANES, step);
    }
}

void mfm_winograd_write_block(const mfm_winograd_direction *d, const real *m, mfm_winograd_block b,
                              real *y, bool add)
{
    const int64_t c = d->to.c, step = mfm_winograd_step(b.room, d->to.room);
    position p = position_of(d, b.first);
    for (int64_t t = 0; t < b.tiles; t++, next_tile(d, &p)) {
        int64_t offset;
        mfm_winograd_tile tile =
            tile_of(&d->to, p.image, p.row * d->form->out, p.column * d->form->out, &offset);
        for (int64_t i = 0; i < c; i += LANES) {
            tile.lanes = at_most(c - i, LANES);
            d->form->output(m + i * b.room + t * LANES, step, &tile, y + offset + i, add);
        }
    }
}

void mfm_winograd_gradient_block(const mfm_winograd_direction *d, const real *gy,
                                 mfm_winograd_block b, int64_t channel, int64_t room, real *n)
{
    const int64_t c = d->to.c - channel, step = mfm_winograd_step(b.room, room);
    position p = position_of(d, b.first);
    for (int64_t t = 0; t < b.tiles; t++, next_tile(d, &p)) {
        int64_t offset;
        mfm_winograd_tile tile =
            tile_of(&d->to, p.image, p.row * d->form->out, p.column * d->form->out, &offset);
        for (int64_t i = 0; i < room; i += LANES) {
            tile.lanes = at_most(c - i, LANES);
            d->form->gradient(gy + offset + channel + i, &tile, n + i * b.room + t * LANES, step);
        }
    }
}
