#include "vectors_case.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/engine/plan/plan.h"
#include "onnx/expand/expand.h"
#include "onnx/import/import_parts.h"
#include "onnx/storage/tensor_data.h"
#include "onnx/proto/validate.h"

enum { MOST = 64 }; /* inputs, and outputs */

/* Sums in another order than numpy's: this much, of the number or of 1. */
static const double tolerance = 1e-5;

typedef struct vector {
    mfm_ctx *ctx;
    const char *folder;
    vector_result *result;
    mfm_model *model;
    Onnx__TensorProto *inputs[MOST], *expected[MOST];
    size_t n_outputs; /* that are compared */
    mfm_graph *graph;
    int outputs[MOST];
    mfm_plan *plan;
    real *params, *state, *bound[MOST];
} vector;

static void end_with(vector *v, enum vector_outcome outcome, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void end_with(vector *v, enum vector_outcome outcome, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(v->result->reason, sizeof v->result->reason, format, args);
    va_end(args);
    v->result->outcome = outcome;
}

static const Onnx__GraphProto *graph_of(const vector *v)
{
    return v->model->proto->graph;
}

/* ---- reading ------------------------------------------------------------------------------ */

static Onnx__TensorProto *read_tensor(const vector *v, const char *kind, size_t index)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/test_data_set_0/%s_%zu.pb", v->folder, kind, index);
    FILE *file = fopen(path, "rb");
    if (!file)
        return NULL;
    enum { LARGEST = 1 << 24 };
    uint8_t *bytes = malloc(LARGEST);
    const size_t size = bytes ? fread(bytes, 1, LARGEST, file) : 0;
    Onnx__TensorProto *tensor = NULL;
    if (size < LARGEST)
        tensor = onnx__tensor_proto__unpack(NULL, size, bytes);
    free(bytes);
    fclose(file);
    if (tensor && mfm_validate_tensor(v->model, tensor)) {
        onnx__tensor_proto__free_unpacked(tensor, NULL);
        return NULL;
    }
    return tensor;
}

/* Numbers of 16 bits would need a tolerance of their own. */
static bool is_float(const Onnx__TensorProto *tensor)
{
    return tensor->data_type == ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT ||
           tensor->data_type == ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE;
}

/* Floating-point numbers, and truth values, which are 0 and 1. */
static bool is_number(const Onnx__TensorProto *tensor)
{
    return is_float(tensor) || tensor->data_type == ONNX__TENSOR_PROTO__DATA_TYPE__BOOL;
}

static void get_numbers(const vector *v, const Onnx__TensorProto *tensor, real *numbers)
{
    if (is_float(tensor)) {
        mfm_tensor_get_reals(tensor, numbers);
        return;
    }
    const size_t count = mfm_tensor_size(tensor);
    int64_t *whole = mfm_alloc(v->ctx, count, sizeof *whole);
    if (!whole || mfm_tensor_read_ints(v->model, tensor, whole))
        abort();
    for (size_t i = 0; i < count; i++)
        numbers[i] = (real)whole[i];
    mfm_free(v->ctx, whole);
}

static bool every_operator_known(const vector *v)
{
    for (size_t i = 0; i < graph_of(v)->n_node; i++) {
        const Onnx__NodeProto *node = graph_of(v)->node[i];
        const char *domain = mfm_proto_text(node->domain);
        if (strcmp(node->op_type, "Constant") != 0 &&
            !mfm_op_find(domain, node->op_type, (int)mfm_model_opset(v->model, domain)) &&
            !mfm_expansion_of(v->model, node) && !mfm_fold_knows(node))
            return false;
    }
    return true;
}

static bool read_case(vector *v)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/model.onnx", v->folder);
    if (mfm_model_load(v->ctx, path, &v->model)) {
        end_with(v, VECTOR_FAILED, "%s", mfm_message(v->ctx));
        return false;
    }
    const Onnx__GraphProto *graph = graph_of(v);
    if (graph->n_node)
        snprintf(v->result->op_type, sizeof v->result->op_type, "%s", graph->node[0]->op_type);
    v->n_outputs = graph->n_output;
    if (!graph->n_node || !every_operator_known(v) || graph->n_input > MOST ||
        graph->n_output > MOST) {
        end_with(v, VECTOR_SKIPPED, "other operators");
        return false;
    }
    for (size_t i = 0; i < graph->n_input; i++)
        v->inputs[i] = read_tensor(v, "input", i);
    for (size_t i = 0; i < graph->n_output; i++)
        v->expected[i] = read_tensor(v, "output", i);
    return true;
}

/* ---- inputs that the engine takes from the file ------------------------------------------- */

/* Whether some node reads the input as an attribute or as a running statistic, or as the length of
 * its result. */
