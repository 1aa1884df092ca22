/* What a training step reads: images with what is to be learned of them. */
#ifndef MFM_BATCH_H
#define MFM_BATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/linkage.h"
#include "core/base/real.h"

MFM_C_BEGIN

/* Images in storage order (NHWC), labels as class numbers. Whoever makes a batch owns its arrays.
 */
typedef struct mfm_batch {
    const real *images;          /* [n, height, width, channels] */
    const real *labels;          /* [n] */
    const real *soft_labels;     /* [n, classes], rows that sum to 1; NULL: the labels say it all */
    const real *weights;         /* [n] of the samples; NULL: all 1 */
    const uint32_t *indices;     /* [n] of the images in their part; NULL: not known */
    bool plain;                  /* images are those of the indices, as evaluation reads them */
    const uint32_t *copies;      /* [n] or these of their augmented copies; NULL: they are none */
    const real *const *features; /* of a frozen prefix: [n, ...] of each output; NULL: none */
    int64_t n;
} mfm_batch;

/* Room for one, to be written; soft_labels, copies NULL: none are wanted. */
typedef struct mfm_batch_room {
    real *images, *labels, *soft_labels;
    uint32_t *indices, *copies;
} mfm_batch_room;

MFM_C_END

#endif
