/* report.html of a run folder, made from its run.json and metrics.jsonl while the run goes on. */
#ifndef MFM_RUN_REPORT_H
#define MFM_RUN_REPORT_H

#include "core/report/confusion.h"
#include "tools/train/run_folder.h"

/* Replaces the page as a whole. latest: of the last epoch's test images; NULL: not known.
 * under_way: there is more to come, and the page says so. MFM_EDATA names the line of the metrics,
 * or the key, that is not as a run writes it. */
int mfm_run_report(mfm_ctx *ctx, const mfm_run_folder *folder, const mfm_confusion *latest,
                   bool under_way);

#endif
