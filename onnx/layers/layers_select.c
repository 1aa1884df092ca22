#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/words.h"
#include "onnx/layers/layers.h"
#include "onnx/proto/nearest.h"

enum { LISTING = 1024, LISTED = 24 };

typedef struct selection {
    mfm_ctx *ctx;
    const mfm_layers *found;
    bool *chosen; /* by layer */
} selection;

static size_t count_kind(const mfm_layers *found, mfm_layer_kind kind)
{
    size_t count = 0;
    for (size_t i = 0; i < found->n_layers; i++)
        count += found->layers[i].kind == kind;
    return count;
}

/* "conv:1 /conv1/Conv, ..." as far as there is room. */
static void list_layers(const mfm_layers *found, char text[LISTING])
{
    static const char *const kinds[] = {[MFM_LAYER_CONV] = "conv", [MFM_LAYER_FC] = "fc"};
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < found->n_layers && used < LISTING; i++) {
        const mfm_layer *layer = &found->layers[i];
        if (i == LISTED) {
            snprintf(text + used, LISTING - used, " ...");
            return;
        }
        const int put = snprintf(text + used, LISTING - used, "%s%s:%zu %.60s", i ? ", " : "",
                                 kinds[layer->kind], layer->number, mfm_layer_title(layer));
        used += put > 0 ? (size_t)put : 0;
    }
}

static int refuse(const selection *s, const char *selector, const char *rule)
{
    const mfm_layers *found = s->found;
    mfm_nearest near;
    mfm_nearest_init(&near, selector);
    for (size_t i = 0; i < found->n_layers; i++) {
        if (found->layers[i].node_name[0])
            mfm_nearest_offer(&near, found->layers[i].node_name);
        mfm_nearest_offer(&near, found->layers[i].output);
    }
    char listing[LISTING], suggestion[MFM_SUGGEST_TEXT];
    list_layers(found, listing);
    return mfm_fail(s->ctx, MFM_EINVAL, "no such layer: %.200s: %s%s%s %s", selector,
                    rule ? rule : "no layer has that name",
                    rule ? "" : mfm_nearest_say(&near, suggestion),
                    found->n_layers ? "; the layers:" : "", listing);
}

/* "the model has 19 convolutions, counted from 1, or from the end as -1" */
static int refuse_number(const selection *s, const char *selector, size_t count, const char *one,
                         const char *many)
{
    char rule[128];
    if (count)
        snprintf(rule, sizeof rule, "this model has %zu %s, counted from 1, or from the end as -1",
                 count, mfm_plural(count, one, many));
    else
        snprintf(rule, sizeof rule, "this model has no %s", many);
    return refuse(s, selector, rule);
}

/* The number after "conv:"; 1-based, from the end when negative. False when it is none of the
 * count. *at is 0-based. */
static bool read_index(const char *text, size_t count, size_t *at)
{
    char *end;
    const long number = strtol(text, &end, 10);
    if (end == text || *end || number == 0 || text[0] == ' ')
        return false;
    const unsigned long distance = number < 0 ? -(unsigned long)number : (unsigned long)number;
    if (distance > count)
        return false;
    *at = number < 0 ? count - distance : distance - 1;
    return true;
}

static int choose_numbered(const selection *s, const char *selector, const char *digits,
                           mfm_layer_kind kind)
{
    size_t at;
    const size_t count = count_kind(s->found, kind);
    if (!read_index(digits, count, &at))
        return kind == MFM_LAYER_CONV
                   ? refuse_number(s, selector, count, "convolution", "convolutions")
                   : refuse_number(s, selector, count, "fully connected layer",
                                   "fully connected layers");
    for (size_t i = 0; i < s->found->n_layers; i++)
        if (s->found->layers[i].kind == kind && s->found->layers[i].number == at + 1)
            s->chosen[i] = true;
    return MFM_OK;
}

static int choose_block(const selection *s, const char *selector, const char *digits)
{
    size_t at;
    if (!read_index(digits, s->found->n_blocks, &at))
        return refuse_number(s, selector, s->found->n_blocks, "residual block", "residual blocks");
    const mfm_layer *layer = &s->found->layers[s->found->blocks[at].layer];
    if (layer->part != MFM_PART_MAIN)
        mfm_warn(s->ctx, "%s: %s %s", selector, mfm_layer_title(layer),
                 mfm_layer_part_name(layer->part));
    s->chosen[s->found->blocks[at].layer] = true;
    return MFM_OK;
}

static int choose_first(const selection *s, const char *selector)
{
    for (size_t i = 0; i < s->found->n_layers; i++)
        if (s->found->layers[i].kind == MFM_LAYER_CONV) {
            s->chosen[i] = true;
            return MFM_OK;
        }
    return refuse(s, selector, "this model has no convolution");
}

static bool is_aside(const mfm_layer *layer)
{
    return layer->classifier || layer->other_output || layer->part == MFM_PART_GATE ||
           layer->part == MFM_PART_CONTEXT || layer->part == MFM_PART_SHORTCUT;
}

/* The last layer whose features go on. A convolution that makes the logits has one channel a class:
 * modulating it would modulate the prediction, not a feature; and gates, contexts and shortcuts
 * carry no features by themselves. */
