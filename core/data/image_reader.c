#include "core/data/image_reader.h"

#include <assert.h>

#include "core/data/images/decoder.h"
#include "core/data/images/fit_picture.h"

struct mfm_image_reader {
    mfm_ctx *ctx;
    const mfm_preprocess *preprocess;
    mfm_decoder *decoder;
    mfm_picture picture;
    mfm_fitting fitting;
    uint8_t *bytes; /* [source_height, source_width, source_channels] */
};

int mfm_image_reader_new(mfm_ctx *ctx, const mfm_preprocess *preprocess, mfm_image_reader **result)
{
    assert(preprocess->resizes);
    *result = NULL;
    if (!mfm_decoder_built())
        return mfm_fail(ctx, MFM_ENOTSUP, MFM_DECODER_MISSING);
    mfm_image_reader *reader = mfm_alloc(ctx, 1, sizeof *reader);
    if (!reader)
        return MFM_ENOMEM;
    *reader = (mfm_image_reader){.ctx = ctx, .preprocess = preprocess};
    reader->bytes = mfm_alloc(ctx, mfm_fitted_size(preprocess), 1);
    reader->decoder = mfm_decoder_new();
    if (!reader->bytes || !reader->decoder) {
        mfm_image_reader_free(ctx, reader);
        return mfm_fail(ctx, MFM_ENOMEM, "images: out of memory");
    }
    *result = reader;
    return MFM_OK;
}

void mfm_image_reader_free(mfm_ctx *ctx, mfm_image_reader *reader)
{
    if (!reader)
        return;
    mfm_decoder_free(reader->decoder);
    mfm_fitting_clear(&reader->fitting);
    mfm_free(ctx, reader->bytes);
    mfm_free(ctx, reader);
}

int mfm_image_reader_read(mfm_image_reader *reader, const char *path, real *out)
{
    const mfm_preprocess *p = reader->preprocess;
    mfm_picture *picture = &reader->picture;
    mfm_fit fit = {.reduce = 1};
    int status = mfm_decoder_begin(reader->decoder, path, picture);
    if (status == MFM_OK) {
        fit = mfm_fit_choose(p, picture->height, picture->width, NULL);
        status = mfm_decoder_pixels(reader->decoder, fit.reduce, picture);
    }
    if (status != MFM_OK)
        return mfm_fail(reader->ctx, status, "%s", picture->message);
    status = mfm_fit_picture(&reader->fitting, p, &fit, picture, reader->bytes);
    if (status != MFM_OK)
        return mfm_fail(reader->ctx, status, "%s: out of memory for resizing", path);
    mfm_preprocess_image(p, reader->bytes, out);
    return MFM_OK;
}
