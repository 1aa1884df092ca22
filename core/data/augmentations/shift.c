/* Padded by some pixels on each side and cut to size at a random place (He et al., CVPR 2016, for
 * CIFAR: 4). Shares its draw with flip. */
#include "core/base/random.h"
#include "core/data/augmentations/place.h"

static int check(mfm_ctx *ctx, const double *arguments, const mfm_canvas *canvas)
{
    const int side = canvas->height < canvas->width ? canvas->height : canvas->width;
    const int most = canvas->border == MFM_BORDER_REFLECT ? side - 1 : side;
    if (arguments[0] > most)
        return mfm_fail(ctx, MFM_EINVAL, "--augment: shift by %g pixels: 0 to %d for %d x %d",
                        arguments[0], most, canvas->height, canvas->width);
    return MFM_OK;
}

static void bytes(const double *arguments, mfm_draws *draws, mfm_canvas *canvas)
{
    const mfm_draw *of = &draws->of;
    const mfm_key key = {of->seed, MFM_STREAM_AUGMENT, of->node, of->step};
    const int pad = (int)arguments[0];
    const uint64_t places = 2 * (uint64_t)pad + 1;
    uint32_t words[4];
    mfm_random4(&key, of->slot, words);
    mfm_shift(canvas, pad, (int)(words[0] * places >> 32), (int)(words[1] * places >> 32));
}

const mfm_augmentation mfm_augmentation_shift = {
    .name = "shift",
    .summary = "moved by up to PIXELS up or down, left or right; --border is what comes in",
    .arguments = {{"PIXELS", 4, 0, 65535, true}},
    .borders = true,
    .bytes = bytes,
    .check = check};
