/*
 * An ONNX file in memory. The parsed ModelProto stays the one source of truth: it is edited in
 * place and written back, so that whatever is not touched (names, opset, metadata, unknown fields,
 * order) survives byte for byte.
 *
 * Errors name the file. A model keeps the path it came from for that purpose only.
 */
#ifndef MFM_ONNX_MODEL_H
#define MFM_ONNX_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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
 * Weights that were read from a file beside the model, and those of a model beyond protobuf's 2
 * GiB, are written into one (onnx/storage/external.h). MFM_EIO, MFM_ENOTSUP for a model that is
 * too large all the same, as where path is no regular file, MFM_ENOMEM. */
int mfm_model_save(mfm_ctx *ctx, const mfm_model *model, const char *path);
/* Whether a file of that name is what a save to `base`, in the same folder, may put beside it. */
bool mfm_model_makes(const char *name, const char *base);
/* Removes what saves to `path` have put beside it and neither the model there nor one of the others
 * names any more. MFM_EIO, MFM_ENOMEM: some may then be left. */
int mfm_model_sweep(mfm_ctx *ctx, const char *path, const char *const *others, size_t n_others);
/* One file to an open descriptor, which stays open; name is for messages. */
int mfm_model_save_descriptor(mfm_ctx *ctx, const mfm_model *model, int descriptor,
                              const char *name);
/* Whether one file is sure to hold the model, with `more` bytes that training keeps: protobuf ends
 * at 2 GiB. */
bool mfm_model_fits_one_file(const mfm_model *model, uint64_t more);
/* The bytes of the model as one file, MFM_ENOTSUP where none holds it. The caller releases *bytes
 * with mfm_free. */
int mfm_model_pack(mfm_ctx *ctx, const mfm_model *model, void **bytes, size_t *size);
/* The same bytes, piece by piece, and of a model of any size. */
int mfm_model_stream(mfm_ctx *ctx, const mfm_model *model,
                     void (*put)(void *self, const void *bytes, size_t size), void *self);
/* A model of its own, of the same name, that all of it is in; views (onnx/import/import.h) and
 * places of weights are not copied. MFM_EINVAL for a model that was opened to be read only,
 * MFM_ENOMEM. model is what it was afterwards, but must be left alone meanwhile. */
int mfm_model_copy(mfm_ctx *ctx, const mfm_model *model, mfm_model **copy);
void mfm_model_free(mfm_model *model);
const char *mfm_model_path(const mfm_model *model);
/* What the file says that it was made by; "". */
const char *mfm_model_producer(const mfm_model *model);
/* Number and names of the outputs of the graph. */
size_t mfm_model_outputs(const mfm_model *model);
const char *mfm_model_output(const mfm_model *model, size_t index);
/* The files beside its own that weights were found in, by the names that it has for them; NULL
 * after the last. */
const char *mfm_model_beside(const mfm_model *model, size_t index);

MFM_C_END

#endif
