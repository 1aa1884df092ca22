#include "onnx/surgery/inject_check.h"

#include <string.h>

#include "onnx/layers/links.h"

/* Of a node of the graph. */
enum { OUTSIDE = 0, LISTED = 1, OF_SITE = 2 };

typedef struct checker {
    mfm_ctx *ctx;
    const mfm_model *model;
    const Onnx__GraphProto *graph;
    const mfm_inject_info *info;
    mfm_links links;
    mfm_strmap nodes, initializers, inputs; /* listed names; the number: how often they were met */
    mfm_strmap outputs;                     /* of the sites */
    unsigned char *marks;                   /* by node */
} checker;

static int misfit(const checker *c, const char *what, const char *name, const char *rule)
{
    return mfm_fail(c->ctx, MFM_EDATA, "%s: not a modulator as its metadata lists it: %s '%s': %s",
                    mfm_model_path(c->model), what, name, rule);
}

/* ---- the lists ------------------------------------------------------------------------------ */

static int list_names(const checker *c, mfm_strmap *map, const char *what, char *const *names,
                      size_t count)
{
    int status = MFM_OK;
    for (size_t i = 0; i < count && !status; i++)
        status = mfm_strmap_get(map, names[i], NULL) ? misfit(c, what, names[i], "is listed twice")
                                                     : mfm_strmap_set(map, names[i], 0);
    return status;
}

/* Counts a name of the graph when it is listed. */
static int meet(mfm_strmap *map, const char *name)
{
    size_t met;
    return mfm_strmap_get(map, name, &met) ? mfm_strmap_set(map, name, met + 1) : MFM_OK;
}

static int require_met(const checker *c, const mfm_strmap *map, const char *what,
                       char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t met = 0;
        mfm_strmap_get(map, names[i], &met);
        if (met != 1)
            return misfit(c, what, names[i],
                          met ? "the graph has it twice" : "the graph does not have it");
    }
    return MFM_OK;
}

static int check_lists(checker *c)
{
    const mfm_inject_info *info = c->info;
    const Onnx__GraphProto *g = c->graph;
    int status = list_names(c, &c->nodes, "node", info->nodes, info->n_nodes);
    if (!status)
        status = list_names(c, &c->initializers, "initializer", info->initializers,
                            info->n_initializers);
    if (!status)
        status = list_names(c, &c->inputs, "input", info->inputs, info->n_inputs);
    for (size_t i = 0; i < g->n_node && !status; i++)
        status = meet(&c->nodes, mfm_proto_text(g->node[i]->name));
    for (size_t i = 0; i < g->n_initializer && !status; i++)
        status = meet(&c->initializers, mfm_proto_text(g->initializer[i]->name));
    for (size_t i = 0; i < g->n_input && !status; i++)
        status = meet(&c->inputs, mfm_proto_text(g->input[i]->name));
    if (!status)
        status = require_met(c, &c->nodes, "node", info->nodes, info->n_nodes);
    if (!status)
        status = require_met(c, &c->initializers, "initializer", info->initializers,
                             info->n_initializers);
    return status ? status : require_met(c, &c->inputs, "input", info->inputs, info->n_inputs);
}

static int check_inputs(const checker *c)
{
    const mfm_inject_info *info = c->info;
    const char *const wanted[] = {info->soft_label, info->gate};
    if (info->n_inputs != 2 || strcmp(info->soft_label, info->gate) == 0)
        return misfit(c, "input", info->soft_label,
                      "the soft label and the switch must be its two inputs");
    for (size_t i = 0; i < 2; i++)
        if (!mfm_strmap_get(&c->inputs, wanted[i], NULL) ||
            !mfm_strmap_get(&c->initializers, wanted[i], NULL))
            return misfit(c, "input", wanted[i], "must be listed, with its default value");
    for (size_t i = 0; i < info->n_parameters; i++)
        if (!mfm_strmap_get(&c->initializers, info->parameters[i], NULL))
            return misfit(c, "parameter", info->parameters[i],
                          "must be among the listed initializers");
    return MFM_OK;
}

