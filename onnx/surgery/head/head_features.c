#include <stdio.h>
#include <string.h>

#include "onnx/surgery/head/head_parts.h"
#include "onnx/import/import.h"
#include "onnx/layers/layers.h"

typedef struct finder {
    mfm_ctx *ctx;
    const mfm_model *model;
    const mfm_head_options *options;
    mfm_layers *layers;
    const mfm_links *links;
    mfm_head_place *place;
} finder;

static const Onnx__NodeProto *node_at(const finder *f, ptrdiff_t i)
{
    return f->model->proto->graph->node[i];
}

/* Marks the nodes that a value is made by. */
static void mark_makers(const finder *f, const mfm_link *value, bool *makes)
{
    if (value->producer == MFM_NOWHERE)
        return;
    makes[value->producer] = true;
    for (ptrdiff_t i = value->producer; i >= 0; i--)
        for (size_t k = 0; makes[i] && k < node_at(f, i)->n_input; k++) {
            const mfm_link *input = mfm_links_input(f->links, (size_t)i, k);
            if (input && input->producer != MFM_NOWHERE)
                makes[input->producer] = true;
        }
}

/* Whether a node takes means, or maxima, over the whole of each map. */
static bool pools_all(const Onnx__NodeProto *node)
{
    return mfm_proto_is(node, "GlobalAveragePool") || mfm_proto_is(node, "GlobalMaxPool") ||
           mfm_proto_is(node, "ReduceMean");
}

static bool is_pooled(const finder *f, const mfm_link *value)
{
    return value->producer != MFM_NOWHERE && pools_all(node_at(f, value->producer));
}

/* ---- what the classifier reads ----------------------------------------------------------------
 */

static int refuse_count(const finder *f, const bool *makes, size_t count)
{
    char list[512];
    size_t used = 0;
    list[0] = '\0';
    for (size_t i = 0; i < f->layers->n_layers && used < sizeof list; i++)
        if (f->layers->layers[i].classifier && makes[f->layers->layers[i].node])
            used += (size_t)snprintf(list + used, sizeof list - used, "%s%.80s", used ? ", " : "",
                                     mfm_layer_title(&f->layers->layers[i]));
    return mfm_fail(f->ctx, MFM_EINVAL,
                    "%s: %s: --after LAYER says which layer makes the features (inspect lists "
                    "them)%s%s",
                    mfm_model_path(f->model),
                    count ? "several layers make the output" : "no layer makes the output",
                    count ? ": " : "", list);
}

/* The one layer that makes the output that training takes as the logits. */
static int find_classifier(const finder *f, const mfm_layer **classifier)
{
    const Onnx__GraphProto *graph = f->model->proto->graph;
    const mfm_link *output = mfm_links_find(f->links, mfm_model_logits_name(f->model));
    bool *makes = mfm_alloc(f->ctx, graph->n_node, sizeof *makes);
    size_t count = 0;
    if (!makes)
        return MFM_ENOMEM;
    if (output)
        mark_makers(f, output, makes);
    for (size_t i = 0; i < f->layers->n_layers; i++)
        if (f->layers->layers[i].classifier && makes[f->layers->layers[i].node]) {
            *classifier = &f->layers->layers[i];
            count++;
        }
    const int status = count == 1 ? MFM_OK : refuse_count(f, makes, count);
    mfm_free(f->ctx, makes);
    return status;
}

/* The length of the classifier's rows, from its weight: Gemm [out, in] with transB, else and of
 * MatMul [in, out], Conv [out, in / groups, ...]. 0: not told. */
static int64_t width_of(const finder *f, const mfm_layer *layer)
{
    const Onnx__NodeProto *node = node_at(f, (ptrdiff_t)layer->node);
    int64_t dims[MFM_LINK_RANK];
    size_t rank;
    if (!mfm_links_dims(f->links, node->input[1], dims, &rank) || rank < 2)
        return 0;
    if (layer->kind == MFM_LAYER_CONV)
        return dims[1] * mfm_proto_int(node, "group", 1);
    return mfm_proto_is(node, "Gemm") && mfm_proto_int(node, "transB", 0) ? dims[1]
                                                                          : dims[rank - 2];
}

static int refuse_features(const finder *f, const char *value, const char *what)
{
    return mfm_fail(f->ctx, MFM_ENOTSUP,
                    "%s: features '%s': %s: a head reads [n, width] or maps [n, channels, height, "
                    "width]; --after LAYER names other features",
                    mfm_model_path(f->model), value, what);
}

static int use_input(const finder *f, const mfm_layer *layer)
{
    const Onnx__NodeProto *node = node_at(f, (ptrdiff_t)layer->node);
    const mfm_link *value = mfm_links_input(f->links, layer->node, 0);
    const bool conv = layer->kind == MFM_LAYER_CONV;
    if (conv ? !mfm_proto_is(node, "Conv") || (value->rank >= 0 && value->rank != 4)
             : (value->rank >= 0 && value->rank != 2) || mfm_proto_int(node, "transA", 0))
        return refuse_features(f, value->name, "the classifier reads them in another form");
    *f->place = (mfm_head_place){.features = value->name,
                                 .map = conv,
                                 .pool = conv && !is_pooled(f, value),
                                 .width = width_of(f, layer)};
    return MFM_OK;
}

/* A Dropout that is there gives way to the one that is asked for. */
static void pass_dropout(const finder *f)
{
    const mfm_link *value = mfm_links_find(f->links, f->place->features);
    while (value->producer != MFM_NOWHERE && mfm_proto_is(node_at(f, value->producer), "Dropout"))
        value = mfm_links_input(f->links, (size_t)value->producer, 0);
    f->place->features = value->name;
}

