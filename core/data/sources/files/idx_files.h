/*
 * The IDX files that MNIST and its successors come in (http://yann.lecun.com/exdb/mnist/): a magic
 * number 0x0000 | type | rank, a big-endian 32-bit size for each axis, then the elements. A part of
 * a dataset is a pair of files of unsigned bytes: labels [count], and images [count, height, width]
 * or, in colour, [count, height, width, channels] or [count, channels, height, width]: the channels
 * are at most MFM_DATA_CHANNELS, the last axis being tried first.
 *
 * Names are PART-images-idx3-ubyte and PART-labels-idx1-ubyte, PART being train, and t10k or test;
 * also with a dot for the second hyphen (.idx3-ubyte), idx4 for images, anything before PART
 * (emnist-letters-train-...) when the folder holds one such set only, and .gz behind.
 */
#ifndef MFM_IDX_FILES_H
#define MFM_IDX_FILES_H

#include <stdbool.h>

#include "core/data/sources/dataset.h"

/* Reads a part into images. The first part read sets dataset's height, width and channels, the
 * second must agree with it. When dataset has classes, labels must be first_label up to
 * first_label + classes - 1, and are numbered from 0 in images. */
int mfm_idx_read_part(mfm_ctx *ctx, const char *folder, enum mfm_part part, mfm_dataset *dataset,
                      mfm_images *images);
/* Whether the folder has a file of the part. */
int mfm_idx_find_part(mfm_ctx *ctx, const char *folder, enum mfm_part part, bool *found);

#endif
