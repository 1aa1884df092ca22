#include "tools/infer/prediction.h"

#include <math.h>
#include <omp.h>

#include "core/data/image_reader.h"
#include "core/train/evaluate.h"
#include "core/train/batch_size.h"

/* What one thread reads files with. Messages are the context's, which is why each has its own. */
typedef struct worker {
    mfm_ctx *ctx;
    mfm_image_reader *reader;
} worker;

struct mfm_predictor {
    mfm_ctx *ctx;
    const mfm_problem *problem;
    size_t batch, image; /* image: numbers of one */
    mfm_plan *plan;
    real *images;          /* [batch, height, width, channels] */
    double *probabilities; /* [batch, classes] */
    char **failures;       /* [batch]; NULL: none */
    worker *workers;
    int n_workers;
};

static int make_plan(mfm_predictor *p, size_t images)
{
    int status = mfm_inference_plan(p->ctx, p->problem, 1, &p->plan);
    if (status)
        return status;
    p->batch = (size_t)mfm_batch_size(mfm_plan_macs(p->plan), images ? images : 1);
    if (p->batch > 1) {
        mfm_plan_free(p->plan);
        p->plan = NULL;
        status = mfm_inference_plan(p->ctx, p->problem, (int64_t)p->batch, &p->plan);
    }
    return status;
}

static int make_buffers(mfm_predictor *p)
{
    p->images = mfm_alloc_aligned(p->ctx, p->batch * p->image, sizeof *p->images);
    p->probabilities =
        mfm_alloc(p->ctx, p->batch * (size_t)p->problem->classes, sizeof *p->probabilities);
    p->failures = mfm_alloc(p->ctx, p->batch, sizeof *p->failures);
    if (!p->images || !p->probabilities || !p->failures)
        return MFM_ENOMEM;
    for (size_t i = 0; i < p->batch * p->image; i++) /* a short batch leaves the rest as it is */
        p->images[i] = 0;
    mfm_plan_bind_params(p->plan, MFM_X, p->problem->main->params);
    mfm_plan_bind_state(p->plan, p->problem->main->state);
    mfm_plan_bind_input(p->plan, p->problem->images, MFM_X, p->images);
    return MFM_OK;
}

static int make_workers(mfm_predictor *p, const mfm_preprocess *preprocess)
{
    const int threads = omp_get_max_threads();
    const int wanted = (size_t)threads < p->batch ? threads : (int)p->batch;
    p->workers = mfm_alloc(p->ctx, (size_t)wanted, sizeof *p->workers);
    if (!p->workers)
        return MFM_ENOMEM;
    for (; p->n_workers < wanted; p->n_workers++) {
        worker *w = &p->workers[p->n_workers];
        w->ctx = mfm_ctx_new(NULL);
        if (!w->ctx)
            return mfm_fail(p->ctx, MFM_ENOMEM, "images: out of memory");
        const int status = mfm_image_reader_new(w->ctx, preprocess, &w->reader);
        if (status) {
            mfm_fail(p->ctx, status, "%s", mfm_message(w->ctx));
            mfm_ctx_free(w->ctx);
            return status;
        }
    }
    return MFM_OK;
}

int mfm_predictor_new(mfm_ctx *ctx, const mfm_problem *problem, const mfm_preprocess *preprocess,
                      size_t images, mfm_predictor **predictor)
{
    mfm_predictor *p = *predictor = mfm_alloc(ctx, 1, sizeof *p);
    if (!p)
        return MFM_ENOMEM;
    *p = (mfm_predictor){.ctx = ctx, .problem = problem, .image = mfm_preprocess_size(preprocess)};
    int status = make_plan(p, images);
    if (!status)
        status = make_buffers(p);
    if (!status)
        status = make_workers(p, preprocess);
    if (status) {
        mfm_predictor_free(p);
        *predictor = NULL;
    }
    return status;
}

static void forget(mfm_predictor *p)
{
    for (size_t i = 0; p->failures && i < p->batch; i++) {
        mfm_free(p->ctx, p->failures[i]);
        p->failures[i] = NULL;
    }
}

void mfm_predictor_free(mfm_predictor *p)
{
    if (!p)
        return;
    for (int i = 0; i < p->n_workers; i++) {
        mfm_image_reader_free(p->workers[i].ctx, p->workers[i].reader);
        mfm_ctx_free(p->workers[i].ctx);
    }
    forget(p);
    mfm_free(p->ctx, p->workers);
    mfm_free(p->ctx, p->failures);
    mfm_free(p->ctx, p->probabilities);
    mfm_free_aligned(p->ctx, p->images);
    mfm_plan_free(p->plan);
    mfm_free(p->ctx, p);
}

size_t mfm_predictor_batch(const mfm_predictor *predictor)
{
    return predictor->batch;
}

/* ---- one batch ---- */

static int read_images(mfm_predictor *p, char *const *paths, size_t count)
{
    int worst = MFM_OK;
#pragma omp parallel for num_threads(p->n_workers) schedule(dynamic)
    for (size_t i = 0; i < count; i++) {
        worker *w = &p->workers[omp_get_thread_num()];
        const int status = mfm_image_reader_read(w->reader, paths[i], p->images + i * p->image);
        if (!status)
            continue;
#pragma omp critical(mfm_prediction)
        {
            p->failures[i] = mfm_strdup(p->ctx, mfm_message(w->ctx));
            if (!p->failures[i] || status == MFM_ENOMEM)
                worst = mfm_fail(p->ctx, MFM_ENOMEM, "%s: out of memory", paths[i]);
        }
    }
    return worst;
}

/* False where a logit is no number, or all are infinite. */
static bool softmax(const real *logits, int64_t classes, double *probabilities)
{
    double top = -INFINITY, sum = 0;
    for (int64_t c = 0; c < classes; c++)
        top = (double)logits[c] > top ? (double)logits[c] : top;
    for (int64_t c = 0; c < classes; c++)
        sum += probabilities[c] = exp((double)logits[c] - top);
    for (int64_t c = 0; c < classes; c++)
        probabilities[c] /= sum;
    return isfinite(sum);
}

int mfm_predict(mfm_predictor *p, char *const *paths, size_t count)
{
    const int64_t classes = p->problem->classes;
    forget(p);
    const int status = read_images(p, paths, count);
    if (status)
        return status;
    mfm_plan_run(p->plan, 0);
    const real *logits = mfm_plan_lane(p->plan, p->problem->plain.logits, MFM_X);
    for (size_t i = 0; i < count; i++) {
        if (p->failures[i] || softmax(logits + (int64_t)i * classes, classes,
                                      p->probabilities + (int64_t)i * classes))
            continue;
        p->failures[i] = mfm_format(p->ctx, "%s: the model's outputs are not numbers", paths[i]);
        if (!p->failures[i])
            return MFM_ENOMEM;
    }
    return MFM_OK;
}

const char *mfm_prediction_failure(const mfm_predictor *p, size_t index)
{
    return p->failures[index];
}

const double *mfm_prediction_probabilities(const mfm_predictor *p, size_t index)
{
    return p->failures[index] ? NULL : p->probabilities + index * (size_t)p->problem->classes;
}
