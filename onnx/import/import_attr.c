#include <string.h>

#include "onnx/import/import_parts.h"
#include "onnx/storage/tensor_data.h"

/* Attributes that say nothing about what is computed; is_test of opset 6: the plan decides between
 * training and inference. */
static bool ignorable(const char *name)
{
    return strcmp(name, "consumed_inputs") == 0 || strcmp(name, "is_test") == 0;
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

static int set_floats(mfm_importer *im, const Onnx__NodeProto *node, const char *name,
                      const float *values, size_t count, mfm_floats *list)
{
    if (count > MFM_MAX_FLOATS)
        return mfm_import_fail(im, node, MFM_ENOTSUP, "attribute '%s': %zu entries: at most %d",
                               name, count, MFM_MAX_FLOATS);
    list->count = (int)count;
    for (size_t i = 0; i < count; i++)
        list->v[i] = (double)values[i];
    return MFM_OK;
}

static int set_text(mfm_importer *im, const Onnx__NodeProto *node, const mfm_op *op, void *attr,
                    const Onnx__AttributeProto *from)
{
    char text[MFM_MAX_TEXT];
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
    case MFM_FLOATS:
        if (!has_type(from, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOATS, from->n_floats > 0))
            return wrong_type(im, node, def->name);
        return set_floats(im, node, def->name, from->floats, from->n_floats, field);
    case MFM_CHOICE:
    case MFM_TEXT:
        if (!has_type(from, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING, from->has_s))
            return wrong_type(im, node, def->name);
        return set_text(im, node, op, attr, from);
    }
    return MFM_OK;
}

int mfm_import_numbers(mfm_importer *im, const char *name, mfm_folded **own,
                       const mfm_folded **numbers)
{
    const mfm_binding *b = mfm_import_find(im, name);
    *own = NULL;
    const int status = mfm_import_folded(im, name, numbers);
    if (status || *numbers || !b || !b->tensor || mfm_tensor_size(b->tensor) > MFM_MAX_INTS)
        return status;
    const int read = mfm_fold_tensor(&im->folder, b->tensor, own);
    *numbers = *own;
    return read;
}

static int list_from_input(mfm_importer *im, const Onnx__NodeProto *node, const mfm_attr_def *def,
                           const mfm_folded *numbers, mfm_ints *field)
{
    const int64_t count = mfm_shape_count(&numbers->shape);
    int64_t values[MFM_MAX_INTS];
    if (count > MFM_MAX_INTS)
        return set_ints(im, node, def->name, NULL, (size_t)count, field);
    if (def->lengths)
        return mfm_import_reshape_list(im, node, numbers, field);
    if (def->by_axis)
        return mfm_import_axis_list(im, node, numbers, field);
    for (int64_t i = 0; i < count; i++) {
        const mfm_number *number = &numbers->v[i];
        const bool batch = def->batch && number->i == 0 && number->n > 0;
        if (number->n && !batch)
            return mfm_import_fail(im, node, MFM_ENOTSUP,
                                   "%s: depends on the batch size in a way that is not supported",
                                   def->name);
        if (def->batch && !number->n && number->i < 0)
            return mfm_import_fail(im, node, MFM_EDATA, "%s: %lld: must not be negative", def->name,
                                   (long long)number->i);
        values[i] = batch ? -number->n : number->i;
    }
    return set_ints(im, node, def->name, values, (size_t)count, field);
}

/* Why the input cannot set the attribute. */
static int no_constant(mfm_importer *im, const Onnx__NodeProto *node, const mfm_attr_def *def,
                       const char *name, const mfm_folded *numbers)
{
    const char *rule = "must be a constant that is known when importing";
    const mfm_binding *b = mfm_import_find(im, name);
    if (b && b->at[0])
        rule = "depends on the batch size in a way that is not supported";
    else if (numbers && mfm_folded_is_real(numbers) && def->type != MFM_FLOAT &&
             def->type != MFM_FLOATS)
        rule = "holds floating-point numbers: must be whole numbers (int64)";
    else if (numbers && !mfm_folded_is_real(numbers) && def->type == MFM_FLOAT)
        rule = "holds whole numbers: must be one floating-point number";
    else if (numbers && def->type != MFM_INTS && mfm_shape_count(&numbers->shape) == 1)
        rule = "depends on the batch size";
    else if (numbers && def->type != MFM_INTS)
        rule = "has more than one number";
    else if (numbers)
        rule = "has more axes than a list";
    return mfm_import_fail(im, node, MFM_ENOTSUP, "input %d (%s) '%s': %s", def->from_input,
                           def->name, name, rule);
}

static int set_from_numbers(mfm_importer *im, const Onnx__NodeProto *node, const mfm_attr_def *def,
                            const mfm_folded *numbers, void *attr)
{
    const char *name = node->input[def->from_input];
    void *field = (char *)attr + def->offset;
    const bool reals = numbers && mfm_folded_is_real(numbers);
    const bool one = numbers && mfm_shape_count(&numbers->shape) == 1 && !numbers->v[0].n;
    if (def->type == MFM_FLOAT && reals && one) {
        *(double *)field = (double)(real)numbers->v[0].r;
        return MFM_OK;
    }
    if (def->type == MFM_INT && !reals && one) {
        *(int64_t *)field = numbers->v[0].i;
        return MFM_OK;
    }
    if (def->type == MFM_FLOATS && reals && !mfm_folded_varies(numbers) &&
        mfm_shape_count(&numbers->shape) <= MFM_MAX_FLOATS) {
        mfm_floats *list = field;
        list->count = (int)mfm_shape_count(&numbers->shape);
        for (int i = 0; i < list->count; i++)
            list->v[i] = (double)(real)numbers->v[i].r;
        return MFM_OK;
    }
    if (def->type == MFM_INTS && numbers && !reals && numbers->shape.rank <= 1)
        return list_from_input(im, node, def, numbers, field);
    return no_constant(im, node, def, name, numbers);
}

static int attr_from_input(mfm_importer *im, const Onnx__NodeProto *node, const mfm_attr_def *def,
                           void *attr)
{
    mfm_folded *own;
    const mfm_folded *numbers;
    int status = mfm_import_numbers(im, node->input[def->from_input], &own, &numbers);
    if (!status)
        status = set_from_numbers(im, node, def, numbers, attr);
    mfm_folded_free(im->ctx, own);
    return status;
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
        const int status = attr_from_input(im, node, def, attr);
        if (status)
            return status;
    }
    const mfm_attr_def *shape = mfm_attr_find(op, "shape");
    if (shape && shape->lengths)
        return mfm_import_free_batch(im, node, (mfm_ints *)((char *)attr + shape->offset));
    return MFM_OK;
}
