#include "tools/derive/derive_command.h"

#include <errno.h>
#include <fnmatch.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "onnx/import/import.h"
#include "tools/derive/derivatives.h"
#include "tools/files.h"
#include "tools/infer/tensor_file.h"
#include "tools/show/printable.h"
#include "tools/threads.h"
#include "tools/train/unfinished.h"

const mfm_option mfm_derive_table[MFM_DERIVE_OPTIONS] = {
    {.name = "input",
     .kind = MFM_OPTION_STRING,
     .value = "FILE",
     .required = true,
     .offset = offsetof(mfm_derive_options, input),
     .help = "the images, [n, channels, height, width], normalised"},
    {.name = "labels",
     .kind = MFM_OPTION_STRING,
     .value = "FILE",
     .offset = offsetof(mfm_derive_options, labels),
     .help = "class numbers [n]: f is the mean cross-entropy"},
    {.name = "cotangent",
     .kind = MFM_OPTION_STRING,
     .value = "FILE",
     .offset = offsetof(mfm_derive_options, cotangent),
     .help = "u, [n, classes]: f is <u, logits>"},
    {.name = "direction",
     .kind = MFM_OPTION_STRINGS,
     .value = "NAME=FILE",
     .offset = offsetof(mfm_derive_options, directions),
     .help = "part of v, for the parameter or the input of that name; what is not given is zero; "
             "may be given several times"},
    {.name = "wrt",
     .kind = MFM_OPTION_STRINGS,
     .value = "NAME",
     .offset = offsetof(mfm_derive_options, wrt),
     .help = "write only these: the input or parameters, by name or pattern; may be given several "
             "times (default: all)"},
    {.name = "training",
     .kind = MFM_OPTION_FLAG,
     .offset = offsetof(mfm_derive_options, training),
     .help =
         "BatchNormalization over the given images and Dropout with masks, as in a training step"},
    {.name = "seed",
     .kind = MFM_OPTION_UINT,
     .value = "N",
     .max = (double)INT64_MAX,
     .offset = offsetof(mfm_derive_options, seed),
     .help = "seed of the masks"},
    MFM_THREADS_OPTION(mfm_derive_options, threads),
};

typedef struct work {
    mfm_ctx *ctx;
    const mfm_derive_options *o;
    bool hvp;
    mfm_model *model;
    mfm_network *network;
    mfm_derivatives d;
    mfm_rows images;
} work;

static const mfm_value *images_of(const work *w)
{
    return &w->network->graph->values[w->network->images];
}

/* ---- what is read --------------------------------------------------------------------------- */

/* Numbers of a file of exactly that shape, in the engine's order. */
static int read_stored(const work *w, const char *path, const mfm_shape *shape, real *stored)
{
    const size_t count = (size_t)mfm_shape_count(shape);
    float *numbers = mfm_alloc(w->ctx, count, sizeof *numbers);
    real *row_major = mfm_alloc_aligned(w->ctx, count, sizeof *row_major);
    int status = numbers && row_major ? MFM_OK : MFM_ENOMEM;
    if (!status)
        status = mfm_tensor_file_read(w->ctx, path, shape, numbers);
    for (size_t i = 0; i < count && !status; i++)
        row_major[i] = (real)numbers[i];
    if (!status)
        mfm_layout_to_engine(shape, row_major, stored);
    mfm_free(w->ctx, numbers);
    mfm_free_aligned(w->ctx, row_major);
    return status;
}

static int read_labels(work *w)
{
    const mfm_shape shape = {.rank = 1, .dim = {w->d.spec.batch}};
    const char *path = w->o->labels;
    int status = read_stored(w, path, &shape, w->d.class_numbers);
    for (int64_t i = 0; i < shape.dim[0] && !status; i++) {
        const real label = w->d.class_numbers[i];
        if (!(label >= 0 && label < (real)w->network->classes && label == (real)(int64_t)label))
            status = mfm_fail(w->ctx, MFM_EDATA,
                              "%s: label %lld is %g: must be a class number, 0 to %lld", path,
                              (long long)i, (double)label, (long long)w->network->classes - 1);
    }
    return status;
}

/* The trainable parameter of that name; NULL. */
static const mfm_value *find_param(const work *w, const char *name)
{
    const int value = mfm_graph_find(w->network->graph, name);
    const mfm_value *v = value < 0 ? NULL : &w->network->graph->values[value];
    return v && v->kind == MFM_VALUE_PARAM && v->trainable ? v : NULL;
}

/* Name and file of "NAME=FILE"; names may have "=" in them. */
static int cut_direction(mfm_ctx *ctx, const char *text, char **name, const char **path)
{
    const char *equals = strrchr(text, '=');
    if (!equals || equals == text || !equals[1])
        return mfm_fail(ctx, MFM_EUSAGE, "--direction: %.80s: expected NAME=FILE", text);
    *path = equals + 1;
    *name = mfm_format(ctx, "%.*s", (int)(equals - text), text);
    return *name ? MFM_OK : MFM_ENOMEM;
}

