#include "tests/core/data/labels.h"

#include <stdlib.h>
#include <string.h>

static const char *const letters[MAX_CLASSES] = {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"};

void labels_init(label_set *labels, int classes, const uint32_t *counts)
{
    uint32_t total = 0, largest = 0, at = 0;
    for (int c = 0; c < classes; c++) {
        total += counts[c];
        largest = counts[c] > largest ? counts[c] : largest;
        labels->names[c] = strdup(letters[c]);
    }
    labels->dataset =
        (mfm_dataset){.name = labels->names[0],
                      .classes = classes,
                      .class_names = labels->names,
                      .train = {.count = total, .labels = calloc(total + 1, sizeof(uint16_t))}};
    for (uint32_t round = 0; round < largest; round++)
        for (int c = 0; c < classes; c++)
            if (round < counts[c])
                labels->dataset.train.labels[at++] = (uint16_t)c;
}

void labels_init_equal(label_set *labels, int classes, uint32_t count)
{
    uint32_t counts[MAX_CLASSES];
    for (int c = 0; c < classes; c++)
        counts[c] = count;
    labels_init(labels, classes, counts);
}

void labels_clear(label_set *labels)
{
    for (int c = 0; c < labels->dataset.classes; c++)
        free(labels->names[c]);
    free(labels->dataset.train.labels);
}

void check_indices(const label_set *labels, const uint32_t *indices, uint32_t count,
                   const uint32_t *per_class)
{
    uint32_t seen[MAX_CLASSES] = {0};
    for (uint32_t i = 0; i < count; i++) {
        CU_ASSERT_FATAL(indices[i] < labels->dataset.train.count);
        CU_ASSERT(i == 0 || indices[i] > indices[i - 1]);
        seen[labels->dataset.train.labels[indices[i]]]++;
    }
    for (int c = 0; c < labels->dataset.classes; c++)
        CU_ASSERT_EQUAL(seen[c], per_class[c]);
}

static bool contains(const uint32_t *indices, uint32_t count, uint32_t index)
{
    for (uint32_t i = 0; i < count; i++)
        if (indices[i] == index)
            return true;
    return false;
}

uint32_t common(const uint32_t *a, uint32_t a_count, const uint32_t *b, uint32_t b_count)
{
    uint32_t both = 0;
    for (uint32_t i = 0; i < a_count; i++)
        both += contains(b, b_count, a[i]);
    return both;
}
