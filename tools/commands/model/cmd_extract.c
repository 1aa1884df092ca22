#include <math.h>
#include <stdio.h>
#include <string.h>

#include "onnx/info/class_info.h"
#include "onnx/info/preprocess_info.h"
#include "onnx/surgery/extract.h"
#include "tools/options/groups/inject_arguments.h"
#include "tools/edit/edit.h"
#include "tools/files.h"
#include "tools/infer/graph_values.h"
#include "tools/options/options.h"
#include "tools/show/printable.h"
#include "tools/train/unfinished.h"

typedef struct options {
    const char *output;
    mfm_strings from, to;
    uint64_t verify;
} options;

static const mfm_option table[] = {
    MFM_OUTPUT_OPTION(options, output),
    {.name = "to",
     .kind = MFM_OPTION_STRINGS,
     .value = "NAME",
     .required = true,
     .offset = offsetof(options, to),
     .help = "output of the part: a value by its name; may be given several times"},
    {.name = "from",
     .kind = MFM_OPTION_STRINGS,
     .value = "NAME",
     .offset = offsetof(options, from),
     .help = "input of the part: a value by its name; may be given several times (default: the "
             "model's inputs)"},
    MFM_VERIFY_OPTION(options, verify),
};

static const mfm_option_group groups[] = {
    {.title = "Options:", .options = table, .count = sizeof table / sizeof table[0]},
    {.title = NULL}};

static const mfm_option_table extract_options = {
    .positional = "MODEL",
    .purpose =
        "Makes a part of a model a model of its own: the nodes between named values, with what\n"
        "they read. Values have the names that the file gives them: run --value takes the same.\n"
        "What stays keeps its names, its order and its numbers.",
    .groups = groups};

static bool among(const mfm_strings *list, const char *name)
{
    bool found = false;
    for (size_t i = 0; i < list->count; i++)
        found |= strcmp(list->item[i], name) == 0;
    return found;
}

/* Entries that tell of images, or of classes, go with these. */
static int drop_metadata(mfm_ctx *ctx, mfm_model *model, bool images, bool classes)
{
    static const char *const keys[] = {MFM_PREPROCESS_KEY, MFM_CLASSES_KEY};
    const bool goes[] = {!images, !classes};
    int status = MFM_OK;
    for (size_t i = 0; i < 2 && !status; i++) {
        if (!goes[i] || !mfm_model_metadata(model, keys[i]))
            continue;
        mfm_warn(ctx, "%s: its %s are not in the part: metadata %s is left out",
                 mfm_model_path(model), i ? "logits" : "images", keys[i]);
        status = mfm_model_set_metadata(model, keys[i], NULL);
    }
    return status;
}

/* Random images go through the whole model; what it has at the part's inputs goes through the part.
 */
static int verify(mfm_ctx *ctx, mfm_model *before, const mfm_model *part, const options *o,
                  double *apart)
{
    const size_t n_from = o->from.count, n_to = o->to.count;
    const char *image = NULL;
    mfm_model_facts *facts = NULL;
    int status = mfm_model_facts_new(ctx, before, &facts);
    if (!status && facts->n_inputs)
        image = facts->inputs[0].name;
    const size_t n_in = n_from ? n_from : 1;
    const char **names = mfm_alloc(ctx, n_in + n_to, sizeof *names);
    mfm_model_value *values = mfm_alloc(ctx, n_in + 2 * n_to, sizeof *values);
    if (!status)
        status = names && values ? MFM_OK : MFM_ENOMEM;
    for (size_t i = 0; i < n_in + n_to && !status; i++)
        names[i] = i >= n_in ? o->to.item[i - n_in] : n_from ? o->from.item[i] : image;
    if (!status)
        status = mfm_model_values(ctx, before, (size_t)o->verify, names, n_in + n_to, values);
    if (!status)
        status = mfm_graph_values(ctx, part, names, values, n_in, values + n_in + n_to, n_to);
    *apart = 0;
    for (size_t i = 0; i < n_to && !status; i++)
        *apart = fmax(*apart, mfm_model_value_apart(&values[n_in + n_to + i], &values[n_in + i]));
    if (values)
        mfm_model_values_free(ctx, values, n_in + 2 * n_to);
    mfm_free(ctx, values);
    mfm_free(ctx, names);
    mfm_model_facts_free(ctx, facts);
    return status ? mfm_fail_in(ctx, status, "--verify") : MFM_OK;
}

static int check_modulator(mfm_ctx *ctx, const mfm_model *model)
{
    bool modulated = false;
    int status = mfm_has_modulator(ctx, model, &modulated);
    if (!status && modulated)
        status = mfm_fail(ctx, MFM_EINVAL, "%s: has a modulator: strip takes it out",
                          mfm_model_path(model));
    return status;
}

/* Whether the first input and output, which metadata tells of, are in the part. */
static int keeps_ends(mfm_ctx *ctx, const mfm_model *model, const options *o, bool *images,
                      bool *classes)
{
    mfm_model_facts *facts = NULL;
    const int status = mfm_model_facts_new(ctx, model, &facts);
    if (status)
        return status;
    *images = !o->from.count || (facts->n_inputs && among(&o->from, facts->inputs[0].name));
    *classes = facts->n_outputs && among(&o->to, facts->outputs[0].name);
    mfm_model_facts_free(ctx, facts);
    return MFM_OK;
}

static int extract(mfm_ctx *ctx, mfm_model *model, const options *o)
{
    mfm_edit edit;
    bool images = false, classes = false;
    int status = mfm_edit_begin(ctx, model, o->verify, &edit);
    if (!status)
        status = check_modulator(ctx, model);
    if (!status)
        status = keeps_ends(ctx, model, o, &images, &classes);
    if (!status)
        status =
            mfm_model_extract(ctx, model, o->from.item, o->from.count, o->to.item, o->to.count);
    if (!status)
        status = drop_metadata(ctx, model, images, classes);
    if (!status && o->verify)
        status = verify(ctx, edit.original, model, o, &edit.apart);
    if (!status)
        status = mfm_edit_judge(&edit, model, "the outputs");
    if (!status)
        status = mfm_save_output(ctx, model, o->output);
    if (!status) {
        printf("wrote %s (a part of %s)\n", mfm_output_name(o->output), mfm_model_path(model));
        status = mfm_edit_print(&edit);
    }
    mfm_edit_clear(&edit);
    return status;
}

int mfm_cmd_extract(mfm_ctx *ctx, int argc, const char **argv)
{
    options o = {.output = NULL};
    mfm_arguments arguments;
    mfm_model *model = NULL;
    int status = mfm_options_parse(ctx, &extract_options, argc, argv, &o, &arguments);
    if (!status && o.to.count == 0)
        status = mfm_option_missing(ctx, &table[1]);
    if (!status)
        status = mfm_check_output(ctx, o.output, arguments.positional);
    if (!status)
        status = mfm_model_load(ctx, arguments.positional, &model);
    if (!status)
        status = mfm_refuse_unfinished(ctx, model);
    if (!status)
        status = extract(ctx, model, &o);
    mfm_model_free(model);
    mfm_arguments_free(ctx, &arguments);
    return status;
}
