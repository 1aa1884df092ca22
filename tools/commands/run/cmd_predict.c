/* predict: the classes of image files. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "core/base/words.h"
#include "onnx/info/preprocess_info.h"
#include "tools/class_names.h"
#include "tools/files.h"
#include "tools/infer/image_paths.h"
#include "tools/infer/prediction.h"
#include "tools/interrupt.h"
#include "tools/options/groups/normalisation.h"
#include "tools/options/options.h"
#include "tools/show/meter.h"
#include "tools/show/print_json.h"
#include "tools/show/printable.h"
#include "tools/threads.h"
#include "tools/train/session.h"
#include "tools/train/unfinished.h"

typedef struct options {
    uint64_t top, threads;
    const char *class_names;
    mfm_normalisation_arguments normalisation;
    bool json;
} options;

static const mfm_option table[] = {
    {.name = "top",
     .kind = MFM_OPTION_UINT,
     .value = "N",
     .min = 1,
     .max = 65536,
     .offset = offsetof(options, top),
     .help = "classes to print for each image, the most probable first"},
    {.name = "class-names",
     .kind = MFM_OPTION_STRING,
     .value = "FILE",
     .offset = offsetof(options, class_names),
     .path = MFM_OPTION_PATH,
     .help = "class names, one per line, for a model that has none"},
    MFM_THREADS_OPTION(options, threads),
    MFM_JSON_OPTION(options, json),
};

static const mfm_option_group groups[] = {
    {.title = "Options:", .options = table, .count = sizeof table / sizeof table[0]},
    {.title = "Images:",
     .options = mfm_normalisation_table,
     .count = MFM_NORMALISATION_NUMBERS,
     .base = offsetof(options, normalisation)},
    {.title = NULL}};

static const mfm_option_table predict_options = {
    .positional = "MODEL",
    .rest = "IMAGE",
    .purpose =
        "Prints the most probable classes of each image: JPEG and PNG files, folders of them, or\n"
        "- for a list of paths on standard input. Images are preprocessed as the model tells. One\n"
        "that cannot be read is reported, and the others go on; the exit status is then 3.",
    .groups = groups};

typedef struct classification {
    mfm_ctx *ctx;
    const options *options;
    mfm_session session;
    mfm_preprocess preprocess;
    mfm_class_names names; /* of the option */
    mfm_image_paths images;
    mfm_predictor *predictor;
    size_t failed;
    json_t *list; /* of the images, as JSON */
} classification;

/* ---- what the model does not tell ---- */

static int check_input(const classification *c, const mfm_preprocess_info *info)
{
    const mfm_network *network = c->session.network;
    const mfm_shape *shape = &network->graph->values[network->images].shape;
    char text[MFM_SHAPE_TEXT];
    const char *model = mfm_model_path(c->session.model);
    if (shape->rank != 4)
        return mfm_fail(c->ctx, MFM_ENOTSUP,
                        "%s: input of shape %s: expected [batch, channels, height, width]", model,
                        mfm_shape_text(shape, text));
    if (info->channels && (info->channels != shape->dim[1] || info->height != shape->dim[2] ||
                           info->width != shape->dim[3]))
        return mfm_fail(c->ctx, MFM_EDATA,
                        "%s: metadata " MFM_PREPROCESS_KEY ": input %dx%dx%d: the model reads %s",
                        model, info->channels, info->height, info->width,
                        mfm_shape_text(shape, text));
    return MFM_OK;
}

/* Of the model's size, from images that are resized as by default. */
static void assume_sizes(const classification *c, mfm_preprocess_info *info)
{
    const mfm_network *network = c->session.network;
    const mfm_shape *shape = &network->graph->values[network->images].shape;
    *info = (mfm_preprocess_info){
        .channels = (int)shape->dim[1], .height = (int)shape->dim[2], .width = (int)shape->dim[3]};
    info->image_channels = info->channels;
    info->image_height = info->height;
    info->image_width = info->width;
    info->full_height = (int)((int64_t)info->height * 256 / 224);
    info->full_width = (int)((int64_t)info->width * 256 / 224);
}

