#include "tools/show/class_groups.h"

#include <math.h>

enum { FEWER_THAN = 20, MORE_THAN = 100 };
const char *const mfm_class_group_names[MFM_CLASS_GROUPS] = {"few", "medium", "many"};

static enum mfm_class_group group_of(uint32_t count)
{
    return count < FEWER_THAN ? MFM_FEW : count > MORE_THAN ? MFM_MANY : MFM_MEDIUM;
}

double mfm_class_group_recall(const mfm_confusion *confusion, const uint32_t *train, int counted,
                              enum mfm_class_group group, int *classes, int *tested)
{
    double sum = 0;
    *classes = *tested = 0;
    for (int c = 0; c < counted && c < confusion->classes; c++) {
        if (group_of(train[c]) != group)
            continue;
        ++*classes;
        if (mfm_confusion_class_images(confusion, c) == 0)
            continue;
        sum += mfm_confusion_recall(confusion, c);
        ++*tested;
    }
    return *tested ? sum / *tested : NAN;
}
