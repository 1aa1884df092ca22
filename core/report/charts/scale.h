/* From numbers to places along an axis, and where its ticks stand. */
#ifndef MFM_SCALE_H
#define MFM_SCALE_H

#include <stdbool.h>

enum { MFM_MOST_TICKS = 24 };

typedef struct mfm_scale {
    double low, high; /* low < high */
    bool log;
    double tick[MFM_MOST_TICKS];
    int n_ticks;
} mfm_scale;

/* Steps of 1, 2 or 5 times a power of ten, at most `most` of them (1 to 20); the ends are moved out
 * to ticks. Three digits tell the ticks apart: what hardly moves is shown so. Ends that are one
 * number give the scale from 0 to it, or 0 to 1. Ends that are not finite count as 0. */
mfm_scale mfm_scale_linear(double low, double high, int most);
/* Numbers counted from first to last, in whole steps; the ends stay as they are, half a number
 * farther out when they are one. */
mfm_scale mfm_scale_counted(double first, double last, int most);
/* For counts, low and high >= 1, from half of low, so that a bar for low itself can be seen, to
 * high. Ticks are whole: powers of ten, 2 and 5 times them too where that leaves few, and even
 * steps where that still does. Three at least, but below 5 as many as there are. */
mfm_scale mfm_scale_log(double low, double high);
/* 0 at low, 1 at high; held within these. */
double mfm_scale_at(const mfm_scale *scale, double value);

#endif
