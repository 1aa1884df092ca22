/* Images in files of their own, decoded when they are read: the source of `folder` and `list`. */
#ifndef MFM_FILE_IMAGES_H
#define MFM_FILE_IMAGES_H

#include "core/data/sources/dataset.h"

/* What tells a file from all others, whatever it is called; all 0: it is not there. */
typedef struct mfm_file_id {
    uint64_t device, inode;
} mfm_file_id;

/* A list of images that grows; zeroed at first. Paths are relative to a folder that all share. */
typedef struct mfm_file_list {
    char **paths;
    uint64_t *sizes; /* of the files, in bytes */
    mfm_file_id *ids;
    uint16_t *labels;
    uint32_t count;
    size_t path_room, size_room, id_room, label_room;
} mfm_file_list;

int mfm_file_list_add(mfm_ctx *ctx, mfm_file_list *list, const char *path, uint64_t size,
                      mfm_file_id id, int label);
void mfm_file_list_clear(mfm_ctx *ctx, mfm_file_list *list);

/* Makes a part of the dataset of the list, which is empty afterwards. Of the options, on_bad and
 * memory count: every reader has its share of the budget, as many as a training opens at most. */
int mfm_file_images_new(mfm_ctx *ctx, const char *folder, const mfm_dataset_options *options,
                        mfm_file_list *list, mfm_images *images);

/* Images that a training decodes at the same time at most, and so shares of the budget. */
int mfm_file_images_readers(void);

/* Mean and deviation of up to 400 training images, evenly over the part: those of photographs are
 * known to three digits by then, and a large dataset is not read twice. */
int mfm_file_images_measure(mfm_ctx *ctx, mfm_dataset *dataset);

#endif
