/* The picture around a chart's data: its size, title and vertical axis. */
#ifndef MFM_SVG_FRAME_H
#define MFM_SVG_FRAME_H

#include "core/report/markup.h"
#include "core/report/scale.h"

/* In the picture's own units; it is scaled to the page's width. */
typedef struct mfm_frame {
    mfm_scale y;
    double width, height;            /* of the picture */
    double left, top, right, bottom; /* of the data */
} mfm_frame;

/* A frame with `below` units for what stands under the data. */
mfm_frame mfm_frame_make(const mfm_scale *y, double below);
void mfm_frame_open(mfm_markup *markup, const mfm_frame *frame, const char *title);
void mfm_frame_close(mfm_markup *markup);
double mfm_frame_y(const mfm_frame *frame, double value);

#endif
