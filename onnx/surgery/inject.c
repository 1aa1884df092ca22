#include "onnx/surgery/inject.h"

#include <string.h>

#include "onnx/import/import.h"
#include "onnx/surgery/inject_parts.h"
#include "onnx/functions/flat.h"
#include "onnx/layers/layers.h"
#include "onnx/storage/tensor_data.h"
#include "onnx/surgery/rewire.h"

enum { DEFAULT_HIDDEN = 100, MOST_CLASSES = 1 << 20, MOST_HIDDEN = 1 << 16 };

/* The value and the node of a site, found before anything is edited. */
typedef struct place {
    mfm_point point;
    size_t layer;
    int32_t type; /* of its elements */
} place;

static int check_options(mfm_injector *in)
{
    const mfm_inject_options *o = in->options;
    in->has_scale = !o->no_scale;
    in->has_shift = !o->no_shift && mfm_modulation_shifts(o->modulation);
    in->opset = mfm_model_opset(in->model, "");
    if (mfm_proto_metadata(in->model, MFM_INJECT_KEY))
        return mfm_fail(in->ctx, MFM_EINVAL,
                        "cannot inject into %s: it has a modulator: strip it first",
                        in->model->path);
    if (!in->has_scale && !in->has_shift)
        return mfm_fail(in->ctx, MFM_EINVAL,
                        "cannot inject: %s with neither scale nor shift: nothing to modulate with",
                        mfm_modulation_name(o->modulation));
    if (o->no_shift && !mfm_modulation_shifts(o->modulation))
        return mfm_fail(in->ctx, MFM_EINVAL,
                        "cannot inject: %s has no shift, so --no-shift has no effect: leave it "
                        "out",
                        mfm_modulation_name(o->modulation));
    if (o->hidden < 0 || o->hidden > MOST_HIDDEN || o->hash_dim < 0 || o->hash_dim > MOST_HIDDEN)
        return mfm_fail(in->ctx, MFM_EINVAL,
                        "cannot inject: hidden %d, hash dimension %d: at most %d each", o->hidden,
                        o->hash_dim, MOST_HIDDEN);
    if (in->opset < MFM_INJECT_OPSET)
        return mfm_fail(
            in->ctx, MFM_ENOTSUP,
            "cannot inject into %s: operator set %lld: %d is the first whose operators "
            "broadcast over the batch: export the model anew, or convert the file with its "
            "batch fixed, as onnx.version_converter.convert_version(model, 13) does",
            in->model->path, (long long)in->opset, MFM_INJECT_OPSET);
    return MFM_OK;
}

/* ---- what the engine says of the model ------------------------------------------------------ */

/* Checks a site against the value's shape at two images. */
static int check_features(const mfm_injector *in, const mfm_inject_site *site,
                          const mfm_shape *shape)
{
    char text[MFM_SHAPE_TEXT];
    const bool fits =
        shape->rank == site->rank && shape->dim[0] == 2 && shape->dim[site->axis] == site->channels;
    /* Between a layer and the end of its block features may be turned. */
    if (fits && site->axis > 1 && site->position == MFM_AT_BLOCK && shape->dim[1] == site->channels)
        return mfm_fail(in->ctx, MFM_ENOTSUP,
                        "cannot modulate the block of %s: its features are %s for two images: "
                        "which axis has the %lld channels does not show: modulate the layer",
                        site->layer, mfm_shape_text(shape, text), (long long)site->channels);
    if (fits)
        return MFM_OK;
    return mfm_fail(in->ctx, MFM_ENOTSUP,
                    "cannot modulate %s: its features are %s for two images: [images, channels, "
                    "...] is needed, with %lld channels and rank %d",
                    site->layer, mfm_shape_text(shape, text), (long long)site->channels,
                    site->rank);
}

/* A block that works channels last, and turns what it adds to its input: ConvNeXt. */
static void turn_back(mfm_inject_site *site, const mfm_shape *shape)
{
    if (site->position == MFM_AT_BLOCK && site->rank == shape->rank && site->rank > 2 &&
        shape->dim[site->axis] != site->channels && shape->dim[1] == site->channels)
        site->axis = 1;
}

