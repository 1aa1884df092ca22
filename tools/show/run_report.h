/* report.html of a run folder, made from its run.json and metrics.jsonl. */
#ifndef MFM_RUN_REPORT_H
#define MFM_RUN_REPORT_H

#include "tools/train/run_folder.h"

/* Replaces the page as a whole. MFM_EDATA names the line of the metrics, or the key, that is not as
 * a run writes it. */
int mfm_run_report(mfm_ctx *ctx, const mfm_run_folder *folder);

#endif
