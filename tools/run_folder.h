/*
 * The folder of a training run:
 *     run.json          every option, class counts, hash of the split, versions
 *     metrics.jsonl     one object per epoch
 *     checkpoint.onnx   the run as it stands: what --resume goes on from
 *     model.onnx        the plain model of the last epoch
 *     modulator.onnx    its modulator, where the method trains one
 *     report.html       all of it to read, when training ends or is interrupted
 * Every file but metrics.jsonl, which only grows, is replaced as a whole.
 */
#ifndef MFM_RUN_FOLDER_H
#define MFM_RUN_FOLDER_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "core/engine/context.h"

typedef struct mfm_run_folder {
    mfm_ctx *ctx;
    char *path, *run, *metrics, *checkpoint, *model, *modulator, *report;
    int lock; /* of the folder, held while the run is under way; -1 */
    FILE *log;
} mfm_run_folder;

/* path NULL: the output's name with ".run" instead of ".onnx". Changes nothing: a fresh run needs a
 * folder that can be made, or one without a checkpoint or anything foreign (MFM_EINVAL, MFM_EIO);
 * one that goes on needs a checkpoint. */
int mfm_run_folder_init(mfm_ctx *ctx, const char *path, const char *output, bool resume,
                        mfm_run_folder *folder);
/* Makes the folder, takes its lock, writes run.json, and leaves the first `epochs` lines of the
 * metrics. */
int mfm_run_folder_begin(mfm_run_folder *folder, const json_t *run, uint32_t epochs);
/* Appends one line to the metrics. */
int mfm_run_folder_log(mfm_run_folder *folder, const json_t *line);
void mfm_run_folder_clear(mfm_run_folder *folder);

#endif