/* ---- sites ---------------------------------------------------------------------------------- */

/* The listed node that makes `name` from two values, `one` being given: marks it and sets *other
 * to the name of the second. False when that is not how it is made. */
static bool made_by(checker *c, const char *name, const char *op_type, const char *one,
                    const char **other)
{
    const mfm_link *value = mfm_links_find(&c->links, name);
    if (!value || value->producer == MFM_NOWHERE || c->marks[value->producer] != LISTED)
        return false;
    const Onnx__NodeProto *node = c->graph->node[value->producer];
    if (strcmp(mfm_proto_text(node->op_type), op_type) != 0 || mfm_proto_text(node->domain)[0] ||
        node->n_input != 2 || node->n_output != 1)
        return false;
    const int at = strcmp(node->input[0], one) == 0 ? 0 : 1;
    *other = node->input[1 - at];
    c->marks[value->producer] = OF_SITE;
    return strcmp(node->input[at], one) == 0 && strcmp(*other, one) != 0;
}

/* What a listed Cast that makes `name` reads, which it marks; else the name itself. */
static const char *behind_cast(checker *c, const char *name)
{
    const mfm_link *value = mfm_links_find(&c->links, name);
    if (!value || value->producer == MFM_NOWHERE || c->marks[value->producer] != LISTED)
        return name;
    const Onnx__NodeProto *node = c->graph->node[value->producer];
    if (!mfm_proto_is(node, "Cast") || node->n_input != 1 || node->n_output != 1)
        return name;
    c->marks[value->producer] = OF_SITE;
    return node->input[0];
}

/* Features of another type than float32 are cast for the product, and the change of them back. */
static bool is_modulation(checker *c, const mfm_inject_site *site)
{
    const char *value, *product;
    if (!site->scale[0] && !site->shift[0])
        return false;
    if (!made_by(c, site->output, "Add", site->value, &value) ||
        !made_by(c, behind_cast(c, value), "Mul", c->info->gate, &value))
        return false;
    if (!site->scale[0])
        return strcmp(value, site->shift) == 0;
    if (site->shift[0] && !made_by(c, value, "Add", site->shift, &value))
        return false;
    return made_by(c, value, "Mul", site->scale, &product) &&
           strcmp(behind_cast(c, product), site->value) == 0;
}

static int check_site(checker *c, const mfm_inject_site *site)
{
    const mfm_link *value = mfm_links_find(&c->links, site->value);
    const mfm_link *output = mfm_links_find(&c->links, site->output);
    if (!value || !output)
        return misfit(c, "site", site->value, "the graph does not have it, or its result");
    const bool made = value->producer != MFM_NOWHERE;
    if ((made && c->marks[value->producer] != OUTSIDE) || value->constant ||
        mfm_strmap_get(&c->inputs, site->value, NULL))
        return misfit(c, "site", site->value, "is no feature of the classifier");
    if (site->renamed != output->output || (site->renamed && !made))
        return misfit(c, "site", site->output,
                      "must be an output of the graph exactly if it took the feature's name");
    if (!is_modulation(c, site))
        return misfit(c, "site", site->output, "is not X + switch (scale X + shift)");
    return MFM_OK;
}

/* ---- the other nodes ------------------------------------------------------------------------ */

static bool of_network(const checker *c, const char *name)
{
    const mfm_link *value = mfm_links_find(&c->links, name);
    if (!value)
        return false;
    if (value->producer != MFM_NOWHERE)
        return c->marks[value->producer] == LISTED;
    return mfm_strmap_get(&c->initializers, name, NULL) && strcmp(name, c->info->gate) != 0;
}

