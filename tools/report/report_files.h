/* What report writes beside the page. */
#ifndef MFM_REPORT_FILES_H
#define MFM_REPORT_FILES_H

#include "tools/report/run_list.h"

/* Every figure of the page as a file of its own, FOLDER/NAME.svg or FOLDER/NAME-RUN.svg with the
 * run's number from 1; png: also as PNG, by rsvg-convert. *written is their number. */
int mfm_report_figures(mfm_ctx *ctx, const mfm_page_text *text, const char *folder, bool png,
                       int *written);
/* MFM_EINVAL when there is no rsvg-convert. */
int mfm_report_check_png(mfm_ctx *ctx);
/* The metrics of all runs, a line for each run and epoch. */
int mfm_report_csv(const mfm_run_list *list, const char *path);
/* An event file FOLDER/RUN/events.out.tfevents.onnx-mfm for each run. */
int mfm_report_tensorboard(const mfm_run_list *list, const char *folder);

#endif