static int check_with_network(mfm_injector *in, mfm_network *network)
{
    mfm_shape *shapes = mfm_alloc(in->ctx, network->graph->n_values, sizeof *shapes);
    if (!shapes)
        return MFM_ENOMEM;
    int status = mfm_graph_shapes(network->graph, 2, false, shapes);
    for (size_t i = 0; i < in->info->n_sites && !status; i++) {
        mfm_inject_site *site = &in->info->sites[i];
        const int value = mfm_graph_find(network->graph, site->value);
        if (value < 0)
            continue;
        turn_back(site, &shapes[value]);
        status = check_features(in, site, &shapes[value]);
    }
    mfm_free(in->ctx, shapes);
    return status;
}

/* Of three axes or more it takes the engine to tell that the first is the batch: networks of tokens
 * often have it second. */
static int check_without_network(const mfm_injector *in)
{
    for (size_t i = 0; i < in->info->n_sites; i++)
        if (in->info->sites[i].axis > 1)
            return mfm_fail_in(in->ctx, MFM_ENOTSUP,
                               "cannot modulate %s: whether its features are [batch, ..., "
                               "features] shows only in a model that can be trained",
                               in->info->sites[i].layer);
    return MFM_OK;
}

/* in->network, once; NULL where training cannot read the model. What training warns of is told when
 * it is imported for that. */
static int open_network(mfm_injector *in)
{
    if (in->opened)
        return MFM_OK;
    in->opened = true;
    mfm_ctx_hold_warnings(in->ctx);
    const int status = mfm_model_import_form(in->ctx, in->model, &in->network);
    mfm_ctx_release_warnings(in->ctx);
    return status == MFM_ENOMEM ? status : MFM_OK;
}

/* Where training can read the model, its shapes are known, and its classes: *classes, else 0. */
static int ask_engine(mfm_injector *in, int64_t *classes)
{
    const int status = open_network(in);
    *classes = in->network ? in->network->classes : 0;
    if (status)
        return status;
    return in->network ? check_with_network(in, in->network) : check_without_network(in);
}

/* Rank and channels of a value that the operators of the file do not tell by themselves. */
static int find_shape(mfm_injector *in, mfm_layer_kind kind, mfm_point *point)
{
    const int status = open_network(in);
    const int value = in->network ? mfm_graph_find(in->network->graph, point->value) : -1;
    if (status || value < 0)
        return status;
    const size_t n = in->network->graph->n_values;
    mfm_shape *shapes = mfm_alloc(in->ctx, n, sizeof *shapes);
    if (!shapes)
        return MFM_ENOMEM;
    if (mfm_graph_shapes(in->network->graph, 2, false, shapes) == MFM_OK) {
        const mfm_shape *shape = &shapes[value];
        point->rank = shape->rank;
        if (shape->rank > 1 && point->channels < 1)
            point->channels = shape->dim[kind == MFM_LAYER_FC ? shape->rank - 1 : 1];
    }
    mfm_free(in->ctx, shapes);
    return MFM_OK;
}

/* ---- classes -------------------------------------------------------------------------------- */

/* The class count that the file tells: the logits' shape, else the last layer's channels. */
static int64_t known_classes(const mfm_layers *layers)
{
    const char *logits = mfm_model_logits_name(layers->model);
    int64_t dims[MFM_LINK_RANK];
    size_t rank;
    if (mfm_links_declared(&layers->links, logits, dims, &rank) && rank >= 2 && dims[1] > 0)
        return dims[1];
    for (size_t i = layers->n_layers; i-- > 0;)
        if (layers->layers[i].classifier)
            return layers->layers[i].channels;
    return 0;
}

static int find_classes(mfm_injector *in, const mfm_layers *layers)
{
    const int64_t asked = in->options->classes;
    int64_t known;
    const int status = ask_engine(in, &known);
    if (status)
        return status;
    if (!known)
        known = known_classes(layers);
    if (asked && known && asked != known)
        return mfm_fail(in->ctx, MFM_EINVAL, "cannot inject into %s: %lld classes: it has %lld",
                        in->model->path, (long long)asked, (long long)known);
    in->info->classes = asked ? asked : known;
    if (in->info->classes == 0)
        return mfm_fail(in->ctx, MFM_EINVAL,
                        "cannot inject into %s: the file does not tell its number of classes: "
                        "give --classes",
                        in->model->path);
    if (in->info->classes < 2 || in->info->classes > MOST_CLASSES)
        return mfm_fail(in->ctx, MFM_EINVAL, "cannot inject into %s: %lld classes: 2 to %d",
                        in->model->path, (long long)in->info->classes, MOST_CLASSES);
    return MFM_OK;
}

