#include "tools/train/session.h"

#include <stdio.h>
#include <string.h>

#include "core/base/words.h"
#include "core/data/sources/dataset_kind.h"
#include "core/train/problem/split_network.h"
#include "onnx/info/inspect.h"
#include "onnx/info/preprocess_info.h"
#include "tools/options/groups/data_options.h"
#include "tools/files.h"
#include "tools/train/session_arrays.h"

int mfm_session_load(mfm_session *session, const char *path)
{
    const int status = mfm_model_load(session->ctx, path, &session->model);
    return status ? status : mfm_view_apply(session->ctx, &session->view, session->model);
}

int mfm_session_open(mfm_session *session, const char *path)
{
    const int status = mfm_model_open(session->ctx, path, &session->model);
    return status ? status : mfm_view_apply(session->ctx, &session->view, session->model);
}

int mfm_session_import(mfm_session *session)
{
    const int status = mfm_model_untie(session->ctx, session->model, NULL);
    return status ? status
                  : mfm_model_import_chosen(session->ctx, session->model, &session->choice,
                                            &session->network);
}

static int read_values(mfm_session *session)
{
    const mfm_problem *problem = session->problem;
    int status = mfm_model_read_values(session->ctx, session->model, problem->main);
    if (!status && problem->prefix.graph)
        status = mfm_model_read_values(session->ctx, session->model, problem->prefix.graph);
    for (int i = 0; i < problem->n_hypers && !status; i++)
        if (problem->hypers[i].in_model)
            status = mfm_model_read_values(session->ctx, session->model, problem->hypers[i].graph);
    return status;
}

int mfm_session_build(mfm_session *session, const mfm_train_options *options, bool values)
{
    mfm_problem_free(session->problem);
    session->problem = NULL;
    const int status =
        options ? mfm_method_build(session->ctx, session->network, &session->task, options,
                                   &session->problem)
                : mfm_problem_plain(session->ctx, session->network, NULL, &session->problem);
    return status || !values ? status : read_values(session);
}

static int check_labels(const mfm_session *session, const mfm_images *images, const char *part)
{
    const int64_t classes = session->network->classes;
    for (uint32_t i = 0; i < images->count; i++)
        if (images->labels[i] >= classes)
            return mfm_fail(session->ctx, MFM_EDATA,
                            "%s: %s image %u has label %d: the model %s has %lld classes",
                            session->dataset->name, part, i, images->labels[i],
                            mfm_model_path(session->model), (long long)classes);
    return MFM_OK;
}

static int check_classes(const mfm_session *session, bool training)
{
    const char *path = mfm_model_path(session->model);
    int status = check_labels(session, &session->dataset->train, "training");
    if (!status)
        status = check_labels(session, &session->dataset->test, "test");
    const int64_t outputs = session->network->classes;
    const int told = session->classes && !training ? session->classes->classes : 0;
    const int classes = session->dataset->classes > told ? session->dataset->classes : told;
    if (!status && outputs > classes)
        mfm_warn(session->ctx,
                 "%s has %lld outputs, %s has %d classes: the other %lld %s no %simages", path,
                 (long long)outputs, session->dataset->name, classes,
                 (long long)(outputs - classes),
                 mfm_plural((uint64_t)(outputs - classes), "output has", "outputs have"),
                 training ? "training " : "");
    return status;
}

/* ---- what the model tells of its classes ---- */

/* Without it nothing is wrong but names and groups: a model that tells nonsense is still evaluated.
 */
static int read_classes(mfm_session *session)
{
    const int status = mfm_class_info_read(session->ctx, session->model, &session->classes);
    if (status == MFM_EDATA || status == MFM_ENOTSUP) {
        mfm_warn(session->ctx, "%s: it is ignored", mfm_message(session->ctx));
        return MFM_OK;
    }
    mfm_class_info *info = session->classes;
    if (status || !info || info->classes <= session->network->classes)
        return status;
    mfm_warn(session->ctx,
             "%s: metadata " MFM_CLASSES_KEY ": %d classes: the model has %lld: it is "
             "ignored",
             mfm_model_path(session->model), info->classes, (long long)session->network->classes);
    mfm_class_info_free(session->ctx, info);
    session->classes = NULL;
    return MFM_OK;
}

static bool has_label_0(const mfm_images *images)
{
    for (uint32_t i = 0; i < images->count; i++)
        if (images->labels[i] == 0)
            return true;
    return false;
}