static int choose_last(const selection *s, const char *selector, bool conv)
{
    const mfm_layer *passed = NULL;
    for (size_t i = s->found->n_layers; i-- > 0;) {
        const mfm_layer *layer = &s->found->layers[i];
        if (conv && layer->kind != MFM_LAYER_CONV)
            continue;
        if (is_aside(layer)) {
            passed =
                passed || (!conv && layer->classifier && !layer->other_output) ? passed : layer;
            continue;
        }
        if (passed)
            mfm_warn(s->ctx, "%s: %s %s; taking %s", selector, mfm_layer_title(passed),
                     passed->other_output ? "leads to an output that is not trained"
                     : passed->classifier ? "is the classifier"
                                          : mfm_layer_part_name(passed->part),
                     mfm_layer_title(layer));
        if (layer->part != MFM_PART_MAIN)
            mfm_warn(s->ctx, "%s: %s %s: other names choose more, as inspect lists them", selector,
                     mfm_layer_title(layer), mfm_layer_part_name(layer->part));
        s->chosen[i] = true;
        return MFM_OK;
    }
    return refuse(s, selector,
                  !passed                ? conv ? "this model has no convolution"
                                                : "this model has no layer but the classifier"
                  : passed->other_output ? "no other leads to the output that is trained"
                  : passed->classifier   ? "the only convolution is the classifier"
                                         : "every convolution is a gate, a shortcut or the "
                                           "classifier");
}

/* Exact names come before globs: a name may hold '*' or '['. */
static int choose_named(const selection *s, const char *selector)
{
    const mfm_layers *found = s->found;
    size_t hits = 0;
    for (int glob = 0; glob < 2 && !hits; glob++)
        for (size_t i = 0; i < found->n_layers; i++) {
            const mfm_layer *layer = &found->layers[i];
            const bool hit = glob ? fnmatch(selector, layer->node_name, 0) == 0 ||
                                        fnmatch(selector, layer->output, 0) == 0
                                  : strcmp(selector, layer->node_name) == 0 ||
                                        strcmp(selector, layer->output) == 0;
            s->chosen[i] |= hit;
            hits += hit;
        }
    return hits ? MFM_OK : refuse(s, selector, NULL);
}

static int choose(const selection *s, const char *selector)
{
    if (!selector[0])
        return refuse(s, "''", "the name of a layer is missing");
    if (strcmp(selector, "last_conv") == 0)
        return choose_last(s, selector, true);
    if (strcmp(selector, "last_features") == 0)
        return choose_last(s, selector, false);
    if (strcmp(selector, "first_conv") == 0)
        return choose_first(s, selector);
    if (strncmp(selector, "conv:", 5) == 0)
        return choose_numbered(s, selector, selector + 5, MFM_LAYER_CONV);
    if (strncmp(selector, "fc:", 3) == 0)
        return choose_numbered(s, selector, selector + 3, MFM_LAYER_FC);
    if (strncmp(selector, "block:", 6) == 0)
        return choose_block(s, selector, selector + 6);
    return choose_named(s, selector);
}

/* The chosen layers as a list. */
static int collect(const selection *s, size_t **picked, size_t *n_picked)
{
    *n_picked = 0;
    *picked = mfm_alloc(s->ctx, s->found->n_layers, sizeof **picked);
    if (!*picked)
        return MFM_ENOMEM;
    for (size_t i = 0; i < s->found->n_layers; i++)
        if (s->chosen[i])
            (*picked)[(*n_picked)++] = i;
    return MFM_OK;
}

int mfm_layers_select(mfm_ctx *ctx, const mfm_layers *layers, const char *const *selectors,
                      size_t n_selectors, size_t **picked, size_t *n_picked)
{
    if (n_selectors == 0)
        return mfm_fail(ctx, MFM_EINVAL, "no layer was selected: name at least one");
    selection s = {ctx, layers, mfm_alloc(ctx, layers->n_layers, sizeof(bool))};
    int status = s.chosen ? MFM_OK : MFM_ENOMEM;
    for (size_t i = 0; i < n_selectors && !status; i++)
        status = choose(&s, selectors[i]);
    if (!status)
        status = collect(&s, picked, n_picked);
    mfm_free(ctx, s.chosen);
    return status;
}

int mfm_layers_point(mfm_ctx *ctx, const mfm_layers *found, size_t index, mfm_position position,
                     mfm_point *point)
{
    const mfm_layer *layer = &found->layers[index];
    const char *value = NULL, *rule = "";
    switch (position) {
    case MFM_AT_NORM:
        value = layer->norm ? layer->norm : layer->output;
        break;
    case MFM_AT_CONV:
        value = layer->output;
        break;
    case MFM_AT_ACT:
        value = layer->act;
        rule = "no activation follows it directly";
        break;
    case MFM_AT_BLOCK:
        value = layer->block == MFM_NOWHERE ? NULL : found->blocks[layer->block].output;
        layer = value ? &found->layers[found->blocks[layer->block].layer] : layer;
        rule = "it is not part of a residual block";
        break;
    case MFM_POSITIONS:
        break;
    }
    if (!value)
        return mfm_fail(ctx, MFM_EINVAL, "no position '%s' at layer %s: %s",
                        mfm_position_name(position), mfm_layer_title(layer), rule);
    const mfm_link *link = mfm_links_find(&found->links, value);
    *point = (mfm_point){value, layer->channels, link->rank >= 0 ? link->rank : layer->rank};
    return MFM_OK;
}