static int check_place(const mfm_injector *in, const mfm_layers *layers, const place *p)
{
    const mfm_layer *layer = &layers->layers[p->layer];
    const mfm_link *weight = mfm_links_input(&layers->links, layer->node, 1);
    const char *title = mfm_layer_title(layer);
    if (layer->other_output)
        return mfm_fail(in->ctx, MFM_ENOTSUP,
                        "cannot modulate %s: it leads to an output that is not trained", title);
    if (weight->initializer && !mfm_tensor_is_float(weight->initializer))
        return mfm_fail(in->ctx, MFM_ENOTSUP,
                        "cannot modulate %s: its weights are not floating-point numbers", title);
    if (p->point.channels < 1 || p->point.channels > INT32_MAX / 4)
        return mfm_fail(in->ctx, MFM_ENOTSUP,
                        "cannot modulate %s: the file does not tell how many channels it has",
                        title);
    if (p->point.rank == 0)
        return mfm_fail(in->ctx, MFM_ENOTSUP,
                        "cannot modulate %s: the operators before it do not tell the rank of its "
                        "features",
                        title);
    if (p->point.rank < 2 || p->point.rank > MFM_LINK_RANK)
        return mfm_fail(in->ctx, MFM_ENOTSUP,
                        "cannot modulate %s: rank %d: images, [batch, features], or [batch, ..., "
                        "features]",
                        title, p->point.rank);
    return MFM_OK;
}

/* What lies within a function, or a node that is fused of several, is no value of the file. */
static int check_value(const mfm_injector *in, const place *p, const char *title)
{
    const Onnx__GraphProto *graph = in->model->proto->graph;
    for (size_t i = 0; i < graph->n_node; i++)
        for (size_t k = 0; k < graph->node[i]->n_output; k++)
            if (strcmp(graph->node[i]->output[k], p->point.value) == 0)
                return MFM_OK;
    return mfm_fail(in->ctx, MFM_ENOTSUP,
                    "cannot modulate %s: its value '%s' lies within a function or fused node: only "
                    "values of the graph itself can be modulated: --position act or block may be",
                    title, p->point.value);
}

static bool is_there(const place *places, size_t count, const char *value)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(places[i].point.value, value) == 0)
            return true;
    return false;
}

/* Sorted by node: a value is modulated after it is written, and sites must not pass each other. */
static void insert_place(const mfm_layers *layers, place *places, size_t count, place fresh)
{
    const ptrdiff_t node = mfm_links_find(&layers->links, fresh.point.value)->producer;
    size_t at = count;
    for (; at > 0; at--) {
        if (mfm_links_find(&layers->links, places[at - 1].point.value)->producer <= node)
            break;
        places[at] = places[at - 1];
    }
    places[at] = fresh;
}

/* Features are of the type of the layer's weights; of weights that are computed, float32. */
static int32_t type_of(const mfm_layers *layers, size_t layer)
{
    const mfm_link *weight = mfm_links_input(&layers->links, layers->layers[layer].node, 1);
    return weight->initializer ? weight->initializer->data_type
                               : ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT;
}

/* Several layers may share one place: the sum of a block. */
static int find_places(mfm_injector *in, const mfm_layers *layers, const size_t *picked, size_t n,
                       place *places, size_t *count)
{
    for (size_t i = 0; i < n; i++) {
        place p = {.layer = picked[i], .type = type_of(layers, picked[i])};
        int status = mfm_layers_point(in->ctx, layers, picked[i], in->options->position, &p.point);
        if (!status && (p.point.rank == 0 || p.point.channels < 1))
            status = find_shape(in, layers->layers[p.layer].kind, &p.point);
        if (!status)
            status = check_place(in, layers, &p);
        if (!status)
            status = check_value(in, &p, mfm_layer_title(&layers->layers[p.layer]));
        if (status)
            return status;
        if (!is_there(places, *count, p.point.value))
            insert_place(layers, places, (*count)++, p);
    }
    return MFM_OK;
}

