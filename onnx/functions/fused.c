#include "onnx/functions/fused.h"

#include <string.h>

#include "onnx/functions/fused_parts.h"

enum { MOST_NODES = 24, MOST_ATTRIBUTES = 16 };

const mfm_fused *mfm_fused_of(const mfm_model *model, const Onnx__NodeProto *node)
{
    const char *domain = mfm_proto_text(node->domain), *type = mfm_proto_text(node->op_type);
    if (strcmp(domain, "ai.onnx") == 0)
        domain = "";
    for (const mfm_fused *fused = mfm_fused_operators; fused->name; fused++)
        if (strcmp(type, fused->name) == 0 && strcmp(domain, fused->domain) == 0 &&
            (!fused->until || mfm_model_opset(model, domain) <= fused->until))
            return fused;
    return NULL;
}

/* ---- nodes of a body ------------------------------------------------------------------------ */

static void *room(mfm_fused_maker *m, size_t count, size_t size)
{
    void *block = m->status ? NULL : mfm_flat_alloc(m->f, count, size);
    if (!block)
        m->status = MFM_ENOMEM;
    return block;
}

static char *fresh_name(mfm_fused_maker *m, const char *what)
{
    char *name =
        m->status ? NULL
                  : mfm_flat_own(m->f->flat, mfm_format(m->f->ctx, "%s_%zu", what, m->n_values++));
    if (!name)
        m->status = MFM_ENOMEM;
    return name;
}

const char *mfm_fused_input(const mfm_fused_maker *m, size_t at)
{
    return at < m->call->n_input && m->call->input[at][0] ? m->made->input[at] : NULL;
}

const char *mfm_fused_output(const mfm_fused_maker *m, size_t at)
{
    return m->status ? "" : m->last->output[at];
}

static void fill(mfm_fused_maker *m, Onnx__NodeProto *node, const char *op,
                 const mfm_fused_inputs *inputs, size_t n_outputs)
{
    onnx__node_proto__init(node);
    node->op_type = (char *)op;
    while (inputs->at[node->n_input])
        node->n_input++;
    node->input = room(m, node->n_input, sizeof *node->input);
    node->output = room(m, n_outputs, sizeof *node->output);
    node->attribute = room(m, MOST_ATTRIBUTES, sizeof(Onnx__AttributeProto *));
    for (size_t i = 0; i < node->n_input && !m->status; i++)
        node->input[i] = (char *)inputs->at[i];
    for (size_t i = 0; i < n_outputs && !m->status; i++)
        node->output[node->n_output++] = fresh_name(m, op);
    node->name = (char *)op;
}

const char *mfm_fused_step(mfm_fused_maker *m, const char *op, mfm_fused_inputs inputs,
                           size_t n_outputs)
{
    Onnx__NodeProto *node = room(m, 1, sizeof *node);
    if (node)
        fill(m, node, op, &inputs, n_outputs);
    if (!m->status) {
        m->made->node[m->made->n_node++] = node;
        m->last = node;
    }
    return mfm_fused_output(m, 0);
}

const char *mfm_fused_node(mfm_fused_maker *m, const char *op, const char *a, const char *b,
                           const char *c)
{
    return mfm_fused_step(m, op, (mfm_fused_inputs){{a, b, c}}, 1);
}

/* ---- attributes ----------------------------------------------------------------------------- */

static Onnx__AttributeProto *add_attribute(mfm_fused_maker *m, const char *name, int type)
{
    Onnx__AttributeProto *made = room(m, 1, sizeof *made);
    if (!made)
        return NULL;
    onnx__attribute_proto__init(made);
    made->name = (char *)name;
    made->has_type = 1;
    made->type = (Onnx__AttributeProto__AttributeType)type;
    m->last->attribute[m->last->n_attribute++] = made;
    return made;
}

void mfm_fused_set_float(mfm_fused_maker *m, const char *name, double value)
{
    Onnx__AttributeProto *made =
        add_attribute(m, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT);
    if (made) {
        made->has_f = 1;
        made->f = (float)value;
    }
}

void mfm_fused_set_int(mfm_fused_maker *m, const char *name, int64_t value)
{
    Onnx__AttributeProto *made = add_attribute(m, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT);
    if (made) {
        made->has_i = 1;
        made->i = value;
    }
}