/* Class 0 is what it was in training. Test images alone do not show what their labels begin with:
 * when the last would be one too many, and none is 0, they begin with 1. */
static int number_classes(mfm_session *session)
{
    mfm_dataset *dataset = session->dataset;
    if (session->classes && mfm_dataset_unnamed(dataset))
        return mfm_dataset_number_from(session->ctx, dataset, session->classes->first_label);
    if (session->classes || !dataset->unmeasured || has_label_0(&dataset->test) ||
        dataset->classes != session->network->classes + 1)
        return MFM_OK;
    mfm_warn(session->ctx, "%s: no image has label 0: label 1 is class 0, and so on up to %d",
             dataset->name, dataset->classes - 1);
    return mfm_dataset_number_from(session->ctx, dataset, 1);
}

static bool is_number(const char *name)
{
    return name[strspn(name, "0123456789")] == '\0';
}

static bool all_numbers(const mfm_class_info *info)
{
    for (int c = 0; c < info->classes; c++)
        if (!is_number(info->names[c]))
            return false;
    return true;
}

static void compare_names(const mfm_session *session)
{
    const mfm_class_info *info = session->classes;
    const mfm_dataset *dataset = session->dataset;
    for (int c = 0; info && c < info->classes && c < dataset->classes; c++)
        if (is_number(info->names[c]) == is_number(dataset->class_names[c]) &&
            strcmp(info->names[c], dataset->class_names[c]) != 0) {
            mfm_warn(session->ctx, "class %d is %s in %s and %s in %s: are these its images?", c,
                     info->names[c], mfm_model_path(session->model), dataset->class_names[c],
                     dataset->name);
            return;
        }
}

const char *mfm_session_class_name(const mfm_session *session, int c, char number[16])
{
    const mfm_class_info *info = session->classes;
    const mfm_dataset *dataset = session->dataset;
    if (info && c < info->classes && (c >= dataset->classes || is_number(dataset->class_names[c])))
        return info->names[c];
    if (c < dataset->classes)
        return dataset->class_names[c];
    snprintf(number, 16, "%d", c);
    return number;
}

int mfm_session_keep_names(mfm_session *session, uint64_t split)
{
    const mfm_class_info *info = session->classes;
    mfm_dataset *dataset = session->dataset;
    if (!info || info->classes != dataset->classes || !mfm_dataset_unnamed(dataset) ||
        (info->train && !(info->has_split && info->hash == split)))
        return MFM_OK;
    return mfm_dataset_set_classes(session->ctx, dataset, info->classes,
                                   (const char *const *)info->names);
}

/* ---- normalisation ---- */

enum { NORMALISATION_TEXT = 256 };

static const char *normalisation_text(const mfm_normalisation *n, char text[NORMALISATION_TEXT])
{
    size_t used = 0;
    for (int k = 0; k < 2; k++)
        for (int i = 0; i < n->channels; i++)
            used += (size_t)snprintf(text + used, NORMALISATION_TEXT - used, "%s%.6g",
                                     i   ? ", "
                                     : k ? "; deviation "
                                         : "mean ",
                                     k ? n->deviation[i] : n->mean[i]);
    return text;
}

static int bad_normalisation(const mfm_session *session, int status)
{
    char *told = mfm_strdup(session->ctx, mfm_message(session->ctx));
    if (!told)
        return MFM_ENOMEM;
    mfm_fail(session->ctx, status, "%s (--normalise data uses that of the images)", told);
    mfm_free(session->ctx, told);
    return status;
}

/* *found: the model tells a normalisation that fits its input. */
static int read_normalisation(mfm_session *session, const mfm_shape *input,
                              mfm_preprocess_info *info, bool *found)
{
    int status = mfm_preprocess_info_read(session->ctx, session->model, info, found);
    if (!status && *found &&
        (info->channels != input->dim[1] || info->height != input->dim[2] ||
         info->width != input->dim[3]))
        status = mfm_fail(session->ctx, MFM_EDATA,
                          "%s: metadata " MFM_PREPROCESS_KEY
                          ": input %dx%dx%d: the model reads %dx%dx%d",
                          mfm_model_path(session->model), info->channels, info->height, info->width,
                          (int)input->dim[1], (int)input->dim[2], (int)input->dim[3]);
    if (status == MFM_EDATA || status == MFM_ENOTSUP)
        return bad_normalisation(session, status);
    return status;
}

