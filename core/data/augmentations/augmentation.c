#include "core/data/augmentations/augmentation.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/random.h"
#include "core/data/fnv.h"

#define MFM_AUGMENTATION(name) extern const mfm_augmentation mfm_augmentation_##name;
#include "core/data/augmentations/augmentations.def"
#include "extra/augmentations.def"
#undef MFM_AUGMENTATION

#define MFM_AUGMENTATION(name) &mfm_augmentation_##name,
const mfm_augmentation *const mfm_augmentations[] = {
#include "core/data/augmentations/augmentations.def"
#include "extra/augmentations.def"
    NULL};
#undef MFM_AUGMENTATION

/* ---- draws ---- */

/* Above the slot stand the number of the draw, 8 bits, and the family, 24 bits. */
double mfm_draws_uniform(mfm_draws *d)
{
    const mfm_key key = {d->of.seed, MFM_STREAM_AUGMENT, d->of.node, d->of.step};
    return mfm_random_uniform(&key, d->family << 40 | (d->taken++ & 255) << 32 | d->of.slot);
}

double mfm_draws_between(mfm_draws *d, double low, double high)
{
    return low + (high - low) * mfm_draws_uniform(d);
}

int mfm_draws_below(mfm_draws *d, int bound)
{
    return (int)(mfm_draws_uniform(d) * bound);
}

/* By the name, so that no augmentation changes what another draws. */
static mfm_draws draws_of(const mfm_augmentation *kind, const mfm_draw *draw)
{
    const uint64_t hash = mfm_fnv(MFM_FNV_START, kind->name, strlen(kind->name));
    return (mfm_draws){.of = *draw, .family = (hash & 0xFFFFFF) | 1};
}

/* ---- reading ---- */

static int read_arguments(mfm_ctx *ctx, const mfm_augmentation *kind, const char *text,
                          double *values)
{
    int count = 0;
    for (int i = 0; i < MFM_AUGMENT_ARGUMENTS && kind->arguments[i].name; i++)
        values[i] = kind->arguments[i].initial;
    for (; *text == ':'; count++) {
        char *end;
        if (count == MFM_AUGMENT_ARGUMENTS || !kind->arguments[count].name)
            return mfm_fail(ctx, MFM_EINVAL, "--augment: %s: it takes %d number%s", kind->name,
                            count, count == 1 ? "" : "s");
        const double value = strtod(++text, &end);
        if (end == text || (*end != ':' && *end != '\0') ||
            !(value >= kind->arguments[count].least && value <= kind->arguments[count].most) ||
            (kind->arguments[count].whole && value != floor(value)))
            return mfm_fail(ctx, MFM_EINVAL, "--augment: %s:%.40s: %s is a %s from %g to %g",
                            kind->name, text, kind->arguments[count].name,
                            kind->arguments[count].whole ? "whole number" : "number",
                            kind->arguments[count].least, kind->arguments[count].most);
        values[count] = value;
        text = end;
    }
    return MFM_OK;
}

static const mfm_augmentation *find(const char *name, size_t length)
{
    for (size_t i = 0; mfm_augmentations[i]; i++)
        if (strlen(mfm_augmentations[i]->name) == length &&
            strncmp(mfm_augmentations[i]->name, name, length) == 0)
            return mfm_augmentations[i];
    return NULL;
}

static int unknown(mfm_ctx *ctx, const char *name)
{
    char names[512] = "";
    size_t used = 0;
    for (size_t i = 0; mfm_augmentations[i] && used < sizeof names; i++)
        used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", i ? ", " : "",
                                 mfm_augmentations[i]->name);
    return mfm_fail(ctx, MFM_EINVAL, "--augment: unknown augmentation %.40s: expected none, or %s",
                    name, names);
}

/* What is read of an image comes before its bytes, and these before its numbers. */
static int stage_of(const mfm_augmentation *kind)
{
    return kind->crop ? 0 : kind->bytes ? 1 : 2;
}

static int add(mfm_ctx *ctx, const char *text, mfm_augment *augment)
{
    const mfm_augmentation *kind = find(text, strcspn(text, ":"));
    if (!kind)
        return unknown(ctx, text);
    if (augment->count == MFM_AUGMENT_MOST)
        return mfm_fail(ctx, MFM_EINVAL, "--augment: more than %d", MFM_AUGMENT_MOST);
    for (int i = 0; i < augment->count; i++) {
        const mfm_augmentation *before = augment->use[i].kind;
        if (before == kind)
            return mfm_fail(ctx, MFM_EINVAL, "--augment: %s stands in it twice", kind->name);
        if (stage_of(before) > stage_of(kind) || (before->crop && kind->crop))
            return mfm_fail(ctx, MFM_EINVAL, "--augment: %s works before %s: put it first",
                            kind->name, before->name);
    }
    augment->use[augment->count].kind = kind;
    const int status = read_arguments(ctx, kind, text + strlen(kind->name),
                                      augment->use[augment->count].arguments);
    augment->count += status == MFM_OK;
    return status;
}

int mfm_augment_read(mfm_ctx *ctx, const char *text, enum mfm_border border, mfm_augment *augment)
{
    *augment = (mfm_augment){.border = border};
    if (strcmp(text, "none") == 0)
        return MFM_OK;
    if (strcmp(text, "pad-crop-flip") == 0) /* as earlier runs call it */
        text = "shift:4,flip";
    char *words = mfm_strdup(ctx, text);
    int status = words ? MFM_OK : MFM_ENOMEM;
    for (char *at = words, *word; status == MFM_OK && (word = strsep(&at, ","));)
        status = add(ctx, word, augment);
    mfm_free(ctx, words);
    return status;
}

int mfm_augment_check(mfm_ctx *ctx, const mfm_augment *augment, int height, int width, int channels)
{
    const mfm_canvas canvas = {
        .height = height, .width = width, .channels = channels, .border = augment->border};
    int status = MFM_OK;
    for (int i = 0; status == MFM_OK && i < augment->count; i++) {
        const mfm_augment_use *use = &augment->use[i];
        if (use->kind->colours && channels != 1 && channels != 3)
            status = mfm_fail(ctx, MFM_EINVAL, "--augment: %s: %d channels: 1 or 3",
                              use->kind->name, channels);
        else if (use->kind->check)
            status = use->kind->check(ctx, use->arguments, &canvas);
    }
    return status;
}

/* ---- applying ---- */

bool mfm_augment_crops(const mfm_augment *augment)
{
    return augment->count > 0 && augment->use[0].kind->crop;
}

mfm_rectangle mfm_augment_crop(const mfm_augment *augment, const mfm_draw *draw, int height,
                               int width)
{
    mfm_draws draws = draws_of(augment->use[0].kind, draw);
    return augment->use[0].kind->crop(augment->use[0].arguments, &draws, height, width);
}

void mfm_augment_bytes(const mfm_augment *augment, const mfm_draw *draw, mfm_canvas *canvas)
{
    for (int i = 0; i < augment->count; i++) {
        const mfm_augment_use *use = &augment->use[i];
        mfm_draws draws = draws_of(use->kind, draw);
        if (use->kind->bytes)
            use->kind->bytes(use->arguments, &draws, canvas);
    }
}

void mfm_augment_numbers(const mfm_augment *augment, const mfm_draw *draw, int height, int width,
                         int channels, real *out)
{
    for (int i = 0; i < augment->count; i++) {
        const mfm_augment_use *use = &augment->use[i];
        mfm_draws draws = draws_of(use->kind, draw);
        if (use->kind->numbers)
            use->kind->numbers(use->arguments, &draws, height, width, channels, out);
    }
}
