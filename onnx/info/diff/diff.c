#include "onnx/info/diff/diff.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "onnx/info/diff/diff_parts.h"
#include "onnx/proto/strmap.h"

const char *mfm_diff_part_name(mfm_diff_part part)
{
    static const char *const names[] = {
        [MFM_DIFF_MODEL] = "model", [MFM_DIFF_INPUT] = "input",   [MFM_DIFF_OUTPUT] = "output",
        [MFM_DIFF_NODE] = "node",   [MFM_DIFF_TENSOR] = "tensor", [MFM_DIFF_METADATA] = "metadata",
        [MFM_DIFF_OTHER] = "other"};
    return names[part];
}

/* ---- the list ------------------------------------------------------------------------------- */

mfm_difference *mfm_diff_add(mfm_diff *d, mfm_diff_part part, const char *name, const char *before,
                             const char *after)
{
    if (mfm_grow(d->ctx, &d->items, d->count, &d->capacity, sizeof *d->items))
        return NULL;
    mfm_difference *item = &d->items[d->count];
    *item = (mfm_difference){.part = part, .name = mfm_strdup(d->ctx, name)};
    item->before = before ? mfm_strdup(d->ctx, before) : NULL;
    item->after = after ? mfm_strdup(d->ctx, after) : NULL;
    d->count++;
    return item->name && (!before || item->before) && (!after || item->after) ? item : NULL;
}

int mfm_diff_texts(mfm_diff *d, mfm_diff_part part, const char *name, const char *before,
                   const char *after)
{
    if (before && after && strcmp(before, after) == 0)
        return MFM_OK;
    return (!before && !after) || mfm_diff_add(d, part, name, before, after) ? MFM_OK : MFM_ENOMEM;
}

void mfm_diff_free(mfm_diff *d)
{
    for (size_t i = 0; d && i < d->count; i++) {
        mfm_free(d->ctx, d->items[i].name);
        mfm_free(d->ctx, d->items[i].before);
        mfm_free(d->ctx, d->items[i].after);
    }
    if (d)
        mfm_free(d->ctx, d->items);
    if (d)
        mfm_free(d->ctx, d);
}

bool mfm_diff_same(mfm_ctx *ctx, const ProtobufCMessage *a, const ProtobufCMessage *b, int *status)
{
    const size_t size = protobuf_c_message_get_packed_size(a);
    if (size != protobuf_c_message_get_packed_size(b))
        return false;
    uint8_t *bytes = mfm_alloc(ctx, 2 * size, 1);
    if (!bytes) {
        *status = MFM_ENOMEM;
        return true;
    }
    protobuf_c_message_pack(a, bytes);
    protobuf_c_message_pack(b, bytes + size);
    const bool same = memcmp(bytes, bytes + size, size) == 0;
    mfm_free(ctx, bytes);
    return same;
}

/* ---- the file ------------------------------------------------------------------------------- */

static int diff_number(mfm_diff *d, const char *name, int64_t a, int64_t b)
{
    char before[24], after[24];
    snprintf(before, sizeof before, "%" PRId64, a);
    snprintf(after, sizeof after, "%" PRId64, b);
    return mfm_diff_texts(d, MFM_DIFF_MODEL, name, before, after);
}

static int diff_header(mfm_diff *d, const Onnx__ModelProto *a, const Onnx__ModelProto *b)
{
    const struct {
        const char *name, *before, *after;
    } texts[] = {{"producer", mfm_proto_text(a->producer_name), mfm_proto_text(b->producer_name)},
                 {"producer version", mfm_proto_text(a->producer_version),
                  mfm_proto_text(b->producer_version)},
                 {"domain", mfm_proto_text(a->domain), mfm_proto_text(b->domain)},
                 {"description", mfm_proto_text(a->doc_string), mfm_proto_text(b->doc_string)},
                 {"graph", mfm_proto_text(a->graph->name), mfm_proto_text(b->graph->name)}};
    int status = diff_number(d, "IR version", a->ir_version, b->ir_version);
    if (!status)
        status = diff_number(d, "model version", a->model_version, b->model_version);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0] && !status; i++)
        status = mfm_diff_texts(d, MFM_DIFF_MODEL, texts[i].name, texts[i].before, texts[i].after);
    return status;
}

/* "13", or NULL where the domain is not imported. */
static const char *opset_text(const Onnx__ModelProto *m, const char *domain, char text[24])
{
    for (size_t i = 0; i < m->n_opset_import; i++)
        if (strcmp(mfm_proto_text(m->opset_import[i]->domain), domain) == 0) {
            snprintf(text, 24, "%" PRId64, m->opset_import[i]->version);
            return text;
        }
    return NULL;
}

static int diff_opsets(mfm_diff *d, const Onnx__ModelProto *a, const Onnx__ModelProto *b)
{
    int status = MFM_OK;
    for (int side = 0; side < 2; side++) {
        const Onnx__ModelProto *m = side ? b : a;
        for (size_t i = 0; i < m->n_opset_import && !status; i++) {
            const char *domain = mfm_proto_text(m->opset_import[i]->domain);
            char before[24], after[24], name[128];
            const char *x = opset_text(a, domain, before), *y = opset_text(b, domain, after);
            snprintf(name, sizeof name, "opset of %.100s", domain[0] ? domain : "ai.onnx");
            if (side == 0 || !x)
                status = mfm_diff_texts(d, MFM_DIFF_MODEL, name, x, y);
        }
    }
    return status;
}

