#include "core/train/problem/split_parts.h"

bool mfm_split_needs(const mfm_graph_node *node, const uint8_t *needs)
{
    for (int j = 0; j < node->n_out; j++)
        if (needs[node->out[j]])
            return true;
    return false;
}

/* Copies a parameter, running statistic or constant of the network. */
static int copy_leaf(mfm_splitter *s, mfm_graph *graph, const mfm_value *value)
{
    int added = -1;
    switch (value->kind) {
    case MFM_VALUE_PARAM:
        s->status =
            mfm_graph_param(graph, value->name, &value->shape,
                            s->from->params ? s->from->params + value->offset : NULL, &added);
        if (!s->status)
            graph->values[added].trainable = value->trainable;
        if (!s->status)
            graph->values[added].rate = value->rate;
        break;
    case MFM_VALUE_STATE:
        s->status = mfm_graph_state(graph, value->name, &value->shape,
                                    s->from->state + value->offset, &added);
        break;
    case MFM_VALUE_CONST:
        s->status = mfm_graph_const(graph, value->name, &value->shape, value->data, &added);
        break;
    default:
        s->status = mfm_fail(s->ctx, MFM_ENOTSUP,
                             "input '%s': training knows only the image, the soft label and the "
                             "switch",
                             value->name);
    }
    return added;
}

int mfm_split_leaf(mfm_splitter *s, mfm_graph *graph, int *map, int value)
{
    if (map[value] < 0 && !s->status)
        map[value] = copy_leaf(s, graph, &s->from->values[value]);
    return map[value];
}

int mfm_split_copy(mfm_splitter *s, mfm_graph *graph, const mfm_graph_node *node, int index,
                   int segment, int *map)
{
    int outputs[MFM_MAX_INTS];
    const char *names[MFM_MAX_INTS];
    if (node->n_out > MFM_MAX_INTS)
        return mfm_fail(s->ctx, MFM_ENOTSUP, "%s '%s': %d outputs: at most %d", node->op->name,
                        node->name, node->n_out, MFM_MAX_INTS);
    for (int j = 0; j < node->n_out; j++)
        names[j] = s->from->values[node->out[j]].name;
    int status = mfm_graph_add(graph, node->op, node->opset, node->name, node->attr, s->arguments,
                               node->n_in, names, node->n_out, outputs);
    if (status)
        return status;
    mfm_graph_node *added = &graph->nodes[graph->n_nodes - 1];
    added->segment = segment;
    added->key = (uint32_t)index;
    added->inference = s->frozen.inference[index];
    for (int j = 0; j < node->n_out; j++)
        map[node->out[j]] = outputs[j];
    return MFM_OK;
}

/* ---- the frozen prefix ----------------------------------------------------------------------- */

void mfm_split_prefix(mfm_splitter *s)
{
    mfm_prefix *f = &s->to->prefix;
    const mfm_value *images = &s->from->values[s->network->images];
    s->status = mfm_graph_new(s->ctx, &f->graph);
    if (!s->status)
        s->status = mfm_graph_input(f->graph, images->name, MFM_DATA, &images->shape, &f->images);
    s->prefix[s->network->images] = f->images;
    for (size_t i = 0; i < s->from->n_nodes && !s->status; i++) {
        const mfm_graph_node *node = &s->from->nodes[i];
        const bool frozen = s->frozen.prefix[i] && (mfm_split_needs(node, s->plain_needs) ||
                                                    mfm_split_needs(node, s->tail_needs));
        if (!frozen && !mfm_split_needs(node, s->prefix_needs))
            continue;
        for (int j = 0; j < node->n_in && !s->status; j++)
            s->arguments[j] = node->in[j] < 0 ? -1
                              : s->from->values[node->in[j]].kind == MFM_VALUE_NODE
                                  ? s->prefix[node->in[j]]
                                  : mfm_split_leaf(s, f->graph, s->prefix, node->in[j]);
        if (!s->status)
            s->status = mfm_split_copy(s, f->graph, node, (int)i, 0, s->prefix);
    }
}

void mfm_split_check_prefix(mfm_splitter *s)
{
    for (size_t i = 0; i < s->from->n_values && !s->status; i++) {
        const bool both = s->prefix[i] >= 0 && s->plain[i] >= 0;
        if (s->from->values[i].kind == MFM_VALUE_PARAM && both &&
            s->to->main->values[s->plain[i]].trainable)
            s->status = mfm_fail(s->ctx, MFM_ENOTSUP,
                                 "parameter '%s' is part of what is frozen, and of what is "
                                 "trained: it can be only one",
                                 s->from->values[i].name);
    }
}

int mfm_split_from_images(mfm_splitter *s, int value)
{
    const mfm_value *v = &s->from->values[value];
    if (s->plain[value] >= 0 || s->status)
        return s->plain[value];
    if (value == s->network->images) {
        s->status = mfm_graph_input(s->to->main, v->name, MFM_DATA, &v->shape, &s->to->images);
        return s->plain[value] = s->to->images;
    }
    if (s->prefix[value] < 0)
        return -1;
    mfm_shape shape = s->shapes[value];
    if (shape.rank == 0 || shape.dim[0] != MFM_SPLIT_BATCH ||
        s->larger[value].dim[0] != MFM_SPLIT_BATCH + 1)
        s->status = mfm_fail(s->ctx, MFM_ENOTSUP,
                             "value '%s': what is frozen ends there, and its first axis is not "
                             "the batch",
                             v->name);
    shape.dim[0] = -1;
    if (!s->status)
        s->status =
            mfm_problem_prefix_input(s->to, s->prefix[value], v->name, &shape, &s->plain[value]);
    return s->plain[value];
}
