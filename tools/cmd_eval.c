#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/train/evaluate.h"
#include "tools/data_options.h"
#include "tools/print_json.h"
#include "tools/meter.h"
#include "tools/session.h"

typedef struct options {
    const char *data;
    double imbalance;
    uint64_t max_per_class, batch, threads;
    bool fit, json;
} options;

static const mfm_option table[] = {
    {.name = "data",
     .kind = MFM_OPTION_STRING,
     .value = "DATA",
     .required = true,
     .offset = offsetof(options, data),
     .help = "the dataset, whose test part is used"},
    {.name = "fit",
     .kind = MFM_OPTION_FLAG,
     .offset = offsetof(options, fit),
     .help = "pad images to the model's size and copy grey to colour"},
    {.name = "imbalance",
     .kind = MFM_OPTION_REAL,
     .value = "F",
     .min = 1,
     .max = 1e9,
     .offset = offsetof(options, imbalance),
     .silent_default = true,
     .help = "of the training images: adds their counts, and the groups many (over 100), medium "
             "(20 to 100) and few (under 20)"},
    {.name = "max-per-class",
     .kind = MFM_OPTION_UINT,
     .value = "N",
     .max = UINT32_MAX,
     .offset = offsetof(options, max_per_class),
     .silent_default = true,
     .help = "images of the largest class, with --imbalance (default: the mean over the classes)"},
    {.name = "batch",
     .kind = MFM_OPTION_UINT,
     .value = "N",
     .min = 1,
     .max = 65536,
     .offset = offsetof(options, batch),
     .help = "images computed at a time"},
    {.name = "threads",
     .kind = MFM_OPTION_UINT,
     .value = "N",
     .max = 1024,
     .offset = offsetof(options, threads),
     .silent_default = true,
     .help = "processors to use (default: all)"},
    {.name = "json",
     .kind = MFM_OPTION_FLAG,
     .offset = offsetof(options, json),
     .help = "print JSON"},
};

static void print_kinds(void)
{
    char text[MFM_DATASET_KINDS_TEXT];
    printf("DATA is one of %s.\n", mfm_dataset_kinds(text));
}

static const mfm_option_group groups[] = {
    {.title = "Options:", .options = table, .count = sizeof table / sizeof table[0]},
    {.title = NULL}};

static const mfm_option_table eval_options = {
    .positional = "MODEL",
    .purpose = "Classifies the test images and prints error, recall of each class and the\n"
               "confusion matrix. A modulator in the model stays switched off.",
    .more = print_kinds,
    .groups = groups};

/* Classes by their number of training images. */
enum { FEW, MEDIUM, MANY, GROUPS, FEWER_THAN = 20, MORE_THAN = 100 };
static const char *const group_names[GROUPS] = {"few", "medium", "many"};

typedef struct evaluation {
    mfm_session session;
    mfm_split *split; /* NULL without --imbalance */
    mfm_confusion confusion;
    double loss;
} evaluation;

static int group_of(const mfm_split *split, int c)
{
    const uint32_t count = split->train_per_class[c];
    return count < FEWER_THAN ? FEW : count > MORE_THAN ? MANY : MEDIUM;
}

/* Mean recall over the classes of a group that have test images, NAN when none has; *classes is the
 * number of all its classes. */
static double group_recall(const evaluation *e, int group, int *classes)
{
    double sum = 0;
    int tested = 0;
    *classes = 0;
    for (int c = 0; c < e->split->classes; c++) {
        if (group_of(e->split, c) != group)
            continue;
        ++*classes;
        if (mfm_confusion_class_images(&e->confusion, c) == 0)
            continue;
        sum += mfm_confusion_recall(&e->confusion, c);
        tested++;
    }
    return tested ? sum / tested : NAN;
}

/* "  93.50 %", or a dash for what was not measured. */
static void print_recall(double recall)
{
    if (isnan(recall))
        printf("%8s", "-");
    else
        printf("%6.2f %%", recall);
}

/* The model may have more classes than the dataset names. */
static const char *class_name(const evaluation *e, int c, char number[16])
{
    if (c < e->session.dataset->classes)
        return e->session.dataset->class_names[c];
    snprintf(number, 16, "%d", c);
    return number;
}

static int on_batch(void *self, uint32_t done, uint32_t total)
{
    mfm_meter_evaluation(self, done, total);
    return MFM_OK;
}

static int run_model(evaluation *e, const options *o)
{
    mfm_evaluator *evaluator = NULL;
    mfm_ctx *ctx = e->session.ctx;
    int status = mfm_confusion_init(ctx, &e->confusion, (int)e->session.graphs->classes);
    if (!status)
        status = mfm_evaluator_new(ctx, e->session.graphs, &e->session.preprocess,
                                   (int64_t)o->batch, &evaluator);
    mfm_meter meter;
    mfm_meter_init(&meter, stderr, 1, -1);
    const mfm_evaluation_watch watch = {.self = &meter, .on_batch = on_batch};
    if (!status)
        status = mfm_evaluate(evaluator, &e->session.dataset->test, e->session.graphs->main->params,
                              e->session.graphs->main->state, &watch, &e->confusion, &e->loss);
    mfm_meter_clear(&meter);
    mfm_evaluator_free(evaluator);
    return status;
}

static int prepare(evaluation *e, const char *path, const options *o)
{
    const mfm_augment none = {.pad = 0};
    const unsigned parts = MFM_PART_TEST | (o->imbalance > 0 ? MFM_PART_TRAIN : 0);
    const mfm_split_arguments split = {.imbalance = o->imbalance,
                                       .max_per_class = o->max_per_class};
    int status = mfm_session_open(&e->session, path);
    if (!status)
        status = mfm_session_import(&e->session);
    if (!status)
        status = mfm_session_open_data(&e->session, o->data, parts, o->fit, &none);
    if (!status && o->imbalance > 0)
        status = mfm_make_split(e->session.ctx, e->session.dataset, &split, &e->split);
    return status;
}

