/*
 * GatherElements and GatherND whose constant places list the images of the batch, as files of a
 * fixed batch have them, and those that repeat one index for each image: where the places of every
 * image are the same ones among its own numbers, there are as many of them as images.
 *     elements              places [N, ..], along any axis but the first
 *     lists, batch_dims > 0   places [N, .., k]
 *     lists, batch_dims = 0   places [N, .., k], the first of the k being the image's number: those
 *                           behind it are places with batch_dims = 1
 */
#include <stdio.h>

#include "onnx/expand/expand_parts.h"

enum { DATA, PLACES };

typedef struct images {
    mfm_parts p;
    bool elements;
    int64_t axis;       /* of elements */
    int64_t batch_dims; /* of lists */
    int drop;           /* 1: the first number of each list is the image's */
    size_t n_known;     /* batches at which the places are known */
    const mfm_folded *known[MFM_FOLD_BATCHES];
    int64_t batch[MFM_FOLD_BATCHES];
} images;

static bool find_known(images *g)
{
    mfm_importer *im = g->p.im;
    const mfm_binding *b = mfm_import_find(im, g->p.node->input[PLACES]);
    g->n_known = 0;
    if (b && b->at[0]) {
        for (; g->n_known < MFM_FOLD_BATCHES; g->n_known++) {
            g->known[g->n_known] = b->at[g->n_known];
            g->batch[g->n_known] = mfm_fold_batches[g->n_known];
        }
    } else if (b && b->value < 0 && im->frozen_batch > 0) {
        g->p.status = mfm_import_folded(im, b->name, &g->known[0]);
        g->batch[0] = im->frozen_batch;
        g->n_known = g->known[0] && !mfm_folded_varies(g->known[0]);
    }
    const mfm_folded *first = g->n_known ? g->known[0] : NULL;
    return first && !mfm_folded_is_real(first) && first->shape.rank > 0 &&
           first->shape.dim[0] == g->batch[0];
}

/* Whether axis 0 of the data is the batch, and the places might list its images. */
static bool lists_images(images *g)
{
    const Onnx__NodeProto *node = g->p.node;
    const mfm_binding *data =
        node->n_input == 2 ? mfm_import_find(g->p.im, node->input[DATA]) : NULL;
    mfm_shape shapes[2];
    if (!data || data->value < 0 || !g->p.im->network || !g->p.im->on_images[data->value] ||
        !find_known(g))
        return false;
    for (int k = 0; k < 2 && !g->p.status; k++)
        g->p.status = mfm_import_shape(g->p.im, data->value, mfm_fold_batches[k], &shapes[k]);
    return !g->p.status && shapes[0].rank > 1 && shapes[0].dim[0] == mfm_fold_batches[0] &&
           shapes[1].dim[0] == mfm_fold_batches[1];
}

static images look(mfm_importer *im, const Onnx__NodeProto *node)
{
    return (images){
        .p = {.im = im, .node = node},
        .elements = mfm_proto_is(node, "GatherElements"),
        .axis = mfm_proto_int(node, "axis", 0),
        .batch_dims = mfm_proto_int(node, "batch_dims", 0),
    };
}

bool mfm_gather_lists_images(const mfm_importer *im, const Onnx__NodeProto *node)
{
    images g = look((mfm_importer *)im, node);
    return lists_images(&g);
}

/* ---- the places of one image ------------------------------------------------------------------
 */

/* Whether number i of the places of image `image` is what it is for the first one, or the image's
 * own number. */
static bool is_alike(const images *g, size_t k, int64_t image, int64_t i, int64_t each,
                     int64_t listed)
{
    const int64_t number = g->known[k]->v[image * each + i].i;
    return g->drop && i % listed == 0 ? number == image : number == g->known[0]->v[i].i;
}

static bool are_alike(const images *g)
{
    const mfm_shape *first = &g->known[0]->shape;
    const int64_t each = mfm_shape_count(first) / g->batch[0], listed = first->dim[first->rank - 1];
    bool alike = true;
    for (size_t k = 0; k < g->n_known && alike; k++) {
        mfm_shape same = *first;
        same.dim[0] = g->batch[k];
        alike = mfm_shape_equal(&g->known[k]->shape, &same);
        for (int64_t s = 0; s < g->batch[k] && alike; s++)
            for (int64_t i = 0; i < each && alike; i++)
                alike = is_alike(g, k, s, i, each, listed);
    }
    return alike;
}

