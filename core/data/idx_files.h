/*
 * The IDX files that MNIST and its successors come in (http://yann.lecun.com/exdb/mnist/): a magic
 * number 0x0000 | type | rank, a big-endian 32-bit size for each axis, then the elements. A part of
 * a dataset is a pair of files of unsigned bytes: images [count, height, width], labels [count].
 */
#ifndef MFM_IDX_FILES_H
#define MFM_IDX_FILES_H

#include "core/data/dataset.h"

/* Reads prefix-images-idx3-ubyte and prefix-labels-idx1-ubyte (or the same with .gz) into images.
 * The first part read sets dataset's height, width and channels, the second must agree with it.
 * classes > 0: labels must be below it. */
int mfm_idx_read_part(mfm_ctx *ctx, const char *folder, const char *prefix, int classes,
                      mfm_dataset *dataset, mfm_images *images);

#endif