static int read_direction(work *w, const char *text)
{
    char *name = NULL;
    const char *path = "";
    int status = cut_direction(w->ctx, text, &name, &path);
    if (status)
        return status;
    const mfm_value *param = find_param(w, name);
    if (strcmp(name, images_of(w)->name) == 0)
        status = read_stored(w, path, &w->d.images, w->d.v_images);
    else if (param)
        status = read_stored(w, path, &param->shape, w->d.v_params + param->offset);
    mfm_free(w->ctx, name);
    return status;
}

/* Before any plan: which parts of v there are, and that each is of something. */
static int check_directions(work *w, mfm_derivatives_spec *spec)
{
    for (size_t i = 0; i < w->o->directions.count; i++) {
        char *name = NULL;
        const char *path = "";
        int status = cut_direction(w->ctx, w->o->directions.item[i], &name, &path);
        if (status)
            return status;
        const bool images = strcmp(name, images_of(w)->name) == 0;
        if (!images && !find_param(w, name))
            status = mfm_fail(w->ctx, MFM_EINVAL,
                              "--direction: %.80s: neither a trained parameter nor the input '%s': "
                              "inspect --tensors lists the parameters",
                              name, images_of(w)->name);
        spec->along_images |= images;
        spec->along_params |= !images;
        mfm_free(w->ctx, name);
        if (status)
            return status;
    }
    return MFM_OK;
}

static int read_all(work *w)
{
    const mfm_shape *shape = &w->d.images;
    const size_t count = (size_t)mfm_shape_count(shape);
    real *row_major = mfm_alloc_aligned(w->ctx, count, sizeof *row_major);
    if (!row_major)
        return MFM_ENOMEM;
    for (size_t i = 0; i < count; i++)
        row_major[i] = (real)w->images.data[i];
    mfm_layout_to_engine(shape, row_major, w->d.x);
    mfm_free_aligned(w->ctx, row_major);
    int status = MFM_OK;
    if (w->o->labels)
        status = read_labels(w);
    else if (w->o->cotangent)
        status = read_stored(w, w->o->cotangent, &w->d.logits, w->d.cotangent);
    for (size_t i = 0; i < w->o->directions.count && !status; i++)
        status = read_direction(w, w->o->directions.item[i]);
    return status;
}

/* ---- what is written ------------------------------------------------------------------------ */

static bool is_wanted(const work *w, const char *name)
{
    bool wanted = w->o->wrt.count == 0;
    for (size_t i = 0; i < w->o->wrt.count; i++)
        wanted |= strcmp(w->o->wrt.item[i], name) == 0 || fnmatch(w->o->wrt.item[i], name, 0) == 0;
    return wanted;
}

/* Each name of --wrt is of something. */
static int check_wrt(const work *w)
{
    const mfm_graph *graph = w->network->graph;
    for (size_t i = 0; i < w->o->wrt.count; i++) {
        bool found = fnmatch(w->o->wrt.item[i], images_of(w)->name, 0) == 0 ||
                     strcmp(w->o->wrt.item[i], images_of(w)->name) == 0;
        for (size_t k = 0; k < graph->n_values && !found; k++)
            found = find_param(w, graph->values[k].name) &&
                    (fnmatch(w->o->wrt.item[i], graph->values[k].name, 0) == 0 ||
                     strcmp(w->o->wrt.item[i], graph->values[k].name) == 0);
        if (!found)
            return mfm_fail(w->ctx, MFM_EINVAL,
                            "--wrt: %.80s: neither a trained parameter nor the input '%s'",
                            w->o->wrt.item[i], images_of(w)->name);
    }
    return MFM_OK;
}

/* stored NULL: zeros. */
static int write_stored(const work *w, const char *path, const char *what, const mfm_shape *shape,
                        const real *stored)
{
    const size_t count = (size_t)mfm_shape_count(shape);
    real *row_major = mfm_alloc_aligned(w->ctx, count, sizeof *row_major);
    float *numbers = mfm_alloc(w->ctx, count, sizeof *numbers);
    mfm_row_file file = {.writer = NULL};
    int status = numbers && row_major ? MFM_OK : MFM_ENOMEM;
    double square = 0;
    if (!status && stored)
        mfm_layout_to_row_major(shape, stored, row_major);
    for (size_t i = 0; i < count && !status && stored; i++) {
        numbers[i] = (float)row_major[i];
        square += (double)row_major[i] * (double)row_major[i];
    }
    if (!status)
        status = mfm_row_file_open(w->ctx, path, shape, &file);
    if (!status) {
        mfm_row_file_put(&file, numbers, count);
        status = mfm_row_file_commit(&file);
    }
    mfm_row_file_close(&file);
    mfm_free(w->ctx, numbers);
    mfm_free_aligned(w->ctx, row_major);
    char text[MFM_SHAPE_TEXT];
    if (!status)
        mfm_print(stdout, "wrote %s: %s %s, norm %.6g\n", mfm_output_name(path), what,
                  mfm_shape_text(shape, text), sqrt(square));
    return status;
}

