/*
 * A training method: what one step does with a training batch (and a meta batch).
 * Adding one: a file in methods/ that defines `const mfm_method mfm_method_NAME`, and a line in
 * methods.def.
 */
#ifndef MFM_METHOD_H
#define MFM_METHOD_H

#include <stdbool.h>

#include "core/train/bilevel.h"

typedef struct mfm_training mfm_training;

typedef struct mfm_step_losses {
    double train;
    double meta; /* 0 for a method without meta set */
} mfm_step_losses;

typedef struct mfm_method {
    const char *name;
    const char *summary;
    bool needs_meta;      /* reads a meta batch each step */
    bool needs_modulator; /* trains a modulated model */
    /* Makes the plans; sets training->method_state. */
    int (*begin)(mfm_training *training);
    /* One step at learning rate lr: updates the training's vectors. Cannot fail. */
    void (*step)(mfm_training *training, const mfm_batch *train, const mfm_batch *meta, double lr,
                 mfm_step_losses *losses);
    void (*end)(mfm_training *training);
    /* Bytes of buffers that the method holds. */
    size_t (*bytes)(const mfm_training *training);
} mfm_method;

/* Ended by NULL. */
extern const mfm_method *const mfm_methods[];
const mfm_method *mfm_method_find(const char *name);

#endif
