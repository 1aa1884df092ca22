/* Datasets that have labels only, for tests of splits. */
#ifndef MFM_TESTS_LABELS_H
#define MFM_TESTS_LABELS_H

#include "core/data/split.h"
#include "tests/core/data/support.h"

enum { MAX_CLASSES = 10 };

/* The labels go round the classes: 0 1 2 0 1 2 ..., a class leaving the round when it has its
 * count. Classes are called a, b, c, ... */
typedef struct label_set {
    mfm_dataset dataset;
    char *names[MAX_CLASSES];
} label_set;

void labels_init(label_set *labels, int classes, const uint32_t *counts);
void labels_init_equal(label_set *labels, int classes, uint32_t count);
void labels_clear(label_set *labels);

/* Asserts that indices are ascending, in range, and as many of each class as it says. */
void check_indices(const label_set *labels, const uint32_t *indices, uint32_t count,
                   const uint32_t *per_class);
/* How many of a are in b. */
uint32_t common(const uint32_t *a, uint32_t a_count, const uint32_t *b, uint32_t b_count);

#endif
