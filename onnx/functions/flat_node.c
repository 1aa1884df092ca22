/* One node of a function as its call has it: names, and attributes by reference. */
#include <string.h>

#include "onnx/functions/fields.h"
#include "onnx/functions/flat_parts.h"

/* ---- names ---------------------------------------------------------------------------------- */

int mfm_flat_call_it(mfm_flat_scope *s, const char *name, const char *text)
{
    int status =
        mfm_grow(s->names.ctx, &s->texts, s->n_texts, &s->texts_capacity, sizeof *s->texts);
    if (!status)
        status = mfm_strmap_set(&s->names, name, s->n_texts);
    if (!status)
        s->texts[s->n_texts++] = text;
    return status;
}

const char *mfm_flat_called(const mfm_flat_scope *s, const char *name)
{
    size_t index;
    if (!name[0])
        return "";
    if (mfm_strmap_get(&s->names, name, &index))
        return s->texts[index];
    return s->function ? NULL : name;
}

static int unique(mfm_flattener *f, const mfm_flat_scope *s, const char *name, const char **text)
{
    char *base = mfm_format(f->ctx, "%s/%s", s->title, name);
    const int status = base ? mfm_names_unique(f->flat->names, base, text) : MFM_ENOMEM;
    mfm_free(f->ctx, base);
    return status;
}

/* The name of what a node of the scope writes: that of the call's output where it is one. */
static int name_output(mfm_flattener *f, mfm_flat_scope *s, const char *name, const char **text)
{
    size_t index;
    *text = name;
    if (!name[0] || !s->function)
        return MFM_OK;
    int status = MFM_OK;
    if (mfm_strmap_get(&s->given, name, &index))
        *text = s->call->output[index];
    else
        status = unique(f, s, name, text);
    return status ? status : mfm_flat_call_it(s, name, *text);
}

/* ---- attributes ----------------------------------------------------------------------------- */

static const Onnx__AttributeProto *find_attribute(Onnx__AttributeProto *const *list, size_t count,
                                                  const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(mfm_proto_text(list[i]->name), name) == 0)
            return list[i];
    return NULL;
}

/* The function's default; NULL: it has none. */
static int find_default(mfm_flattener *f, const mfm_flat_scope *s, const char *name,
                        const Onnx__AttributeProto **found)
{
    mfm_flat *flat = f->flat;
    for (size_t i = 0;; i++) {
        Onnx__AttributeProto *owned;
        int status = mfm_function_default(f->model, s->function, i, found, &owned);
        if (!status && owned)
            status = mfm_grow(f->ctx, &flat->defaults, flat->n_defaults, &flat->defaults_capacity,
                              sizeof *flat->defaults);
        if (!status && owned)
            flat->defaults[flat->n_defaults++] = owned;
        else if (owned)
            onnx__attribute_proto__free_unpacked(owned, &flat->view.allocator);
        if (status || !*found)
            return status;
        if (strcmp(mfm_proto_text((*found)->name), name) != 0)
            continue;
        /* A tensor in there was not validated with the model's. */
        return (*found)->t || (*found)->g || (*found)->n_tensors || (*found)->n_graphs
                   ? mfm_flat_refuse(
                         f, s->function, MFM_ENOTSUP,
                         "not supported: a default that is no number or text, of attribute ", name)
                   : MFM_OK;
    }
}

/* The attribute in the place of a reference; NULL: the node has none. */
static int resolve(mfm_flattener *f, const mfm_flat_scope *s, const Onnx__AttributeProto *reference,
                   Onnx__AttributeProto **made)
{
    const char *name = reference->ref_attr_name;
    *made = NULL;
    if (!s->function)
        return mfm_fail(f->ctx, MFM_EDATA,
                        "%s: attribute '%s': refers to '%s' of a function, and is in none",
                        mfm_model_path(f->model), mfm_proto_text(reference->name), name);
    const Onnx__AttributeProto *given =
        find_attribute(s->call->attribute, s->call->n_attribute, name);
    int status = given ? MFM_OK : find_default(f, s, name, &given);
    if (status || !given)
        return status;
    if (reference->type && given->type && reference->type != given->type)
        return mfm_flat_refuse(f, s->function, MFM_EDATA,
                               "is called with another type of attribute ", name);
    *made = mfm_flat_alloc(f, 1, sizeof **made);
    if (!*made)
        return MFM_ENOMEM;
    **made = *given;
    (*made)->name = reference->name;
    (*made)->ref_attr_name = NULL;
    return MFM_OK;
}

static int copy_attributes(mfm_flattener *f, const mfm_flat_scope *s, const Onnx__NodeProto *node,
                           Onnx__NodeProto *copy)
{
    copy->n_attribute = 0;
    copy->attribute = mfm_flat_alloc(f, node->n_attribute, sizeof(Onnx__AttributeProto *));
    int status = copy->attribute ? MFM_OK : MFM_ENOMEM;
    for (size_t i = 0; i < node->n_attribute && !status; i++) {
        Onnx__AttributeProto *attribute = node->attribute[i];
        if (mfm_proto_text(attribute->ref_attr_name)[0])
            status = resolve(f, s, node->attribute[i], &attribute);
        if (!status && attribute)
            copy->attribute[copy->n_attribute++] = attribute;
    }
    return status;
}

/* ---- the whole node ------------------------------------------------------------------------- */

static int copy_inputs(mfm_flattener *f, const mfm_flat_scope *s, const Onnx__NodeProto *node,
                       Onnx__NodeProto *copy)
{
    copy->input = mfm_flat_alloc(f, node->n_input, sizeof *copy->input);
    if (!copy->input)
        return MFM_ENOMEM;
    for (size_t i = 0; i < node->n_input; i++) {
        copy->input[i] = (char *)mfm_flat_called(s, node->input[i]);
        if (!copy->input[i])
            return mfm_flat_refuse(f, s->function, MFM_EDATA, "nothing writes its value ",
                                   node->input[i]);
    }
    return MFM_OK;
}

int mfm_flat_copy(mfm_flattener *f, mfm_flat_scope *s, const Onnx__NodeProto *node,
                  Onnx__NodeProto **made)
{
    Onnx__NodeProto *copy = *made = mfm_flat_alloc(f, 1, sizeof *copy);
    if (!copy)
        return MFM_ENOMEM;
    *copy = *node;
    int status = copy_inputs(f, s, node, copy);
    if (!status)
        status = copy_attributes(f, s, node, copy);
    copy->output = status ? NULL : mfm_flat_alloc(f, node->n_output, sizeof *copy->output);
    if (!copy->output)
        return status ? status : MFM_ENOMEM;
    for (size_t i = 0; i < node->n_output && !status; i++) {
        const char *text;
        status = name_output(f, s, node->output[i], &text);
        copy->output[i] = (char *)text;
    }
    if (!status && s->function && mfm_proto_text(node->name)[0]) {
        const char *text;
        status = unique(f, s, node->name, &text);
        copy->name = (char *)text;
    }
    return status;
}
