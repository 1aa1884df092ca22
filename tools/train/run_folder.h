/*
 * The folder of a training run:
 *     run.json          every option, class counts, hash of the split, versions
 *     images.txt        the image files, with class and part, where there are such: for --list
 *     metrics.jsonl     one object per epoch
 *     checkpoint.onnx   the run as it stands: what --resume goes on from
 *     checkpoint.previous.onnx   the one before: what it goes on from when that one is damaged
 *     model.onnx        the plain model of the last epoch
 *     best.onnx         the plain model of the epoch with the lowest validation error, if there is
 *                       a validation part
 *     modulator.onnx    its modulator, where the method trains one
 *     report.html       all of it to read, when training ends or is interrupted
 * Every file but metrics.jsonl, which only grows, is replaced as a whole. The lines of an epoch are
 * on the disk before the checkpoint that has the epoch.
 */
#ifndef MFM_RUN_FOLDER_H
#define MFM_RUN_FOLDER_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "onnx/proto/model.h"

#define MFM_RUN_CHECKPOINT "checkpoint.onnx"
#define MFM_RUN_PREVIOUS   "checkpoint.previous.onnx"

typedef struct mfm_run_folder {
    mfm_ctx *ctx;
    char *path, *run, *images, *metrics, *checkpoint, *previous, *model, *best, *modulator, *report;
    int lock;       /* of the folder, held while the run is under way; -1 */
    bool fell_back; /* checkpoint is damaged, and the run goes on from previous */
    int log;        /* metrics.jsonl, appended to; -1 */
} mfm_run_folder;

/* path NULL: the output's name with ".run" instead of ".onnx". Changes nothing: a fresh run needs a
 * folder that can be made, or one without a checkpoint or anything foreign (MFM_EINVAL, MFM_EIO);
 * one that goes on needs a checkpoint, and has the folder's lock from here on. So one of the two is
 * possible whatever a killed run left, and messages tell which. */
int mfm_run_folder_init(mfm_ctx *ctx, const char *path, const char *output, bool resume,
                        mfm_run_folder *folder);
/* The same for a rank that leaves the folder to another: its names alone. */
int mfm_run_folder_name(mfm_ctx *ctx, const char *path, const char *output, mfm_run_folder *folder);
/* The checkpoint that the run goes on from: the last one, or with a warning the one before it.
 * MFM_EDATA or MFM_EIO when neither is whole. The caller frees *checkpoint. */
int mfm_run_folder_load(mfm_run_folder *folder, mfm_model **checkpoint);
/* Makes the folder, takes its lock, removes temporary files, cuts the metrics to the first `epochs`
 * epochs (fewer are warned of, a line that tells no epoch is MFM_EDATA), and writes run.json. */
int mfm_run_folder_begin(mfm_run_folder *folder, const json_t *run, uint32_t epochs);
/* Writes run.json. */
int mfm_run_folder_describe(const mfm_run_folder *folder, const json_t *run);
/* Removes weights beside checkpoints and models that none of these names any more: each of them is
 * written with a file of its own where one file is too small (onnx/storage/external.h). */
int mfm_run_folder_sweep(const mfm_run_folder *folder);
/* Appends one line to the metrics; it is on the disk afterwards. */
int mfm_run_folder_log(mfm_run_folder *folder, const json_t *line);
void mfm_run_folder_clear(mfm_run_folder *folder);

#endif
