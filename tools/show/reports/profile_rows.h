/* A profile's sums as rows of a table, over the step or by what took the time. */
#ifndef MFM_PROFILE_ROWS_H
#define MFM_PROFILE_ROWS_H

#include "core/engine/profile.h"

enum mfm_profile_key {
    MFM_BY_PASS,     /* in the order of the step; the pass's own time */
    MFM_BY_OPERATOR, /* the others longest first, the times of node calls */
    MFM_BY_NODE,
    MFM_BY_CALL /* a node in a pass */
};

/* Fields that the key does not tell apart are those of the first call. */
typedef struct mfm_profile_row {
    const char *pass, *op, *node;
    const mfm_shape *shape; /* of the node's first output */
    uint64_t calls;         /* of nodes */
    double seconds, flop;
} mfm_profile_row;

/* The caller frees *rows by mfm_free; they borrow from the profile's plans. */
int mfm_profile_rows(const mfm_profile *profile, enum mfm_profile_key key, mfm_profile_row **rows,
                     size_t *count);

#endif
