/* run: images in, logits and other values out, as plain numbers: for comparing with other runtimes.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/engine/plan/plan.h"
#include "core/train/problem/network.h"
#include "onnx/import/import.h"
#include "onnx/info/array_info.h"
#include "onnx/info/preprocess_info.h"
#include "tools/files.h"
#include "core/train/batch_size.h"
#include "tools/interrupt.h"
#include "tools/options/options.h"
#include "tools/infer/run_outputs.h"
#include "tools/train/session.h"
#include "tools/infer/tensor_file.h"
#include "tools/threads.h"
#include "tools/train/unfinished.h"

typedef struct options {
    const char *output, *outputs, *input, *soft_label;
    mfm_strings values;
    double toggle;
    uint64_t threads;
    bool bytes, stored;
} options;

static const mfm_option table[] = {
    {.name = "output",
     .letter = 'o',
     .kind = MFM_OPTION_STRING,
     .value = "FILE",
     .offset = offsetof(options, output),
     .help = "the logits, [n, classes]; FILE.npy with NumPy's header"},
    {.name = "value",
     .kind = MFM_OPTION_STRINGS,
     .value = "NAME=FILE",
     .offset = offsetof(options, values),
     .help = "a value of the model by its name: an output, or anything that a node computes; may "
             "be given several times"},
    {.name = "outputs",
     .kind = MFM_OPTION_STRING,
     .value = "FOLDER",
     .offset = offsetof(options, outputs),
     .help = "every output of the model, as FOLDER/NAME.npy"},
    {.name = "input",
     .kind = MFM_OPTION_STRING,
     .value = "FILE",
     .required = true,
     .offset = offsetof(options, input),
     .help = "the images, [n, channels, height, width], or what else the model reads"},
    {.name = "bytes",
     .kind = MFM_OPTION_FLAG,
     .offset = offsetof(options, bytes),
     .help = "the images are bytes, to be normalised as the model tells"},
    {.name = "stored",
     .kind = MFM_OPTION_FLAG,
     .offset = offsetof(options, stored),
     .help = "the numbers are as arrays:FOLDER stores them, of any type, to be standardised as the "
             "model tells"},
    {.name = "soft-label",
     .kind = MFM_OPTION_STRING,
     .value = "FILE",
     .offset = offsetof(options, soft_label),
     .help = "soft labels for a modulator, [n, classes] or [1, classes] (default: uniform)"},
    {.name = "switch",
     .kind = MFM_OPTION_REAL,
     .value = "S",
     .max = 1,
     .offset = offsetof(options, toggle),
     .help = "1 modulates the features, 0 leaves them alone"},
    MFM_THREADS_OPTION(options, threads),
};

static const mfm_option_group groups[] = {
    {.title = "Options:", .options = table, .count = sizeof table / sizeof table[0]},
    {.title = NULL}};

static const mfm_option_table run_options = {
    .positional = "MODEL",
    .purpose =
        "Computes a classifier's logits, and other values by name. Files are .npy as NumPy writes\n"
        "them, or hold nothing but numbers: float32, lowest byte first, the last axis fastest; "
        "how\n"
        "many images there are then follows from the size. Images are normalised already, or are\n"
        "bytes for a model that tells its normalisation; with --stored arrays are as train reads "
        "them.",
    .groups = groups};

typedef struct inference {
    mfm_ctx *ctx;
    const mfm_model *model;
    mfm_network *network;
    mfm_plan *plan;
    mfm_shape images; /* dim[0] is the batch of the plan */
    real *row_major, *stored, *soft_label, *toggle;
    mfm_rows in, labels;
    mfm_run_outputs outputs;
} inference;

