#include <string.h>

#include "onnx/layers/layers.h"

/* Which of a sum's branches a node lies on, walking up from the sum; a node on both is where they
 * part. */
enum { ON_FIRST = 1, ON_OTHER = 2, ON_BOTH = ON_FIRST | ON_OTHER };

typedef struct branch {
    size_t layers, nodes;
    size_t last; /* index of its last layer */
} branch;

typedef struct search {
    const mfm_layers *found;
    unsigned char *marks; /* by node, all zero between searches */
    ptrdiff_t *layer_of;  /* by node: the index of its layer, or MFM_NOWHERE */
    size_t sum;
    branch first, other;
    unsigned char input; /* branches that reached a value that is fed to the graph */
} search;

static void mark(search *s, const mfm_link *value, unsigned char bits)
{
    if (!value || value->constant)
        return;
    if (value->producer == MFM_NOWHERE)
        s->input |= bits;
    else
        s->marks[value->producer] |= bits;
}

static void count_node(branch *b, const search *s, size_t node)
{
    const ptrdiff_t layer = s->layer_of[node];
    b->nodes++;
    if (layer != MFM_NOWHERE && b->layers++ == 0)
        b->last = (size_t)layer;
}

/* Gives the layers between two nodes of one branch their block, unless an inner block has them.
 * shortcut: the branch, if any, that leads around the block; 0: both are alike. */
static void claim(mfm_layers *found, const search *s, size_t from, ptrdiff_t block,
                  unsigned char shortcut)
{
    for (size_t i = from; i < s->sum; i++) {
        const ptrdiff_t layer = s->layer_of[i];
        const bool one = s->marks[i] == ON_FIRST || s->marks[i] == ON_OTHER;
        if (layer == MFM_NOWHERE || !one || found->layers[layer].block != MFM_NOWHERE)
            continue;
        found->layers[layer].block = block;
        if (!shortcut)
            found->layers[layer].part = MFM_PART_BRANCH;
        else if (s->marks[i] == shortcut)
            found->layers[layer].part = MFM_PART_SHORTCUT;
    }
}

/* Nodes are sorted, so going down from the sum meets every node after all that read it, and the
 * first node on both branches is where they part. Returns it, 0 when they part at an input of the
 * graph, or MFM_NOWHERE. Marks stay for claim. */
static ptrdiff_t find_fork(search *s)
{
    const Onnx__GraphProto *graph = s->found->model->proto->graph;
    for (size_t i = s->sum; i-- > 0;) {
        const unsigned char bits = s->marks[i];
        if (bits == ON_BOTH)
            return (ptrdiff_t)i;
        if (!bits)
            continue;
        count_node(bits == ON_FIRST ? &s->first : &s->other, s, i);
        for (size_t k = 0; k < graph->node[i]->n_input; k++)
            mark(s, mfm_links_input(&s->found->links, i, k), bits);
    }
    return s->input == ON_BOTH ? 0 : MFM_NOWHERE;
}

static bool is_sum(const Onnx__NodeProto *node)
{
    return strcmp(node->op_type, "Add") == 0 || strcmp(node->op_type, "Sum") == 0;
}

/* Marks the producers of a sum's operands; false when fewer than two depend on what is fed. */
static bool mark_operands(search *s)
{
    const Onnx__NodeProto *node = s->found->model->proto->graph->node[s->sum];
    size_t operands = 0;
    for (size_t i = 0; i < node->n_input; i++) {
        const mfm_link *value = mfm_links_input(&s->found->links, s->sum, i);
        if (value && !value->constant)
            mark(s, value, operands++ ? ON_OTHER : ON_FIRST);
    }
    return operands >= 2;
}

static int add_block(mfm_ctx *ctx, mfm_layers *found, size_t *capacity, const search *s,
                     ptrdiff_t fork)
{
    const bool first = s->first.layers != s->other.layers ? s->first.layers > s->other.layers
                                                          : s->first.nodes >= s->other.nodes;
    const branch *main = first ? &s->first : &s->other;
    const mfm_link *sum = mfm_links_output(&found->links, s->sum, 0);
    if (main->layers == 0 || !sum)
        return MFM_OK;
    if (mfm_grow(ctx, &found->blocks, found->n_blocks, capacity, sizeof *found->blocks))
        return MFM_ENOMEM;
    const char *activated = mfm_layers_activated(&found->links, sum);
    found->blocks[found->n_blocks] =
        (mfm_block){s->sum, activated ? activated : sum->name, main->last,
                    s->marks[fork] == ON_BOTH ? fork : MFM_NOWHERE};
    const unsigned char around = s->first.layers == s->other.layers ? 0
                                 : first                            ? ON_OTHER
                                                                    : ON_FIRST;
    claim(found, s, (size_t)fork, (ptrdiff_t)found->n_blocks, around);
    found->n_blocks++;
    return MFM_OK;
}

static int find_all(mfm_ctx *ctx, mfm_layers *found, search *s)
{
    const Onnx__GraphProto *graph = found->model->proto->graph;
    size_t capacity = 0;
    int status = MFM_OK;
    for (size_t i = 0; i < graph->n_node; i++)
        s->layer_of[i] = MFM_NOWHERE;
    for (size_t i = 0; i < found->n_layers; i++)
        s->layer_of[found->layers[i].node] = (ptrdiff_t)i;
    for (size_t i = 0; i < graph->n_node && !status; i++) {
        if (!is_sum(graph->node[i]))
            continue;
        *s = (search){.found = found, .marks = s->marks, .layer_of = s->layer_of, .sum = i};
        const ptrdiff_t fork = mark_operands(s) ? find_fork(s) : MFM_NOWHERE;
        if (fork != MFM_NOWHERE)
            status = add_block(ctx, found, &capacity, s, fork);
        memset(s->marks, 0, i);
    }
    return status;
}

int mfm_layers_find_blocks(mfm_ctx *ctx, mfm_layers *found)
{
    const size_t n = found->model->proto->graph->n_node;
    search s = {.marks = mfm_alloc(ctx, n, 1), .layer_of = mfm_alloc(ctx, n, sizeof *s.layer_of)};
    const int status = s.marks && s.layer_of ? find_all(ctx, found, &s) : MFM_ENOMEM;
    mfm_free(ctx, s.marks);
    mfm_free(ctx, s.layer_of);
    return status;
}