static int copy_site(mfm_injector *in, const mfm_layers *layers, const place *p,
                     mfm_inject_site *site)
{
    site->position = in->options->position;
    site->channels = p->point.channels;
    site->rank = p->point.rank;
    site->axis = layers->layers[p->layer].kind == MFM_LAYER_FC ? site->rank - 1 : 1;
    site->layer = mfm_strdup(in->ctx, mfm_layer_title(&layers->layers[p->layer]));
    site->value = mfm_strdup(in->ctx, p->point.value);
    return site->layer && site->value ? MFM_OK : MFM_ENOMEM;
}

static int copy_sites(mfm_injector *in, const mfm_layers *layers, const size_t *picked, size_t n)
{
    size_t count = 0;
    place *places = mfm_alloc(in->ctx, n, sizeof *places);
    if (!places)
        return MFM_ENOMEM;
    int status = find_places(in, layers, picked, n, places, &count);
    if (!status) {
        in->info->sites = mfm_alloc(in->ctx, count, sizeof *in->info->sites);
        in->types = mfm_alloc(in->ctx, count, sizeof *in->types);
    }
    if (!status && (!in->info->sites || !in->types))
        status = MFM_ENOMEM;
    for (size_t i = 0; i < count && !status; i++) {
        in->info->n_sites++;
        status = copy_site(in, layers, &places[i], &in->info->sites[i]);
        in->types[i] = places[i].type;
    }
    mfm_free(in->ctx, places);
    return status;
}

/* Training then begins from features scaled down, which batch statistics may not undo. */
static void warn_of_start(const mfm_injector *in)
{
    const mfm_modulation form = in->info->modulation;
    if (mfm_modulation_starts_at_one(form))
        return;
    for (size_t i = 0; i < in->info->n_sites; i++)
        mfm_warn(in->ctx,
                 "%s: gamma starts at 1/%lld at %s, and not at 1: training may collapse; "
                 "--modulation %s --no-shift is the same form scaled to start at 1",
                 mfm_modulation_name(form),
                 form == MFM_GATED ? (long long)in->info->sites[i].channels : 2LL,
                 in->info->sites[i].layer,
                 mfm_modulation_name(form == MFM_GATED ? MFM_SCALED_SOFTMAX : MFM_SCALED_SIGMOID));
}

/* Everything that needs the graph as it was: sites and classes. */
static int find_sites(mfm_injector *in)
{
    static const char *const last = "last_conv";
    const mfm_inject_options *o = in->options;
    mfm_layers *layers = NULL;
    mfm_flat *flat;
    size_t *picked = NULL, n = 0;
    int status = mfm_flat_new(in->ctx, in->model, &flat);
    if (!status)
        status = mfm_layers_new(in->ctx, mfm_flat_model(flat), &layers);
    if (!status)
        status = mfm_layers_select(in->ctx, layers, o->n_layers ? o->layers : &last,
                                   o->n_layers ? o->n_layers : 1, &picked, &n);
    if (!status)
        status = copy_sites(in, layers, picked, n);
    if (!status)
        status = find_classes(in, layers);
    mfm_free(in->ctx, picked);
    mfm_layers_free(layers);
    mfm_flat_free(flat);
    return status;
}

static char *keep_name(mfm_injector *in, const char *name)
{
    char *copy = in->status || !name ? NULL : mfm_strdup(in->ctx, name);
    if (!copy)
        mfm_inject_keep(in, MFM_ENOMEM);
    return copy;
}

static void add_inputs(mfm_injector *in)
{
    mfm_inject_info *info = in->info;
    const int64_t label_dims[2] = {-1, info->classes}, gate_dims[1] = {1};
    float *uniform = mfm_alloc(in->ctx, (size_t)info->classes, sizeof *uniform);
    if (!uniform) {
        mfm_inject_keep(in, MFM_ENOMEM);
        return;
    }
    for (int64_t i = 0; i < info->classes; i++)
        uniform[i] = 1.0F / (float)info->classes;
    info->soft_label =
        keep_name(in, mfm_inject_input(in, "mfm.soft_label", label_dims, 2, 1, uniform));
    info->gate = keep_name(in, mfm_inject_input(in, "mfm.switch", gate_dims, 1, 1, NULL));
    mfm_free(in->ctx, uniform);
}

