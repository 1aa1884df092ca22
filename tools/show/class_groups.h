/* Classes by their number of training images: many (over 100), medium (20 to 100), few (under 20).
 */
#ifndef MFM_CLASS_GROUPS_H
#define MFM_CLASS_GROUPS_H

#include "core/report/confusion.h"

enum mfm_class_group { MFM_FEW, MFM_MEDIUM, MFM_MANY, MFM_CLASS_GROUPS };
extern const char *const mfm_class_group_names[MFM_CLASS_GROUPS];

/* Mean recall over the classes of a group that have test images, NAN when none has; *classes is the
 * number of all its classes, *tested of those with images. train: [counted] training images. */
double mfm_class_group_recall(const mfm_confusion *confusion, const uint32_t *train, int counted,
                              enum mfm_class_group group, int *classes, int *tested);

#endif
