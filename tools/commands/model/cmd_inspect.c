#include <inttypes.h>
#include <stdio.h>

#include "tools/files.h"
#include "tools/show/reports/image_report.h"
#include "tools/show/reports/memory_report.h"
#include "tools/show/reports/model_report.h"
#include "tools/show/print_json.h"
#include "tools/show/printable.h"
#include "tools/options/groups/role_options.h"
#include "tools/options/groups/view_options.h"
#include "tools/show/reports/tensor_report.h"
#include "tools/show/text_table.h"
#include "tools/threads.h"

typedef struct options {
    bool json, tensors;
    uint64_t batch, ranks, threads, data_memory;
    mfm_view_arguments view;
    mfm_role_arguments roles;
    mfm_inject_arguments inject;
} options;

static const mfm_option table[] = {
    MFM_JSON_OPTION(options, json),
    {.name = "tensors",
     .kind = MFM_OPTION_FLAG,
     .offset = offsetof(options, tensors),
     .help = "also list every tensor: trained, fixed or a statistic, and why"},
    {.name = "batch",
     .kind = MFM_OPTION_UINT,
     .value = "N",
     .min = 1,
     .max = 65536,
     .offset = offsetof(options, batch),
     .silent_default = true,
     .help = "also print the memory that inference and training take with batches of this size"},
    {.name = "ranks",
     .kind = MFM_OPTION_UINT,
     .value = "R",
     .min = 1,
     .max = MFM_CHUNKS,
     .offset = offsetof(options, ranks),
     .help = "with --batch: the memory of each of R processes that train together"},
    {.name = "threads",
     .kind = MFM_OPTION_UINT,
     .value = "N",
     .max = 1024,
     .offset = offsetof(options, threads),
     .silent_default = true,
     .help = "threads that training would use (default: all processors)"},
    {.name = "data-memory",
     .kind = MFM_OPTION_UINT,
     .value = "MIB",
     .max = 1 << 30,
     .offset = offsetof(options, data_memory),
     .silent_default = true,
     .help = "with --batch: what decoding image files would be given besides"},
};

static const mfm_option_group groups[] = {
    {.title = "Options:", .options = table, .count = sizeof table / sizeof table[0]},
    {.title = "What the file leaves open:",
     .options = mfm_view_table,
     .count = MFM_VIEW_OPTIONS,
     .base = offsetof(options, view)},
    {.title = "Tensors, as training would have them:",
     .options = mfm_role_table,
     .count = MFM_ROLE_OPTIONS,
     .base = offsetof(options, roles)},
    {.title = "Modulator that training would inject, for --batch:",
     .options = mfm_inject_table,
     .count = MFM_INJECT_OPTIONS,
     .base = offsetof(options, inject)},
    {.title = NULL}};

static const mfm_option_table inspect_options = {
    .positional = "MODEL",
    .purpose = "Shows what a model is made of, which layers --layer can choose and by what names,\n"
               "and whether it can be trained. Works on any ONNX file.",
    .groups = groups};

/* ---- JSON ---- */

static json_t *shape_to_json(const int64_t *dim, int rank)
{
    if (rank < 0)
        return json_null();
    json_t *array = json_array();
    for (int i = 0; i < rank; i++)
        json_array_append_new(array, dim[i] < 0 ? json_null() : json_integer(dim[i]));
    return array;
}

static json_t *port_to_json(const mfm_model_port *ports, size_t count)
{
    if (count == 0)
        return json_null();
    return json_pack("{s:o, s:o}", "name", mfm_json_text(ports[0].name), "shape",
                     shape_to_json(ports[0].dim, ports[0].rank));
}

