#include "tools/show/reports/image_report.h"

#include <stdio.h>

#include "onnx/info/array_info.h"
#include "onnx/info/class_info.h"
#include "onnx/info/inspect.h"
#include "onnx/info/preprocess_info.h"
#include "tools/show/printable.h"

/* MFM_OK for what is damaged: it is told, and not found. */
static int read_preprocess(mfm_ctx *ctx, const mfm_model *model, mfm_preprocess_info *info,
                           bool *found)
{
    const int status = mfm_preprocess_info_read(ctx, model, info, found);
    if (!status || status == MFM_ENOMEM)
        return status;
    *found = false;
    mfm_warn(ctx, "%s", mfm_message(ctx));
    return MFM_OK;
}

static int read_classes(mfm_ctx *ctx, const mfm_model *model, mfm_class_info **info)
{
    const int status = mfm_class_info_read(ctx, model, info);
    if (!status || status == MFM_ENOMEM)
        return status;
    mfm_warn(ctx, "%s", mfm_message(ctx));
    return MFM_OK;
}

static int read_array(mfm_ctx *ctx, const mfm_model *model, mfm_array_form *form, bool *found)
{
    const int status = mfm_array_info_read(ctx, model, form, found);
    if (!status || status == MFM_ENOMEM)
        return status;
    mfm_array_form_clear(ctx, form);
    mfm_warn(ctx, "%s", mfm_message(ctx));
    return MFM_OK;
}

json_t *mfm_told_preprocess_json(mfm_ctx *ctx, const mfm_model *model)
{
    mfm_preprocess_info info;
    mfm_array_form array;
    bool found = false;
    const int status = read_array(ctx, model, &array, &found);
    const bool readable = array.row.rank > 0;
    mfm_array_form_clear(ctx, &array);
    if (status || (found && !readable))
        return json_null();
    if (!found && (read_preprocess(ctx, model, &info, &found) || !found))
        return json_null();
    return json_loads(mfm_model_metadata(model, MFM_PREPROCESS_KEY), 0, NULL);
}

json_t *mfm_told_classes_json(mfm_ctx *ctx, const mfm_model *model)
{
    mfm_class_info *info = NULL;
    if (read_classes(ctx, model, &info) || !info)
        return json_null();
    mfm_class_info_free(ctx, info);
    return json_loads(mfm_model_metadata(model, MFM_CLASSES_KEY), 0, NULL);
}

static void print_numbers(const double *numbers, int count)
{
    for (int i = 0; i < count; i++)
        printf("%s%.6g", i ? ", " : "", numbers[i]);
}

static void print_preprocess(const mfm_preprocess_info *info)
{
    const mfm_normalisation *n = &info->normalisation;
    printf("%-12s %d x %d x %d: byte / %.6g, mean ", "images", info->channels, info->height,
           info->width, n->scale);
    print_numbers(n->mean, n->channels);
    printf(", deviation ");
    print_numbers(n->deviation, n->channels);
    printf("\n");
}

static void print_array(const mfm_array_form *form)
{
    enum { SHOWN = 8 };
    char shape[MFM_SHAPE_TEXT];
    printf("%-12s %s", "arrays", mfm_shape_text(&form->row, shape));
    const size_t length = form->mean ? mfm_array_form_length(form) : 0;
    const int shown = length > SHOWN ? SHOWN : (int)length;
    if (!form->mean) {
        printf(": numbers as stored\n");
        return;
    }
    printf(": axis %d, mean ", form->axis + 1);
    print_numbers(form->mean, shown);
    printf("%s, deviation ", length > SHOWN ? ", ..." : "");
    print_numbers(form->deviation, shown);
    printf("%s\n", length > SHOWN ? ", ..." : "");
}

static void print_classes(const mfm_class_info *info)
{
    enum { SHOWN = 10 };
    printf("%-12s %d:", "classes", info->classes);
    for (int c = 0; c < info->classes && c < SHOWN; c++) {
        mfm_print(stdout, "%s %s", c ? "," : "", info->names[c]);
        if (info->train)
            printf(" (%u)", info->train[c]);
    }
    printf("%s\n", info->classes > SHOWN ? ", ..." : "");
    if (info->train)
        printf("%-12s (numbers of training images)\n", "");
}

int mfm_told_print(mfm_ctx *ctx, const mfm_model *model)
{
    mfm_preprocess_info preprocess;
    mfm_array_form array;
    mfm_class_info *classes = NULL;
    bool found = false, of_arrays = false;
    int status = read_array(ctx, model, &array, &of_arrays);
    if (!status && !of_arrays)
        status = read_preprocess(ctx, model, &preprocess, &found);
    if (!status)
        status = read_classes(ctx, model, &classes);
    if (!status && found)
        print_preprocess(&preprocess);
    if (!status && array.row.rank)
        print_array(&array);
    mfm_array_form_clear(ctx, &array);
    if (!status && classes)
        print_classes(classes);
    mfm_class_info_free(ctx, classes);
    return status;
}
