/*
 * A labelled dataset: images, whose bytes are held in memory or come from a source that reads them
 * (source.h), or arrays, rows of numbers of any shape, in memory as float32.
 *
 * Pixels are [count, height, width, channels], numbers [count, ...row], row-major; labels are class
 * numbers below `classes`, checked when the files are read; class 0 may be label 1 of the files,
 * and so on. Mean and deviation are per channel, in units where a byte of 255 is 1.
 *
 * A dataset is opened from a specification, "kind" or "kind:folder"; the kinds are the lines of
 * sources/sources.def, each with a file of its own.
 */
#ifndef MFM_DATASET_H
#define MFM_DATASET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/context.h"
#include "core/base/linkage.h"
#include "core/base/shape.h"

MFM_C_BEGIN

enum { MFM_DATA_CHANNELS = 4 };

/* Parts of a dataset, to be combined with `|`. */
enum mfm_part { MFM_PART_TRAIN = 1, MFM_PART_TEST = 2 };

typedef struct mfm_source_kind mfm_source_kind; /* core/data/sources/source.h */

/* count 0: this part was not asked for. */
typedef struct mfm_images {
    uint32_t count;
    uint8_t *pixels;  /* [count, height, width, channels] in memory; NULL: the source reads them */
    float *numbers;   /* of arrays, [count, row], instead */
    uint16_t *labels; /* [count] */
    const mfm_source_kind *source; /* NULL: memory */
    void *self;                    /* the source's own */
    struct mfm_bad_images *bad;    /* the source's; NULL: all can be read */
    bool skips; /* those that cannot be read are left out: others take their places in training */
} mfm_images;

/* What an image that cannot be read does. */
enum mfm_on_bad {
    MFM_BAD_STOP, /* ends the work, by its path */
    MFM_BAD_SKIP  /* is left out, with a warning, and counted */
};

/* How a dataset is opened; all 0: as its files are. */
typedef struct mfm_dataset_options {
    const char
        *list; /* tells the image files (core/data/sources/files/image_list.h); NULL: folders */
    double test_part;   /* share of each class that is taken out for testing; 0: none */
    uint64_t test_seed; /* chooses them */
    int on_bad;         /* enum mfm_on_bad */
    uint64_t memory;    /* MiB that decoding may take, over all threads; 0: no budget */
    /* The classes that a model knows, in its order; 0: those that the images show. Only read while
     * the dataset is opened. */
    const char *const *class_names;
    int classes;
    bool own_names; /* the images may show other classes, which are then their own */
} mfm_dataset_options;

typedef struct mfm_dataset {
    char *name; /* the specification it was opened from */
    mfm_dataset_options options;
    int height, width; /* 0: they differ, and every image is resized to what a model reads */
    int channels, classes;
    mfm_shape row;   /* of arrays, a sample's shape: height and width are 1, channels its numbers;
                        rank 0: images */
    bool bytes;      /* of arrays, all that were read are uint8 */
    int first_label; /* what the files call class 0 */
    char **class_names; /* [classes] */
    /* Of images in files, whose channels are red, green and blue, [3] is that of their grey form.
     */
    double mean[MFM_DATA_CHANNELS];
    double deviation[MFM_DATA_CHANNELS];
    bool unmeasured; /* no training images tell mean and deviation, which are 0 */
    mfm_images train, test;
} mfm_dataset;

/* Reads the parts asked for. The caller frees *dataset, which is NULL after an error: MFM_EINVAL
 * for a specification nobody knows, MFM_EIO for a file that cannot be read, MFM_EDATA for one that
 * breaks its format's rules. */
int mfm_dataset_open(mfm_ctx *ctx, const char *specification, unsigned parts,
                     mfm_dataset **dataset);
int mfm_dataset_open_with(mfm_ctx *ctx, const char *specification,
                          const mfm_dataset_options *options, unsigned parts,
                          mfm_dataset **dataset);
void mfm_dataset_free(mfm_ctx *ctx, mfm_dataset *dataset);

/* Numbers the classes anew: label `first` of the files becomes class 0. Class names that were the
 * labels stay so. MFM_EDATA, and nothing has changed, when an image has a label below first. */
int mfm_dataset_number_from(mfm_ctx *ctx, mfm_dataset *dataset, int first);
/* Whether the classes have no names but their labels. */
bool mfm_dataset_unnamed(const mfm_dataset *dataset);

/* Whether a specification is of a kind whose samples are arrays. */
bool mfm_dataset_of_arrays(const char *specification);
/* Whether a specification is of a kind whose images are files of their own. */
bool mfm_dataset_of_files(const char *specification);

/* How the known kinds are specified: "fashion-mnist[:FOLDER], idx:FOLDER, ..."; returns text. */
enum { MFM_DATASET_KINDS_TEXT = 256 };
char *mfm_dataset_kinds(char text[MFM_DATASET_KINDS_TEXT]);

/* What is usual in training on such a dataset (core/data/augmentations/augmentation.h). */
const char *mfm_dataset_augment(const char *specification);

/* Bytes of one image; numbers of a row. */
size_t mfm_dataset_image_size(const mfm_dataset *dataset);
/* What a sample in memory is made of, its pixels or its numbers: *size bytes. image_size: as
 * mfm_dataset_image_size. */
const void *mfm_images_content(const mfm_images *images, uint32_t index, size_t image_size,
                               size_t *size);

MFM_C_END

#endif
