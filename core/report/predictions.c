#include "core/report/predictions.h"

#include <math.h>

int mfm_predictions_init(mfm_ctx *ctx, mfm_predictions *predictions, uint32_t images)
{
    *predictions = (mfm_predictions){.room = images};
    predictions->item = mfm_alloc(ctx, images, sizeof *predictions->item);
    return predictions->item ? MFM_OK : MFM_ENOMEM;
}

void mfm_predictions_clear(mfm_ctx *ctx, mfm_predictions *predictions)
{
    mfm_free(ctx, predictions->item);
    *predictions = (mfm_predictions){.item = NULL};
}

void mfm_predictions_add(mfm_predictions *predictions, const mfm_outcome *outcome)
{
    if (predictions->count < predictions->room)
        predictions->item[predictions->count++] = *outcome;
}

double mfm_predictions_top(const mfm_predictions *predictions, int k)
{
    uint32_t right = 0, counted = 0;
    for (uint32_t i = 0; i < predictions->count; i++) {
        const mfm_outcome *o = &predictions->item[i];
        counted += o->label >= 0;
        right += o->label >= 0 && o->rank >= 0 && o->rank < k;
    }
    return counted ? 100.0 * right / counted : NAN;
}

static int bin_of(double confidence)
{
    int bin = 0;
    while (bin < MFM_CALIBRATION_BINS - 1 && confidence > (bin + 1.0) / MFM_CALIBRATION_BINS)
        bin++;
    return bin;
}

mfm_calibration mfm_predictions_calibration(const mfm_predictions *predictions)
{
    mfm_calibration c = {.counted = 0};
    uint32_t right[MFM_CALIBRATION_BINS] = {0};
    double sum[MFM_CALIBRATION_BINS] = {0};
    for (uint32_t i = 0; i < predictions->count; i++) {
        const mfm_outcome *o = &predictions->item[i];
        if (isnan(o->confidence))
            continue;
        const int bin = bin_of(o->confidence);
        c.images[bin]++;
        c.counted++;
        right[bin] += o->rank == 0;
        sum[bin] += o->confidence;
    }
    for (int b = 0; b < MFM_CALIBRATION_BINS; b++) {
        const uint32_t images = c.images[b];
        c.accuracy[b] = images ? 100.0 * right[b] / images : NAN;
        c.confidence[b] = images ? 100.0 * sum[b] / images : NAN;
        if (images)
            c.error += (double)images / c.counted * fabs(c.accuracy[b] - c.confidence[b]);
    }
    if (c.counted == 0)
        c.error = NAN;
    return c;
}