static json_t *row_to_json(const mfm_layer_row *row)
{
    json_t *aliases = json_array();
    for (size_t i = 0; i < row->n_aliases; i++)
        json_array_append_new(aliases, mfm_json_text(row->aliases[i]));
    return json_pack("{s:s, s:o, s:o, s:o, s:o, s:I, s:o, s:b, s:o}", "id", row->id, "kind",
                     mfm_json_text(row->op_type), "node", mfm_json_text(row->layer->node_name),
                     "output", mfm_json_text(row->layer->output), "shape",
                     row->shaped ? shape_to_json(row->shape.dim, row->shape.rank) : json_null(),
                     "parameters", (json_int_t)row->parameters, "macs",
                     row->shaped ? json_integer((json_int_t)row->macs) : json_null(), "norm",
                     row->layer->norm != NULL, "aliases", aliases);
}

static json_t *rows_to_json(const mfm_model_report *r)
{
    json_t *array = json_array();
    for (size_t i = 0; i < r->layers->n_layers; i++)
        json_array_append_new(array, row_to_json(&r->rows[i]));
    return array;
}

static json_t *modulators_to_json(const mfm_inject_info *info)
{
    json_t *array = json_array();
    for (size_t i = 0; info && i < info->n_sites; i++)
        json_array_append_new(array,
                              json_pack("{s:o, s:o, s:o, s:s, s:I, s:s}", "layer",
                                        mfm_json_text(info->sites[i].layer), "value",
                                        mfm_json_text(info->sites[i].value), "output",
                                        mfm_json_text(info->sites[i].output), "position",
                                        mfm_position_name(info->sites[i].position), "channels",
                                        (json_int_t)info->sites[i].channels, "modulation",
                                        mfm_modulation_name(info->modulation)));
    return array;
}

static json_t *gaps_to_json(const mfm_model_facts *facts)
{
    json_t *array = json_array();
    for (size_t i = 0; i < facts->n_gaps; i++)
        json_array_append_new(array, json_pack("{s:o, s:o, s:o}", "operator",
                                               mfm_json_text(facts->gaps[i].op_type), "domain",
                                               mfm_json_text(facts->gaps[i].domain), "node",
                                               mfm_json_text(facts->gaps[i].title)));
    return array;
}

static json_t *warnings_to_json(const mfm_model_report *r)
{
    json_t *array = json_array();
    for (size_t i = 0; i < r->n_warnings; i++)
        json_array_append_new(array, mfm_json_text(r->warnings[i]));
    return array;
}

static json_t *report_to_json(const mfm_model_report *r)
{
    const mfm_model_facts *f = r->facts;
    const uint64_t parameters = r->network ? r->trainable : f->elements;
    json_t *root = json_pack(
        "{s:o, s:I, s:I, s:o, s:o, s:o, s:I, s:o, s:b, s:o}", "file",
        mfm_json_text(mfm_model_path(r->model)), "ir_version", (json_int_t)f->ir_version, "opset",
        (json_int_t)f->opset, "producer", mfm_json_text(f->producer), "input",
        port_to_json(f->inputs, f->n_inputs), "output", port_to_json(f->outputs, f->n_outputs),
        "parameters", (json_int_t)parameters, "macs",
        r->macs < 0 ? json_null() : json_integer(r->macs), "trainable", r->network != NULL,
        "obstacle", r->obstacle ? mfm_json_text(r->obstacle) : json_null());
    if (root) {
        json_object_set_new(root, "layers", rows_to_json(r));
        json_object_set_new(root, "tensors", mfm_tensor_report_json(r->roles));
        json_object_set_new(root, "modulators", modulators_to_json(r->modulators));
        json_object_set_new(root, "unsupported", gaps_to_json(f));
        json_object_set_new(root, "preprocess", mfm_told_preprocess_json(r->ctx, r->model));
        json_object_set_new(root, "classes", mfm_told_classes_json(r->ctx, r->model));
        json_object_set_new(root, "warnings", warnings_to_json(r));
    }
    return root;
}

/* ---- text ---- */