static bool is_fresh(const mfm_session *session)
{
    return strcmp(mfm_model_producer(session->model), "onnx-mfm") == 0;
}

/* A network that reads bytes normalises them itself. */
static int keep_bytes(mfm_session *session, const mfm_normalisation_arguments *given,
                      const mfm_shape *input, mfm_preprocess_info *info, bool *own)
{
    const mfm_normalisation none = mfm_normalisation_none((int)input->dim[1]);
    const char *path = mfm_model_path(session->model);
    bool told = false;
    if (mfm_normalisation_given(given) || mfm_normalisation_of_data(given))
        return mfm_fail(session->ctx, MFM_EINVAL,
                        "--mean, --std: %s reads bytes (uint8), and normalises them itself", path);
    const int status = read_normalisation(session, input, info, &told);
    if (!status && told && !mfm_normalisation_same(&info->normalisation, &none))
        return mfm_fail(session->ctx, MFM_EDATA,
                        "%s: metadata " MFM_PREPROCESS_KEY ": tells a normalisation, and the model "
                        "reads bytes (uint8), which it normalises itself",
                        path);
    info->normalisation = none;
    session->tells_normalisation = *own = true;
    session->own_normalisation = told;
    return status;
}

/* That the normalisation is a guess: only who made the weights knows what they expect. */
static int warn_of_guess(const mfm_session *session)
{
    const char *path = mfm_model_path(session->model), *own;
    const int status = mfm_model_own_scale(session->model, &own);
    if (!status && own)
        mfm_warn(session->ctx,
                 "%s tells no normalisation: mean and deviation of the images are used; but it "
                 "computes with its images itself, first in %s: --mean bytes hands them over as 0 "
                 "to 255, --mean 0 --std 1 as 0 to 1",
                 path, own);
    else if (!status)
        mfm_warn(session->ctx,
                 "%s tells no normalisation: mean and deviation of the images are used, which may "
                 "not be those that its weights expect: --mean and --std tell them (--mean "
                 "imagenet for most ImageNet models)",
                 path);
    return status;
}

/* What is given, or what the model tells; else *own is false: that of the images. */
static int choose_normalisation(mfm_session *session, const mfm_images_wanted *wanted,
                                const mfm_shape *input, mfm_preprocess_info *info, bool *own)
{
    mfm_ctx *ctx = session->ctx;
    const mfm_normalisation_arguments *given = &wanted->normalisation;
    session->tells_normalisation = mfm_preprocess_info_told(session->model);
    *info = (mfm_preprocess_info){.channels = 0};
    int status = MFM_OK;
    if (session->network->bytes)
        return keep_bytes(session, given, input, info, own);
    session->given_normalisation = *own = mfm_normalisation_given(given);
    if (*own)
        return mfm_normalisation_parse(ctx, given, (int)input->dim[1], &info->normalisation);
    if (mfm_normalisation_of_data(given) && given->std)
        return mfm_fail(ctx, MFM_EUSAGE, "--mean data: it brings its own --std");
    const bool of_model =
        wanted->normalise == MFM_NORMALISE_MODEL && !mfm_normalisation_of_data(given);
    if (of_model)
        status = read_normalisation(session, input, info, &session->own_normalisation);
    *own = session->own_normalisation;
    if (!status && of_model && wanted->training && !session->tells_normalisation &&
        !is_fresh(session))
        status = warn_of_guess(session);
    return status;
}

static void compare_normalisation(const mfm_session *session)
{
    char own[NORMALISATION_TEXT], other[NORMALISATION_TEXT];
    const mfm_normalisation *used = &session->preprocess.normalisation;
    const mfm_normalisation images = mfm_normalisation_of(session->dataset, used->channels);
    if (session->dataset->unmeasured || session->network->bytes ||
        mfm_normalisation_same(used, &images))
        return;
    mfm_warn(session->ctx, "%s tells its own normalisation, which is used: %s; that of %s is %s",
             mfm_model_path(session->model), normalisation_text(used, own), session->dataset->name,
             normalisation_text(&images, other));
}

