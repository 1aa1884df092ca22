#include "core/data/sources/source.h"

#include <stdio.h>

struct mfm_reader {
    const mfm_images *images;
    void *own; /* the source's reader; NULL: memory */
    uint32_t index;
    int height, width, channels; /* of images in memory */
    mfm_picture picture;
};

int mfm_reader_open(mfm_ctx *ctx, const mfm_images *images, int height, int width, int channels,
                    mfm_reader **reader)
{
    *reader = mfm_alloc(ctx, 1, sizeof **reader);
    if (!*reader)
        return MFM_ENOMEM;
    **reader =
        (mfm_reader){.images = images, .height = height, .width = width, .channels = channels};
    if (!images->source)
        return MFM_OK;
    const int status = images->source->open(ctx, images->self, &(*reader)->own);
    if (status != MFM_OK) {
        mfm_free(ctx, *reader);
        *reader = NULL;
    }
    return status;
}

void mfm_reader_close(mfm_ctx *ctx, mfm_reader *reader)
{
    if (!reader)
        return;
    if (reader->own)
        reader->images->source->close(ctx, reader->own);
    mfm_free(ctx, reader);
}

int mfm_reader_begin(mfm_reader *reader, uint32_t index)
{
    mfm_picture *picture = &reader->picture;
    reader->index = index;
    picture->pixels = NULL;
    picture->numbers = NULL;
    if (reader->own)
        return reader->images->source->begin(reader->own, index, picture);
    picture->height = reader->height;
    picture->width = reader->width;
    picture->channels = reader->channels;
    return MFM_OK;
}

static const void *in_memory(const mfm_reader *reader, uint32_t index, size_t *size)
{
    const size_t one = (size_t)reader->height * (size_t)reader->width * (size_t)reader->channels;
    return mfm_images_content(reader->images, index, one, size);
}

int mfm_reader_digest(mfm_reader *reader, uint32_t index, mfm_digest *digest)
{
    size_t size;
    if (reader->own)
        return reader->images->source->digest(reader->own, index, &reader->picture, digest);
    const void *content = in_memory(reader, index, &size);
    *digest = mfm_digest_of(content, size);
    return MFM_OK;
}

int mfm_reader_pixels(mfm_reader *reader, int reduce)
{
    mfm_picture *picture = &reader->picture;
    if (reader->own)
        return reader->images->source->pixels(reader->own, reduce, picture);
    const void *content = in_memory(reader, reader->index, &(size_t){0});
    if (reader->images->numbers)
        picture->numbers = content;
    else
        picture->pixels = content;
    return MFM_OK;
}

void mfm_reader_tell(mfm_reader *reader, const char *message)
{
    snprintf(reader->picture.message, sizeof reader->picture.message, "%s", message);
}

const mfm_picture *mfm_reader_picture(const mfm_reader *reader)
{
    return &reader->picture;
}

bool mfm_images_skip(const mfm_images *images, int status)
{
    return images->skips && (status == MFM_EDATA || status == MFM_EIO);
}

void mfm_images_tell(mfm_ctx *ctx, const mfm_images *images, bool total)
{
    if (images->bad && images->skips)
        mfm_bad_images_tell(ctx, images->bad, total);
}

void mfm_images_hush(const mfm_images *images)
{
    if (images->bad)
        mfm_bad_images_hush(images->bad);
}

bool mfm_images_left_out(const mfm_images *images, uint32_t index)
{
    return images->skips && images->bad && mfm_bad_images_has(images->bad, index);
}

uint32_t mfm_images_failed(const mfm_images *images)
{
    return images->bad ? mfm_bad_images_count(images->bad) : 0;
}

const char *mfm_images_path(const mfm_images *images, uint32_t index)
{
    return images->source && images->source->path ? images->source->path(images->self, index)
                                                  : NULL;
}