/* In planes, as the numbers would be: [n, channels, height, width]. */
static int normalise_bytes(inference *r, const char *path, const mfm_shape *one)
{
    char shape[MFM_SHAPE_TEXT];
    mfm_preprocess_info info;
    bool told;
    int status = mfm_preprocess_info_read(r->ctx, r->model, &info, &told);
    if (status)
        return status;
    const char *model = mfm_model_path(r->model);
    if (!told && r->network->bytes)
        return mfm_rows_read(r->ctx, path, one, MFM_ROWS_OF_BYTES, &r->in);
    if (!told)
        return mfm_fail(r->ctx, MFM_EINVAL, "--bytes: %s tells no normalisation: it takes float32",
                        model);
    if (one->rank != 4 || one->dim[1] != info.channels || one->dim[2] != info.height ||
        one->dim[3] != info.width)
        return mfm_fail(r->ctx, MFM_EDATA,
                        "%s: metadata " MFM_PREPROCESS_KEY ": input %dx%dx%d: the model reads %s",
                        model, info.channels, info.height, info.width, mfm_shape_text(one, shape));
    status = mfm_rows_read(r->ctx, path, one, MFM_ROWS_OF_BYTES, &r->in);
    const size_t plane = (size_t)(one->dim[2] * one->dim[3]);
    for (size_t i = 0; !status && i < r->in.count * r->in.length; i++)
        r->in.data[i] = (float)mfm_normalise(&info.normalisation, (int)(i / plane) % info.channels,
                                             (int)r->in.data[i]);
    return status;
}

/* Of a model that was trained on arrays: its rows, standardised as it tells. */
static int standardise(inference *r, const options *o, const mfm_shape *one,
                       const mfm_array_form *form)
{
    char there[MFM_SHAPE_TEXT], expected[MFM_SHAPE_TEXT];
    mfm_shape told = {.rank = form->row.rank + 1, .dim = {1}};
    for (int i = 0; i < form->row.rank; i++)
        told.dim[i + 1] = form->row.dim[i];
    if (!mfm_shape_equal(&told, one))
        return mfm_fail(r->ctx, MFM_EDATA,
                        "%s: metadata " MFM_PREPROCESS_KEY ": rows of shape %s: the model reads %s",
                        mfm_model_path(r->model), mfm_shape_text(&form->row, there),
                        mfm_shape_text(one, expected));
    const int status = mfm_rows_read(r->ctx, o->input, one,
                                     o->bytes ? MFM_ROWS_OF_BYTES : MFM_ROWS_OF_ANY, &r->in);
    for (size_t i = 0; !status && i < r->in.count * r->in.length; i++)
        r->in.data[i] = mfm_array_form_number(form, i % r->in.length, r->in.data[i]);
    return status;
}

static int read_images(inference *r, const options *o)
{
    mfm_shape one = r->images;
    mfm_array_form form;
    bool arrays;
    one.dim[0] = 1;
    int status = mfm_array_info_read(r->ctx, r->model, &form, &arrays);
    if (!status && o->stored && !arrays)
        status = mfm_fail(r->ctx, MFM_EINVAL, "--stored: %s was not trained on arrays",
                          mfm_model_path(r->model));
    else if (!status && arrays && (o->stored || o->bytes))
        status = standardise(r, o, &one, &form);
    else if (!status && o->bytes)
        status = normalise_bytes(r, o->input, &one);
    else if (!status)
        status = mfm_rows_read(r->ctx, o->input, &one, MFM_ROWS_OF_FLOATS, &r->in);
    if (!status && form.mean && !o->stored && !o->bytes)
        mfm_warn(r->ctx,
                 "%s standardises the numbers of arrays: these are taken as ready: --stored takes "
                 "them as they are in the files that it was trained on",
                 mfm_model_path(r->model));
    mfm_array_form_clear(r->ctx, &form);
    return status;
}

/* A modulator reads a distribution, unless it was trained on logits. */
static void warn_of_labels(const inference *r, const options *o)
{
    for (size_t i = 0; i < r->labels.count; i++) {
        const float *row = r->labels.data + i * r->labels.length;
        double sum = 0;
        bool negative = false;
        for (size_t k = 0; k < r->labels.length; k++) {
            sum += (double)row[k];
            negative |= row[k] < 0;
        }
        if (!negative && fabs(sum - 1) <= 1e-3)
            continue;
        mfm_warn(r->ctx,
                 "%s: soft label %zu is no distribution: %s%.6g: only a modulator that was trained "
                 "with --soft-label logits reads such",
                 o->soft_label, i,
                 negative ? "it has negative numbers, and the sum " : "its sum is ", sum);
        return;
    }
}

