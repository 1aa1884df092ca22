#include <string.h>

#include "onnx/import/import_parts.h"
#include "onnx/storage/tensor_data.h"

/* Attributes that say nothing about what is computed. */
static bool ignorable(const char *name)
{
    return strcmp(name, "consumed_inputs") == 0;
}

static int wrong_type(mfm_importer *im, const Onnx__NodeProto *node, const char *name)
{
    return mfm_import_fail(im, node, MFM_EDATA, "attribute '%s': has the wrong type", name);
}

static int set_ints(mfm_importer *im, const Onnx__NodeProto *node, const char *name,
                    const int64_t *values, size_t count, mfm_ints *list)
{
    if (count > MFM_MAX_INTS)
        return mfm_import_fail(im, node, MFM_ENOTSUP, "attribute '%s': %zu entries: at most %d",
                               name, count, MFM_MAX_INTS);
    list->count = (int)count;
    if (count)
        memcpy(list->v, values, count * sizeof *values);
    return MFM_OK;
}

static int set_choice(mfm_importer *im, const Onnx__NodeProto *node, const mfm_op *op, void *attr,
                      const Onnx__AttributeProto *from)
{
    char text[64];
    if (from->s.len >= sizeof text)
        return mfm_import_fail(im, node, MFM_EDATA, "attribute '%s': %zu bytes: not a valid value",
                               from->name, from->s.len);
    if (from->s.len)
        memcpy(text, from->s.data, from->s.len);
    text[from->s.len] = '\0';
    if (mfm_attr_parse(im->ctx, op, attr, from->name, text))
        return mfm_import_fail(im, node, MFM_EDATA, "attribute '%s': '%s': not a valid value",
                               from->name, text);
    return MFM_OK;
}

/* Whether an attribute is of a type: as it says itself, or, where it does not say so (the first
 * versions of the format), as the field that is filled. A number that is 0 may be left out. */
static bool has_type(const Onnx__AttributeProto *attr, int type, bool filled)
{
    return attr->type ? (int)attr->type == type : filled;
}

static int set_attr(mfm_importer *im, const Onnx__NodeProto *node, const mfm_op *op,
                    const mfm_attr_def *def, const Onnx__AttributeProto *from, void *attr)
{
    void *field = (char *)attr + def->offset;
    switch (def->type) {
    case MFM_INT:
        if (!has_type(from, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT, from->has_i))
            return wrong_type(im, node, def->name);
        *(int64_t *)field = from->i;
        return MFM_OK;
    case MFM_FLOAT:
        if (!has_type(from, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT, from->has_f))
            return wrong_type(im, node, def->name);
        *(double *)field = (double)from->f;
        return MFM_OK;
    case MFM_INTS:
        if (!has_type(from, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS, from->n_ints > 0))
            return wrong_type(im, node, def->name);
        return set_ints(im, node, def->name, from->ints, from->n_ints, field);
    case MFM_CHOICE:
        if (!has_type(from, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING, from->has_s))
            return wrong_type(im, node, def->name);
        return set_choice(im, node, op, attr, from);
    }
    return MFM_OK;
}

/* The single floating-point number behind a name. */
static bool one_real(const mfm_importer *im, const char *name, double *result)
{
    const mfm_binding *binding = mfm_import_find(im, name);
    if (!binding)
        return false;
    if (binding->tensor && mfm_tensor_is_float(binding->tensor) &&
        mfm_tensor_size(binding->tensor) == 1) {
        real number;
        mfm_tensor_get_reals(binding->tensor, &number);
        *result = (double)number;
        return true;
    }
    const mfm_value *value = binding->value >= 0 ? &im->graph->values[binding->value] : NULL;
    if (!value || value->kind != MFM_VALUE_CONST || mfm_shape_count(&value->shape) != 1)
        return false;
    *result = (double)value->data[0];
    return true;
}

static bool is_shape_of_reshape(const mfm_op *op, const mfm_attr_def *def)
{
    return strcmp(op->name, "Reshape") == 0 && strcmp(def->name, "shape") == 0;
}

/* How the batch is written in a Reshape's list, at place `at`: as -1, "what is left", unless that
 * is taken; then as 0, "as in the input", which is the batch at the first place only. */
static bool write_batch(int64_t *shape, int count, int at)
{
    bool taken = false;
    for (int i = 0; i < count; i++)
        taken |= i != at && shape[i] == -1;
    shape[at] = taken ? 0 : -1;
    return !taken || at == 0;
}

