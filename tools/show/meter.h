/*
 * Progress of a training run for people: one line that is redrawn when the stream is a terminal, of
 * which its width shows what is worth the most; else one line per epoch, and every five minutes.
 */
#ifndef MFM_METER_H
#define MFM_METER_H

#include <stdbool.h>
#include <stdio.h>

#include "core/train/trainer.h"

typedef struct mfm_meter {
    FILE *stream;
    bool terminal;
    bool drawn; /* the line is on the screen now */
    uint32_t epochs;
    double begun_at, drawn_at; /* seconds of the monotonic clock */
    double seconds_left;       /* as was told last */
    double last_error;         /* percent; negative before the first evaluation */
    double last_validation;    /* percent; NAN: not measured */
} mfm_meter;

/* last_error < 0: no epoch has been evaluated yet; last_validation NAN: not on validation images.
 */
void mfm_meter_init(mfm_meter *meter, FILE *stream, uint32_t epochs, double last_error,
                    double last_validation);
void mfm_meter_progress(mfm_meter *meter, const mfm_progress *progress);
void mfm_meter_epoch(mfm_meter *meter, const mfm_epoch_report *report);
/* Of work on images that stands alone, an evaluation; it begins where done is 0, and the time since
 * then tells how much is left. */
void mfm_meter_images(mfm_meter *meter, const char *doing, uint32_t done, uint32_t total);
/* Takes the line off the screen, so that something else can be printed. */
void mfm_meter_clear(mfm_meter *meter);

#endif
