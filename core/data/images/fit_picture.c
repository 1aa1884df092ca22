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
    return (size_t)p->height * (size_t)p->width * (size_t)p->channels;
}

/* The least size of the picture's own shape that covers height x width, and its centre. A side that
 * is longer than it must be is cut down to whole pixels, as torchvision's Resize does. */
static mfm_window centre_of(const mfm_preprocess *p, int height, int width)
{
    mfm_window w = {.full_height = p->full_height,
                    .full_width = p->full_width,
                    .height = p->height,
                    .width = p->width};
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

/* The rectangle in a picture that came out smaller than it was told. */
static mfm_region region_of(const mfm_picture *picture, const mfm_rectangle *r, int height,
                            int width)
{
    const int top = (int)((int64_t)r->top * picture->height / height);
    const int left = (int)((int64_t)r->left * picture->width / width);
    int rows = (int)((int64_t)r->height * picture->height / height);
    int columns = (int)((int64_t)r->width * picture->width / width);
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

static int out_of_memory(mfm_reader *reader)
{
    mfm_reader_tell(reader, "out of memory for resizing");
    return MFM_ENOMEM;
}

int mfm_fit_picture(mfm_fitting *fitting, mfm_reader *reader, const mfm_preprocess *p,
                    const mfm_draw *draw, uint8_t *out)
{
    const mfm_picture *picture = mfm_reader_picture(reader);
    const int height = picture->height, width = picture->width;
    const size_t places = (size_t)p->height * (size_t)p->width;
    mfm_rectangle r = {0, 0, height, width};
    mfm_window w = {p->height, p->width, 0, 0, p->height, p->width};
    int reduce = 1;
    if (draw && p->augment.random_crop) {
        r = mfm_rectangle_draw(height, width, draw->seed, draw->node, draw->step, draw->slot);
        reduce = reduction(&r, &w);
    } else {
        w = centre_of(p, height, width);
    }
    const int status = mfm_reader_pixels(reader, reduce);
    if (status != MFM_OK)
        return status;
    const mfm_region region = region_of(picture, &r, height, width);
    if (p->channels == 3)
        return mfm_resize(&fitting->resizer, &region, &w, out) == MFM_OK ? MFM_OK
                                                                         : out_of_memory(reader);
    if (!fitting->colours)
        fitting->colours = malloc(3 * places);
    if (!fitting->colours || mfm_resize(&fitting->resizer, &region, &w, fitting->colours) != MFM_OK)
        return out_of_memory(reader);
    for (size_t i = 0; i < places; i++)
        out[i] = mfm_grey_of(fitting->colours + 3 * i);
    return MFM_OK;
}
