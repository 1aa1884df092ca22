/*
 * The binary version of the CIFAR datasets (https://www.cs.toronto.edu/~kriz/cifar.html): records
 * of one or two label bytes and 3072 pixels in planes red, green, blue of 32 x 32.
 */
#ifndef MFM_CIFAR_FILES_H
#define MFM_CIFAR_FILES_H

#include "core/data/sources/dataset.h"

typedef struct mfm_cifar {
    int classes;
    int label_bytes;                        /* the last of them is the label */
    const char *const *train, *const *test; /* file names, each list ending with NULL */
} mfm_cifar;

/* Fills the shape, the statistics and the parts asked for. */
int mfm_cifar_read(mfm_ctx *ctx, const char *folder, unsigned parts, const mfm_cifar *cifar,
                   mfm_dataset *dataset);

#endif
