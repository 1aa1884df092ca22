#include <inttypes.h>
#include <stdio.h>

#include "onnx/info/class_info.h"
#include "onnx/surgery/head/head.h"
#include "tools/class_names.h"
#include "tools/edit/edit.h"
#include "tools/files.h"
#include "tools/options/groups/inject_arguments.h"
#include "tools/options/options.h"
#include "tools/plain_model.h"
#include "tools/show/printable.h"
#include "tools/train/unfinished.h"

typedef struct options {
    const char *output, *after, *class_names;
    uint64_t classes, seed, verify;
    double dropout;
    bool pool;
} options;

static const mfm_option table[] = {
    MFM_OUTPUT_OPTION(options, output),
    {.name = "classes",
     .kind = MFM_OPTION_UINT,
     .value = "N",
     .min = 2,
     .max = 65536,
     .offset = offsetof(options, classes),
     .silent_default = true,
     .help = "number of classes (default: as many as --class-names has)"},
    {.name = "class-names",
     .kind = MFM_OPTION_STRING,
     .value = "FILE",
     .path = MFM_OPTION_PATH,
     .offset = offsetof(options, class_names),
     .help = "text file with one class name per line, in the order of the classes; they are kept "
             "in the model"},
    {.name = "pool",
     .kind = MFM_OPTION_FLAG,
     .offset = offsetof(options, pool),
     .help =
         "read the means of the last feature maps; fully connected layers behind them are removed"},
    {.name = "after",
     .kind = MFM_OPTION_STRING,
     .value = "LAYER",
     .offset = offsetof(options, after),
     .silent_default = true,
     .help = "layer whose features are read, after its activation: a name that inspect lists, or "
             "block:N for that block's sum (default: what the old classifier reads)"},
    {.name = "dropout",
     .kind = MFM_OPTION_REAL,
     .value = "P",
     .max = 0.999,
     .offset = offsetof(options, dropout),
     .help = "share of the features that training drops, by a Dropout in front of the classifier; "
             "0: none"},
    {.name = "seed",
     .kind = MFM_OPTION_UINT,
     .value = "N",
     .max = (double)INT64_MAX,
     .offset = offsetof(options, seed),
     .help = "seed of the fresh weights"},
    {.name = "verify",
     .kind = MFM_OPTION_UINT,
     .value = "N",
     .max = 4096,
     .offset = offsetof(options, verify),
     .help = "compute the features of N random images before and after, and write nothing if they "
             "differ"},
};

static const mfm_option_group groups[] = {
    {.title = "Options:", .options = table, .count = sizeof table / sizeof table[0]},
    {.title = NULL}};

static const mfm_option_table head_options = {
    .positional = "MODEL",
    .purpose =
        "Puts a fresh classifier in the place of a model's own, for other classes. All that makes\n"
        "the features stays as it is; what only the old classifier used is removed. Weights "
        "and\n"
        "biases start uniform within +-1 / sqrt(features). The output gives logits.",
    .groups = groups};

static int read_names(mfm_ctx *ctx, options *o, mfm_class_names *names)
{
    if (!o->class_names)
        return o->classes ? MFM_OK
                          : mfm_fail(ctx, MFM_EUSAGE, "missing --classes N, or --class-names FILE");
    int status = mfm_class_names_read(ctx, o->class_names, names);
    if (!status && names->count < 2)
        status = mfm_fail(ctx, MFM_EDATA, "%s: %zu names: expected at least 2", o->class_names,
                          names->count);
    if (!status && o->classes && o->classes != names->count)
        status = mfm_fail(ctx, MFM_EINVAL, "%s: %zu names, but --classes %" PRIu64, o->class_names,
                          names->count, o->classes);
    o->classes = names->count;
    return status;
}

static void print_done(const options *o, const char *input, const mfm_head_report *report)
{
    printf("wrote %s (a head for %" PRIu64 " classes on %s)\n", mfm_output_name(o->output),
           o->classes, input);
    mfm_print(stdout, "features    '%s'%s, %" PRId64 " of each image\n", report->features,
              report->pooled ? ", averaged over each map" : "", report->width);
    printf("classifier  %" PRId64 " parameters, seed %" PRIu64 "\n",
           (report->width + 1) * (int64_t)o->classes, o->seed);
    printf("removed     %zu node%s, %zu initialiser%s; added %zu node%s\n", report->removed_nodes,
           report->removed_nodes == 1 ? "" : "s", report->removed_initializers,
           report->removed_initializers == 1 ? "" : "s", report->added_nodes,
           report->added_nodes == 1 ? "" : "s");
}

static int make(mfm_ctx *ctx, mfm_model *model, const options *o, const char *const *names)
{
    const mfm_head_options wanted = {.classes = (int64_t)o->classes,
                                     .after = o->after,
                                     .pool = o->pool,
                                     .dropout = o->dropout,
                                     .seed = o->seed};
    mfm_head_report report;
    mfm_edit edit;
    bool modulated = false;
    int status = mfm_edit_begin(ctx, model, o->verify, &edit);
    if (!status)
        status = mfm_has_modulator(ctx, model, &modulated);
    if (!status && modulated)
        mfm_warn(ctx,
                 "%s: its modulator reads a soft label over the old classes, and is removed: "
                 "inject puts a new one in",
                 mfm_model_path(model));
    if (!status)
        status = mfm_make_plain(ctx, model, false);
    if (!status)
        status = mfm_model_new_head(ctx, model, &wanted, &report);
    if (!status && names)
        status = mfm_class_info_write_names(ctx, model, names, (size_t)o->classes);
    if (!status)
        status = mfm_edit_end(&edit, model, report.features);
    if (!status)
        status = mfm_save_output(ctx, model, o->output);
    if (!status) {
        print_done(o, mfm_model_path(model), &report);
        status = mfm_edit_print(&edit);
    }
    mfm_edit_clear(&edit);
    return status;
}

int mfm_cmd_head(mfm_ctx *ctx, int argc, const char **argv)
{
    options o = {.seed = 0};
    mfm_arguments arguments;
    mfm_model *model = NULL;
    mfm_class_names names = {.text = NULL};
    int status = mfm_options_parse(ctx, &head_options, argc, argv, &o, &arguments);
    if (!status)
        status = mfm_check_output(ctx, o.output, arguments.positional);
    if (!status)
        status = read_names(ctx, &o, &names);
    if (!status)
        status = mfm_model_load(ctx, arguments.positional, &model);
    if (!status)
        status = mfm_refuse_unfinished(ctx, model);
    if (!status)
        status = make(ctx, model, &o, names.name);
    mfm_class_names_clear(ctx, &names);
    mfm_model_free(model);
    mfm_arguments_free(ctx, &arguments);
    return status;
}
