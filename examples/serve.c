/* serve MODEL.onnx PIXELS: the likeliest classes of an image. PIXELS has its bytes, row by row, the
 * channels of a pixel side by side; they are normalised as the model tells. */
#include <core/engine/plan/plan.h>
#include <math.h>
#include <onnx/import/import.h>
#include <onnx/info/class_info.h>
#include <onnx/info/preprocess_info.h>
#include <stdio.h>
#include <stdlib.h>

enum { SHOWN = 3 };

typedef struct classifier {
    mfm_ctx *ctx;
    mfm_model *model;
    mfm_network *network;
    mfm_plan *plan;
    mfm_preprocess_info info;
    mfm_class_info *classes;
    real *image; /* [height, width, channels] */
} classifier;

/* A plan of one pass, for a batch of one image. */
static int make_plan(classifier *c)
{
    static const mfm_pass forward = {MFM_FORWARD, ~0u};
    const mfm_slot keep = {c->network->logits, MFM_X};
    const mfm_plan_spec spec = {
        .batch = 1, .passes = &forward, .n_passes = 1, .keep = &keep, .n_keep = 1, .frozen = true};
    const mfm_graph *graph = c->network->graph;
    const int status = mfm_plan_new(c->ctx, graph, &spec, &c->plan);
    if (status)
        return status;
    mfm_plan_bind_params(c->plan, MFM_X, graph->params);
    mfm_plan_bind_state(c->plan, graph->state);
    mfm_plan_bind_input(c->plan, c->network->images, MFM_X, c->image);
    return mfm_plan_check_bound(c->plan);
}

static int open_classifier(classifier *c, const char *path)
{
    bool told = false;
    int status = mfm_model_load(c->ctx, path, &c->model);
    if (!status)
        status = mfm_model_untie(c->ctx, c->model, NULL);
    if (!status)
        status = mfm_model_import(c->ctx, c->model, &c->network);
    if (!status)
        status = mfm_preprocess_info_read(c->ctx, c->model, &c->info, &told);
    if (!status && !told)
        status = mfm_fail(c->ctx, MFM_EDATA, "%s: it does not tell its normalisation", path);
    if (!status)
        status = mfm_class_info_read(c->ctx, c->model, &c->classes);
    if (status)
        return status;
    c->image = mfm_alloc_aligned(
        c->ctx, (size_t)(c->info.channels * c->info.height * c->info.width), sizeof *c->image);
    return c->image ? make_plan(c) : MFM_ENOMEM;
}

static int read_image(const classifier *c, const char *path)
{
    FILE *file = fopen(path, "rb");
    const int count = c->info.channels * c->info.height * c->info.width;
    int read = 0;
    for (int byte; file && read < count && (byte = fgetc(file)) != EOF; read++)
        c->image[read] = (real)mfm_normalise(&c->info.normalisation, read % c->info.channels, byte);
    const bool ends = file && fgetc(file) == EOF;
    if (file)
        fclose(file);
    return read == count && ends
               ? MFM_OK
               : mfm_fail(c->ctx, MFM_EDATA, "%s: expected %d x %d pixels of %d bytes", path,
                          c->info.width, c->info.height, c->info.channels);
}

/* The likeliest class is marked and left out of the next round. */
static void print_classes(const classifier *c)
{
    real *logits = mfm_plan_lane(c->plan, c->network->logits, MFM_X);
    const int n = (int)c->network->classes;
    double top = -INFINITY, sum = 0;
    for (int i = 0; i < n; i++)
        top = fmax(top, (double)logits[i]);
    for (int i = 0; i < n; i++)
        sum += exp((double)logits[i] - top);
    for (int shown = 0; shown < SHOWN && shown < n; shown++) {
        int best = 0;
        for (int i = 1; i < n; i++)
            if (logits[i] > logits[best])
                best = i;
        if (c->classes && best < c->classes->classes)
            printf("%s", c->classes->names[best]);
        else
            printf("class %d", best);
        printf(": %.1f %%\n", 100 * exp((double)logits[best] - top) / sum);
        logits[best] = (real)-INFINITY;
    }
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: serve MODEL.onnx PIXELS\n");
        return 2;
    }
    classifier c = {.ctx = mfm_ctx_new(NULL)};
    if (!c.ctx)
        return 1;
    int status = open_classifier(&c, argv[1]);
    if (!status)
        status = read_image(&c, argv[2]);
    if (status) {
        fprintf(stderr, "serve: %s\n", mfm_message(c.ctx));
    } else {
        mfm_plan_run(c.plan, 0);
        print_classes(&c);
    }
    mfm_plan_free(c.plan);
    mfm_free_aligned(c.ctx, c.image);
    mfm_class_info_free(c.ctx, c.classes);
    mfm_network_free(c.ctx, c.network);
    mfm_model_free(c.model);
    mfm_ctx_free(c.ctx);
    return status != MFM_OK;
}