/* FOLDER/NAME.npy; exporters' names may have slashes, which are no folders here. */
static int write_part(const work *w, const mfm_value *value, const mfm_shape *shape,
                      const real *stored)
{
    const char *folder = w->o->output;
    char *path = mfm_format(w->ctx, "%s/%s.npy", folder, value->name);
    for (char *c = path ? path + strlen(folder) + 1 : NULL; c && *c; c++)
        *c = *c == '/' ? '_' : *c;
    int status = path ? mfm_check_output(w->ctx, path, w->o->input) : MFM_ENOMEM;
    if (!status)
        status = write_stored(w, path, value->name, shape, stored);
    mfm_free(w->ctx, path);
    return status;
}

static int write_parts(const work *w)
{
    const mfm_graph *graph = w->network->graph;
    const mfm_value *images = images_of(w);
    int status = MFM_OK;
    if (!w->o->output)
        return MFM_OK;
    if (mkdir(w->o->output, 0777) && errno != EEXIST)
        return mfm_fail_errno(w->ctx, errno, "make", w->o->output);
    if (is_wanted(w, images->name))
        status = write_part(w, images, &w->d.images, mfm_derivatives_of_images(&w->d, w->hvp));
    for (size_t i = 0; i < graph->n_values && !status; i++)
        if (find_param(w, graph->values[i].name) == &graph->values[i] &&
            is_wanted(w, graph->values[i].name))
            status = write_part(w, &graph->values[i], &graph->values[i].shape,
                                mfm_derivatives_of_param(&w->d, &graph->values[i], w->hvp));
    return status;
}

static int write_all(const work *w)
{
    int status = write_parts(w);
    if (!status && w->o->jvp)
        status = write_stored(w, w->o->jvp, "J v of the logits", &w->d.logits,
                              mfm_derivatives_jvp(&w->d));
    if (status)
        return status;
    if (w->o->labels || w->o->cotangent)
        printf("f = %.9g\n", w->d.value);
    if (w->o->directions.count && (w->o->labels || w->o->cotangent))
        printf("f' = %.9g along the direction\n", w->d.along);
    return MFM_OK;
}

/* ---- the whole ------------------------------------------------------------------------------ */

static int compute(work *w)
{
    const mfm_derive_options *o = w->o;
    mfm_derivatives_spec spec = {.training = o->training,
                                 .seed = o->seed,
                                 .labels = o->labels != NULL,
                                 .gradient = !w->hvp && o->output,
                                 .jvp = !w->hvp && (o->jvp || o->directions.count),
                                 .hvp = w->hvp};
    mfm_shape one = images_of(w)->shape;
    one.dim[0] = 1;
    int status = check_directions(w, &spec);
    if (!status)
        status = check_wrt(w);
    if (!status)
        status = mfm_rows_read(w->ctx, o->input, &one, MFM_ROWS_OF_FLOATS, &w->images);
    spec.batch = (int64_t)w->images.count;
    if (!status)
        status = mfm_derivatives_init(w->ctx, w->network, &spec, &w->d);
    if (!status)
        status = read_all(w);
    if (status)
        return status;
    mfm_derivatives_run(&w->d);
    return write_all(w);
}

static int check_options(mfm_ctx *ctx, const mfm_derive_options *o, bool hvp)
{
    const bool f = o->labels || o->cotangent;
    if (o->labels && o->cotangent)
        return mfm_fail(ctx, MFM_EUSAGE,
                        "--labels and --cotangent: give one of them, which says what f is");
    if (o->output && !f)
        return mfm_fail(
            ctx, MFM_EUSAGE,
            "missing --labels FILE or --cotangent FILE: one of them says what is differentiated");
    if (!hvp && !o->output && !o->jvp)
        return mfm_fail(ctx, MFM_EUSAGE, "missing -o FOLDER or --jvp FILE");
    if ((hvp || o->jvp) && o->directions.count == 0)
        return mfm_fail(ctx, MFM_EUSAGE, "missing --direction NAME=FILE");
    return o->jvp ? mfm_check_output(ctx, o->jvp, o->input) : MFM_OK;
}

int mfm_derive(mfm_ctx *ctx, const char *path, const mfm_derive_options *o, bool hvp)
{
    work w = {.ctx = ctx, .o = o, .hvp = hvp};
    int threads;
    int status = check_options(ctx, o, hvp);
    if (!status)
        status = mfm_use_threads(ctx, (unsigned)o->threads, &threads);
    if (!status)
        status = mfm_model_open(ctx, path, &w.model);
    if (!status)
        status = mfm_refuse_unfinished(ctx, w.model);
    if (!status)
        status = mfm_model_untie(ctx, w.model, NULL);
    if (!status)
        status = mfm_model_import(ctx, w.model, &w.network);
    if (!status)
        status = compute(&w);
    mfm_derivatives_clear(&w.d);
    mfm_network_free(ctx, w.network);
    mfm_free(ctx, w.images.data);
    mfm_model_free(w.model);
    return status;
}