static int list_from_input(mfm_importer *im, const Onnx__NodeProto *node, const mfm_op *op,
                           const mfm_attr_def *def, const mfm_folded *numbers, void *field)
{
    int64_t values[MFM_FOLD_MAX];
    memcpy(values, numbers->v, sizeof values);
    for (int i = 0; i < numbers->count; i++)
        if (numbers->batch[i] &&
            !(is_shape_of_reshape(op, def) && write_batch(values, numbers->count, i)))
            return mfm_import_fail(im, node, MFM_ENOTSUP,
                                   "%s: depends on the batch size in a way that is not supported",
                                   def->name);
    return set_ints(im, node, def->name, values, (size_t)numbers->count, field);
}

/* Why the input cannot set the attribute. */
static int no_constant(mfm_importer *im, const Onnx__NodeProto *node, const mfm_attr_def *def,
                       const char *name)
{
    const mfm_binding *b = mfm_import_find(im, name);
    const bool reals = b && b->tensor && mfm_tensor_is_float(b->tensor);
    const bool ints = b && (b->folded || (b->tensor && mfm_tensor_is_int(b->tensor)));
    const char *rule = "must be a constant that is known when importing";
    if (reals && def->type != MFM_FLOAT)
        rule = "holds floating-point numbers: must be whole numbers (int64)";
    else if (ints && def->type == MFM_FLOAT)
        rule = "holds whole numbers: must be one floating-point number";
    else if (b && b->tensor && (reals || ints) && def->type != MFM_INTS)
        rule = "has more than one number";
    else if (b && b->tensor && ints)
        rule = "has more numbers or axes than a list of 32";
    return mfm_import_fail(im, node, MFM_ENOTSUP, "input %d (%s) '%s': %s", def->from_input,
                           def->name, name, rule);
}

static int attr_from_input(mfm_importer *im, const Onnx__NodeProto *node, const mfm_op *op,
                           const mfm_attr_def *def, void *attr)
{
    const char *name = node->input[def->from_input];
    void *field = (char *)attr + def->offset;
    mfm_folded scratch;
    const mfm_folded *numbers = mfm_import_folded(im, name, &scratch);
    if (def->type == MFM_FLOAT && one_real(im, name, field))
        return MFM_OK;
    if (def->type == MFM_INTS && numbers)
        return list_from_input(im, node, op, def, numbers, field);
    if (def->type == MFM_INT && numbers && numbers->count == 1 && !numbers->batch[0]) {
        *(int64_t *)field = numbers->v[0];
        return MFM_OK;
    }
    return no_constant(im, node, def, name);
}

static bool from_input(const mfm_attr_def *def, int opset)
{
    return def->from_input > 0 && opset >= def->since;
}

bool mfm_import_is_attr_input(const mfm_op *op, int opset, size_t input)
{
    for (const mfm_attr_def *def = op->attrs; def && def->name; def++)
        if (from_input(def, opset) && (size_t)def->from_input == input)
            return true;
    return false;
}

/* A file whose batch is fixed at B writes B into its Reshapes: there it means the batch. */
static void free_batch(const mfm_importer *im, const Onnx__NodeProto *node, const mfm_op *op,
                       void *attr)
{
    const mfm_binding *data = node->n_input ? mfm_import_find(im, node->input[0]) : NULL;
    const mfm_attr_def *def = mfm_attr_find(op, "shape");
    if (!def || !is_shape_of_reshape(op, def) || im->frozen_batch < 1 || !data || data->value < 0 ||
        !im->on_images[data->value])
        return;
    mfm_ints *shape = (mfm_ints *)((char *)attr + def->offset);
    if (shape->count > 0 && shape->v[0] == im->frozen_batch)
        write_batch(shape->v, shape->count, 0);
}

int mfm_import_attrs(mfm_importer *im, const Onnx__NodeProto *node, const mfm_op *op, int opset,
                     void *attr)
{
    mfm_attr_defaults(op, attr);
    for (size_t i = 0; i < node->n_attribute; i++) {
        const char *name = mfm_proto_text(node->attribute[i]->name);
        const mfm_attr_def *def = mfm_attr_find(op, name);
        if (!def && ignorable(name))
            continue;
        if (!def || from_input(def, opset))
            return mfm_import_fail(im, node, MFM_ENOTSUP,
                                   "attribute '%s': not supported at opset %d", name, opset);
        const int status = set_attr(im, node, op, def, node->attribute[i], attr);
        if (status)
            return status;
    }
    for (const mfm_attr_def *def = op->attrs; def && def->name; def++) {
        if (!from_input(def, opset) || (size_t)def->from_input >= node->n_input ||
            !node->input[def->from_input][0])
            continue;
        const int status = attr_from_input(im, node, op, def, attr);
        if (status)
            return status;
    }
    free_batch(im, node, op, attr);
    return MFM_OK;
}