static void print_ports(const char *what, const mfm_model_port *ports, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        mfm_print(stdout, "%-12s %s [", what, ports[i].name);
        for (int k = 0; k < ports[i].rank; k++)
            if (ports[i].dim[k] < 0)
                printf("%sn", k ? "," : "");
            else
                printf("%s%" PRId64, k ? "," : "", ports[i].dim[k]);
        printf("%s]\n", ports[i].rank < 0 ? "?" : "");
    }
}

static void print_facts(const mfm_model_report *r)
{
    const mfm_model_facts *f = r->facts;
    mfm_print(stdout, "%s: ONNX, IR version %" PRId64 ", opset %" PRId64 "%s%s %s\n",
              mfm_model_path(r->model), f->ir_version, f->opset, f->producer[0] ? ", by " : "",
              f->producer, f->producer_version);
    print_ports("input", f->inputs, f->n_inputs);
    print_ports("output", f->outputs, f->n_outputs);
    printf("%-12s %zu\n", "nodes", f->n_nodes);
    printf("%-12s %zu, with %" PRIu64 " elements\n", "initialisers", f->n_initializers,
           f->elements);
    if (!r->network)
        return;
    printf("%-12s %" PRIu64 " parameters, %" PRIu64 " running statistics\n", "trains", r->trainable,
           r->state);
    mfm_tensor_report_print_counts(r->roles);
    printf("%-12s %" PRId64 " multiplications per image\n", "computes", r->macs);
}

static void add_aliases(mfm_text_table *t, const mfm_layer_row *row)
{
    char text[512] = "";
    size_t used = 0;
    for (size_t i = 0; i < row->n_aliases && used < sizeof text; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%s", i ? "  " : "",
                                 row->aliases[i]);
    mfm_text_table_add(t, "%s", text);
}

static void add_shape(mfm_text_table *t, const mfm_layer_row *row)
{
    char text[MFM_SHAPE_TEXT];
    if (row->shaped)
        mfm_text_table_add(t, "%s", mfm_shape_text(&row->shape, text));
    else if (row->layer->channels > 0)
        mfm_text_table_add(t, "%" PRId64 " channels", row->layer->channels);
    else
        mfm_text_table_add(t, "?");
}

static int print_layers(const mfm_model_report *r)
{
    static const char *const titles[] = {"layer", "operator", "output shape", "parameters",
                                         "MACs",  "norm",     "also called"};
    mfm_text_table t;
    mfm_text_table_init(&t, r->ctx, "lllrrll");
    for (size_t i = 0; i < sizeof titles / sizeof titles[0]; i++)
        mfm_text_table_add(&t, "%s", titles[i]);
    for (size_t i = 0; i < r->layers->n_layers; i++) {
        const mfm_layer_row *row = &r->rows[i];
        mfm_text_table_add(&t, "%s", row->id);
        mfm_text_table_add(&t, "%s", row->op_type);
        add_shape(&t, row);
        mfm_text_table_add(&t, "%" PRIu64, row->parameters);
        if (row->shaped)
            mfm_text_table_add(&t, "%" PRIu64, row->macs);
        else
            mfm_text_table_add(&t, "?");
        mfm_text_table_add(&t, "%s", row->layer->norm ? "yes" : "no");
        add_aliases(&t, row);
    }
    printf("\n");
    return mfm_text_table_print(&t);
}

static void print_modulators(const mfm_inject_info *info)
{
    if (!info)
        return;
    mfm_print(stdout,
              "\nmodulator: %s, soft label over %" PRId64 " classes in '%s', switch in '%s'\n",
              mfm_modulation_name(info->modulation), info->classes, info->soft_label, info->gate);
    for (size_t i = 0; i < info->n_sites; i++)
        mfm_print(stdout, "  %s: %" PRId64 " channels, position %s, value '%s'\n",
                  info->sites[i].layer, info->sites[i].channels,
                  mfm_position_name(info->sites[i].position), info->sites[i].value);
}