/* They are no constants of the graph any more, which it would check. */
static bool are_within(const images *g, const mfm_shape *data)
{
    const mfm_shape *first = &g->known[0]->shape;
    const int64_t each = mfm_shape_count(first) / g->batch[0], listed = first->dim[first->rank - 1];
    for (int64_t i = 0; i < each; i++) {
        const int64_t k = i % listed;
        const int64_t axis = g->elements ? g->axis : g->drop ? k : g->batch_dims + k;
        const int64_t length = axis < data->rank ? data->dim[axis] : 0;
        const int64_t at = g->known[0]->v[i].i;
        if ((!g->drop || k) && (at < -length || at >= length))
            return false;
    }
    return true;
}

/* The rule that does not hold; NULL: all do. */
static const char *rule_of(images *g, const mfm_shape *data)
{
    const mfm_shape *first = &g->known[0]->shape;
    if (!mfm_shape_count(first))
        return "has no numbers";
    g->axis += g->axis < 0 ? data->rank : 0;
    g->drop = !g->elements && g->batch_dims == 0;
    if (g->elements ? g->axis < 1 || g->axis >= data->rank || first->rank != data->rank
                    : g->batch_dims < 0 || g->batch_dims >= first->rank)
        return "must list places of each image among its own numbers";
    if (g->drop && (first->rank < 2 || first->dim[first->rank - 1] < 2))
        return "must list places of each image among its own numbers, not images";
    if (!are_alike(g))
        return "places must be those of each image among its own numbers, and the same for every "
               "image";
    return are_within(g, data) ? NULL : "has places beyond the data";
}

/* [1, ..]: those of the first image. */
static int first_places(images *g, mfm_shape *shape)
{
    const mfm_shape *all = &g->known[0]->shape;
    const int64_t each = mfm_shape_count(all) / g->batch[0], listed = all->dim[all->rank - 1];
    *shape = *all;
    shape->dim[0] = 1;
    shape->dim[shape->rank - 1] -= g->drop;
    real *numbers = mfm_alloc(g->p.im->ctx, (size_t)each, sizeof *numbers);
    if (!numbers) {
        g->p.status = MFM_ENOMEM;
        return MFM_NO_VALUE;
    }
    int64_t count = 0;
    for (int64_t i = 0; i < each; i++)
        if (!g->drop || i % listed)
            numbers[count++] = (real)g->known[0]->v[i].i;
    const int value = mfm_parts_const(&g->p, shape, numbers);
    mfm_free(g->p.im->ctx, numbers);
    return value;
}

/* As many as there are images. */
static int all_places(images *g)
{
    mfm_shape shape;
    const int first = first_places(g, &shape);
    shape.dim[0] = -1;
    const int all = mfm_parts_add_list(&g->p, "Expand shape=", shape.dim, shape.rank, first,
                                       g->p.im->network->images);
    if (!g->p.status)
        g->p.im->graph->values[all].role = MFM_INDEX;
    return all;
}

int mfm_expand_gather_images(mfm_importer *im, const Onnx__NodeProto *node)
{
    images g = look(im, node);
    char text[64];
    if (!lists_images(&g))
        return g.p.status ? g.p.status : mfm_import_not_known(im, node);
    const int data = mfm_parts_input(&g.p, DATA, MFM_DATA);
    const mfm_shape shape = mfm_parts_shape(&g.p, data);
    const char *rule = g.p.status ? NULL : rule_of(&g, &shape);
    if (rule)
        return mfm_import_fail(im, node, MFM_ENOTSUP,
                               "input %d ('%s'): %s, since the batch is opened to others", PLACES,
                               node->input[PLACES], rule);
    const int places = all_places(&g);
    if (g.elements)
        snprintf(text, sizeof text, "GatherElements axis=%lld", (long long)g.axis);
    else
        snprintf(text, sizeof text, "GatherND batch_dims=%lld",
                 (long long)(g.drop ? 1 : g.batch_dims));
    mfm_parts_output(&g.p, 0, mfm_parts_add(&g.p, text, data, places, MFM_NO_VALUE));
    return g.p.status;
}
