#include "core/train/losses/costs.h"

#include <math.h>

/* Costs stay above zero, where logarithms are finite. */
static const double least = 1e-6;

static double squared_distance(const real *a, const real *b, size_t width)
{
    double sum = 0;
    for (size_t k = 0; k < width; k++)
        sum += ((double)a[k] - (double)b[k]) * ((double)a[k] - (double)b[k]);
    return sum;
}

/* nearest [classes]: squared distances of sample i to the nearest other sample of each class. */
static void find_nearest(const mfm_loss_view *view, size_t i, double *nearest)
{
    for (int64_t c = 0; c < view->task->classes; c++)
        nearest[c] = INFINITY;
    for (size_t j = 0; j < view->count; j++) {
        if (j == i)
            continue;
        const double d = squared_distance(view->features + i * view->width,
                                          view->features + j * view->width, view->width);
        double *least_so_far = &nearest[view->labels[j]];
        *least_so_far = d < *least_so_far ? d : *least_so_far;
    }
}

int mfm_costs_separability(mfm_ctx *ctx, const mfm_loss_view *view, double *S)
{
    const int64_t classes = view->task->classes;
    double *nearest = mfm_alloc(ctx, view->count * (size_t)classes, sizeof *nearest);
    if (!nearest && view->count)
        return MFM_ENOMEM;
#pragma omp parallel for schedule(dynamic, 16)
    for (size_t i = 0; i < view->count; i++)
        find_nearest(view, i, nearest + i * (size_t)classes);
    for (int64_t p = 0; p < classes; p++)
        for (int64_t q = 0; q < classes; q++) {
            double sum = 0;
            size_t count = 0;
            for (size_t i = 0; i < view->count; i++) {
                const double *d = nearest + i * (size_t)classes;
                if (view->labels[i] != p || isinf(d[p]) || isinf(d[q]))
                    continue;
                sum += p == q || d[q] == 0 ? 1 : sqrt(d[p] / d[q]);
                count++;
            }
            S[p * classes + q] = count ? sum / (double)count : NAN;
        }
    mfm_free(ctx, nearest);
    return MFM_OK;
}

/* exp(-(x - mean)^2 / (2 deviation^2)); 1 of what is not known. */
static double bell(double x, double mean, double deviation)
{
    const double away = (x - mean) / deviation;
    return isnan(x) ? 1 : exp(-away * away / 2);
}

void mfm_costs_target(const mfm_loss_view *view, const mfm_cost_values *v, const double *S,
                      double *T)
{
    const int64_t classes = view->task->classes;
    const mfm_confusion *confusion = view->confusion;
    for (int64_t p = 0; p < classes; p++)
        for (int64_t q = 0; q < classes; q++) {
            const double h_p = mfm_task_count(view->task, p) / view->task->samples;
            const double h_q = mfm_task_count(view->task, q) / view->task->samples;
            const double images = (double)mfm_confusion_class_images(confusion, (int)p);
            const double R = confusion->count[p * confusion->classes + q] / images; /* 0/0: NAN */
            T[p * classes + q] =
                fmax(h_p, h_q) *
                bell(S[p * classes + q], v->separability_mean, v->separability_deviation) *
                bell(R, v->confusion_mean, v->confusion_deviation);
        }
}

void mfm_costs_step(const mfm_cost_values *v, int64_t classes, const double *T, real *xi)
{
    for (int64_t i = 0; i < classes * classes; i++) {
        const double moved = (double)xi[i] + 2 * v->rate * (T[i] - (double)xi[i]);
        xi[i] = (real)fmin(fmax(moved, least), 1);
    }
}
