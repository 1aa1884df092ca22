/*
 * What is minimised: a loss makes per-sample losses [n] from logits and labels, as nodes of a
 * graph, and may rest on what is known of the classes (task.h). Adding one: a file in losses/ that
 * defines `const mfm_loss mfm_loss_NAME`, and a line in losses/losses.def.
 *
 * Around every loss stands the same: class weights, from some epoch on if so chosen, and the mean
 * over the samples or over their weights (class_weights.h). Weights, smoothed labels and mixed
 * labels all come as shares of the classes, in which each loss is linear (loss_labels.h).
 */
#ifndef MFM_LOSS_H
#define MFM_LOSS_H

#include "core/base/linkage.h"
#include "core/base/option.h"
#include "core/report/confusion.h"
#include "core/train/problem/classifier.h"
#include "core/train/task.h"

MFM_C_BEGIN

enum { MFM_LOSS_SETTINGS = 3 };

/* Where a loss is added. */
typedef struct mfm_loss_site {
    mfm_graph *graph;
    const mfm_task *task;
    const mfm_chosen *chosen; /* NULL: the defaults */
    int segment;              /* of the nodes */
    const char *name;         /* of the loss's value */
    int logits;               /* [n, classes] */
    int labels;               /* input: class numbers [n], or shares [n, classes] */
    int table;                /* input [classes, classes]: what a class counts as; -1: itself */
    int costs;                /* input [classes, classes]: logarithms; -1: the loss has none */
} mfm_loss_site;

/* What a loss may look at between two epochs. */
typedef struct mfm_loss_view {
    const mfm_task *task;
    const mfm_chosen *chosen;
    const mfm_confusion *confusion; /* as the run is evaluated */
    const real *features;           /* [count, width]: of training images, below the classifier */
    const int *labels;              /* [count] */
    size_t count, width;
} mfm_loss_view;

typedef struct mfm_loss {
    const char *name;
    const char *summary;
    const mfm_settings *settings[MFM_LOSS_SETTINGS]; /* ended by NULL */
    bool rebalances;                                 /* favours classes by their number of images */
    bool counts;                                     /* reads the task: no use without one */
    /* Changes the network before its graph is taken apart: another classifier. NULL: none. */
    int (*prepare)(mfm_ctx *ctx, mfm_network *network, const mfm_chosen *chosen);
    /* The logits whose softmax the loss reads, *adjusted, from site->logits. NULL: those. */
    int (*adjust)(const mfm_loss_site *site, int *adjusted);
    /* *losses [n], from site->logits: the adjusted ones. */
    int (*build)(const mfm_loss_site *site, int *losses);
    /* Spreads a class's labels over others: row c of table [classes, classes], zeros before, what a
     * sample of class c counts as, with the sum 1. NULL: as class c. */
    void (*relabel)(const mfm_task *task, const mfm_chosen *chosen, real *table);
    /* Whether the last layer's biases start at -log(C - 1) and do not decay (last_bias.h). NULL:
     * they do not. */
    bool (*starts_bias)(const mfm_chosen *chosen);
    /* Costs: a table [classes, classes] in (0, 1], 1 in the first epoch, kept by checkpoints, whose
     * logarithms the nodes read (site->costs). Both NULL: the loss has none. looks_at: how many
     * training images of each class it wants the features of. change_costs: before each epoch but
     * the first; deterministic, fails for want of memory. */
    uint64_t (*looks_at)(const mfm_chosen *chosen);
    int (*change_costs)(mfm_ctx *ctx, const mfm_loss_view *view, real *costs);
    /* Makes the weights those of a plain classifier, in a copy of the parameters: what `prepare`
     * has changed. Such a classifier reads features that are divided by the root of their mean
     * square (onnx/surgery/head/unit_features.h). */
    void (*fold)(const mfm_classifier *classifier, const mfm_chosen *chosen, real *params);
} mfm_loss;

/* Ended by NULL; the first, cross-entropy, is what holds when nothing is chosen. */
extern const mfm_loss *const mfm_losses[];
const mfm_loss *mfm_loss_find(const char *name);

/* What training minimises. All zero: cross-entropy. */
typedef struct mfm_loss_spec {
    const mfm_loss *loss; /* NULL: cross-entropy */
    const mfm_chosen
        *chosen;          /* of the loss's settings and the class weights'; NULL: the defaults */
    const mfm_task *task; /* NULL: not known; what needs one refuses */
    bool soft_labels;     /* batches bring them: they were mixed */
} mfm_loss_spec;

/* Whether the spec needs a table, and the table of an epoch (from 0): [classes, classes]. */
bool mfm_loss_has_table(const mfm_loss_spec *spec);
void mfm_loss_fill_table(const mfm_loss_spec *spec, int64_t classes, uint64_t epoch, real *table);

/* What a loss adds to a graph. */
typedef struct mfm_loss_ends {
    int adjusted; /* [n, classes]: the logits, where the loss does not adjust them */
    int losses;   /* [n] */
} mfm_loss_ends;

/* MFM_EINVAL: what the loss needs is not there. */
int mfm_loss_add(const mfm_loss_spec *spec, const mfm_loss_site *site, mfm_loss_ends *ends);
/* *loss, a scalar: the mean of losses. sample_weights: a value [n] that scales them, or -1. */
int mfm_loss_add_mean(const mfm_loss_spec *spec, const mfm_loss_site *site, int losses,
                      int sample_weights, int *loss);

/* For losses: a node of the site's segment; a constant; and the labels with their table as the
 * operators take them, in[at] and in[table_at]. attr may be NULL. */
int mfm_loss_node(const mfm_loss_site *site, const char *domain, const char *op_type,
                  const void *attr, const int *in, int n_in, int *out, int n_out);
int mfm_loss_const(const mfm_loss_site *site, const char *name, const mfm_shape *shape,
                   const real *data, int *value);

MFM_C_END

#endif
