/* run: images in, logits out, as plain numbers: for comparing with other runtimes. */
#include <string.h>
#include <stdio.h>

#include "core/engine/plan/plan.h"
#include "core/train/problem/network.h"
#include "onnx/import/import.h"
#include "onnx/info/preprocess_info.h"
#include "tools/files.h"
#include "tools/options/options.h"
#include "tools/train/session.h"
#include "tools/threads.h"
#include "tools/train/unfinished.h"

typedef struct options {
    const char *output, *input, *soft_label;
    double toggle;
    uint64_t threads;
    bool bytes;
} options;

static const mfm_option table[] = {
    {.name = "output",
     .letter = 'o',
     .kind = MFM_OPTION_STRING,
     .value = "FILE",
     .required = true,
     .offset = offsetof(options, output),
     .help = "the logits, [n, classes]"},
    {.name = "input",
     .kind = MFM_OPTION_STRING,
     .value = "FILE",
     .required = true,
     .offset = offsetof(options, input),
     .help = "the images, [n, channels, height, width]"},
    {.name = "bytes",
     .kind = MFM_OPTION_FLAG,
     .offset = offsetof(options, bytes),
     .help = "the images are bytes, which are normalised as the model tells"},
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
     .help = "1 modulates, 0 leaves the features alone"},
    {.name = "threads",
     .kind = MFM_OPTION_UINT,
     .value = "N",
     .max = 1024,
     .offset = offsetof(options, threads),
     .silent_default = true,
     .help = "processors to use (default: all)"},
};

static const mfm_option_group groups[] = {
    {.title = "Options:", .options = table, .count = sizeof table / sizeof table[0]},
    {.title = NULL}};

static const mfm_option_table run_options = {
    .positional = "MODEL",
    .purpose =
        "Computes a classifier's logits. Files hold nothing but numbers: float32, lowest\n"
        "byte first, the last axis fastest; how many images there are follows from the size.\n"
        "Images are normalised already, or are bytes for a model that tells its normalisation.",
    .groups = groups};

enum { MOST_AT_ONCE = 100 };

/* Numbers of a file, as rows of a known length. */
typedef struct rows {
    float *data;
    size_t count, length;
} rows;

typedef struct inference {
    mfm_ctx *ctx;
    const mfm_model *model;
    mfm_network *network;
    mfm_plan *plan;
    mfm_shape images; /* dim[0] is the batch of the plan */
    real *row_major, *stored, *soft_label, *toggle;
    rows in, labels;
    float *out;
} inference;

static int read_rows(mfm_ctx *ctx, const char *path, size_t length, const char *shape, rows *read)
{
    char *bytes;
    size_t size;
    const int status = mfm_read_file(ctx, path, &bytes, &size);
    if (status)
        return status;
    if (size == 0 || size % (length * sizeof(float)) != 0) {
        mfm_free(ctx, bytes);
        return mfm_fail(ctx, MFM_EDATA, "%s: %zu bytes: expected a multiple of %zu, float32 %s",
                        path, size, length * sizeof(float), shape);
    }
    *read = (rows){(float *)(void *)bytes, size / (length * sizeof(float)), length};
    return MFM_OK;
}

/* In planes, as the numbers would be: [n, channels, height, width]. */
static int read_bytes(inference *r, const char *path, const mfm_shape *one)
{
    char shape[MFM_SHAPE_TEXT], *bytes;
    size_t size;
    mfm_preprocess_info info;
    bool told;
    int status = mfm_preprocess_info_read(r->ctx, r->model, &info, &told);
    if (status)
        return status;
    const char *model = mfm_model_path(r->model);
    if (!told)
        return mfm_fail(r->ctx, MFM_EINVAL, "--bytes: %s tells no normalisation: it takes float32",
                        model);
    if (one->rank != 4 || one->dim[1] != info.channels || one->dim[2] != info.height ||
        one->dim[3] != info.width)
        return mfm_fail(r->ctx, MFM_EDATA,
                        "%s: metadata " MFM_PREPROCESS_KEY ": input %dx%dx%d: the model reads %s",
                        model, info.channels, info.height, info.width, mfm_shape_text(one, shape));
    status = mfm_read_file(r->ctx, path, &bytes, &size);
    if (status)
        return status;
    const size_t length = (size_t)mfm_shape_count(one), plane = length / (size_t)info.channels;
    r->in = (rows){NULL, size / length, length};
    if (size == 0 || size % length != 0)
        status = mfm_fail(r->ctx, MFM_EDATA, "%s: %zu bytes: a multiple of %zu is needed, bytes %s",
                          path, size, length, mfm_shape_text(one, shape));
    else if (!(r->in.data = mfm_alloc(r->ctx, size, sizeof *r->in.data)))
        status = MFM_ENOMEM;
    for (size_t i = 0; !status && i < size; i++)
        r->in.data[i] = (float)mfm_normalise(&info.normalisation, (int)(i / plane) % info.channels,
                                             (unsigned char)bytes[i]);
    mfm_free(r->ctx, bytes);
    return status;
}

