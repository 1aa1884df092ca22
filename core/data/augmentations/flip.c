/* Mirrored left to right, half of the time. Shares its draw with shift. */
#include "core/base/random.h"
#include "core/data/augmentations/place.h"

static void bytes(const double *arguments, mfm_draws *draws, mfm_canvas *canvas)
{
    const mfm_draw *of = &draws->of;
    const mfm_key key = {of->seed, MFM_STREAM_AUGMENT, of->node, of->step};
    uint32_t words[4];
    (void)arguments;
    mfm_random4(&key, of->slot, words);
    if (words[2] >> 31)
        mfm_mirror(canvas);
}

const mfm_augmentation mfm_augmentation_flip = {
    .name = "flip", .summary = "mirrored left to right, half of the time", .bytes = bytes};