/* ---- JSON ---- */

static json_t *classes_to_json(const evaluation *e)
{
    json_t *classes = json_array();
    char number[16];
    for (int c = 0; c < e->confusion.classes; c++) {
        json_t *entry =
            json_pack("{s:s, s:I, s:o}", "name", class_name(e, c, number), "count",
                      (json_int_t)mfm_confusion_class_images(&e->confusion, c), "recall",
                      mfm_json_number(mfm_confusion_recall(&e->confusion, c)));
        if (e->split && c < e->split->classes)
            json_object_set_new(entry, "train", json_integer(e->split->train_per_class[c]));
        json_array_append_new(classes, entry);
    }
    return classes;
}

static json_t *confusion_to_json(const mfm_confusion *confusion)
{
    json_t *rows = json_array();
    const uint32_t *count = confusion->count;
    for (int truth = 0; truth < confusion->classes; truth++) {
        json_t *row = json_array();
        for (int c = 0; c < confusion->classes; c++)
            json_array_append_new(row, json_integer(*count++));
        json_array_append_new(rows, row);
    }
    return rows;
}

static json_t *groups_to_json(const evaluation *e)
{
    if (!e->split)
        return json_null();
    json_t *object = json_object();
    for (int g = GROUPS; g-- > 0;) {
        int classes;
        const double recall = group_recall(e, g, &classes);
        json_object_set_new(
            object, group_names[g],
            json_pack("{s:i, s:o}", "classes", classes, "recall", mfm_json_number(recall)));
    }
    return object;
}

static int print_as_json(const evaluation *e)
{
    return mfm_print_json(e->session.ctx, json_pack("{s:f, s:o, s:I, s:o, s:o, s:o}", "error",
                                                    mfm_confusion_error(&e->confusion), "loss",
                                                    mfm_json_number(e->loss), "images",
                                                    (json_int_t)e->confusion.images, "classes",
                                                    classes_to_json(e), "groups", groups_to_json(e),
                                                    "confusion", confusion_to_json(&e->confusion)));
}

/* ---- text ---- */

static int name_width(const evaluation *e)
{
    size_t width = strlen("class");
    char number[16];
    for (int c = 0; c < e->confusion.classes; c++) {
        const size_t length = strlen(class_name(e, c, number));
        width = length > width ? length : width;
    }
    return (int)width;
}

static void print_classes(const evaluation *e, int width)
{
    char number[16];
    printf("%-*s  %7s%s  %8s\n", width, "class", "images", e->split ? "  training" : "", "recall");
    for (int c = 0; c < e->confusion.classes; c++) {
        printf("%-*s  %7llu", width, class_name(e, c, number),
               (unsigned long long)mfm_confusion_class_images(&e->confusion, c));
        if (e->split && c < e->split->classes)
            printf("  %8u", e->split->train_per_class[c]);
        printf("  ");
        print_recall(mfm_confusion_recall(&e->confusion, c));
        printf("\n");
    }
}

static void print_groups(const evaluation *e)
{
    printf("\n");
    for (int g = GROUPS; g-- > 0;) {
        int classes;
        const double recall = group_recall(e, g, &classes);
        if (classes)
            printf("%-6s  %3d class%s  mean recall ", group_names[g], classes,
                   classes == 1 ? "  " : "es");
        else
            printf("%-6s  no class", group_names[g]);
        if (classes)
            print_recall(recall);
        printf("\n");
    }
}

static int digits_of(uint64_t number)
{
    return snprintf(NULL, 0, "%llu", (unsigned long long)number);
}

static void print_confusion(const mfm_confusion *confusion)
{
    uint32_t largest = 0;
    const int n = confusion->classes;
    for (int i = 0; i < n * n; i++)
        largest = confusion->count[i] > largest ? confusion->count[i] : largest;
    const int label = digits_of((uint64_t)n), cell = digits_of(largest) + 1;
    const int width = cell > label + 1 ? cell : label + 1;
    printf("\nconfusion (row: true class, column: predicted class)\n%*s", label, "");
    for (int c = 0; c < n; c++)
        printf("%*d", width, c);
    printf("\n");
    for (int truth = 0; truth < n; truth++) {
        printf("%*d", label, truth);
        for (int c = 0; c < n; c++)
            printf("%*u", width, confusion->count[truth * n + c]);
        printf("\n");
    }
}

static void print_as_text(const evaluation *e)
{
    printf("error %.2f %%, loss %.4f, %llu images\n\n", mfm_confusion_error(&e->confusion), e->loss,
           (unsigned long long)e->confusion.images);
    print_classes(e, name_width(e));
    if (e->split)
        print_groups(e);
    print_confusion(&e->confusion);
}

int mfm_cmd_eval(mfm_ctx *ctx, int argc, const char **argv)
{
    options o = {.batch = 100};
    mfm_arguments arguments;
    evaluation e = {.session = {.ctx = ctx}};
    int status = mfm_options_parse(ctx, &eval_options, argc, argv, &o, &arguments);
    if (!status) {
        mfm_use_threads((unsigned)o.threads);
        status = prepare(&e, arguments.positional, &o);
    }
    if (!status)
        status = run_model(&e, &o);
    if (!status && o.json)
        status = print_as_json(&e);
    else if (!status)
        print_as_text(&e);
    mfm_confusion_clear(ctx, &e.confusion);
    mfm_split_free(ctx, e.split);
    mfm_session_clear(&e.session);
    mfm_arguments_free(ctx, &arguments);
    return status;
}
