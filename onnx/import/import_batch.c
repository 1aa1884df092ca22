/*
 * Whether a network treats every image for itself. Training, evaluation and the soft label rest on
 * it, and a file whose batch is fixed can only be opened to other batches if it holds; nothing in a
 * file says so. A mean over axis 0, or a Reshape that moves the batch, is easily overlooked.
 *
 * At a batch of two, each number of each value has owners: the images that it depends on. Where
 * the images come to lie follows for most nodes from what their operators say, and holds at any
 * batch (import_images.c). Any other node is tried by itself (import_trial.c): its inputs get
 * numbers between 1/2 and 3/2, then those of one image become others, 4 times and 1/4 as large, and
 * what changes is that image's; where it works number by number, owners follow the numbers. So
 * owners are followed wherever nodes move them, and a number that has two is a fault of the node
 * that made it, as is a result that is another for the same image at another place. Of nodes that
 * are alike, such as those of a transformer's layers, one is tried.
 *
 * A Reshape can make groups whose size is the batch: [n,144] as [144,n]. At two they may happen to
 * hold one image each. Where a node that keeps the order moves the batch and any node was tried,
 * all is done again at a prime that divides no value's numbers for an image: then such groups
 * straddle images. The owners there are the first image and all others.
 */
#include <stdio.h>

#include "onnx/import/import_batch.h"

int mfm_batch_fail(const mfm_batch_checker *c, const mfm_graph_node *node, const char *what)
{
    const mfm_importer *im = c->im;
    char fixed[80] = "";
    if (im->frozen_batch > 0)
        snprintf(fixed, sizeof fixed, ", and the file's batch of %lld could not be opened",
                 (long long)im->frozen_batch);
    return mfm_fail(c->ctx, MFM_ENOTSUP,
                    "%s: %s '%s': %s: the result of an image must not depend on the others of its "
                    "batch%s",
                    mfm_model_path(im->model), node->op->name,
                    node->name[0] ? node->name : im->graph->values[node->out[0]].name, what, fixed);
}

int64_t mfm_batch_in_order(const mfm_batch_checker *c, int value)
{
    return mfm_shape_count(&c->shapes[value]) / c->batch;
}

/* ---- the network --------------------------------------------------------------------------- */

static int check_node(mfm_batch_checker *c, const mfm_graph_node *node)
{
    bool any = false, all = true;
    for (int i = 0; i < node->n_in; i++)
        any |= mfm_batch_has_owner(c, node->in[i]);
    for (int k = 0; k < node->n_out && any; k++) {
        c->owners[node->out[k]].run = mfm_batch_run(c, node, k);
        all &= c->owners[node->out[k]].run != 0;
    }
    return all ? MFM_OK : mfm_batch_try_node(c, node);
}

static int check_rows(const mfm_batch_checker *c, const char *what, const char *name)
{
    const mfm_binding *named = mfm_import_find(c->im, name);
    const int value = named ? named->value : -1;
    if (value < 0 || !c->im->on_images[value] || !mfm_shape_count(&c->shapes[value]))
        return MFM_OK;
    const mfm_shape *shape = &c->shapes[value], *many = &c->many[value];
    const int64_t run = c->owners[value].run;
    if (run && shape->rank && shape->dim[0] == c->batch && many->dim[0] == MFM_BATCH_MANY &&
        run == mfm_batch_in_order(c, value) && run == mfm_shape_count(many) / MFM_BATCH_MANY)
        return MFM_OK;
    return mfm_fail(c->ctx, MFM_ENOTSUP, "%s: %s '%s': its rows are not the images of the batch",
                    mfm_model_path(c->im->model), what, name);
}

static int check_nodes(mfm_batch_checker *c)
{
    const mfm_network *network = c->im->network;
    const mfm_graph *graph = c->im->graph;
    const int inputs[] = {network->images, network->soft_label};
    for (size_t i = 0; i < 2; i++)
        if (inputs[i] >= 0)
            c->owners[inputs[i]].run = mfm_batch_in_order(c, inputs[i]);
    int status = MFM_OK;
    for (size_t i = 0; i < graph->n_nodes && !status; i++)
        status = check_node(c, &graph->nodes[i]);
    if (!status)
        status = check_rows(c, "output", c->im->output);
    for (size_t i = 0; i < c->im->n_wanted && !status; i++)
        status = check_rows(c, "value", c->im->wanted[i]);
    return status;
}

/* ---- groups of the batch's size ------------------------------------------------------------- */

/* Numbers before the axis that grows with the batch; -1 when that is not one axis. */
static int64_t before_batch(const mfm_shape *shape, const mfm_shape *larger)
{
    int64_t before = -1, product = 1;
    for (int i = 0; i < shape->rank; i++) {
        if (shape->dim[i] != larger->dim[i]) {
            if (before >= 0)
                return -1;
            before = product;
        }
        product *= shape->dim[i];
    }
    return before;
}

