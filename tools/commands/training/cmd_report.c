/* report: training runs side by side, as a page, as figures and as tables of numbers. */
#include <stdio.h>

#include "tools/files.h"
#include "tools/options/options.h"
#include "tools/report/report_files.h"
#include "tools/report/run_list.h"
#include "tools/show/print_json.h"
#include "tools/show/printable.h"
#include "tools/threads.h"

typedef struct options {
    const char *output, *figures, *csv, *tensorboard;
    mfm_uints groups;
    mfm_strings priors;
    uint64_t mistakes, points, batch, threads;
    bool png, metrics_only, json;
} options;

static const mfm_option table[] = {
    {.name = "output",
     .letter = 'o',
     .kind = MFM_OPTION_STRING,
     .value = "FILE",
     .offset = offsetof(options, output),
     .help = "the page to write"},
    {.name = "figures",
     .kind = MFM_OPTION_STRING,
     .value = "DIR",
     .offset = offsetof(options, figures),
     .help = "also write every figure as an SVG file of its own"},
    {.name = "png",
     .kind = MFM_OPTION_FLAG,
     .offset = offsetof(options, png),
     .help = "also write the figures as PNG (by rsvg-convert)"},
    {.name = "csv",
     .kind = MFM_OPTION_STRING,
     .value = "FILE",
     .offset = offsetof(options, csv),
     .help = "also write the metrics of all epochs as CSV"},
    {.name = "tensorboard",
     .kind = MFM_OPTION_STRING,
     .value = "DIR",
     .offset = offsetof(options, tensorboard),
     .help = "also write them as event files of TensorBoard"},
    {.name = "groups",
     .kind = MFM_OPTION_UINTS,
     .value = "LOW,HIGH",
     .offset = offsetof(options, groups),
     .help = "fewest and most training images of a medium class; few classes have fewer, many "
             "classes more"},
    {.name = "test-prior",
     .kind = MFM_OPTION_STRINGS,
     .value = "PRIOR",
     .offset = offsetof(options, priors),
     .help = "also show the test images that eval --test-prior draws with seed 0, and recall and "
             "predicted labels on these; may be given several times"},
    {.name = "mistakes",
     .kind = MFM_OPTION_UINT,
     .value = "N",
     .max = 200,
     .offset = offsetof(options, mistakes),
     .help = "misclassified images to show for each run"},
    {.name = "points",
     .kind = MFM_OPTION_UINT,
     .value = "N",
     .max = 2000,
     .offset = offsetof(options, points),
     .help = "test images whose gamma and beta are laid out by t-SNE"},
    {.name = "metrics-only",
     .kind = MFM_OPTION_FLAG,
     .offset = offsetof(options, metrics_only),
     .help = "show what the metrics tell: read no model and no images"},
    {.name = "batch",
     .kind = MFM_OPTION_UINT,
     .value = "N",
     .min = 1,
     .max = 65536,
     .offset = offsetof(options, batch),
     .help = "images computed at once"},
    MFM_THREADS_OPTION(options, threads),
    {.name = "json",
     .kind = MFM_OPTION_FLAG,
     .offset = offsetof(options, json),
     .help = "print the runs' results as JSON"},
};

static const mfm_option_group groups[] = {
    {.title = "Options:", .options = table, .count = sizeof table / sizeof table[0]},
    {.title = NULL}};

static const mfm_option_table report_options = {
    .positional = "RUN",
    .rest = "[RUN]",
    .rest_may_lack = true,
    .purpose =
        "Compares training runs on one page that needs nothing else: curves, recall of each\n"
        "class, confusion, label distributions, calibration, what the modulator gives, the\n"
        "surest mistakes, and the command that repeats each run. RUN is a run folder or the\n"
        "run.json in it, or the folder of several seeds. Models are evaluated on their test\n"
        "images, where these are at hand.",
    .groups = groups};

static int check_places(mfm_ctx *ctx, const options *o, mfm_class_borders *borders)
{
    const mfm_uints *g = &o->groups;
    int status = MFM_OK;
    if (g->count != 2 || g->item[0] > g->item[1])
        return mfm_fail(ctx, MFM_EUSAGE,
                        "--groups: expected the fewest and the most training images of a medium "
                        "class, as in 20,100");
    if (o->metrics_only && o->priors.count)
        return mfm_fail(ctx, MFM_EUSAGE,
                        "--test-prior with --metrics-only: it needs the test images");
    if (o->png && !o->figures)
        return mfm_fail(ctx, MFM_EUSAGE, "--png needs --figures DIR");
    *borders = (mfm_class_borders){.medium = g->item[0], .many = g->item[1]};
    status = mfm_check_output(ctx, o->output, NULL);
    if (!status && o->csv)
        status = mfm_check_output(ctx, o->csv, NULL);
    return !status && o->png ? mfm_report_check_png(ctx) : status;
}