static int read_labels(inference *r, const options *o)
{
    if (!o->soft_label)
        return MFM_OK;
    const mfm_shape one = mfm_shape_of(2, 1, (int)r->network->classes);
    const int status = mfm_rows_read(r->ctx, o->soft_label, &one, MFM_ROWS_OF_FLOATS, &r->labels);
    if (!status && r->labels.count != 1 && r->labels.count != r->in.count)
        return mfm_fail(r->ctx, MFM_EDATA,
                        "%s: %zu soft labels: one, or one for each of %zu images", o->soft_label,
                        r->labels.count, r->in.count);
    if (!status)
        warn_of_labels(r, o);
    return status;
}

static int check_modulator(const inference *r, const options *o, const char *path)
{
    if (r->network->soft_label >= 0 || (!o->soft_label && o->toggle == 0))
        return MFM_OK;
    return mfm_fail(r->ctx, MFM_EINVAL, "--%s: %s has no modulator: inject adds one",
                    o->soft_label ? "soft-label" : "switch", path);
}

static int make_plan(inference *r)
{
    int *values = mfm_alloc(r->ctx, r->outputs.count, sizeof *values);
    if (!values)
        return MFM_ENOMEM;
    for (size_t i = 0; i < r->outputs.count; i++)
        values[i] = r->outputs.item[i].value;
    const int status = mfm_plan_new_forward(r->ctx, r->network->graph, r->images.dim[0], values,
                                            r->outputs.count, &r->plan);
    mfm_free(r->ctx, values);
    return status;
}

static int make_buffers(inference *r, const options *o)
{
    const size_t numbers = (size_t)mfm_shape_count(&r->images);
    const size_t labels = (size_t)(r->images.dim[0] * r->network->classes);
    r->row_major = mfm_alloc_aligned(r->ctx, numbers, sizeof(real));
    r->stored = mfm_alloc_aligned(r->ctx, numbers, sizeof(real));
    r->soft_label = mfm_alloc_aligned(r->ctx, labels, sizeof(real));
    r->toggle = mfm_alloc_aligned(r->ctx, 1, sizeof(real));
    if (!r->row_major || !r->stored || !r->soft_label || !r->toggle)
        return MFM_ENOMEM;
    *r->toggle = (real)o->toggle;
    for (size_t i = 0; i < labels; i++)
        r->soft_label[i] = (real)(1.0 / (double)r->network->classes);
    return MFM_OK;
}

static int bind(inference *r)
{
    mfm_plan_bind_params(r->plan, MFM_X, r->network->graph->params);
    mfm_plan_bind_state(r->plan, r->network->graph->state);
    mfm_plan_bind_input(r->plan, r->network->images, MFM_X, r->stored);
    if (r->network->soft_label >= 0) {
        mfm_plan_bind_input(r->plan, r->network->soft_label, MFM_X, r->soft_label);
        mfm_plan_bind_input(r->plan, r->network->toggle, MFM_X, r->toggle);
    }
    return mfm_plan_check_bound(r->plan);
}

static void copy_row(const mfm_rows *from, size_t row, real *to)
{
    for (size_t i = 0; i < from->length; i++)
        to[i] = (real)from->data[row * from->length + i];
}

/* The last batch is filled up with its first image again. */
static void run_batch(inference *r, size_t first)
{
    const size_t batch = (size_t)r->images.dim[0], classes = (size_t)r->network->classes;
    for (size_t i = 0; i < batch; i++) {
        const size_t row = first + i < r->in.count ? first + i : first;
        copy_row(&r->in, row, r->row_major + i * r->in.length);
        if (r->labels.data)
            copy_row(&r->labels, r->labels.count > 1 ? row : 0, r->soft_label + i * classes);
    }
    mfm_layout_to_engine(&r->images, r->row_major, r->stored);
    mfm_plan_run(r->plan, 0);
    const size_t left = r->in.count - first;
    mfm_run_outputs_put(&r->outputs, r->plan, left < batch ? left : batch);
}

