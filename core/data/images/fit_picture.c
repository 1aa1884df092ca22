#include "core/data/images/fit_picture.h"

#include <stdlib.h>

enum { LARGEST = 1 << 30 };

void mfm_fitting_clear(mfm_fitting *fitting)
{
    mfm_resizer_clear(&fitting->resizer);
    free(fitting->colours);
    fitting->colours = NULL;
}

size_t mfm_fitted_size(const mfm_preprocess *p)
{
    return (size_t)p->source_height * (size_t)p->source_width * (size_t)p->source_channels;
}

/* The least size of the picture's own shape that covers height x width, and its centre. A side that
 * is longer than it must be is cut down to whole pixels, as torchvision's Resize does. */
static mfm_window centre_of(const mfm_preprocess *p, int height, int width)
{
    mfm_window w = {.full_height = p->full_height,
                    .full_width = p->full_width,
                    .height = p->source_height,
                    .width = p->source_width};
    const int64_t by_height = (int64_t)width * p->full_height / height;
    const int64_t by_width = (int64_t)height * p->full_width / width;
    if (by_height >= p->full_width)
        w.full_width = (int)(by_height < LARGEST ? by_height : LARGEST);
    else
        w.full_height = by_width < p->full_height ? p->full_height
                        : by_width < LARGEST      ? (int)by_width
                                                  : LARGEST;
    w.top = (w.full_height - w.height) / 2;
    w.left = (w.full_width - w.width) / 2;
    return w;
}

/* For a random crop, a decoder may leave out what would be filtered away, as long as twice the
 * pixels stay that are wanted. What is evaluated is filtered from all pixels, so that it is what
 * other programs make of the image. */
static int reduction(const mfm_rectangle *r, const mfm_window *w)
{
    int reduce = 8;
    while (reduce > 1 &&
           (r->height < 2 * reduce * w->full_height || r->width < 2 * reduce * w->full_width))
        reduce /= 2;
    return reduce;
}

mfm_fit mfm_fit_choose(const mfm_preprocess *p, int height, int width, const mfm_draw *draw)
{
    mfm_fit fit = {.height = height, .width = width, .reduce = 1};
    if (draw && mfm_augment_crops(&p->augment)) {
        fit.part = mfm_augment_crop(&p->augment, draw, height, width);
        fit.window = (mfm_window){p->source_height, p->source_width, 0, 0,
                                  p->source_height, p->source_width};
        fit.reduce = reduction(&fit.part, &fit.window);
    } else {
        fit.part = (mfm_rectangle){0, 0, height, width};
        fit.window = centre_of(p, height, width);
    }
    return fit;
}

/* The part in a picture that may have come out smaller than it was told. */
static mfm_region region_of(const mfm_picture *picture, const mfm_fit *fit)
{
    const mfm_rectangle *r = &fit->part;
    const int top = (int)((int64_t)r->top * picture->height / fit->height);
    const int left = (int)((int64_t)r->left * picture->width / fit->width);
    int rows = (int)((int64_t)r->height * picture->height / fit->height);
    int columns = (int)((int64_t)r->width * picture->width / fit->width);
    rows = rows < 1 ? 1 : rows;
    columns = columns < 1 ? 1 : columns;
    const int64_t stride = (int64_t)picture->width * picture->channels;
    return (mfm_region){.pixels =
                            picture->pixels + top * stride + (int64_t)left * picture->channels,
                        .height = rows,
                        .width = columns,
                        .channels = picture->channels,
                        .stride = stride};
}

int mfm_fit_picture(mfm_fitting *fitting, const mfm_preprocess *p, const mfm_fit *fit,
                    const mfm_picture *picture, uint8_t *out)
{
    const size_t places = (size_t)p->source_height * (size_t)p->source_width;
    const mfm_region region = region_of(picture, fit);
    if (p->source_channels == picture->channels)
        return mfm_resize(&fitting->resizer, &region, &fit->window, out);
    if (!fitting->colours)
        fitting->colours = malloc(3 * places);
    if (!fitting->colours)
        return MFM_ENOMEM;
    const int status = mfm_resize(&fitting->resizer, &region, &fit->window, fitting->colours);
    for (size_t i = 0; status == MFM_OK && i < places; i++)
        out[i] = mfm_grey_of(fitting->colours + 3 * i);
    return status;
}
