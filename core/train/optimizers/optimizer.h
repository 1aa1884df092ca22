/*
 * First-order optimisers on the flat parameter vector of a graph. Frozen parameters are left alone.
 * Adding one: a file in optimizers/ that defines `const mfm_optimizer_kind mfm_optimizer_NAME`, and
 * a line in optimizers/optimizers.def.
 */
#ifndef MFM_OPTIMIZER_H
#define MFM_OPTIMIZER_H

#include "core/engine/graph.h"
#include "core/base/linkage.h"
#include "core/base/option.h"

MFM_C_BEGIN

/* One parameter's part of a step: n numbers of each vector. The gradient is scale * gradient, and
 * the learning rate lr; decay is 0 where weights do not decay. */
typedef struct mfm_optimizer_slice {
    const void *values; /* of the kind's settings */
    uint64_t steps;     /* with this one */
    real lr, scale, decay;
    size_t n;
    const real *gradient;
    real *first, *second; /* moments, as many as the kind has */
    real *params;
} mfm_optimizer_slice;

typedef struct mfm_optimizer_kind {
    const char *name;
    const char *summary;
    const mfm_settings *settings[2]; /* ended by NULL */
    int moments;                     /* vectors that it keeps: 0 .. 2 */
    double lr;                       /* of a modulator network where none is chosen; 0: 0.01 */
    void (*step)(const mfm_optimizer_slice *slice);
} mfm_optimizer_kind;

/* Ended by NULL; these stand first. */
extern const mfm_optimizer_kind *const mfm_optimizers[];
enum { MFM_SGD, MFM_NESTEROV, MFM_ADAM, MFM_ADAMW };
const mfm_optimizer_kind *mfm_optimizer_find(const char *name);

/* Values of sgd and nesterov, and of adam and adamw. */
typedef struct mfm_momentum_values {
    double momentum;
} mfm_momentum_values;
typedef struct mfm_adam_values {
    double beta1, beta2, epsilon;
} mfm_adam_values;
extern const mfm_settings mfm_momentum_settings, mfm_adam_settings;

enum { MFM_OPTIMIZER_VALUES = 8 };

typedef struct mfm_optimizer {
    const mfm_optimizer_kind *kind;
    double values[MFM_OPTIMIZER_VALUES]; /* the structure of the kind's settings */
    double weight_decay;
    bool spare_vectors; /* biases and normalisations do not decay (mfm_param_decays) */
    const mfm_graph *graph;
    const mfm_value *spared; /* of the graph: this one does not decay, either; NULL: none */
    uint64_t steps;          /* taken so far */
    real *first, *second;    /* graph->params_size reals each; NULL: the kind has none */
} mfm_optimizer;

/* values of the kind's settings are copied; NULL: the defaults. */
int mfm_optimizer_init(mfm_ctx *ctx, mfm_optimizer *optimizer, const mfm_optimizer_kind *kind,
                       const void *values, double weight_decay, const mfm_graph *graph);
void mfm_optimizer_clear(mfm_ctx *ctx, mfm_optimizer *optimizer);
/* Whether weight decay touches a parameter of the graph. Without spare_vectors all decay but
 * `spared`; with it what is a vector does not, of whatever rank: [C], and also [1, C, 1, 1] and
 * [C, 1, 1], as files have biases and scales for broadcasting. What a convolution or a matrix
 * product reads as its weights is none. */
bool mfm_param_decays(const mfm_graph *graph, const mfm_value *param, bool spare_vectors,
                      const mfm_value *spared);
/* One step along gradient, scaled by `scale` first (the hypergradient's -alpha). */
void mfm_optimizer_step(mfm_optimizer *optimizer, double lr, double scale, const real *gradient,
                        real *params);

/* The same on rows of the graph's one parameter [rows, width]: gradient [n, width] is that of the
 * rows numbered in rows [n], all different; MFM_NO_ROW is none. Other rows, and their moments, stay
 * as they are. */
enum { MFM_NO_ROW = UINT32_MAX };
void mfm_optimizer_step_rows(mfm_optimizer *optimizer, double lr, double scale,
                             const uint32_t *rows, size_t n, const real *gradient, real *params);

MFM_C_END

#endif