static int run_batches(inference *r)
{
    mfm_interrupt_catch("stopping after this batch");
    for (size_t first = 0; first < r->in.count; first += (size_t)r->images.dim[0]) {
        if (*mfm_interrupt_signal())
            return mfm_fail(r->ctx, MFM_EINTR,
                            "interrupted after %zu of %zu images: nothing was written", first,
                            r->in.count);
        run_batch(r, first);
    }
    return mfm_run_outputs_commit(&r->outputs);
}

/* The plan for one image tells how long it takes. */
static int make_batch_plan(inference *r)
{
    r->images.dim[0] = 1;
    int status = make_plan(r);
    if (status)
        return status;
    r->images.dim[0] = mfm_batch_size(mfm_plan_macs(r->plan), r->in.count);
    if (r->images.dim[0] == 1)
        return MFM_OK;
    mfm_plan_free(r->plan);
    r->plan = NULL;
    return make_plan(r);
}

static int run(inference *r, const char *path, const options *o)
{
    r->images = r->network->graph->values[r->network->images].shape;
    int status = check_modulator(r, o, path);
    if (!status)
        status = read_images(r, o);
    if (!status)
        status = read_labels(r, o);
    if (!status)
        status = make_batch_plan(r);
    if (!status)
        status = make_buffers(r, o);
    if (!status)
        status = bind(r);
    if (!status)
        status = mfm_run_outputs_open(r->ctx, r->plan, r->images.dim[0], r->in.count, &r->outputs);
    return status ? status : run_batches(r);
}

static void clear(inference *r)
{
    mfm_run_outputs_clear(r->ctx, &r->outputs);
    mfm_plan_free(r->plan);
    mfm_network_free(r->ctx, r->network);
    mfm_free(r->ctx, r->in.data);
    mfm_free(r->ctx, r->labels.data);
    mfm_free_aligned(r->ctx, r->row_major);
    mfm_free_aligned(r->ctx, r->stored);
    mfm_free_aligned(r->ctx, r->soft_label);
    mfm_free_aligned(r->ctx, r->toggle);
}

/* The network with the values that are to be written. */
static int import(inference *r)
{
    mfm_run_outputs *o = &r->outputs;
    const char **names = mfm_alloc(r->ctx, o->count, sizeof *names);
    int *values = mfm_alloc(r->ctx, o->count, sizeof *values);
    int status = names && values ? MFM_OK : MFM_ENOMEM;
    for (size_t i = 0; i < o->count && !status; i++)
        names[i] = o->item[i].name;
    if (!status)
        status = mfm_model_import_values(r->ctx, r->model, names, o->count, &r->network, values);
    for (size_t i = 0; i < o->count && !status; i++)
        o->item[i].value = values[i];
    mfm_free(r->ctx, names);
    mfm_free(r->ctx, values);
    return status;
}

static int prepare(inference *r, mfm_model *model, const options *o)
{
    mfm_ctx *ctx = r->ctx;
    int threads;
    r->model = model;
    int status =
        mfm_run_outputs_collect(ctx, model, o->output, &o->values, o->outputs, &r->outputs);
    for (size_t i = 0; i < r->outputs.count && !status; i++)
        status = mfm_check_output(ctx, r->outputs.item[i].path, o->input);
    if (!status)
        status = mfm_refuse_unfinished(ctx, model);
    if (!status)
        status = mfm_model_untie(ctx, model, NULL);
    if (!status)
        status = import(r);
    return status ? status : mfm_use_threads(ctx, (unsigned)o->threads, &threads);
}

int mfm_cmd_run(mfm_ctx *ctx, int argc, const char **argv)
{
    options o = {.toggle = 0};
    mfm_arguments arguments;
    mfm_model *model = NULL;
    inference r = {.ctx = ctx};
    int status = mfm_options_parse(ctx, &run_options, argc, argv, &o, &arguments);
    if (!status && !o.output && !o.outputs && o.values.count == 0)
        status = mfm_option_missing(ctx, &table[0]);
    if (!status)
        status = mfm_model_open(ctx, arguments.positional, &model);
    if (!status)
        status = prepare(&r, model, &o);
    if (!status)
        status = run(&r, arguments.positional, &o);
    if (!status)
        mfm_run_outputs_tell(&r.outputs);
    clear(&r);
    mfm_model_free(model);
    mfm_arguments_free(ctx, &arguments);
    return status;
}
