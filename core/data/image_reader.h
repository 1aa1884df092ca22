/*
 * One image file at a time, as a model reads it: decoded, turned as EXIF says, resized, its centre
 * cut out, normalised. The numbers are those that evaluation of a `folder:` dataset gives.
 *
 * mfm_preprocess_files makes a preprocess of what a model tells (onnx/info/preprocess_info.h).
 */
#ifndef MFM_IMAGE_READER_H
#define MFM_IMAGE_READER_H

#include "core/base/context.h"
#include "core/base/linkage.h"
#include "core/data/preprocess.h"

MFM_C_BEGIN

typedef struct mfm_image_reader mfm_image_reader;

/* preprocess must outlive the reader, and resize (mfm_preprocess_files; a dataset of images of any
 * size). MFM_ENOTSUP for a build that reads no image files. */
int mfm_image_reader_new(mfm_ctx *ctx, const mfm_preprocess *preprocess, mfm_image_reader **reader);
void mfm_image_reader_free(mfm_ctx *ctx, mfm_image_reader *reader);
/* out [height, width, channels] of the model's input. MFM_EIO or MFM_EDATA for a file that cannot
 * be read, by its path; the reader goes on with the next. One thread, whose context it is. */
int mfm_image_reader_read(mfm_image_reader *reader, const char *path, real *out);

MFM_C_END

#endif
