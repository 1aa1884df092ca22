/*
 * A seal: a checksum of a whole file as its last entry of metadata_props, key "mfm.checksum", value
 * 32 hexadecimal digits. It is XXH3's of 128 bits over every byte before the entry, which is
 * written in one form and at the end of the file only: a file that was changed, cut or prolonged
 * anywhere, the seal included, is found out. It guards against damage, not against forgery. For
 * readers of ONNX it is one more entry of metadata.
 */
#ifndef MFM_ONNX_SEAL_H
#define MFM_ONNX_SEAL_H

#include <stddef.h>
#include <stdint.h>

#include "onnx/proto/model.h"

#define MFM_SEAL_KEY "mfm.checksum"

enum { MFM_SEAL_SIZE = 50 };

typedef struct mfm_seal mfm_seal;

/* *seal is NULL after an error (MFM_ENOMEM). */
int mfm_seal_new(mfm_ctx *ctx, mfm_seal **seal);
void mfm_seal_free(mfm_ctx *ctx, mfm_seal *seal);
void mfm_seal_add(mfm_seal *seal, const void *bytes, size_t size);
/* The entry as it stands in the file. */
void mfm_seal_entry(const mfm_seal *seal, uint8_t entry[MFM_SEAL_SIZE]);

/* mfm_model_save with a seal, for a model without one, and as one file wherever one holds it. keep:
 * a name in the same folder for the file that is replaced; NULL for none. */
int mfm_model_save_sealed(mfm_ctx *ctx, const mfm_model *model, const char *path, const char *keep);
/* MFM_EDATA when the file is not what was sealed, MFM_EIO when it cannot be read. */
int mfm_seal_check(mfm_ctx *ctx, const char *path);

#endif
