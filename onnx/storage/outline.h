/*
 * A model's file without the numbers of its large tensors: what there is to look at before a weight
 * is wanted, read without touching the weights.
 *
 * Every raw_data of MFM_OUTLINE_LEAST bytes or more is cut to exactly that many, which begin with a
 * note of where the numbers lie. What is left whole is shorter, so the length tells a note from
 * numbers, whatever they are. The lengths of the messages around are written anew in as many bytes
 * as they had; everything else is the file's own, in order, unknown fields included.
 *
 * The file is read, not mapped. Reading skips what is not wanted just as well, goes straight to
 * where the numbers are used, and adds nothing to the process's resident memory; and a file that is
 * cut short under it gives an error, where touching a mapped page would end the process.
 */
#ifndef MFM_ONNX_OUTLINE_H
#define MFM_ONNX_OUTLINE_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/context.h"

/* More than any tensor has that is looked at for what it means: shapes, axes, single numbers. */
enum { MFM_OUTLINE_LEAST = 512 };

typedef struct mfm_outline_note {
    uint64_t offset, length; /* in the file, in bytes */
} mfm_outline_note;

/* The outline of the first file_size bytes of fd; name stands for the file in messages. MFM_EDATA
 * when its lengths do not nest, also when it became shorter; MFM_EIO, MFM_ENOMEM. The caller
 * releases *bytes with mfm_free_aligned. */
int mfm_outline_read(mfm_ctx *ctx, int fd, size_t file_size, const char *name, uint8_t **bytes,
                     size_t *size);

#endif