void mfm_fused_set_text(mfm_fused_maker *m, const char *name, const char *text)
{
    Onnx__AttributeProto *made =
        add_attribute(m, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING);
    if (made) {
        made->has_s = 1;
        made->s = (ProtobufCBinaryData){strlen(text), (uint8_t *)text};
    }
}

void mfm_fused_pass(mfm_fused_maker *m, const char *from, const char *name)
{
    const Onnx__AttributeProto *given = mfm_proto_attr(m->call, from);
    Onnx__AttributeProto *made = given ? add_attribute(m, name, given->type) : NULL;
    if (made) {
        *made = *given;
        made->name = (char *)name;
    }
}

double mfm_fused_float(const mfm_fused_maker *m, const char *name, double fallback)
{
    const Onnx__AttributeProto *given = mfm_proto_attr(m->call, name);
    return given ? (double)given->f : fallback;
}

const char *mfm_fused_number(mfm_fused_maker *m, double number)
{
    const char *value = mfm_fused_step(m, "Constant", (mfm_fused_inputs){{NULL}}, 1);
    mfm_fused_set_float(m, "value_float", number);
    return value;
}

const char *mfm_fused_ints(mfm_fused_maker *m, int64_t *ints, size_t count)
{
    const char *value = mfm_fused_step(m, "Constant", (mfm_fused_inputs){{NULL}}, 1);
    Onnx__AttributeProto *made =
        add_attribute(m, "value_ints", ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS);
    if (made) {
        made->n_ints = count;
        made->ints = ints;
    }
    return value;
}

void mfm_fused_give(mfm_fused_maker *m, size_t at, const char *value)
{
    if (!m->status && at < m->made->n_output)
        m->made->output[at] = (char *)value;
}

/* ---- the body ------------------------------------------------------------------------------- */

static bool may_have(const mfm_fused *fused, const Onnx__NodeProto *call)
{
    for (size_t i = 0; i < call->n_input; i++)
        if (call->input[i][0] && (i >= 32 || !(fused->inputs >> i & 1U)))
            return false;
    for (size_t i = 0; i < call->n_output; i++)
        if (call->output[i][0] && (i >= 32 || !(fused->outputs >> i & 1U)))
            return false;
    for (size_t i = 0; i < fused->required; i++)
        if (i >= call->n_input || !call->input[i][0])
            return false;
    return call->n_output > 0 && call->output[0][0];
}

static bool knows_attributes(const mfm_fused *fused, const Onnx__NodeProto *call)
{
    for (size_t i = 0; i < call->n_attribute; i++)
        if (!mfm_proto_lists(fused->attributes, mfm_proto_text(call->attribute[i]->name)))
            return false;
    return true;
}

static void begin(mfm_fused_maker *m, const mfm_fused *fused)
{
    const Onnx__NodeProto *call = m->call;
    Onnx__FunctionProto *made = m->made = room(m, 1, sizeof *made);
    Onnx__OperatorSetIdProto *opset = room(m, 1, sizeof *opset);
    Onnx__OperatorSetIdProto **opsets = room(m, 1, sizeof(Onnx__OperatorSetIdProto *));
    if (m->status)
        return;
    onnx__function_proto__init(made);
    onnx__operator_set_id_proto__init(opset);
    opset->has_version = 1;
    opset->version = MFM_FUSED_OPSET;
    opsets[0] = opset;
    made->opset_import = opsets;
    made->n_opset_import = 1;
    made->domain = (char *)fused->domain;
    made->name = (char *)fused->name;
    made->node = room(m, MOST_NODES, sizeof(Onnx__NodeProto *));
    made->input = room(m, call->n_input, sizeof *made->input);
    made->output = room(m, call->n_output, sizeof *made->output);
    for (size_t i = 0; i < call->n_input && !m->status; i++)
        made->input[made->n_input++] = fresh_name(m, "input");
    for (size_t i = 0; i < call->n_output && !m->status; i++)
        made->output[made->n_output++] = fresh_name(m, "output");
}

int mfm_fused_body(mfm_flattener *f, const mfm_fused *fused, const Onnx__NodeProto *call,
                   const Onnx__FunctionProto **function)
{
    mfm_fused_maker m = {.f = f, .call = call};
    *function = NULL;
    if (!may_have(fused, call) || !knows_attributes(fused, call))
        return MFM_OK;
    begin(&m, fused);
    if (!m.status)
        fused->make(&m);
    if (!m.status && !m.refused)
        *function = m.made;
    return m.status;
}
