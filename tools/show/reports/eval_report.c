#include "tools/show/reports/eval_report.h"

#include <math.h>
#include <stdio.h>

#include "core/data/sources/source.h"
#include "tools/show/print_json.h"
#include "tools/show/printable.h"

static double group_recall(const mfm_evaluation *e, int group, int *classes, int *tested)
{
    return mfm_class_group_recall(&e->borders, &e->confusion, e->train, e->counted,
                                  (enum mfm_class_group)group, classes, tested);
}

enum { TOP = 5 };

/* Share of images whose class is not among the five with the largest logits; NAN where all
 * classes would be. */
static double top_error(const mfm_evaluation *e)
{
    return e->confusion.classes > TOP ? 100 - mfm_predictions_top(&e->predictions, TOP) : NAN;
}

/* ---- JSON ---- */

static json_t *classes_to_json(const mfm_evaluation *e)
{
    json_t *classes = json_array();
    char number[16];
    for (int c = 0; c < e->confusion.classes; c++) {
        json_t *entry =
            json_pack("{s:o, s:I, s:o}", "name",
                      mfm_json_text(mfm_session_class_name(&e->session, c, number)), "count",
                      (json_int_t)mfm_confusion_class_images(&e->confusion, c), "recall",
                      mfm_json_number(mfm_confusion_recall(&e->confusion, c)));
        if (e->train && c < e->counted)
            json_object_set_new(entry, "train", json_integer(e->train[c]));
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

static json_t *groups_to_json(const mfm_evaluation *e)
{
    if (!e->train)
        return json_null();
    json_t *object = json_object();
    for (int g = MFM_CLASS_GROUPS; g-- > 0;) {
        int classes, tested;
        const double recall = group_recall(e, g, &classes, &tested);
        json_object_set_new(object, mfm_class_group_names[g],
                            json_pack("{s:i, s:i, s:o}", "classes", classes, "tested", tested,
                                      "recall", mfm_json_number(recall)));
    }
    return object;
}

/* Bins of confidence, the empty ones too. */
static json_t *calibration_to_json(const mfm_calibration *calibration)
{
    json_t *bins = json_array();
    for (int b = 0; b < MFM_CALIBRATION_BINS; b++)
        json_array_append_new(
            bins, json_pack("{s:I, s:o, s:o}", "images", (json_int_t)calibration->images[b],
                            "confidence", mfm_json_number(calibration->confidence[b]), "accuracy",
                            mfm_json_number(calibration->accuracy[b])));
    return bins;
}

static json_t *prior_to_json(const mfm_evaluation *e)
{
    if (!e->prior.text)
        return json_null();
    return json_pack("{s:o, s:I}", "distribution", mfm_json_text(e->prior.text), "seed",
                     (json_int_t)e->prior.seed);
}

static json_t *rival_to_json(const mfm_evaluation *e)
{
    const mfm_mcnemar *t = &e->rival.test;
    if (!e->rival.path)
        return json_null();
    return json_pack(
        "{s:o, s:o, s:I, s:I, s:I, s:I, s:s, s:o, s:o}", "model", mfm_json_text(e->rival.path),
        "error", mfm_json_number(e->rival.error), "both_right", (json_int_t)t->both_right,
        "only_first", (json_int_t)t->only_first, "only_second", (json_int_t)t->only_second,
        "both_wrong", (json_int_t)t->both_wrong, "test", t->exact ? "exact" : "chi-square",
        "statistic", mfm_json_number(t->statistic), "p", mfm_json_number(t->p));
}

static json_t *hash_to_json(const mfm_evaluation *e)
{
    const mfm_class_info *info = e->session.classes;
    char text[17];
    if (!e->split && !(info && info->has_split))
        return json_null();
    snprintf(text, sizeof text, "%016llx",
             (unsigned long long)(e->split ? e->split->hash : info->hash));
    return json_string(text);
}

static void set_figures(json_t *object, const mfm_evaluation *e)
{
    int classes;
    const double mean = mfm_confusion_mean_recall(&e->confusion, NULL, &classes);
    const mfm_calibration calibration = mfm_predictions_calibration(&e->predictions);
    const struct {
        const char *key;
        double number;
    } figures[] = {{"error", mfm_confusion_error(&e->confusion)},
                   {"top5_error", top_error(e)},
                   {"mean_recall", mean},
                   {"balanced_accuracy", mean},
                   {"geometric_mean", mfm_confusion_geometric_mean(&e->confusion)},
                   {"ece", calibration.error},
                   {"loss", e->loss}};
    for (size_t i = 0; i < sizeof figures / sizeof figures[0]; i++)
        json_object_set_new(object, figures[i].key, mfm_json_number(figures[i].number));
    json_object_set_new(object, "images", json_integer((json_int_t)e->confusion.images));
    json_object_set_new(object, "bad_images",
                        json_integer(mfm_images_failed(&e->session.dataset->test)));
    json_object_set_new(object, "calibration", calibration_to_json(&calibration));
}

int mfm_eval_print_json(const mfm_evaluation *e)
{
    json_t *object = json_object();
    const mfm_array_form *array = e->session.preprocess.array;
    set_figures(object, e);
    json_object_set_new(object, "classes", classes_to_json(e));
    json_object_set_new(object, "groups", groups_to_json(e));
    json_object_set_new(object, "split", hash_to_json(e));
    json_object_set_new(object, "test_prior", prior_to_json(e));
    json_object_set_new(object, "compare", rival_to_json(e));
    json_object_set_new(object, "normalisation",
                        json_string(e->session.given_normalisation ? "options"
                                    : e->session.own_normalisation ? "model"
                                    : array && !array->mean        ? "stored"
                                                                   : "data"));
    json_object_set_new(object, "preprocess", mfm_session_preprocess_json(&e->session));
    json_object_set_new(object, "confusion", confusion_to_json(&e->confusion));
    return mfm_print_json(e->session.ctx, object);
}

/* ---- text ---- */

/* "  93.50 %", or a dash for what was not measured. */
static void print_recall(double recall)
{
    if (isnan(recall))
        printf("%8s", "-");
    else
        printf("%6.2f %%", recall);
}

static int name_width(const mfm_evaluation *e)
{
    int width = mfm_columns("class");
    char number[16];
    for (int c = 0; c < e->confusion.classes; c++) {
        const int name = mfm_columns(mfm_session_class_name(&e->session, c, number));
        width = name > width ? name : width;
    }
    return width;
}

static void print_classes(const mfm_evaluation *e, int width)
{
    char number[16];
    printf("%-*s  %7s%s  %8s\n", width, "class", "images", e->train ? "  training" : "", "recall");
    for (int c = 0; c < e->confusion.classes; c++) {
        mfm_print_name(stdout, mfm_session_class_name(&e->session, c, number), width);
        printf("  %7llu", (unsigned long long)mfm_confusion_class_images(&e->confusion, c));
        if (e->train && c < e->counted)
            printf("  %8u", e->train[c]);
        else if (e->train)
            printf("  %8s", "-");
        printf("  ");
        print_recall(mfm_confusion_recall(&e->confusion, c));
        printf("\n");
    }
}

static void print_groups(const mfm_evaluation *e)
{
    char rules[MFM_CLASS_GROUPS][32];
    snprintf(rules[MFM_FEW], sizeof rules[0], "under %u", e->borders.medium);
    snprintf(rules[MFM_MEDIUM], sizeof rules[0], "%u to %u", e->borders.medium, e->borders.many);
    snprintf(rules[MFM_MANY], sizeof rules[0], "over %u", e->borders.many);
    printf("\n");
    for (int g = MFM_CLASS_GROUPS; g-- > 0;) {
        int classes, tested;
        const double recall = group_recall(e, g, &classes, &tested);
        printf("%-6s  %9s images  ", mfm_class_group_names[g], rules[g]);
        if (classes == 0) {
            printf("no class\n");
            continue;
        }
        printf("%3d class%s  mean recall ", classes, classes == 1 ? "  " : "es");
        print_recall(recall);
        if (tested < classes)
            printf("  of %d with test images", tested);
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

static void print_loss(double loss)
{
    if (isfinite(loss))
        printf("loss %.4f", loss);
    else
        printf("loss %s", isnan(loss) ? "not a number" : "infinite");
}

static void print_figures(const mfm_evaluation *e)
{
    int classes;
    const double mean = mfm_confusion_mean_recall(&e->confusion, NULL, &classes);
    const double top = top_error(e);
    const int untested = e->confusion.classes - classes;
    const mfm_calibration calibration = mfm_predictions_calibration(&e->predictions);
    const unsigned long long images = e->confusion.images;
    printf("error %.2f %%, ", mfm_confusion_error(&e->confusion));
    if (!isnan(top))
        printf("top-%d error %.2f %%, ", TOP, top);
    print_loss(e->loss);
    printf(", %llu image%s\n", images, images == 1 ? "" : "s");
    printf("mean recall %.2f %% over %d class%s (balanced accuracy), geometric mean %.2f %%", mean,
           classes, classes == 1 ? "" : "es", mfm_confusion_geometric_mean(&e->confusion));
    if (untested > 0)
        printf("; %d without test images left out", untested);
    printf("\nexpected calibration error ");
    if (isnan(calibration.error))
        printf("-\n\n");
    else
        printf("%.2f %% (%d bins)\n\n", calibration.error, MFM_CALIBRATION_BINS);
}

static void print_rival(const mfm_evaluation *e)
{
    const mfm_mcnemar *t = &e->rival.test;
    mfm_print(stdout, "\n%s: error %.2f %%\n", e->rival.path, e->rival.error);
    printf("right here alone: %llu images, there alone: %llu, in both: %llu, in neither: %llu\n",
           (unsigned long long)t->only_first, (unsigned long long)t->only_second,
           (unsigned long long)t->both_right, (unsigned long long)t->both_wrong);
    if (t->exact)
        printf("McNemar's test, exact: p = %.4g\n", t->p);
    else
        printf("McNemar's test, chi-square %.4f: p = %.4g\n", t->statistic, t->p);
}

void mfm_eval_print_text(const mfm_evaluation *e)
{
    if (e->prior.text)
        mfm_print(stdout, "test images drawn as %s by seed %llu: %u of %u\n", e->prior.text,
                  (unsigned long long)e->prior.seed, e->prior.drawn->count,
                  e->session.dataset->test.count);
    print_figures(e);
    print_classes(e, name_width(e));
    if (e->train)
        print_groups(e);
    print_confusion(&e->confusion);
    if (e->rival.path)
        print_rival(e);
}
