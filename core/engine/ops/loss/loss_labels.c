#include "core/engine/ops/loss/loss_labels.h"

#include <math.h>
#include <string.h>

int mfm_loss_labels_infer(mfm_ctx *ctx, const mfm_node *node, int labels, int table,
                          const mfm_shape *logits)
{
    char text[MFM_SHAPE_TEXT];
    if (logits->rank != 2 || logits->dim[0] < 1 || logits->dim[1] < 1)
        return mfm_infer_fail(ctx, node, "logits %s: must be [samples, classes]",
                              mfm_shape_text(logits, text));
    const int64_t n = logits->dim[0], classes = logits->dim[1];
    const mfm_shape numbers = mfm_shape_of(1, n), square = mfm_shape_of(2, classes, classes);
    const mfm_shape *given = &node->in[labels]->shape;
    if (!mfm_shape_equal(given, &numbers) && !mfm_shape_equal(given, logits))
        return mfm_infer_fail(ctx, node,
                              "labels %s: must be a class number, or %lld shares, for each of %lld "
                              "samples",
                              mfm_shape_text(given, text), (long long)classes, (long long)n);
    if (table < node->n_in && node->in[table] && !mfm_shape_equal(&node->in[table]->shape, &square))
        return mfm_infer_fail(ctx, node, "table %s: must be a row of %lld shares for each class",
                              mfm_shape_text(&node->in[table]->shape, text), (long long)classes);
    return MFM_OK;
}

bool mfm_loss_labels_soft(const mfm_node *node, int labels, int table)
{
    return node->in[labels]->shape.rank == 2 || (table < node->n_in && node->in[table]);
}

int64_t mfm_loss_class(const mfm_node *node, int labels, int64_t i, int64_t classes)
{
    const real label = mfm_in(node, labels, MFM_X)[i];
    return label >= 0 && label < (real)classes ? (int64_t)label : -1;
}

/* t += share times row c of the table, or of the identity. */
static void add_row(const real *table, int64_t classes, int64_t c, real share, real *t)
{
    if (!table) {
        t[c] += share;
        return;
    }
    for (int64_t k = 0; k < classes; k++)
        t[k] += share * table[c * classes + k];
}

real mfm_loss_shares(const mfm_node *node, int labels, int table, int64_t i, int64_t classes,
                     real *t)
{
    const real *label = mfm_in(node, labels, MFM_X), *rows = mfm_in(node, table, MFM_X);
    memset(t, 0, (size_t)classes * sizeof *t);
    if (node->in[labels]->shape.rank == 2) {
        for (int64_t c = 0; c < classes; c++)
            if (label[i * classes + c] != 0)
                add_row(rows, classes, c, label[i * classes + c], t);
    } else {
        const int64_t c = mfm_loss_class(node, labels, i, classes);
        if (c < 0)
            t[0] = (real)NAN;
        else
            add_row(rows, classes, c, 1, t);
    }
    real sum = 0;
    for (int64_t k = 0; k < classes; k++)
        sum += t[k];
    return sum;
}
