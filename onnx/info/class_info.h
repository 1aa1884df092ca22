/*
 * What a model's outputs stand for, and how many images of each it was trained on:
 * metadata_props["mfm.classes"] is JSON (docs/formats.md).
 */
#ifndef MFM_ONNX_CLASS_INFO_H
#define MFM_ONNX_CLASS_INFO_H

#include "core/data/split.h"
#include "core/base/linkage.h"
#include "onnx/proto/model.h"

MFM_C_BEGIN

#define MFM_CLASSES_KEY "mfm.classes"

typedef struct mfm_class_info {
    int classes;
    char **names;            /* [classes] UTF-8, without control characters */
    int first_label;         /* what the files of the training images called class 0 */
    uint32_t *train;         /* [classes] training images; NULL: not told */
    bool has_split;          /* split and hash are told */
    mfm_split_options split; /* by which the training images were chosen */
    uint64_t hash;           /* of the split (core/data/split.h) */
} mfm_class_info;

/* *info is NULL when the model tells nothing. MFM_EDATA when what it tells is damaged, MFM_ENOTSUP
 * when it is of a later version. The caller frees *info. */
int mfm_class_info_read(mfm_ctx *ctx, const mfm_model *model, mfm_class_info **info);
void mfm_class_info_free(mfm_ctx *ctx, mfm_class_info *info);
/* Writes the classes of a dataset and the split that options made of it into the model's metadata.
 * A name that is not UTF-8 gives way to the class's label. */
int mfm_class_info_write(mfm_ctx *ctx, mfm_model *model, const mfm_dataset *dataset,
                         const mfm_split_options *options, const mfm_split *split);
/* Writes the names alone: [classes] UTF-8. MFM_EDATA for one that cannot be, by its number. */
int mfm_class_info_write_names(mfm_ctx *ctx, mfm_model *model, const char *const *names,
                               size_t classes);

MFM_C_END

#endif
