#include "tools/train/session_arrays.h"

#include "onnx/import/import.h"
#include "onnx/info/array_info.h"
#include "onnx/info/preprocess_info.h"
#include "tools/options/groups/data_options.h"

static bool wants_measured(const mfm_images_wanted *wanted)
{
    const mfm_normalisation_arguments *given = &wanted->normalisation;
    return mfm_normalisation_of_data(given) ||
           (!mfm_normalisation_given(given) && wanted->normalise == MFM_NORMALISE_DATA);
}

unsigned mfm_session_array_parts(const mfm_images_wanted *wanted)
{
    const bool measured = mfm_dataset_of_arrays(wanted->specification) && wants_measured(wanted);
    return wanted->parts | (measured ? MFM_PART_TRAIN : 0);
}

/* What is done to pictures alone. */
static int refuse_pictures(mfm_ctx *ctx, const mfm_images_wanted *wanted)
{
    if (wanted->augment.count > 0)
        return mfm_fail(ctx, MFM_EUSAGE,
                        "--augment %s: %s are numbers, no pictures: --augment none",
                        wanted->augment.use[0].kind->name, wanted->specification);
    if (wanted->fit != MFM_FIT_NONE)
        return mfm_fail(ctx, MFM_EUSAGE,
                        "--%s: %s are numbers, no pictures, and must have the model's shape",
                        wanted->fit == MFM_FIT_PAD ? "pad" : "fit", wanted->specification);
    return MFM_OK;
}

/* The input's row, as the file lays it out. */
static mfm_shape row_of(const mfm_shape *input, bool channels_last)
{
    mfm_shape row = {.rank = input->rank - 1};
    for (int i = 0; i < row.rank; i++)
        row.dim[i] = input->dim[i + 1];
    if (channels_last)
        row = (mfm_shape){.rank = 3, .dim = {input->dim[2], input->dim[3], input->dim[1]}};
    return row;
}

static int check_shape(const mfm_session *session, const mfm_shape *input, bool channels_last)
{
    char there[MFM_SHAPE_TEXT], expected[MFM_SHAPE_TEXT];
    const mfm_dataset *dataset = session->dataset;
    const mfm_shape row = row_of(input, channels_last);
    if (mfm_shape_equal(&row, &dataset->row))
        return MFM_OK;
    return mfm_fail(session->ctx, MFM_EINVAL,
                    "rows of %s have shape %s, those of the model's input %s: numpy.reshape or "
                    "transpose the arrays",
                    dataset->name, mfm_shape_text(&dataset->row, there),
                    mfm_shape_text(&row, expected));
}

/* A network that reads bytes has them cast to numbers, and takes no others. */
static int check_bytes(const mfm_session *session, const mfm_images_wanted *wanted)
{
    const mfm_normalisation_arguments *given = &wanted->normalisation;
    if (!session->network->bytes)
        return MFM_OK;
    if (mfm_normalisation_given(given) || wants_measured(wanted))
        return mfm_fail(session->ctx, MFM_EINVAL,
                        "--mean, --std: the model reads bytes (uint8), and normalises them itself");
    return session->dataset->bytes
               ? MFM_OK
               : mfm_fail(session->ctx, MFM_EDATA, "%s: the model reads bytes: arrays of uint8",
                          session->dataset->name);
}

/* What the model tells is of images, or damaged. */
static int refuse_images(const mfm_session *session)
{
    mfm_preprocess_info info;
    bool found;
    const int status = mfm_preprocess_info_read(session->ctx, session->model, &info, &found);
    return status ? status
                  : mfm_fail(session->ctx, MFM_EINVAL,
                             "metadata " MFM_PREPROCESS_KEY
                             ": the model was trained on images: --mean 0 --std 1 hands over the "
                             "numbers as they are stored, --mean and --std otherwise");
}

/* What the model tells, if it does. */
static int take_told(mfm_session *session)
{
    char there[MFM_SHAPE_TEXT], expected[MFM_SHAPE_TEXT];
    mfm_array_form told;
    bool found;
    int status = mfm_array_info_read(session->ctx, session->model, &told, &found);
    if (!status && !found && mfm_preprocess_info_told(session->model))
        status = refuse_images(session);
    if (!status && found && !mfm_shape_equal(&told.row, &session->array.row))
        status = mfm_fail(session->ctx, MFM_EDATA,
                          "metadata " MFM_PREPROCESS_KEY ": rows of shape %s: the model reads %s",
                          mfm_shape_text(&told.row, there),
                          mfm_shape_text(&session->array.row, expected));
    if (status || !found) {
        mfm_array_form_clear(session->ctx, &told);
        return status;
    }
    session->array = told;
    session->own_normalisation = true;
    return MFM_OK;
}

/* Signals of files of Keras lie [length, channels], which their shape alone does not tell. */
static void warn_of_points(const mfm_session *session)
{
    const mfm_shape *row = &session->array.row;
    if (row->rank == 2 && row->dim[0] > row->dim[1])
        mfm_warn(session->ctx,
                 "%s: rows of [%lld,%lld]: mean and deviation are those of each of the %lld along "
                 "the first axis: if these are points in time, standardise the arrays yourself",
                 session->dataset->name, (long long)row->dim[0], (long long)row->dim[1],
                 (long long)row->dim[0]);
}

static int choose(mfm_session *session, const mfm_images_wanted *wanted)
{
    mfm_ctx *ctx = session->ctx;
    const mfm_normalisation_arguments *given = &wanted->normalisation;
    session->tells_normalisation = mfm_preprocess_info_told(session->model);
    session->given_normalisation = mfm_normalisation_given(given);
    int status = MFM_OK;
    if (session->given_normalisation) {
        status = mfm_array_form_make_scale(ctx, &session->array);
        if (!status)
            status = mfm_normalisation_numbers(ctx, given, mfm_array_form_length(&session->array),
                                               session->array.mean, session->array.deviation);
        if (!status && mfm_array_form_check(ctx, &session->array))
            status = mfm_fail_in(ctx, MFM_EUSAGE, "--mean, --std");
    } else if (!wants_measured(wanted)) {
        status = take_told(session);
    } else {
        status = given->std ? mfm_fail(ctx, MFM_EUSAGE, "--mean data: it brings its own --std")
                            : mfm_array_form_measure(ctx, session->dataset, &session->array);
        warn_of_points(session);
    }
    return status;
}

int mfm_session_prepare_arrays(mfm_session *session, const mfm_images_wanted *wanted,
                               const mfm_shape *input)
{
    const bool rows = mfm_model_reads_rows(session->model);
    int status = refuse_pictures(session->ctx, wanted);
    if (!status)
        status = check_shape(session, input, rows);
    if (!status)
        status = check_bytes(session, wanted);
    session->array = mfm_array_form_of(&session->dataset->row, rows);
    if (!status)
        status = choose(session, wanted);
    if (!status)
        status = mfm_array_form_check_data(session->ctx, &session->array, session->dataset);
    mfm_preprocess_arrays(&session->array, &session->preprocess);
    return status;
}