/* Gives the modulated value its name and turns the readers of X to it. A graph's output keeps its
 * name, so there the unmodulated value takes the new one. */
static void turn_readers(mfm_injector *in, mfm_inject_site *site)
{
    site->renamed = mfm_proto_is_output(in->model, site->value);
    const char *name = mfm_inject_name(in, site->renamed ? "mfm.feature" : "mfm.modulated");
    if (!name)
        return;
    if (site->renamed) {
        site->output = site->value;
        site->value = keep_name(in, name);
        if (site->value)
            mfm_inject_keep(in, mfm_rewire_producer(in->model, site->output, name));
        return;
    }
    site->output = keep_name(in, name);
    if (site->output)
        mfm_inject_keep(in, mfm_rewire_uses(in->model, site->value, name));
}

/* The position after the node that writes a value. */
static size_t after_producer(const mfm_injector *in, const char *value)
{
    const Onnx__GraphProto *graph = in->model->proto->graph;
    for (size_t i = 0; i < graph->n_node; i++)
        for (size_t k = 0; k < graph->node[i]->n_output; k++)
            if (strcmp(graph->node[i]->output[k], value) == 0)
                return i + 1;
    return graph->n_node;
}

static void add_site(mfm_injector *in, const mfm_inject_net *net, size_t index, int64_t column)
{
    mfm_inject_site *site = &in->info->sites[index];
    const char *scale, *shift;
    turn_readers(in, site);
    if (in->status)
        return;
    mfm_inject_factors(in, net, index, column, &scale, &shift);
    site->scale = keep_name(in, scale);
    site->shift = keep_name(in, shift);
    mfm_inject_modulation(in, site, in->types[index], scale, shift);
}

/* Before IR 4 a default cannot be overridden: runtimes take it for a constant. What IR 4 changes is
 * only that, so the file is one while it has a modulator. */
static void allow_defaults(mfm_injector *in)
{
    Onnx__ModelProto *proto = in->model->proto;
    in->info->ir_version = proto->ir_version;
    if (proto->ir_version < MFM_INJECT_IR)
        proto->ir_version = MFM_INJECT_IR;
}

static void add_all(mfm_injector *in)
{
    mfm_inject_info *info = in->info;
    mfm_inject_net net;
    int64_t channels = 0, column = 0;
    for (size_t i = 0; i < info->n_sites; i++)
        channels += info->sites[i].channels;
    allow_defaults(in);
    add_inputs(in);
    if (in->status)
        return;
    in->at = after_producer(in, info->sites[0].value);
    mfm_inject_network(in, channels, &net);
    for (size_t i = 0; i < info->n_sites && !in->status; i++) {
        if (i)
            in->at = after_producer(in, info->sites[i].value);
        add_site(in, &net, i, column);
        column += info->sites[i].channels;
    }
}

static int start_info(mfm_injector *in)
{
    mfm_inject_info *info = in->info = mfm_alloc(in->ctx, 1, sizeof *info);
    if (!info)
        return MFM_ENOMEM;
    info->modulation = in->options->modulation;
    info->hidden = in->options->hidden ? in->options->hidden : DEFAULT_HIDDEN;
    info->hash_dim = in->options->hash_dim;
    info->parameters = mfm_alloc(in->ctx, 4, sizeof *info->parameters);
    return info->parameters ? MFM_OK : MFM_ENOMEM;
}

int mfm_model_inject(mfm_ctx *ctx, mfm_model *model, const mfm_inject_options *options)
{
    mfm_injector in = {.ctx = ctx, .model = model, .options = options};
    in.status = check_options(&in);
    if (!in.status)
        in.status = start_info(&in);
    if (!in.status)
        in.status = find_sites(&in);
    if (!in.status)
        in.status = mfm_names_new(model, &in.names);
    if (!in.status)
        add_all(&in);
    if (!in.status)
        in.status = mfm_inject_info_write(ctx, model, in.info);
    if (!in.status)
        warn_of_start(&in);
    mfm_names_free(in.names);
    mfm_inject_info_free(ctx, in.info);
    mfm_network_free(ctx, in.network);
    mfm_free(ctx, in.types);
    return in.status;
}
