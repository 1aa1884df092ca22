#include "tools/report/mistakes.h"

#include <math.h>
#include <string.h>

#include "core/data/images/png_write.h"
#include "core/data/sources/source.h"
#include "tools/show/printable.h"

enum { LARGEST_SIDE = 96 };

int mfm_mistakes_init(mfm_ctx *ctx, mfm_mistakes *mistakes, int room)
{
    *mistakes = (mfm_mistakes){.room = room};
    mistakes->item = mfm_alloc(ctx, (size_t)room, sizeof *mistakes->item);
    return mistakes->item ? MFM_OK : MFM_ENOMEM;
}

void mfm_mistakes_clear(mfm_ctx *ctx, mfm_mistakes *mistakes)
{
    mfm_free(ctx, mistakes->item);
    *mistakes = (mfm_mistakes){.item = NULL};
}

static bool is_taken(const mfm_page_mistake *k, int class_number)
{
    for (int i = 0; i < k->guesses; i++)
        if (k->guess[i] == class_number)
            return true;
    return false;
}

/* The likeliest classes with their shares; sum is that of exp(logit - top). */
static void add_guesses(mfm_page_mistake *k, const real *logits, int classes, double top,
                        double sum)
{
    while (k->guesses < MFM_PAGE_GUESSES && k->guesses < classes) {
        int best = -1;
        for (int c = 0; c < classes; c++)
            if (!is_taken(k, c) && (best < 0 || logits[c] > logits[best]))
                best = c;
        k->guess[k->guesses] = best;
        k->share[k->guesses++] = 100 * exp((double)logits[best] - top) / sum;
    }
}

void mfm_mistakes_offer(mfm_mistakes *m, uint32_t index, const mfm_outcome *outcome,
                        const real *logits, int classes)
{
    const double share = 100 * outcome->confidence;
    if (m->room == 0 || isnan(share) ||
        (m->count == m->room && share <= m->item[m->count - 1].share[0]))
        return;
    mfm_page_mistake new = {.index = index, .truth = outcome->label};
    add_guesses(&new, logits, classes, (double)logits[outcome->predicted], 1 / outcome->confidence);
    m->count += m->count < m->room;
    int at = m->count - 1;
    for (; at > 0 && m->item[at - 1].share[0] < share; at--)
        m->item[at] = m->item[at - 1];
    m->item[at] = new;
}

/* ---- pictures ---- */

static char *base64(mfm_ctx *ctx, const uint8_t *bytes, size_t size)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char *text = mfm_alloc(ctx, (size + 2) / 3 * 4 + 1, 1), *to = text;
    for (size_t i = 0; i < size && text; i += 3) {
        const size_t left = size - i;
        const uint32_t word = (uint32_t)bytes[i] << 16 |
                              (left > 1 ? (uint32_t)bytes[i + 1] << 8 : 0) |
                              (left > 2 ? (uint32_t)bytes[i + 2] : 0);
        *to++ = digits[word >> 18];
        *to++ = digits[word >> 12 & 63];
        *to++ = left > 1 ? digits[word >> 6 & 63] : '=';
        *to++ = left > 2 ? digits[word & 63] : '=';
    }
    return text;
}

/* Every n-th pixel of a large picture: [height, width, channels], which it sets. */
static uint8_t *thin(mfm_ctx *ctx, const mfm_picture *p, int *height, int *width)
{
    const int larger = p->height > p->width ? p->height : p->width;
    const int step = (larger + LARGEST_SIDE - 1) / LARGEST_SIDE;
    const size_t channels = (size_t)p->channels;
    *height = (p->height + step - 1) / step;
    *width = (p->width + step - 1) / step;
    uint8_t *pixels = mfm_alloc(ctx, (size_t)*height * (size_t)*width * channels, 1);
    for (int y = 0; y < *height && pixels; y++)
        for (int x = 0; x < *width; x++)
            memcpy(pixels + ((size_t)y * (size_t)*width + (size_t)x) * channels,
                   p->pixels +
                       ((size_t)(y * step) * (size_t)p->width + (size_t)(x * step)) * channels,
                   channels);
    return pixels;
}

static int draw(mfm_run_record *r, const mfm_picture *p, const char **text)
{
    uint8_t *png = NULL;
    size_t size;
    int height, width;
    uint8_t *pixels = thin(r->ctx, p, &height, &width);
    int status = pixels ? mfm_png_write(r->ctx, pixels, height, width, p->channels, &png, &size)
                        : MFM_ENOMEM;
    if (!status && !(*text = mfm_run_record_keep(r, base64(r->ctx, png, size))))
        status = MFM_ENOMEM;
    mfm_free(r->ctx, pixels);
    mfm_free(r->ctx, png);
    return status;
}

/* By how much a decoder may reduce a picture that is thinned anyway. */
static int reduction(const mfm_picture *p)
{
    const int larger = p->height > p->width ? p->height : p->width;
    int reduce = 1;
    while (reduce < 8 && larger / (2 * reduce) >= LARGEST_SIDE)
        reduce *= 2;
    return reduce;
}

/* *text stays NULL for what has no colours; rows of arrays are no pictures at all. */
static int read_picture(mfm_run_record *r, mfm_reader *reader, uint32_t index, const char **text)
{
    int status = mfm_reader_begin(reader, index);
    const mfm_picture *p = mfm_reader_picture(reader);
    if (!status)
        status = mfm_reader_pixels(reader, reduction(p));
    if (status)
        return mfm_fail(r->ctx, status, "%s", p->message);
    return p->channels == 1 || p->channels == 3 ? draw(r, p, text) : MFM_OK;
}

/* The image's file as a page can hold it; *text stays NULL for images that have none. */
static int name_file(mfm_run_record *r, const mfm_images *images, uint32_t index, const char **text)
{
    const char *path = mfm_images_path(images, index);
    if (!path)
        return MFM_OK;
    char *room = mfm_alloc(r->ctx, MFM_PRINTABLE_GROWTH * strlen(path) + 1, 1);
    if (room)
        mfm_printable(path, room);
    return (*text = mfm_run_record_keep(r, room)) ? MFM_OK : MFM_ENOMEM;
}

int mfm_mistakes_show(const mfm_mistakes *m, const mfm_dataset *d, mfm_run_record *r,
                      mfm_run_evaluation *e)
{
    mfm_reader *reader;
    e->mistakes = mfm_alloc(r->ctx, (size_t)m->count, sizeof *e->mistakes);
    int status = e->mistakes
                     ? mfm_reader_open(r->ctx, &d->test, d->height, d->width, d->channels, &reader)
                     : MFM_ENOMEM;
    if (status)
        return status;
    for (int i = 0; i < m->count && !status; i++) {
        e->mistakes[i] = m->item[i];
        status = name_file(r, &d->test, m->item[i].index, &e->mistakes[i].file);
        if (!status && !d->row.rank)
            status = read_picture(r, reader, m->item[i].index, &e->mistakes[i].picture);
    }
    mfm_reader_close(r->ctx, reader);
    r->page.mistakes = e->mistakes;
    r->page.n_mistakes = status ? 0 : m->count;
    return status;
}
