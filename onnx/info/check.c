#include "onnx/info/check.h"

#include <stdarg.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "onnx/functions/flat.h"
#include "onnx/checkpoint.h"
#include "onnx/import/import_parts.h"
#include "onnx/info/array_info.h"
#include "onnx/info/advice.h"
#include "onnx/info/class_info.h"
#include "onnx/info/preprocess_info.h"
#include "onnx/proto/strmap.h"
#include "onnx/proto/walk.h"
#include "onnx/storage/tensor_data.h"
#include "onnx/surgery/inject_check.h"

const char *mfm_severity_name(mfm_severity severity)
{
    static const char *const names[] = {[MFM_FINDING_ERROR] = "error",
                                        [MFM_FINDING_OBSTACLE] = "obstacle",
                                        [MFM_FINDING_WARNING] = "warning"};
    return names[severity];
}

/* ---- the list ------------------------------------------------------------------------------- */

static void add(mfm_findings *p, mfm_severity severity, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void add(mfm_findings *p, mfm_severity severity, const char *format, ...)
{
    char text[2048];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (!p->status)
        p->status = mfm_grow(p->ctx, &p->items, p->count, &p->capacity, sizeof *p->items);
    char *copy = p->status ? NULL : mfm_strdup(p->ctx, text);
    if (copy)
        p->items[p->count++] = (mfm_finding){severity, copy};
    else
        p->status = MFM_ENOMEM;
}

static void add_error(void *self, const char *text)
{
    add(self, MFM_FINDING_ERROR, "%s", text);
}

static void add_warning(void *self, const char *line)
{
    add(self, MFM_FINDING_WARNING, "%s", line);
}

/* What a function says by failing. */
static void judge(mfm_findings *p, int status, mfm_severity severity)
{
    if (status == MFM_ENOMEM)
        p->status = status;
    else if (status)
        add(p, severity, "%s", mfm_message(p->ctx));
}

void mfm_findings_clear(mfm_findings *p)
{
    for (size_t i = 0; i < p->count; i++)
        mfm_free(p->ctx, p->items[i].text);
    if (p->ctx)
        mfm_free(p->ctx, p->items);
    p->count = 0;
}

size_t mfm_findings_of(const mfm_findings *p, mfm_severity severity)
{
    size_t count = 0;
    for (size_t i = 0; i < p->count; i++)
        count += p->items[i].severity == severity;
    return count;
}

/* ---- the format ----------------------------------------------------------------------------- */

typedef struct visit {
    mfm_findings *problems;
    const mfm_model *model;
    mfm_strmap names; /* of nodes */
} visit;

static bool is_imported(const Onnx__ModelProto *proto, const char *domain)
{
    const bool own = !domain[0] || strcmp(domain, "ai.onnx") == 0;
    for (size_t i = 0; i < proto->n_opset_import; i++) {
        const char *imported = mfm_proto_text(proto->opset_import[i]->domain);
        if (strcmp(imported, domain) == 0 ||
            (own && (!imported[0] || strcmp(imported, "ai.onnx") == 0)))
            return true;
    }
    return proto->ir_version < 3;
}

static int visit_node(void *self, Onnx__NodeProto *node)
{
    visit *v = self;
    const char *domain = mfm_proto_text(node->domain), *name = mfm_proto_text(node->name);
    const char *title = mfm_proto_title(node);
    if (!is_imported(v->model->proto, domain))
        add(v->problems, MFM_FINDING_ERROR,
            "node %s (%s): operator set '%s': the file does not import it",
            title[0] ? title : "(unnamed)", mfm_proto_text(node->op_type), domain);
    if (name[0] && mfm_strmap_get(&v->names, name, NULL))
        add(v->problems, MFM_FINDING_WARNING, "node name '%s': two nodes have it", name);
    return name[0] ? mfm_strmap_set(&v->names, name, 0) : MFM_OK;
}

static void check_nodes(mfm_findings *p, const mfm_model *model)
{
    visit v = {.problems = p, .model = model};
    const mfm_visitor visitor = {.node = visit_node, .self = &v};
    mfm_strmap_init(&v.names, p->ctx);
    const int status = mfm_walk_graph(model->proto->graph, &visitor);
    mfm_strmap_clear(&v.names);
    if (status)
        p->status = status;
}

/* Before version 4 of the format every initialiser is an input, too. */
static void check_initializers(mfm_findings *p, const mfm_model *model)
{
    const Onnx__GraphProto *graph = model->proto->graph;
    mfm_strmap inputs;
    mfm_strmap_init(&inputs, p->ctx);
    for (size_t i = 0; i < graph->n_input && !p->status; i++)
        p->status = mfm_strmap_set(&inputs, mfm_proto_text(graph->input[i]->name), 0);
    for (size_t i = 0; i < graph->n_initializer && model->proto->ir_version < 4; i++) {
        const char *name = mfm_proto_text(graph->initializer[i]->name);
        if (!mfm_strmap_get(&inputs, name, NULL))
            add(p, MFM_FINDING_ERROR,
                "initialiser '%s': is no input of the graph: before IR version 4 it must be", name);
    }
    mfm_strmap_clear(&inputs);
}

static void check_numbers(mfm_findings *p, const mfm_model *model)
{
    const Onnx__GraphProto *graph = model->proto->graph;
    for (size_t i = 0; i < graph->n_initializer && !p->status; i++) {
        const Onnx__TensorProto *t = graph->initializer[i];
        const size_t count = mfm_tensor_is_float(t) ? mfm_tensor_size(t) : 0;
        double *numbers = mfm_alloc(p->ctx, count, sizeof *numbers);
        size_t none = 0, infinite = 0;
        p->status = numbers ? MFM_OK : MFM_ENOMEM;
        if (!p->status && count)
            judge(p, mfm_tensor_read_doubles(model, t, numbers), MFM_FINDING_ERROR);
        for (size_t k = 0; k < count && !p->status; k++) {
            none += isnan(numbers[k]) ? 1U : 0U;
            infinite += isinf(numbers[k]) ? 1U : 0U;
        }
        if (none || infinite)
            add(p, MFM_FINDING_WARNING,
                "tensor '%s': %zu of its %zu numbers are none (NaN), %zu are infinite",
                mfm_proto_text(t->name), none, count, infinite);
        mfm_free(p->ctx, numbers);
    }
}

/* ---- shapes --------------------------------------------------------------------------------- */

/* Whether a declared shape can be that of a value at a batch. */
static bool fits(const Onnx__ValueInfoProto *info, const mfm_shape *shape, int64_t batch)
{
    const bool tensor = info->type && info->type->value_case == ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
    const Onnx__TensorShapeProto *told =
        tensor && info->type->tensor_type ? info->type->tensor_type->shape : NULL;
    if (!told)
        return true;
    if (told->n_dim != (size_t)shape->rank)
        return false;
    for (size_t i = 0; i < told->n_dim; i++) {
        const Onnx__TensorShapeProto__Dimension *dim = told->dim[i];
        if (dim->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE &&
            dim->dim_value != shape->dim[i] && shape->dim[i] % batch != 0)
            return false;
    }
    return true;
}

static void check_infos(mfm_findings *p, const mfm_graph *graph, const mfm_shape *shapes,
                        Onnx__ValueInfoProto *const *infos, size_t count, const char *what)
{
    enum { BATCH = 7 };
    char text[MFM_SHAPE_TEXT];
    for (size_t i = 0; i < count; i++) {
        const char *name = mfm_proto_text(infos[i]->name);
        const int value = name[0] ? mfm_graph_find(graph, name) : -1;
        if (value >= 0 && !fits(infos[i], &shapes[value], BATCH))
            add(p, MFM_FINDING_WARNING,
                "%s '%s': the file tells another shape than it has, %s at a batch of %d", what,
                name, mfm_shape_text(&shapes[value], text), BATCH);
    }
}

static void check_shapes(mfm_findings *p, const mfm_model *model, const mfm_network *network)
{
    enum { BATCH = 7 }; /* seldom a length by itself */
    const Onnx__GraphProto *graph = model->proto->graph;
    mfm_shape *shapes = mfm_alloc(p->ctx, network->graph->n_values, sizeof *shapes);
    if (!shapes) {
        p->status = MFM_ENOMEM;
        return;
    }
    if (mfm_graph_shapes(network->graph, BATCH, false, shapes) == MFM_OK) {
        check_infos(p, network->graph, shapes, graph->value_info, graph->n_value_info, "value");
        check_infos(p, network->graph, shapes, graph->output, graph->n_output, "output");
    }
    mfm_free(p->ctx, shapes);
}

/* ---- training ------------------------------------------------------------------------------- */

static void check_operators(mfm_findings *p, const mfm_model *model)
{
    const Onnx__GraphProto *graph = model->proto->graph;
    bool *gaps = mfm_alloc(p->ctx, graph->n_node, sizeof *gaps);
    p->status = gaps ? mfm_import_find_gaps(model, gaps) : MFM_ENOMEM;
    for (size_t i = 0; i < graph->n_node && !p->status; i++) {
        const Onnx__NodeProto *node = graph->node[i];
        const char *domain = mfm_proto_text(node->domain);
        if (gaps[i])
            add(p, MFM_FINDING_OBSTACLE, "node '%s': operator %s%s%s: not supported%s",
                mfm_proto_title(node), domain, domain[0] ? ":" : "", mfm_proto_text(node->op_type),
                mfm_advice(node));
    }
    mfm_free(p->ctx, gaps);
}

/* The first obstacle behind the operators. */
static void check_import(mfm_findings *p, mfm_model *model)
{
    mfm_network *network = NULL;
    const size_t before = mfm_findings_of(p, MFM_FINDING_OBSTACLE);
    int status = mfm_model_untie(p->ctx, model, NULL);
    if (!status)
        status = mfm_model_import_chosen(p->ctx, model, NULL, &network);
    if (status == MFM_ENOMEM || (status && before == 0))
        judge(p, status, MFM_FINDING_OBSTACLE);
    if (!status)
        check_shapes(p, model, network);
    mfm_network_free(p->ctx, network);
}

/* ---- metadata ------------------------------------------------------------------------------- */

static void check_metadata(mfm_findings *p, const mfm_model *model)
{
    mfm_preprocess_info preprocess;
    mfm_array_form array;
    mfm_class_info *classes = NULL;
    mfm_inject_info *injected = NULL;
    char *run = NULL;
    bool told, of_arrays;
    judge(p, mfm_array_info_read(p->ctx, model, &array, &of_arrays), MFM_FINDING_ERROR);
    mfm_array_form_clear(p->ctx, &array);
    if (!of_arrays)
        judge(p, mfm_preprocess_info_read(p->ctx, model, &preprocess, &told), MFM_FINDING_ERROR);
    judge(p, mfm_class_info_read(p->ctx, model, &classes), MFM_FINDING_ERROR);
    mfm_class_info_free(p->ctx, classes);
    int status = mfm_inject_info_read(p->ctx, model, &injected);
    if (!status && injected)
        status = mfm_inject_check(p->ctx, model, injected);
    judge(p, status, MFM_FINDING_ERROR);
    mfm_inject_info_free(p->ctx, injected);
    status = mfm_checkpoint_options(p->ctx, model, &run);
    if (!status && run)
        status = mfm_checkpoint_check(p->ctx, mfm_model_path(model));
    judge(p, status, MFM_FINDING_ERROR);
    mfm_free(p->ctx, run);
}

int mfm_model_check(mfm_ctx *ctx, const char *path, mfm_findings *p)
{
    mfm_model *model = NULL;
    *p = (mfm_findings){.ctx = ctx};
    const int status = mfm_model_open_telling(ctx, path, add_error, p, &model);
    if (status == MFM_ENOMEM || status == MFM_EIO)
        return status;
    if (!model)
        return p->status;
    mfm_ctx_on_warning(ctx, add_warning, p);
    check_nodes(p, model);
    check_initializers(p, model);
    check_numbers(p, model);
    check_metadata(p, model);
    mfm_flat *flat;
    judge(p, mfm_flat_new(ctx, model, &flat), MFM_FINDING_ERROR);
    if (!p->status && flat)
        check_operators(p, mfm_flat_model(flat));
    if (!p->status && flat)
        check_import(p, model);
    mfm_flat_free(flat);
    mfm_ctx_on_warning(ctx, NULL, NULL);
    mfm_model_free(model);
    return p->status;
}