static int prepare_preprocess(classification *c)
{
    const options *o = c->options;
    mfm_preprocess_info info;
    bool told;
    const bool given = o->normalisation.mean || o->normalisation.std;
    if (mfm_normalisation_of_data(&o->normalisation))
        return mfm_fail(c->ctx, MFM_EUSAGE,
                        "--mean data: there is no dataset here: give the numbers, as inspect shows "
                        "them of a model that was trained on it");
    int status = mfm_preprocess_info_read(c->ctx, c->session.model, &info, &told);
    if (status && given && status != MFM_ENOMEM) {
        mfm_warn(c->ctx, "%s: it is ignored", mfm_message(c->ctx));
        told = false;
        status = MFM_OK;
    }
    if (!status && !told && !given)
        return mfm_fail(c->ctx, MFM_EINVAL,
                        "%s tells no normalisation: give --mean and --std as it was trained "
                        "(--mean imagenet for most ImageNet models)",
                        mfm_model_path(c->session.model));
    if (!status)
        status = check_input(c, &info);
    if (!status && !told)
        assume_sizes(c, &info);
    if (!status && given)
        status =
            mfm_normalisation_parse(c->ctx, &o->normalisation, info.channels, &info.normalisation);
    if (!status)
        status = mfm_preprocess_files(c->ctx, &info, &c->preprocess);
    return status;
}

/* Without it nothing is wrong but names. */
static int read_told_names(classification *c)
{
    mfm_session *s = &c->session;
    const int status = mfm_class_info_read(c->ctx, s->model, &s->classes);
    if (status == MFM_EDATA || status == MFM_ENOTSUP)
        mfm_warn(c->ctx, "%s: it is ignored", mfm_message(c->ctx));
    else if (status)
        return status;
    else if (s->classes && s->classes->classes > s->network->classes)
        mfm_warn(c->ctx, "%s: metadata " MFM_CLASSES_KEY ": %d classes: the model has %lld",
                 mfm_model_path(s->model), s->classes->classes, (long long)s->network->classes);
    if (!s->classes)
        mfm_warn(
            c->ctx,
            "%s has no class names: classes are shown as numbers; --class-names FILE names them",
            mfm_model_path(s->model));
    return MFM_OK;
}

static int read_given_names(classification *c)
{
    const char *path = c->options->class_names;
    const size_t classes = (size_t)c->session.network->classes;
    const int status = mfm_class_names_read(c->ctx, path, &c->names);
    return status || c->names.count == classes
               ? status
               : mfm_fail(c->ctx, MFM_EDATA, "%s: %zu names: the model has %zu classes", path,
                          c->names.count, classes);
}

static const char *class_name(const classification *c, int number, char text[16])
{
    const mfm_class_info *told = c->session.classes;
    if (c->names.count)
        return c->names.name[number];
    if (told && number < told->classes)
        return told->names[number];
    snprintf(text, 16, "%d", number);
    return text;
}

/* ---- results ---- */

/* The class that comes after `last` in order: less probable, or as probable and later; -1 as last:
 * none was there yet. */
static int next_class(const double *probabilities, int classes, int last)
{
    int best = -1;
    for (int k = 0; k < classes; k++) {
        const bool after = last < 0 || probabilities[k] < probabilities[last] ||
                           (probabilities[k] == probabilities[last] && k > last);
        if (after && (best < 0 || probabilities[k] > probabilities[best]))
            best = k;
    }
    return best;
}

static int shown_classes(const classification *c)
{
    const int64_t classes = c->session.network->classes;
    return (int)(c->options->top < (uint64_t)classes ? (int64_t)c->options->top : classes);
}

static void print_line(const classification *c, const char *path, const double *probabilities)
{
    char number[16];
    mfm_print(stdout, "%s:", path);
    for (int i = 0, k = -1; i < shown_classes(c); i++) {
        k = next_class(probabilities, (int)c->session.network->classes, k);
        mfm_print(stdout, "%s %s %.2f %%", i ? "," : "", class_name(c, k, number),
                  100 * probabilities[k]);
    }
    printf("\n");
}

static json_t *classes_json(const classification *c, const double *probabilities)
{
    char number[16];
    json_t *list = json_array();
    for (int i = 0, k = -1; i < shown_classes(c); i++) {
        k = next_class(probabilities, (int)c->session.network->classes, k);
        json_array_append_new(list, json_pack("{s:i, s:o, s:f}", "class", k, "name",
                                              mfm_json_text(class_name(c, k, number)),
                                              "probability", probabilities[k]));
    }
    return list;
}