static bool moves_batch(const mfm_importer *im, const mfm_shape *shapes, const mfm_shape *larger)
{
    for (size_t i = 0; i < im->graph->n_nodes; i++) {
        const mfm_graph_node *node = &im->graph->nodes[i];
        const int in = node->in[0], out = node->out[0];
        if (mfm_has_trait(node->op, MFM_SAME_ORDER) &&
            before_batch(&shapes[in], &larger[in]) != before_batch(&shapes[out], &larger[out]))
            return true;
    }
    return false;
}

static bool divides_any(int64_t prime, const mfm_shape *shapes, const uint8_t *on_images, size_t n,
                        int64_t batch)
{
    for (size_t i = 0; i < n; i++)
        if (on_images[i] && mfm_shape_count(&shapes[i]) / batch % prime == 0)
            return true;
    return false;
}

/* 2, where no Reshape moves the batch. */
static int64_t next_batch(const mfm_importer *im, const mfm_shape *shapes, const mfm_shape *larger)
{
    static const int64_t primes[] = {3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59};
    const size_t n_primes = sizeof primes / sizeof primes[0];
    if (!moves_batch(im, shapes, larger))
        return 2;
    for (size_t i = 0; i < n_primes; i++)
        if (!divides_any(primes[i], shapes, im->on_images, im->graph->n_values, 2))
            return primes[i];
    return primes[n_primes - 1];
}

/* ---- the whole ------------------------------------------------------------------------------ */

static int infer_shapes(mfm_importer *im, int64_t batch, mfm_shape *shapes)
{
    const int status = mfm_graph_shapes(im->graph, batch, false, shapes);
    return status ? mfm_fail_in(im->ctx, status, "%s: at batch %lld", mfm_model_path(im->model),
                                (long long)batch)
                  : MFM_OK;
}

/* With the shapes at that batch and at MFM_BATCH_MANY; *tried tells whether a node was. */
static int check_at(mfm_importer *im, int64_t batch, const mfm_shape *shapes, const mfm_shape *many,
                    bool *tried)
{
    const size_t n = im->graph->n_values;
    mfm_batch_checker c = {
        .im = im, .ctx = im->ctx, .batch = batch, .shapes = shapes, .many = many};
    c.owners = mfm_alloc(im->ctx, n, sizeof *c.owners);
    c.tried = mfm_alloc(im->ctx, im->graph->n_nodes, sizeof *c.tried);
    const int status = c.owners && (c.tried || !im->graph->n_nodes) ? check_nodes(&c) : MFM_ENOMEM;
    *tried = c.n_tried > 0;
    for (size_t i = 0; i < n && c.owners; i++)
        mfm_free(im->ctx, c.owners[i].map);
    mfm_free(im->ctx, c.owners);
    mfm_free(im->ctx, c.tried);
    return status;
}

/* What treats every image for itself has lengths a + b N for N images, and a result for each: a
 * Slice of the first five has not. Shapes at 2, 3 and MFM_BATCH_MANY. */
static int check_lengths(mfm_importer *im, const mfm_shape *two, const mfm_shape *three,
                         const mfm_shape *many)
{
    const mfm_batch_checker c = {.im = im, .ctx = im->ctx};
    for (size_t i = 0; i < im->graph->n_nodes; i++)
        for (int k = 0; k < im->graph->nodes[i].n_out; k++) {
            const int value = im->graph->nodes[i].out[k];
            bool grows = true;
            for (int a = 0; a < two[value].rank; a++) {
                const int64_t least = two[value].dim[a], slope = three[value].dim[a] - least;
                grows &= many[value].dim[a] == least + (MFM_BATCH_MANY - 2) * slope;
            }
            if (im->on_images[value] && !grows)
                return mfm_batch_fail(&c, &im->graph->nodes[i], "leaves images out");
        }
    const mfm_binding *output = mfm_import_find(im, im->output);
    const int logits = output ? output->value : -1;
    if (logits < 0 || !two[logits].rank || two[logits].dim[0] != 2 || three[logits].dim[0] == 3)
        return MFM_OK;
    return mfm_fail(im->ctx, MFM_ENOTSUP, "%s: output '%s': has %lld rows for a batch of 3",
                    mfm_model_path(im->model), im->output, (long long)three[logits].dim[0]);
}

int mfm_import_check_batch(mfm_importer *im)
{
    const size_t n = im->graph->n_values;
    bool tried = false;
    mfm_shape *shapes = mfm_alloc(im->ctx, 3 * n, sizeof *shapes);
    if (!shapes)
        return MFM_ENOMEM;
    /* A shape that holds for one batch alone shows at two others. */
    int status = infer_shapes(im, 3, shapes + n);
    if (!status)
        status = infer_shapes(im, 2, shapes);
    if (!status)
        status = infer_shapes(im, MFM_BATCH_MANY, shapes + 2 * n);
    if (!status)
        status = check_lengths(im, shapes, shapes + n, shapes + 2 * n);
    if (!status)
        status = check_at(im, 2, shapes, shapes + 2 * n, &tried);
    const int64_t batch = status || !tried ? 2 : next_batch(im, shapes, shapes + n);
    if (!status && batch != 2)
        status = infer_shapes(im, batch, shapes);
    if (!status && batch != 2)
        status = check_at(im, batch, shapes, shapes + 2 * n, &tried);
    mfm_free(im->ctx, shapes);
    return status;
}