static int read_images(inference *r, const options *o)
{
    const char *path = o->input;
    char shape[MFM_SHAPE_TEXT];
    mfm_shape one = r->images;
    one.dim[0] = 1;
    if (o->bytes)
        return read_bytes(r, path, &one);
    return read_rows(r->ctx, path, (size_t)mfm_shape_count(&one), mfm_shape_text(&one, shape),
                     &r->in);
}

static int read_labels(inference *r, const options *o)
{
    if (!o->soft_label)
        return MFM_OK;
    char shape[MFM_SHAPE_TEXT];
    const mfm_shape one = mfm_shape_of(2, 1, (int)r->network->classes);
    const int status = read_rows(r->ctx, o->soft_label, (size_t)r->network->classes,
                                 mfm_shape_text(&one, shape), &r->labels);
    if (!status && r->labels.count != 1 && r->labels.count != r->in.count)
        return mfm_fail(r->ctx, MFM_EDATA,
                        "%s: %zu soft labels: one, or one for each of %zu images", o->soft_label,
                        r->labels.count, r->in.count);
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
    static const mfm_pass forward[1] = {{MFM_FORWARD, ~0u}};
    const mfm_slot keep[1] = {{r->network->logits, MFM_X}};
    const mfm_plan_spec spec = {.batch = r->images.dim[0],
                                .passes = forward,
                                .n_passes = 1,
                                .keep = keep,
                                .n_keep = 1,
                                .frozen = true};
    return mfm_plan_new(r->ctx, r->network->graph, &spec, &r->plan);
}

static int make_buffers(inference *r, const options *o)
{
    const size_t numbers = (size_t)mfm_shape_count(&r->images);
    const size_t labels = (size_t)(r->images.dim[0] * r->network->classes);
    r->row_major = mfm_alloc_aligned(r->ctx, numbers, sizeof(real));
    r->stored = mfm_alloc_aligned(r->ctx, numbers, sizeof(real));
    r->soft_label = mfm_alloc_aligned(r->ctx, labels, sizeof(real));
    r->toggle = mfm_alloc_aligned(r->ctx, 1, sizeof(real));
    r->out = mfm_alloc(r->ctx, r->in.count * (size_t)r->network->classes, sizeof(float));
    if (!r->row_major || !r->stored || !r->soft_label || !r->toggle || !r->out)
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

static void copy_row(const rows *from, size_t row, real *to)
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
    const real *logits = mfm_plan_lane(r->plan, r->network->logits, MFM_X);
    for (size_t i = 0; i < batch && first + i < r->in.count; i++)
        for (size_t c = 0; c < classes; c++)
            r->out[(first + i) * classes + c] = (float)logits[i * classes + c];
}

static int run(inference *r, const char *path, const options *o)
{
    r->images = r->network->graph->values[r->network->images].shape;
    int status = check_modulator(r, o, path);
    if (!status)
        status = read_images(r, o);
    if (!status)
        status = read_labels(r, o);
    if (status)
        return status;
    r->images.dim[0] = r->in.count < MOST_AT_ONCE ? (int64_t)r->in.count : MOST_AT_ONCE;
    status = make_plan(r);
    if (!status)
        status = make_buffers(r, o);
    if (!status)
        status = bind(r);
    if (status)
        return status;
    for (size_t first = 0; first < r->in.count; first += (size_t)r->images.dim[0])
        run_batch(r, first);
    return mfm_write_output(r->ctx, o->output, r->out,
                            r->in.count * (size_t)r->network->classes * sizeof(float));
}

static void clear(inference *r)
{
    mfm_plan_free(r->plan);
    mfm_network_free(r->ctx, r->network);
    mfm_free(r->ctx, r->in.data);
    mfm_free(r->ctx, r->labels.data);
    mfm_free(r->ctx, r->out);
    mfm_free_aligned(r->ctx, r->row_major);
    mfm_free_aligned(r->ctx, r->stored);
    mfm_free_aligned(r->ctx, r->soft_label);
    mfm_free_aligned(r->ctx, r->toggle);
}

int mfm_cmd_run(mfm_ctx *ctx, int argc, const char **argv)
{
    options o = {.toggle = 0};
    mfm_arguments arguments;
    mfm_model *model = NULL;
    inference r = {.ctx = ctx};
    int status = mfm_options_parse(ctx, &run_options, argc, argv, &o, &arguments);
    if (!status)
        status = mfm_check_output(ctx, o.output, arguments.positional);
    if (!status)
        status = mfm_check_output(ctx, o.output, o.input);
    if (!status)
        status = mfm_model_open(ctx, arguments.positional, &model);
    if (!status)
        status = mfm_refuse_unfinished(ctx, model);
    if (!status)
        status = mfm_model_untie(ctx, model, NULL);
    if (!status)
        status = mfm_model_import(ctx, model, &r.network);
    int threads;
    if (!status)
        status = mfm_use_threads(ctx, (unsigned)o.threads, &threads);
    if (!status) {
        r.model = model;
        status = run(&r, arguments.positional, &o);
    }
    if (!status)
        printf("wrote %s: logits [%zu,%lld]\n", mfm_output_name(o.output), r.in.count,
               (long long)r.network->classes);
    clear(&r);
    mfm_model_free(model);
    mfm_arguments_free(ctx, &arguments);
    return status;
}
