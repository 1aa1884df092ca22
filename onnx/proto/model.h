/*
 * An ONNX file in memory. The parsed ModelProto stays the one source of truth: it is edited in
 * place and written back, so that whatever is not touched (names, opset, metadata, unknown fields,
 * order) survives byte for byte.
 *
 * Errors name the file. A model keeps the path it came from for that purpose only.
 */
#ifndef MFM_ONNX_MODEL_H
#define MFM_ONNX_MODEL_H

#include <stddef.h>

#include "core/base/context.h"
#include "core/base/linkage.h"

MFM_C_BEGIN

typedef struct mfm_model mfm_model;

/* Reads and checks a file: the wire format is scanned (depth, sizes, counts) before anything is
 * built from it, weights in files beside it are found, and the rules of onnx/proto/validate.h
 * hold afterwards. MFM_EIO when it cannot be read, MFM_EDATA when it is not ONNX or breaks a rule.
 * The caller frees *model. The context must outlive it. */
int mfm_model_load(mfm_ctx *ctx, const char *path, mfm_model **model);
/* The same, but large weights stay in the file until they are imported: for who looks at a model or
 * imports it once. The file stays open; weights that are imported after it was changed are the
 * changed ones, and MFM_EIO is told when it became shorter. Such a model cannot be saved. */
int mfm_model_open(mfm_ctx *ctx, const char *path, mfm_model **model);
/* The same, but every rule that is broken is told, not the first alone: MFM_EDATA when any was.
 * What is wrong with the wire format is told alone, as nothing can be made of the rest. */
int mfm_model_open_telling(mfm_ctx *ctx, const char *path,
                           void (*tell)(void *self, const char *text), void *self,
                           mfm_model **model);
/* The same from bytes; name stands for the path in messages. The bytes may be freed afterwards. */
int mfm_model_parse(mfm_ctx *ctx, const void *bytes, size_t size, const char *name,
                    mfm_model **model);
/* Path holds either its old content or all of the new one, as core/data/file_writer.h tells it.
 * Weights that were read from a file beside the model, and those of a graph beyond protobuf's 2
 * GiB, are written into one (onnx/storage/external.h). MFM_EIO, MFM_ENOTSUP for a graph that is
 * too large all the same, MFM_ENOMEM. */
int mfm_model_save(mfm_ctx *ctx, const mfm_model *model, const char *path);
/* The same bytes to an open descriptor, which stays open; name is for messages. */
int mfm_model_save_descriptor(mfm_ctx *ctx, const mfm_model *model, int descriptor,
                              const char *name);
/* The bytes that save would write. The caller releases *bytes with mfm_free. */
int mfm_model_pack(mfm_ctx *ctx, const mfm_model *model, void **bytes, size_t *size);
void mfm_model_free(mfm_model *model);
const char *mfm_model_path(const mfm_model *model);
/* What the file says that it was made by; "". */
const char *mfm_model_producer(const mfm_model *model);
/* Number and names of the outputs of the graph. */
size_t mfm_model_outputs(const mfm_model *model);
const char *mfm_model_output(const mfm_model *model, size_t index);

MFM_C_END

#endif
