/* Classes by their number of training images: many (over 100), medium (20 to 100) and few (under
 * 20), as Liu et al. (CVPR 2019) draw the borders; or by borders of one's own. */
#ifndef MFM_CLASS_GROUPS_H
#define MFM_CLASS_GROUPS_H

#include "core/report/confusion.h"

MFM_C_BEGIN

enum mfm_class_group { MFM_FEW, MFM_MEDIUM, MFM_MANY, MFM_CLASS_GROUPS };
extern const char *const mfm_class_group_names[MFM_CLASS_GROUPS];

/* Few is fewer than `medium` training images, many is more than `many`; medium <= many. */
typedef struct mfm_class_borders {
    uint32_t medium, many;
} mfm_class_borders;

extern const mfm_class_borders mfm_class_borders_default; /* 20, 100 */

enum mfm_class_group mfm_class_group_of(const mfm_class_borders *borders, uint32_t images);

/* Mean of the recalls [counted] over the classes of a group that have one (a NAN is none); NAN when
 * none has. *classes is the number of all its classes, *tested of those with a recall. train:
 * [counted] training images. */
double mfm_class_group_mean(const mfm_class_borders *borders, const double *recall,
                            const uint32_t *train, int counted, enum mfm_class_group group,
                            int *classes, int *tested);
/* The same of a confusion's recalls, for the first of its classes. */
double mfm_class_group_recall(const mfm_class_borders *borders, const mfm_confusion *confusion,
                              const uint32_t *train, int counted, enum mfm_class_group group,
                              int *classes, int *tested);

MFM_C_END

#endif
