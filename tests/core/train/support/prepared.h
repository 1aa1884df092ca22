/* A built architecture with modulators, imported and taken apart: what the tests of training start
 * from. Any failure on the way ends the test with its message. */
#ifndef MFM_TESTS_TRAIN_PREPARED_H
#define MFM_TESTS_TRAIN_PREPARED_H

#include "core/train/bilevel/bilevel.h"
#include "core/train/training.h"
#include "models/models.h"
#include "onnx/surgery/inject.h"
#include "tests/suite.h"

enum { PREPARED_LAYERS = 4 };

typedef struct recipe {
    const char *architecture;
    mfm_model_options options;
    const char *layers[PREPARED_LAYERS]; /* ended by NULL; none: no modulator */
    mfm_inject_options inject;           /* without its layers */
} recipe;

typedef struct prepared {
    mfm_ctx *ctx;
    mfm_model *model;
    mfm_network *network;
    mfm_task task;
    mfm_problem *problem;  /* of the method mfm with a modulator, else of base */
    mfm_graph *modulator;  /* the hyper graph; NULL without one */
    real *w, *state, *phi; /* copies of the graphs' numbers; phi NULL without a hyper graph */
} prepared;

/* The caller calls prepared_clear. */
void prepare(const recipe *from, prepared *p);
void prepared_clear(prepared *p);
/* The same from a model that is there already; p takes it and the context over. */
void prepare_model(mfm_ctx *ctx, mfm_model *model, prepared *p);

/* The same from a network, which p takes over; without a model. */
void prepare_network(mfm_ctx *ctx, mfm_network *network, prepared *p);

/* Another problem of the same network: of that method, for `samples` training images, the seed of
 * the options. */
void prepare_method(prepared *p, const mfm_train_options *options, uint32_t samples);
/* The same for the training images of a split. */
void prepare_for_split(prepared *p, const mfm_train_options *options, const mfm_split *split);

/* Fails the test with the context's message unless status is MFM_OK. */
void must(mfm_ctx *ctx, int status);
/* Zeroed reals, released with mfm_free_aligned. */
real *vector_new(mfm_ctx *ctx, size_t count);

/* Adds deviation * normal to every trainable parameter of graph in vector. */
void perturb(const mfm_graph *graph, uint64_t seed, double deviation, real *vector);

/* Random normal images and random labels for the split's model; freed by batch_clear. */
mfm_batch batch_new(const prepared *p, int64_t count, uint64_t seed);
void batch_clear(const prepared *p, mfm_batch *batch);

#endif