static void tell_image(classification *c, const char *path, size_t index)
{
    const char *failure = mfm_prediction_failure(c->predictor, index);
    const double *probabilities = mfm_prediction_probabilities(c->predictor, index);
    c->failed += failure != NULL;
    if (failure)
        mfm_warn(c->ctx, "%s", failure);
    if (!c->options->json && !failure)
        print_line(c, path, probabilities);
    else if (c->options->json)
        json_array_append_new(c->list,
                              json_pack("{s:o, s:o, s:o}", "path", mfm_json_text(path), "classes",
                                        failure ? json_null() : classes_json(c, probabilities),
                                        "error", failure ? mfm_json_text(failure) : json_null()));
}

/* ---- the command ---- */

static int predict_all(classification *c)
{
    const mfm_image_paths *images = &c->images;
    const size_t batch = mfm_predictor_batch(c->predictor);
    mfm_meter meter;
    mfm_meter_init(&meter, stderr, 1, -1, 0);
    mfm_meter_images(&meter, "classifying", 0, (uint32_t)images->count);
    int status = MFM_OK;
    for (size_t first = 0; first < images->count && !status; first += batch) {
        const size_t left = images->count - first, count = left < batch ? left : batch;
        status = mfm_predict(c->predictor, images->path + first, count);
        mfm_meter_clear(&meter);
        for (size_t i = 0; i < count && !status; i++)
            tell_image(c, images->path[first + i], i);
        fflush(stdout); /* whole lines, whatever comes */
        mfm_meter_images(&meter, "classifying", (uint32_t)(first + count), (uint32_t)images->count);
    }
    mfm_meter_clear(&meter);
    return status;
}

static int collect_images(classification *c, const mfm_arguments *arguments)
{
    int status = MFM_OK;
    const bool taken = strcmp(arguments->positional, MFM_STANDARD_INPUT) == 0;
    for (size_t i = 0; taken && i < mfm_arguments_rest(arguments); i++)
        if (strcmp(mfm_arguments_rest_at(arguments, i), "-") == 0)
            return mfm_fail(c->ctx, MFM_EUSAGE,
                            "-: standard input is the model, and cannot be a list of images too");
    for (size_t i = 0; i < mfm_arguments_rest(arguments) && !status; i++)
        status = mfm_image_paths_add(c->ctx, mfm_arguments_rest_at(arguments, i), &c->images);
    if (!status && c->images.count == 0)
        status = mfm_fail(c->ctx, MFM_EINVAL,
                          "standard input names no image: expected one path per line");
    return status;
}

static int prepare(classification *c, const mfm_arguments *arguments)
{
    mfm_session *s = &c->session;
    int status = mfm_session_open(s, arguments->positional);
    if (!status)
        status = mfm_refuse_unfinished(c->ctx, s->model);
    if (!status)
        status = mfm_session_import(s);
    if (!status)
        status = prepare_preprocess(c);
    if (!status)
        status = c->options->class_names ? read_given_names(c) : read_told_names(c);
    if (!status)
        status = collect_images(c, arguments);
    if (!status)
        status = mfm_session_build(s, NULL, true);
    if (!status)
        status =
            mfm_predictor_new(c->ctx, s->problem, &c->preprocess, c->images.count, &c->predictor);
    return status;
}

static int print_all(classification *c)
{
    json_t *root = json_pack("{s:o, s:O}", "model", mfm_json_text(mfm_model_path(c->session.model)),
                             "images", c->list);
    return mfm_print_json(c->ctx, root);
}

static void clear(classification *c)
{
    json_decref(c->list);
    mfm_predictor_free(c->predictor);
    mfm_image_paths_clear(c->ctx, &c->images);
    mfm_class_names_clear(c->ctx, &c->names);
    mfm_session_clear(&c->session);
}

int mfm_cmd_predict(mfm_ctx *ctx, int argc, const char **argv)
{
    options o = {.top = 5};
    mfm_arguments arguments;
    classification c = {.ctx = ctx, .options = &o, .session = {.ctx = ctx}, .list = json_array()};
    int status = mfm_options_parse(ctx, &predict_options, argc, argv, &o, &arguments);
    int threads;
    mfm_interrupt_end("interrupted"); /* nothing is written but whole lines */
    if (!status)
        status = mfm_use_threads(ctx, (unsigned)o.threads, &threads);
    if (!status)
        status = prepare(&c, &arguments);
    if (!status)
        status = predict_all(&c);
    if (!status && o.json)
        status = print_all(&c);
    if (!status && c.failed)
        status = mfm_fail(ctx, MFM_EDATA, "%zu of %zu %s not classified", c.failed, c.images.count,
                          mfm_plural(c.images.count, "image was", "images were"));
    clear(&c);
    mfm_arguments_free(ctx, &arguments);
    return status;
}