/* ---- the last maps ----------------------------------------------------------------------------
 */

/* The last value of rank 4 among those that the features are made from; NULL. */
static const mfm_link *last_map(const finder *f, const bool *makes)
{
    for (size_t i = f->model->proto->graph->n_node; i-- > 0;) {
        const mfm_link *value = makes[i] ? mfm_links_output(f->links, i, 0) : NULL;
        if (value && value->rank == 4 && !value->constant)
            return value;
    }
    return NULL;
}

static bool pooled_later(const finder *f, const mfm_link *map, const bool *makes)
{
    for (size_t u = 0; u < map->n_uses; u++) {
        const size_t reader = f->links->uses[map->first_use + u];
        if (makes[reader] && pools_all(node_at(f, (ptrdiff_t)reader)))
            return true;
    }
    return false;
}

/* A layer with weights makes the features from the map. */
static bool hidden_between(const finder *f, const mfm_link *map, const bool *makes)
{
    for (size_t i = 0; i < f->layers->n_layers; i++) {
        const size_t node = f->layers->layers[i].node;
        if (makes[node] && (ptrdiff_t)node > map->producer)
            return true;
    }
    return false;
}

/* Moves the place to the last maps, unless it is their means already. */
static int use_maps(const finder *f)
{
    const mfm_link *features = mfm_links_find(f->links, f->place->features);
    bool *makes = mfm_alloc(f->ctx, f->model->proto->graph->n_node, sizeof *makes);
    if (!makes)
        return MFM_ENOMEM;
    mark_makers(f, features, makes);
    const mfm_link *map = last_map(f, makes);
    const bool pooled = map && is_pooled(f, map);
    int status = MFM_OK;
    if (!map)
        status = refuse_features(f, features->name, "--pool: no maps lie before them");
    else if ((pooled || pooled_later(f, map, makes)) && !hidden_between(f, map, makes))
        mfm_warn(f->ctx, "--pool has no effect: the features are averaged already, from '%s'",
                 map->name);
    else
        *f->place = (mfm_head_place){.features = map->name, .map = true, .pool = !pooled};
    mfm_free(f->ctx, makes);
    return status;
}

/* ---- a layer by name --------------------------------------------------------------------------
 */

static int check_layer(const finder *f, const size_t *picked, size_t count)
{
    const mfm_layer *layer = &f->layers->layers[picked[0]];
    if (count != 1)
        return mfm_fail(f->ctx, MFM_EINVAL, "--after %.200s: %zu layers: a head reads one",
                        f->options->after, count);
    if (layer->classifier)
        return mfm_fail(f->ctx, MFM_EINVAL,
                        "--after %.200s: %s is the classifier itself: without --after the new one "
                        "takes its place",
                        f->options->after, mfm_layer_title(layer));
    return MFM_OK;
}

static int use_layer(const finder *f)
{
    size_t *picked = NULL, count = 0;
    const char *after = f->options->after;
    mfm_point point;
    int status = mfm_layers_select(f->ctx, f->layers, &after, 1, &picked, &count);
    if (!status)
        status = check_layer(f, picked, count);
    if (!status) {
        const mfm_layer *layer = &f->layers->layers[picked[0]];
        const mfm_position position = strncmp(after, "block:", 6) == 0 ? MFM_AT_BLOCK
                                      : layer->act                     ? MFM_AT_ACT
                                                                       : MFM_AT_NORM;
        status = mfm_layers_point(f->ctx, f->layers, picked[0], position, &point);
    }
    mfm_free(f->ctx, picked);
    if (status)
        return status;
    if (point.rank != 2 && point.rank != 4)
        return refuse_features(f, point.value, "their shape is another, or not known");
    const bool map = point.rank == 4;
    if (!map && f->options->pool)
        mfm_warn(f->ctx, "--pool has no effect: '%s' has no maps", point.value);
    *f->place = (mfm_head_place){.features = point.value,
                                 .map = map,
                                 .pool = map && f->options->pool,
                                 .width = map && !f->options->pool ? 0 : point.channels};
    return MFM_OK;
}

/* ---- the whole --------------------------------------------------------------------------------
 */

/* A head on what no weights have made would keep nothing that was learned. */
static int check_features(const finder *f)
{
    const mfm_link *features = mfm_links_find(f->links, f->place->features);
    bool *makes = mfm_alloc(f->ctx, f->model->proto->graph->n_node, sizeof *makes);
    bool learned = false;
    if (!makes)
        return MFM_ENOMEM;
    mark_makers(f, features, makes);
    for (size_t i = 0; i < f->layers->n_layers; i++)
        learned |= makes[f->layers->layers[i].node];
    mfm_free(f->ctx, makes);
    if (learned)
        return MFM_OK;
    return mfm_fail(f->ctx, MFM_EINVAL,
                    "%s: no feature layer: nothing with weights lies before '%s', which the "
                    "classifier reads",
                    mfm_model_path(f->model), features->name);
}

int mfm_head_find(mfm_ctx *ctx, const mfm_model *model, const mfm_head_options *options,
                  mfm_head_place *place)
{
    finder f = {.ctx = ctx, .model = model, .options = options, .place = place};
    const mfm_layer *classifier = NULL;
    int status = mfm_layers_new(ctx, model, &f.layers);
    if (status)
        return status;
    f.links = &f.layers->links;
    if (options->after)
        status = use_layer(&f);
    else {
        status = find_classifier(&f, &classifier);
        if (!status)
            status = use_input(&f, classifier);
        if (!status && options->pool && !place->pool)
            status = use_maps(&f);
        if (!status && options->dropout > 0)
            pass_dropout(&f);
    }
    if (!status)
        status = check_features(&f);
    mfm_layers_free(f.layers);
    return status;
}
