/* Nodes of two graphs, matched by the first value that they write. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "onnx/info/diff/diff_parts.h"
#include "onnx/proto/strmap.h"

/* Text that grows up to a length, and is cut there. */
typedef struct words {
    char text[MFM_DIFF_TEXT];
    size_t used;
} words;

static void say(words *w, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void say(words *w, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    if (w->used < sizeof w->text) {
        const int length = vsnprintf(w->text + w->used, sizeof w->text - w->used, format, args);
        w->used += length > 0 ? (size_t)length : 0;
    }
    va_end(args);
}

static void say_attribute(words *w, const Onnx__AttributeProto *attr)
{
    say(w, "%s=", mfm_proto_text(attr->name));
    if (attr->t)
        say(w, "tensor");
    else if (attr->g || attr->n_graphs)
        say(w, "graph");
    else if (attr->has_s)
        say(w, "%.*s", attr->s.len < 64 ? (int)attr->s.len : 64, (const char *)attr->s.data);
    else if (attr->n_ints)
        for (size_t i = 0; i < attr->n_ints && i < 16; i++)
            say(w, "%s%" PRId64, i ? "," : "", attr->ints[i]);
    else if (attr->n_floats)
        for (size_t i = 0; i < attr->n_floats && i < 16; i++)
            say(w, "%s%g", i ? "," : "", (double)attr->floats[i]);
    else if (attr->has_f)
        say(w, "%g", (double)attr->f);
    else
        say(w, "%" PRId64, attr->i);
}

static void describe(const Onnx__NodeProto *node, words *w)
{
    *w = (words){.used = 0};
    say(w, "%s(", mfm_proto_text(node->op_type));
    for (size_t i = 0; i < node->n_input; i++)
        say(w, "%s%s", i ? ", " : "", node->input[i]);
    say(w, ")");
    for (size_t i = 0; i < node->n_attribute; i++) {
        say(w, " ");
        say_attribute(w, node->attribute[i]);
    }
    for (size_t i = 1; i < node->n_output; i++)
        say(w, " -> %s", node->output[i]);
    if (mfm_proto_text(node->name)[0])
        say(w, " '%s'", node->name);
}

static const char *key_of(const Onnx__NodeProto *node)
{
    return node->n_output ? node->output[0] : mfm_proto_text(node->name);
}

static int index_nodes(const Onnx__GraphProto *graph, mfm_strmap *map)
{
    int status = MFM_OK;
    for (size_t i = 0; i < graph->n_node && !status; i++)
        status = mfm_strmap_set(map, key_of(graph->node[i]), i);
    return status;
}

/* The nodes of one side; what is on both is compared once. */
static int diff_side(mfm_diff *d, const Onnx__GraphProto *from, const Onnx__GraphProto *to,
                     const mfm_strmap *others, bool after)
{
    words w, other;
    int status = MFM_OK;
    for (size_t i = 0; i < from->n_node && !status; i++) {
        const Onnx__NodeProto *node = from->node[i];
        size_t at;
        const bool both = mfm_strmap_get(others, key_of(node), &at);
        if (both && (after || mfm_diff_same(d->ctx, &node->base, &to->node[at]->base, &status)))
            continue;
        describe(node, &w);
        if (both)
            describe(to->node[at], &other);
        const char *x = after ? NULL : w.text, *y = after ? w.text : both ? other.text : NULL;
        status = mfm_diff_add(d, MFM_DIFF_NODE, key_of(node), x, y) ? MFM_OK : MFM_ENOMEM;
    }
    return status;
}

int mfm_diff_nodes(mfm_diff *d, const mfm_model *a, const mfm_model *b)
{
    mfm_strmap in_a, in_b;
    mfm_strmap_init(&in_a, d->ctx);
    mfm_strmap_init(&in_b, d->ctx);
    int status = index_nodes(a->proto->graph, &in_a);
    if (!status)
        status = index_nodes(b->proto->graph, &in_b);
    if (!status)
        status = diff_side(d, a->proto->graph, b->proto->graph, &in_b, false);
    if (!status)
        status = diff_side(d, b->proto->graph, a->proto->graph, &in_a, true);
    mfm_strmap_clear(&in_a);
    mfm_strmap_clear(&in_b);
    return status;
}
