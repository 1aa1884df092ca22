#include "core/train/features/feature_key.h"

#include <string.h>

static void add_number(mfm_digest *key, uint64_t number)
{
    *key = mfm_digest_number(*key, number);
}

static void add_bytes(mfm_digest *key, const void *bytes, size_t size)
{
    *key = mfm_digest_more(*key, bytes, size);
}

static void add_text(mfm_digest *key, const char *text)
{
    add_bytes(key, text, strlen(text));
}

static void add_numbers(mfm_digest *key, const real *numbers, const mfm_shape *shape)
{
    add_bytes(key, numbers, (size_t)mfm_shape_count(shape) * sizeof *numbers);
}

/* Names play no part: two models that compute the same share their features. */
static void add_value(mfm_digest *key, const mfm_graph *graph, const mfm_value *value)
{
    add_number(key, value->kind);
    if (value->kind == MFM_VALUE_NODE)
        return;
    add_number(key, (uint64_t)value->shape.rank);
    for (int i = 0; i < value->shape.rank; i++)
        add_number(key, (uint64_t)value->shape.dim[i]);
    if (value->kind == MFM_VALUE_PARAM)
        add_numbers(key, graph->params + value->offset, &value->shape);
    else if (value->kind == MFM_VALUE_STATE)
        add_numbers(key, graph->state + value->offset, &value->shape);
    else if (value->kind == MFM_VALUE_CONST)
        add_numbers(key, value->data, &value->shape);
}

static void add_node(mfm_digest *key, const mfm_graph_node *node)
{
    add_text(key, node->op->domain);
    add_text(key, node->op->name);
    add_number(key, (uint64_t)node->opset);
    add_bytes(key, node->attr, node->op->attr_size);
    add_bytes(key, node->in, (size_t)node->n_in * sizeof *node->in);
    add_bytes(key, node->out, (size_t)node->n_out * sizeof *node->out);
}

static void add_prefix(mfm_digest *key, const mfm_prefix *prefix)
{
    const mfm_graph *graph = prefix->graph;
    add_number(key, graph->n_values);
    for (size_t i = 0; i < graph->n_values; i++)
        add_value(key, graph, &graph->values[i]);
    add_number(key, graph->n_nodes);
    for (size_t i = 0; i < graph->n_nodes; i++)
        add_node(key, &graph->nodes[i]);
    add_number(key, (uint64_t)prefix->images);
    add_bytes(key, prefix->outputs, prefix->n * sizeof *prefix->outputs);
}

static void add_array_form(mfm_digest *key, const mfm_array_form *form)
{
    const size_t length = form->mean ? mfm_array_form_length(form) : 0;
    add_number(key, (uint64_t)form->row.rank);
    for (int i = 0; i < form->row.rank; i++)
        add_number(key, (uint64_t)form->row.dim[i]);
    add_number(key, (uint64_t)form->axis);
    add_number(key, form->turns);
    add_number(key, length);
    for (size_t k = 0; k < length; k++) {
        add_bytes(key, &form->mean[k], sizeof form->mean[k]);
        add_bytes(key, &form->deviation[k], sizeof form->deviation[k]);
    }
}

/* Not the augmentation: that is told with each copy. */
static void add_preprocess(mfm_digest *key, const mfm_preprocess *p)
{
    const int sizes[] = {p->image_height, p->image_width,     p->image_channels, p->source_height,
                         p->source_width, p->source_channels, p->height,         p->width,
                         p->channels,     p->above,           p->before,         p->resizes,
                         p->full_height,  p->full_width};
    add_bytes(key, sizes, sizeof sizes);
    if (p->array) {
        add_array_form(key, p->array);
        return;
    }
    for (int c = 0; c < p->channels; c++)
        add_bytes(key, p->table[c], sizeof p->table[c]);
}

mfm_digest mfm_feature_key(const mfm_prefix *prefix, const mfm_preprocess *preprocess,
                           uint32_t part)
{
    mfm_digest key = mfm_digest_of("mfm.features", sizeof "mfm.features");
    add_text(&key, MFM_VERSION);
    add_number(&key, sizeof(real));
    add_number(&key, part);
    add_prefix(&key, prefix);
    add_preprocess(&key, preprocess);
    return key;
}

mfm_digest mfm_feature_copy_name(mfm_digest image, const mfm_augment *augment, uint64_t seed,
                                 uint32_t index, uint32_t copy)
{
    mfm_digest name = image;
    for (int i = 0; i < augment->count; i++) {
        add_text(&name, augment->use[i].kind->name);
        add_bytes(&name, augment->use[i].arguments, sizeof augment->use[i].arguments);
    }
    add_number(&name, augment->border);
    add_number(&name, seed);
    add_number(&name, index);
    add_number(&name, copy);
    return name;
}