static bool belongs_in_the_file(const vector *v, const char *name)
{
    const int opset = (int)mfm_model_opset(v->model, "");
    for (size_t i = 0; i < graph_of(v)->n_node; i++) {
        const Onnx__NodeProto *node = graph_of(v)->node[i];
        const mfm_op *op = mfm_op_find("", node->op_type, opset);
        for (size_t j = 0; op && j < node->n_input; j++)
            if (strcmp(node->input[j], name) == 0 &&
                (mfm_import_is_attr_input(op, opset, j) ||
                 (strcmp(node->op_type, "BatchNormalization") == 0 && j >= 3)))
                return true;
        if (strcmp(node->op_type, "OneHot") == 0 && strcmp(node->input[1], name) == 0)
            return true;
    }
    return false;
}

static bool move_inputs_into_the_file(vector *v)
{
    Onnx__GraphProto *graph = v->model->proto->graph;
    for (size_t i = 0; i < graph->n_input; i++) {
        const char *name = graph->input[i]->name;
        if (mfm_proto_initializer(v->model, name))
            continue;
        if (!v->inputs[i]) {
            end_with(v, VECTOR_SKIPPED, "no tensor for an input");
            return false;
        }
        if (is_number(v->inputs[i]) && !belongs_in_the_file(v, name))
            continue;
        Onnx__TensorProto *tensor = v->inputs[i];
        if (mfm_tensor_is_float(tensor))
            tensor = mfm_tensor_like(v->model, tensor, name);
        else
            tensor = mfm_proto_tensor(v->model, name, ONNX__TENSOR_PROTO__DATA_TYPE__INT64,
                                      tensor->dims, tensor->n_dims, NULL);
        if (!tensor ||
            mfm_proto_append(v->model, &graph->initializer, &graph->n_initializer, tensor))
            abort();
        if (mfm_tensor_is_int(v->inputs[i]) &&
            mfm_tensor_read_ints(v->model, v->inputs[i], (int64_t *)(void *)tensor->raw_data.data))
            abort();
    }
    return true;
}

/* Old packages write bfloat16 as the whole numbers of its bits. */
static bool has_declared_type(const Onnx__ValueInfoProto *info, const Onnx__TensorProto *tensor)
{
    return !info->type || !info->type->tensor_type ||
           info->type->tensor_type->elem_type == tensor->data_type;
}

static bool only_float32(vector *v)
{
    for (size_t i = 0; i < graph_of(v)->n_input; i++)
        if (v->inputs[i] && !has_declared_type(graph_of(v)->input[i], v->inputs[i])) {
            end_with(v, VECTOR_SKIPPED, "inputs of another type than the model's");
            return false;
        } else if (v->inputs[i] && !is_float(v->inputs[i]) && !mfm_tensor_is_int(v->inputs[i])) {
            end_with(v, VECTOR_SKIPPED, "inputs of other types");
            return false;
        }
    if (v->expected[0] && is_number(v->expected[0]))
        return true;
    end_with(v, VECTOR_SKIPPED, "outputs of other types");
    return false;
}

/* ---- running ------------------------------------------------------------------------------ */

static bool has_training_mode(const vector *v)
{
    for (size_t i = 0; i < graph_of(v)->n_node; i++) {
        const Onnx__AttributeProto *attr = mfm_proto_attr(graph_of(v)->node[i], "training_mode");
        if (attr && attr->i)
            return true;
    }
    return false;
}

static int make_plan(vector *v)
{
    int status = mfm_graph_import(v->ctx, v->model, v->n_outputs, &v->graph, v->outputs);
    if (status)
        return status;
    const mfm_pass forward = {MFM_FORWARD, 1};
    mfm_slot keep[MOST];
    for (size_t i = 0; i < v->n_outputs; i++)
        keep[i] = (mfm_slot){v->outputs[i], MFM_X};
    const mfm_plan_spec spec = {.batch = 1,
                                .training = has_training_mode(v),
                                .passes = &forward,
                                .n_passes = 1,
                                .keep = keep,
                                .n_keep = (int)v->n_outputs};
    return mfm_plan_new(v->ctx, v->graph, &spec, &v->plan);
}

/* A vector of the graph's, copied. */
static real *copy_of(vector *v, const real *from, size_t count)
{
    real *copy = mfm_alloc_aligned(v->ctx, count, sizeof *copy);
    if (!copy)
        abort();
    if (count)
        memcpy(copy, from, count * sizeof *copy);
    return copy;
}

static bool bind_inputs(vector *v)
{
    for (size_t i = 0; i < graph_of(v)->n_input; i++) {
        const int value = mfm_graph_find(v->graph, graph_of(v)->input[i]->name);
        if (value < 0 || v->graph->values[value].kind != MFM_VALUE_INPUT)
            continue;
        const mfm_shape *shape = mfm_plan_shape(v->plan, value);
        const size_t count = (size_t)mfm_shape_count(shape);
        if (count != mfm_tensor_size(v->inputs[i])) {
            end_with(v, VECTOR_FAILED, "input %zu: its tensor has another size", i);
            return false;
        }
        real *row_major = mfm_alloc_aligned(v->ctx, count, sizeof *row_major);
        v->bound[i] = mfm_alloc_aligned(v->ctx, count, sizeof *v->bound[i]);
        if (!row_major || !v->bound[i])
            abort();
        get_numbers(v, v->inputs[i], row_major);
        mfm_layout_to_engine(shape, row_major, v->bound[i]);
        mfm_free_aligned(v->ctx, row_major);
        mfm_plan_bind_input(v->plan, value, MFM_X, v->bound[i]);
    }
    return true;
}