/* What is not of a site makes scales and shifts, from what is listed alone. */
static int check_network_node(const checker *c, const Onnx__NodeProto *node)
{
    const char *title = mfm_proto_text(node->name);
    for (size_t i = 0; i < node->n_attribute; i++)
        if (node->attribute[i]->g || node->attribute[i]->n_graphs)
            return misfit(c, "node", title, "has a graph inside");
    for (size_t i = 0; i < node->n_input; i++)
        if (node->input[i][0] && !of_network(c, node->input[i]))
            return misfit(c, "node", title, "reads what is not of the modulator");
    for (size_t i = 0; i < node->n_output; i++) {
        const mfm_link *value = mfm_links_find(&c->links, node->output[i]);
        if (value && value->n_uses)
            return MFM_OK;
    }
    return misfit(c, "node", title, "nothing reads it");
}

/* scale and shift themselves are of the network, too. */
static int check_factors(const checker *c, const mfm_inject_site *site)
{
    const char *const factors[] = {site->scale, site->shift};
    for (size_t i = 0; i < 2; i++)
        if (factors[i][0] && !of_network(c, factors[i]))
            return misfit(c, "site", site->output, "its scale or shift is not of the modulator");
    return MFM_OK;
}

/* A value of the modulator is read by listed nodes alone. */
static int check_private(const checker *c, const mfm_link *value)
{
    bool outside = value->captured || value->output;
    for (size_t i = 0; i < value->n_uses; i++)
        outside |= c->marks[c->links.uses[value->first_use + i]] == OUTSIDE;
    return outside ? misfit(c, "value", value->name, "is read outside the modulator") : MFM_OK;
}

static int check_values(const checker *c)
{
    int status = MFM_OK;
    for (size_t i = 0; i < c->links.n_values && !status; i++) {
        const mfm_link *value = &c->links.values[i];
        const bool made = value->producer != MFM_NOWHERE;
        const bool tensor = mfm_strmap_get(&c->initializers, value->name, NULL);
        if (made ? c->marks[value->producer] == OUTSIDE : !tensor)
            continue;
        if (!made && !value->n_uses)
            status = misfit(c, "initializer", value->name, "nothing reads it");
        else if (!made || !mfm_strmap_get(&c->outputs, value->name, NULL))
            status = check_private(c, value);
    }
    return status;
}

static int check(checker *c)
{
    int status = check_lists(c);
    if (!status)
        status = check_inputs(c);
    for (size_t i = 0; i < c->graph->n_node && !status; i++)
        if (mfm_strmap_get(&c->nodes, mfm_proto_text(c->graph->node[i]->name), NULL))
            c->marks[i] = LISTED;
    for (size_t i = 0; i < c->info->n_sites && !status; i++)
        status = check_site(c, &c->info->sites[i]);
    for (size_t i = 0; i < c->info->n_sites && !status; i++)
        status = check_factors(c, &c->info->sites[i]);
    for (size_t i = 0; i < c->graph->n_node && !status; i++)
        if (c->marks[i] == LISTED)
            status = check_network_node(c, c->graph->node[i]);
    for (size_t i = 0; i < c->info->n_sites && !status; i++)
        status = mfm_strmap_set(&c->outputs, c->info->sites[i].output, i);
    return status ? status : check_values(c);
}

int mfm_inject_check(mfm_ctx *ctx, const mfm_model *model, const mfm_inject_info *info)
{
    checker c = {.ctx = ctx, .model = model, .graph = model->proto->graph, .info = info};
    mfm_strmap *const maps[] = {&c.nodes, &c.initializers, &c.inputs, &c.outputs};
    for (size_t i = 0; i < 4; i++)
        mfm_strmap_init(maps[i], ctx);
    c.marks = mfm_alloc(ctx, c.graph->n_node, 1);
    int status = mfm_links_make(model, &c.links);
    if (!status)
        status = c.marks ? check(&c) : MFM_ENOMEM;
    mfm_links_clear(&c.links);
    for (size_t i = 0; i < 4; i++)
        mfm_strmap_clear(maps[i]);
    mfm_free(ctx, c.marks);
    return status;
}