static int diff_metadata(mfm_diff *d, const mfm_model *a, const mfm_model *b)
{
    int status = MFM_OK;
    for (int side = 0; side < 2; side++) {
        const Onnx__ModelProto *m = (side ? b : a)->proto;
        for (size_t i = 0; i < m->n_metadata_props && !status; i++) {
            const char *key = mfm_proto_text(m->metadata_props[i]->key);
            const char *x = mfm_proto_metadata(a, key), *y = mfm_proto_metadata(b, key);
            if (side == 0 || !x)
                status = mfm_diff_texts(d, MFM_DIFF_METADATA, key, x, y);
        }
    }
    return status;
}

/* ---- inputs and outputs --------------------------------------------------------------------- */

static void port_text(const Onnx__ValueInfoProto *info, char text[MFM_DIFF_TEXT])
{
    const bool tensor = info->type && info->type->value_case == ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
    const Onnx__TypeProto__Tensor *type = tensor ? info->type->tensor_type : NULL;
    if (!type) {
        snprintf(text, MFM_DIFF_TEXT, "no tensor");
        return;
    }
    size_t used = (size_t)snprintf(text, MFM_DIFF_TEXT, "%s [", mfm_diff_type(type->elem_type));
    for (size_t i = 0; type->shape && i < type->shape->n_dim && used < MFM_DIFF_TEXT; i++) {
        const Onnx__TensorShapeProto__Dimension *dim = type->shape->dim[i];
        const char *comma = i ? "," : "";
        if (dim->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE)
            used += (size_t)snprintf(text + used, MFM_DIFF_TEXT - used, "%s%" PRId64, comma,
                                     dim->dim_value);
        else
            used += (size_t)snprintf(text + used, MFM_DIFF_TEXT - used, "%s%.32s", comma,
                                     dim->value_case ==
                                             ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM
                                         ? dim->dim_param
                                         : "?");
    }
    if (used < MFM_DIFF_TEXT)
        snprintf(text + used, MFM_DIFF_TEXT - used, "%s", type->shape ? "]" : "?]");
}

static const Onnx__ValueInfoProto *find_port(Onnx__ValueInfoProto *const *ports, size_t count,
                                             const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(mfm_proto_text(ports[i]->name), name) == 0)
            return ports[i];
    return NULL;
}

static int diff_ports(mfm_diff *d, mfm_diff_part part, Onnx__ValueInfoProto *const *a, size_t n_a,
                      Onnx__ValueInfoProto *const *b, size_t n_b)
{
    char before[MFM_DIFF_TEXT], after[MFM_DIFF_TEXT];
    int status = MFM_OK;
    for (size_t i = 0; i < n_a && !status; i++) {
        const Onnx__ValueInfoProto *other = find_port(b, n_b, mfm_proto_text(a[i]->name));
        port_text(a[i], before);
        if (other)
            port_text(other, after);
        status = mfm_diff_texts(d, part, mfm_proto_text(a[i]->name), before, other ? after : NULL);
    }
    for (size_t i = 0; i < n_b && !status; i++) {
        if (find_port(a, n_a, mfm_proto_text(b[i]->name)))
            continue;
        port_text(b[i], after);
        status = mfm_diff_texts(d, part, mfm_proto_text(b[i]->name), NULL, after);
    }
    return status;
}

/* ---- the rest ------------------------------------------------------------------------------- */

/* What no part above shows: everything else is left to the bytes. */
static int diff_others(mfm_diff *d, const mfm_model *a, const mfm_model *b)
{
    const Onnx__ModelProto *x = a->proto, *y = b->proto;
    char before[64], after[64];
    const struct {
        const char *name;
        size_t before, after;
    } counts[] = {
        {"functions", x->n_functions, y->n_functions},
        {"training graphs", x->n_training_info, y->n_training_info},
        {"value_info", x->graph->n_value_info, y->graph->n_value_info},
        {"sparse initialisers", x->graph->n_sparse_initializer, y->graph->n_sparse_initializer}};
    int status = MFM_OK;
    for (size_t i = 0; i < sizeof counts / sizeof counts[0] && !status; i++) {
        snprintf(before, sizeof before, "%zu", counts[i].before);
        snprintf(after, sizeof after, "%zu", counts[i].after);
        status = mfm_diff_texts(d, MFM_DIFF_OTHER, counts[i].name, before, after);
    }
    return status;
}

/* Whether the files are one byte by byte, as far as they are in memory. */
static int diff_bytes(mfm_diff *d, const mfm_model *a, const mfm_model *b)
{
    int status = MFM_OK;
    if (d->count || mfm_diff_same(d->ctx, &a->proto->base, &b->proto->base, &status) || status)
        return status;
    return mfm_diff_add(d, MFM_DIFF_OTHER, "fields", "order, or fields that are not listed here",
                        "")
               ? MFM_OK
               : MFM_ENOMEM;
}

int mfm_model_diff(mfm_ctx *ctx, const mfm_model *a, const mfm_model *b, mfm_diff **diff)
{
    mfm_diff *d = *diff = mfm_alloc(ctx, 1, sizeof *d);
    if (!d)
        return MFM_ENOMEM;
    d->ctx = ctx;
    const Onnx__GraphProto *x = a->proto->graph, *y = b->proto->graph;
    int status = diff_header(d, a->proto, b->proto);
    if (!status)
        status = diff_opsets(d, a->proto, b->proto);
    if (!status)
        status = diff_ports(d, MFM_DIFF_INPUT, x->input, x->n_input, y->input, y->n_input);
    if (!status)
        status = diff_ports(d, MFM_DIFF_OUTPUT, x->output, x->n_output, y->output, y->n_output);
    if (!status)
        status = mfm_diff_nodes(d, a, b);
    if (!status)
        status = mfm_diff_tensors(d, a, b);
    if (!status)
        status = diff_metadata(d, a, b);
    if (!status)
        status = diff_others(d, a, b);
    return status ? status : diff_bytes(d, a, b);
}