/* All outputs, or, where an operator has outputs that the engine has not, the first. */
static int prepare(vector *v)
{
    const int status = make_plan(v);
    if (!status || v->n_outputs == 1)
        return status;
    v->result->ignored = v->n_outputs - 1;
    v->n_outputs = 1;
    mfm_graph_free(v->graph);
    v->graph = NULL;
    return make_plan(v);
}

static bool run(vector *v)
{
    if (prepare(v)) {
        end_with(v, VECTOR_REFUSED, "%s", mfm_message(v->ctx));
        return false;
    }
    v->params = copy_of(v, v->graph->params, v->graph->params_size);
    v->state = copy_of(v, v->graph->state, v->graph->state_size);
    mfm_plan_bind_params(v->plan, MFM_X, v->params);
    mfm_plan_bind_state(v->plan, v->state);
    if (!bind_inputs(v))
        return false;
    mfm_plan_run(v->plan, 0);
    return true;
}

/* The numbers to compare windows with are made with pi = 3.1415: what their graphs compute is up to
 * 7.4e-5 off, in ONNX Runtime as here. */
static double tolerance_of(const vector *v)
{
    return strstr(v->folder, "window_") && strstr(v->folder, "expanded") ? 1e-4 : tolerance;
}

static bool near(const vector *v, double have, double want)
{
    return have == want || (isnan(have) && isnan(want)) ||
           fabs(have - want) <= tolerance_of(v) * fmax(1, fabs(want));
}

static bool same_shape(const mfm_shape *shape, const Onnx__TensorProto *tensor)
{
    return (size_t)shape->rank == tensor->n_dims &&
           (!shape->rank ||
            memcmp(shape->dim, tensor->dims, tensor->n_dims * sizeof *shape->dim) == 0);
}

static void compare(vector *v, size_t index)
{
    const mfm_shape *shape = mfm_plan_shape(v->plan, v->outputs[index]);
    const Onnx__TensorProto *expected = v->expected[index];
    char text[MFM_SHAPE_TEXT];
    if (!expected || !is_number(expected) || !same_shape(shape, expected)) {
        end_with(v, VECTOR_FAILED, "output %zu: shape %s, or no tensor to compare with", index,
                 mfm_shape_text(shape, text));
        return;
    }
    const size_t count = (size_t)mfm_shape_count(shape);
    const real *stored = mfm_plan_lane(v->plan, v->outputs[index], MFM_X);
    real *have = mfm_alloc_aligned(v->ctx, count, sizeof *have);
    real *want = mfm_alloc_aligned(v->ctx, count, sizeof *want);
    if (!have || !want)
        abort();
    if (count)
        mfm_layout_to_row_major(shape, stored, have);
    get_numbers(v, expected, want);
    for (size_t i = 0; i < count; i++)
        if (!near(v, (double)have[i], (double)want[i])) {
            end_with(v, VECTOR_FAILED, "output %zu, element %zu: %.9g: must be %.9g", index, i,
                     (double)have[i], (double)want[i]);
            break;
        }
    mfm_free_aligned(v->ctx, have);
    mfm_free_aligned(v->ctx, want);
}

static void clear(vector *v)
{
    for (size_t i = 0; i < MOST; i++) {
        if (v->inputs[i])
            onnx__tensor_proto__free_unpacked(v->inputs[i], NULL);
        if (v->expected[i])
            onnx__tensor_proto__free_unpacked(v->expected[i], NULL);
        mfm_free_aligned(v->ctx, v->bound[i]);
    }
    mfm_free_aligned(v->ctx, v->params);
    mfm_free_aligned(v->ctx, v->state);
    mfm_plan_free(v->plan);
    mfm_graph_free(v->graph);
    mfm_model_free(v->model);
}

/* Dropout in training with something to drop: numpy's draws are not ours. */
static bool is_random(const char *folder)
{
    return strstr(folder, "training_dropout") && !strstr(folder, "zero_ratio");
}

void vector_run(mfm_ctx *ctx, const char *folder, vector_result *result)
{
    vector v = {.ctx = ctx, .folder = folder, .result = result};
    *result = (vector_result){.outcome = VECTOR_PASSED};
    if (!read_case(&v))
        goto done;
    if (is_random(folder))
        end_with(&v, VECTOR_SKIPPED, "random draws");
    else if (only_float32(&v) && move_inputs_into_the_file(&v) && run(&v))
        for (size_t i = 0; i < v.n_outputs && result->outcome == VECTOR_PASSED; i++)
            compare(&v, i);
done:
    clear(&v);
}