static int make_preprocess(mfm_session *session, const mfm_images_wanted *wanted)
{
    mfm_ctx *ctx = session->ctx;
    const char *path = mfm_model_path(session->model);
    const mfm_graph *graph = session->network->graph;
    const mfm_shape *shape = &graph->values[session->network->images].shape;
    char text[MFM_SHAPE_TEXT];
    int status;
    if (session->dataset->row.rank) {
        status = mfm_session_prepare_arrays(session, wanted, shape);
        return status ? mfm_fail_in(ctx, status, "%s", path) : MFM_OK;
    }
    if (shape->rank != 4)
        return mfm_fail(ctx, MFM_ENOTSUP,
                        "%s: input of shape %s: images are [batch, channels, height, width]; "
                        "arrays:FOLDER has other data",
                        path, mfm_shape_text(shape, text));
    mfm_preprocess_info info;
    bool own;
    status = choose_normalisation(session, wanted, shape, &info, &own);
    if (status)
        return status;
    const bool told =
        session->own_normalisation && !wanted->training &&
        (wanted->fit == MFM_FIT_RESIZE || mfm_preprocess_like_told(session->dataset, &info));
    if (told)
        status = mfm_preprocess_as_told(ctx, session->dataset, &info, &session->preprocess);
    else
        status = mfm_preprocess_init(
            ctx, session->dataset, (int)shape->dim[1], (int)shape->dim[2], (int)shape->dim[3],
            wanted->fit, own ? &info.normalisation : NULL, &wanted->augment, &session->preprocess);
    if (!status && !told && session->dataset->height == 0 && info.full_height)
        status =
            mfm_preprocess_set_full(ctx, info.full_height, info.full_width, &session->preprocess);
    if (!status && session->own_normalisation)
        compare_normalisation(session);
    return status ? mfm_fail_in(ctx, status, "%s", path) : MFM_OK;
}

json_t *mfm_session_preprocess_json(const mfm_session *session)
{
    char *text;
    if (mfm_preprocess_info_text(session->ctx, &session->preprocess,
                                 mfm_model_reads_rows(session->model), &text))
        return NULL;
    json_t *object = json_loads(text, 0, NULL);
    mfm_free(session->ctx, text);
    return object;
}

/* Images in folders are numbered as the model numbers its classes. A model that is trained may get
 * others, and one whose classes have numbers for names tells nothing of such as have names. */
static void tell_names(const mfm_session *session, bool training, mfm_dataset_options *options)
{
    const mfm_class_info *info = session->classes;
    if (!info)
        return;
    options->class_names = (const char *const *)info->names;
    options->classes = info->classes;
    options->own_names = training || all_numbers(info);
}

/* A run is measured by test images. */
static int check_tests(const mfm_session *session)
{
    const mfm_dataset *dataset = session->dataset;
    return dataset->test.count
               ? MFM_OK
               : mfm_fail(session->ctx, MFM_EDATA,
                          "%s: no test images: --test-part takes none of a class of one image: add "
                          "images",
                          dataset->name);
}

int mfm_session_open_data(mfm_session *session, const mfm_images_wanted *wanted)
{
    mfm_dataset_options options = wanted->options;
    int status = read_classes(session);
    if (!status)
        tell_names(session, wanted->training, &options);
    if (!status)
        status = mfm_open_data(session->ctx, wanted->specification, &options,
                               mfm_session_array_parts(wanted), &session->dataset);
    if (!status)
        status = wanted->training ? check_tests(session) : number_classes(session);
    if (!status)
        status = check_classes(session, wanted->training);
    if (status)
        return status;
    if (!wanted->training || (session->classes && !session->classes->train))
        compare_names(session); /* what a run was trained on may give way, what a head says not */
    return make_preprocess(session, wanted);
}

void mfm_session_clear(mfm_session *session)
{
    mfm_class_info_free(session->ctx, session->classes);
    mfm_dataset_free(session->ctx, session->dataset);
    mfm_array_form_clear(session->ctx, &session->array);
    mfm_problem_free(session->problem);
    mfm_task_clear(session->ctx, &session->task);
    mfm_network_free(session->ctx, session->network);
    mfm_model_free(session->model);
    *session = (mfm_session){.ctx = session->ctx};
}

void mfm_session_no_effect(const mfm_session *s, const mfm_option_table *table,
                           const mfm_arguments *given)
{
    static const char *const fit[] = {"fit", "pad", NULL}, *const normalise[] = {"normalise", NULL};
    const mfm_preprocess *p = &s->preprocess;
    if (!p->array && p->image_channels == p->channels && p->image_height == p->height &&
        p->image_width == p->width)
        mfm_options_no_effect(s->ctx, table, given, fit,
                              "the images are of the size that the model reads");
    if (!s->tells_normalisation)
        mfm_options_no_effect(s->ctx, table, given, normalise,
                              "the model tells no normalisation of its own");
}