static void print_obstacles(const mfm_model_report *r)
{
    if (!r->obstacle && r->n_warnings == 0)
        return;
    printf("\n");
    if (r->obstacle)
        mfm_print(stdout, "cannot be trained: %s\n", r->obstacle);
    for (size_t i = 0; i < r->n_warnings; i++)
        mfm_print(stdout, "warning: %s\n", r->warnings[i]);
}

static int print_as_text(const mfm_model_report *r, const mfm_memory_report *memory, bool tensors)
{
    print_facts(r);
    int status = mfm_told_print(r->ctx, r->model);
    if (!status && r->layers->n_layers)
        status = print_layers(r);
    if (!status && tensors)
        status = mfm_tensor_report_print(r->roles);
    if (status)
        return status;
    print_modulators(r->modulators);
    if (memory)
        status = mfm_memory_report_print(memory);
    print_obstacles(r);
    return status;
}

static int print_as_json(const mfm_model_report *r, const mfm_memory_report *memory)
{
    json_t *root = report_to_json(r);
    if (root && memory)
        json_object_set_new(root, "memory", mfm_memory_report_json(memory));
    return mfm_print_json(r->ctx, root);
}

/* Says which of the options given do nothing. */
static void tell_no_effect(mfm_ctx *ctx, const options *o, const mfm_arguments *given,
                           const mfm_model_report *report)
{
    static const char *const tensors[] = {"tensors", NULL};
    static const char *const memory[] = {"batch", "ranks", "threads", "data-memory", NULL};
    if (o->json)
        mfm_options_no_effect(ctx, &inspect_options, given, tensors, "JSON lists every tensor");
    if (!report->network) {
        mfm_options_no_effect(ctx, &inspect_options, given, memory, "the model cannot be trained");
        mfm_inject_no_effect(ctx, &inspect_options, given, "the model cannot be trained");
    } else if (!o->batch) {
        const char *const reason = "it is for the memory that --batch tells";
        mfm_options_no_effect(ctx, &inspect_options, given, memory + 1, reason);
        mfm_inject_no_effect(ctx, &inspect_options, given, reason);
    } else if (report->modulators) {
        mfm_inject_no_effect(ctx, &inspect_options, given, "the model has a modulator already");
    }
}

/* As photographs have them. */
static bool reads_colours(const mfm_network *network)
{
    const mfm_shape *shape = &network->graph->values[network->images].shape;
    return shape->rank == 4 && shape->dim[1] == 3;
}

static int inspect(mfm_ctx *ctx, const char *path, const options *o, const mfm_arguments *given)
{
    mfm_model *model = NULL;
    mfm_model_report *report = NULL;
    mfm_memory_report *memory = NULL;
    const mfm_role_choice choice = mfm_role_choice_of(&o->roles);
    int status = mfm_model_open(ctx, path, &model);
    if (!status)
        status = mfm_view_apply(ctx, &o->view, model);
    if (!status)
        status = mfm_model_report_new(ctx, model, &choice, &report);
    mfm_assume_threads((unsigned)o->threads);
    if (!status)
        tell_no_effect(ctx, o, given, report);
    if (!status && o->batch && report->network)
        status =
            mfm_memory_report_new(ctx, path, &o->inject, &choice, o->batch, (int)o->ranks, &memory);
    if (memory) {
        memory->decodes = o->data_memory || reads_colours(report->network);
        memory->decoding_memory = o->data_memory;
    }
    if (!status)
        status =
            o->json ? print_as_json(report, memory) : print_as_text(report, memory, o->tensors);
    mfm_memory_report_free(memory);
    mfm_model_report_free(report);
    mfm_model_free(model);
    return status;
}

int mfm_cmd_inspect(mfm_ctx *ctx, int argc, const char **argv)
{
    options o = {.ranks = 1, .inject = mfm_inject_defaults};
    mfm_arguments arguments;
    int status = mfm_options_parse(ctx, &inspect_options, argc, argv, &o, &arguments);
    if (!status)
        status = inspect(ctx, arguments.positional, &o, &arguments);
    mfm_arguments_free(ctx, &arguments);
    return status;
}
