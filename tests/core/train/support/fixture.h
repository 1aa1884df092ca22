/* Folders of tests/data: what goes into one step by formula, and what came out of it elsewhere.
 * Their README.md say what each name means. Failures end the test. */
#ifndef MFM_TESTS_TRAIN_FIXTURE_H
#define MFM_TESTS_TRAIN_FIXTURE_H

#include <jansson.h>

#include "core/engine/graph.h"

typedef struct fixture {
    mfm_ctx *ctx;
    json_t *manifest;
    float *results; /* all of results.bin */
    size_t n_results;
} fixture;

void fixture_open(mfm_ctx *ctx, const char *folder, fixture *f);
void fixture_close(fixture *f);
double fixture_number(const fixture *f, const char *key);

/* A tensor that goes in, in storage order, rounded to float; the caller releases it with
 * mfm_free_aligned. */
real *fixture_tensor(const fixture *f, const char *name, mfm_shape *shape);
/* A result in storage order; released likewise. */
real *fixture_result(const fixture *f, const char *name, mfm_shape *shape);
/* The elements of `stored`, of that parameter, which "KIND_samples.NAME" holds; samples has room
 * for fixture_number(f, "samples"). */
void fixture_sample(const fixture *f, const char *name, const mfm_shape *shape, const real *stored,
                    real *samples);

/* |wanted - got| / |wanted| */
double fixture_error(const real *wanted, const real *got, int64_t count);

#endif