static int write_page(mfm_run_list *list, const options *o, const mfm_class_borders *borders,
                      int *figures)
{
    mfm_page_text *text = mfm_alloc(list->ctx, 1, sizeof *text);
    int status = text ? mfm_run_list_page(list, borders, text) : MFM_ENOMEM;
    if (!status)
        status = mfm_write_output(list->ctx, o->output, text->markup.text, text->markup.length);
    if (!status && o->figures)
        status = mfm_report_figures(list->ctx, text, o->figures, o->png, figures);
    if (text)
        mfm_markup_clear(&text->markup);
    mfm_free(list->ctx, text);
    return status;
}

static json_t *run_to_json(const mfm_run_record *r)
{
    const mfm_page_run *p = &r->page;
    const double *error = p->series[MFM_PAGE_TEST_ERROR];
    int classes;
    json_t *object = json_pack(
        "{s:o, s:s, s:s, s:s, s:s, s:i, s:o}", "run", mfm_json_text(r->path), "method", p->method,
        "data", p->data, "imbalance", p->imbalance, "seed", p->seed, "epochs", p->epochs,
        "test_error", p->epochs && error ? mfm_json_number(error[p->epochs - 1]) : json_null());
    if (p->confusion)
        json_object_set_new(
            object, "mean_recall",
            mfm_json_number(mfm_confusion_mean_recall(p->confusion, NULL, &classes)));
    if (p->predictions)
        json_object_set_new(object, "ece",
                            mfm_json_number(mfm_predictions_calibration(p->predictions).error));
    json_object_set_new(object, "command", mfm_json_text(p->command));
    return object;
}

static int tell(const mfm_run_list *list, const options *o, int figures)
{
    if (o->json) {
        json_t *runs = json_array();
        for (int i = 0; i < list->count; i++)
            json_array_append_new(runs, run_to_json(&list->records[i]));
        return mfm_print_json(list->ctx, json_pack("{s:o}", "runs", runs));
    }
    mfm_print(stdout, "wrote %s: %d run%s\n", mfm_output_name(o->output), list->count,
              list->count == 1 ? "" : "s");
    if (o->figures)
        mfm_print(stdout, "wrote %d figures into %s\n", figures, o->figures);
    if (o->csv)
        mfm_print(stdout, "wrote %s\n", mfm_output_name(o->csv));
    if (o->tensorboard)
        mfm_print(stdout, "wrote event files: tensorboard --logdir %s\n", o->tensorboard);
    return MFM_OK;
}

static int read_runs(mfm_run_list *list, const mfm_arguments *given,
                     const mfm_class_borders *borders)
{
    mfm_strings paths = {.item = {given->positional}, .count = 1};
    for (size_t i = 0; i < mfm_arguments_rest(given) && paths.count < MFM_MAX_STRINGS; i++)
        paths.item[paths.count++] = mfm_arguments_rest_at(given, i);
    return mfm_run_list_read(list->ctx, &paths, borders, list);
}

int mfm_cmd_report(mfm_ctx *ctx, int argc, const char **argv)
{
    options o = {.output = "report.html",
                 .groups = {{20, 100}, 2},
                 .mistakes = 12,
                 .points = 500,
                 .batch = 100};
    mfm_arguments arguments;
    mfm_class_borders borders;
    mfm_run_list list = {.ctx = ctx};
    int status = mfm_options_parse(ctx, &report_options, argc, argv, &o, &arguments);
    int threads, figures = 0;
    if (!status)
        status = check_places(ctx, &o, &borders);
    if (!status)
        status = mfm_use_threads(ctx, (unsigned)o.threads, &threads);
    if (!status)
        status = read_runs(&list, &arguments, &borders);
    const mfm_run_evaluation_options wanted = {.mistakes = (int)o.mistakes,
                                               .points = (int)o.points,
                                               .batch = (int)o.batch,
                                               .priors = o.priors.item,
                                               .n_priors = (int)o.priors.count};
    if (!status && !o.metrics_only)
        status = mfm_run_list_evaluate(&list, &wanted);
    if (!status)
        status = write_page(&list, &o, &borders, &figures);
    if (!status && o.csv)
        status = mfm_report_csv(&list, o.csv);
    if (!status && o.tensorboard)
        status = mfm_report_tensorboard(&list, o.tensorboard);
    if (!status)
        status = tell(&list, &o, figures);
    mfm_run_list_clear(&list);
    mfm_arguments_free(ctx, &arguments);
    return status;
}
