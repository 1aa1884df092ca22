#include "tools/show/eval_report.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/data/sources/source.h"
#include "tools/show/class_groups.h"
#include "tools/show/print_json.h"
#include "tools/show/printable.h"

static double group_recall(const mfm_evaluation *e, int group, int *classes, int *tested)
{
    return mfm_class_group_recall(&e->confusion, e->train, e->counted, (enum mfm_class_group)group,
                                  classes, tested);
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

int mfm_eval_print_json(const mfm_evaluation *e)
{
    int classes;
    const double mean = mfm_confusion_mean_recall(&e->confusion, NULL, &classes);
    return mfm_print_json(
        e->session.ctx,
        json_pack("{s:o, s:o, s:o, s:I, s:i, s:o, s:o, s:o, s:s, s:o, s:o}", "error",
                  mfm_json_number(mfm_confusion_error(&e->confusion)), "mean_recall",
                  mfm_json_number(mean), "loss", mfm_json_number(e->loss), "images",
                  (json_int_t)e->confusion.images, "bad_images",
                  (int)mfm_images_failed(&e->session.dataset->test), "classes", classes_to_json(e),
                  "groups", groups_to_json(e), "split", hash_to_json(e), "normalisation",
                  e->session.own_normalisation ? "model" : "data", "preprocess",
                  mfm_session_preprocess_json(&e->session), "confusion",
                  confusion_to_json(&e->confusion)));
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
    size_t width = strlen("class");
    char number[16];
    for (int c = 0; c < e->confusion.classes; c++) {
        const size_t length = strlen(mfm_session_class_name(&e->session, c, number));
        width = length > width ? length : width;
    }
    return (int)width;
}

static void print_classes(const mfm_evaluation *e, int width)
{
    char number[16];
    printf("%-*s  %7s%s  %8s\n", width, "class", "images", e->train ? "  training" : "", "recall");
    for (int c = 0; c < e->confusion.classes; c++) {
        mfm_print(stdout, "%-*s  %7llu", width, mfm_session_class_name(&e->session, c, number),
                  (unsigned long long)mfm_confusion_class_images(&e->confusion, c));
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
    static const char *const rules[MFM_CLASS_GROUPS] = {"under 20", "20 to 100", "over 100"};
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

void mfm_eval_print_text(const mfm_evaluation *e)
{
    int classes;
    const double mean = mfm_confusion_mean_recall(&e->confusion, NULL, &classes);
    const unsigned long long images = e->confusion.images;
    printf("error %.2f %%, loss ", mfm_confusion_error(&e->confusion));
    if (isfinite(e->loss))
        printf("%.4f", e->loss);
    else
        printf("%s", isnan(e->loss) ? "not a number" : "infinite");
    printf(", %llu image%s\n", images, images == 1 ? "" : "s");
    printf("mean recall %.2f %% over %d class%s\n\n", mean, classes, classes == 1 ? "" : "es");
    print_classes(e, name_width(e));
    if (e->train)
        print_groups(e);
    print_confusion(&e->confusion);
}
