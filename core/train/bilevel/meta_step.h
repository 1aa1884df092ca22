/*
 * What methods with a trained hyper graph share: when its hyper-parameters are stepped, what the
 * virtual step is, and the step itself. A method of this kind describes its problem and says what
 * trains phi; the rest is here.
 */
#ifndef MFM_META_STEP_H
#define MFM_META_STEP_H

#include "core/train/bilevel/bilevel.h"
#include "core/train/training.h"

enum mfm_virtual_form {
    MFM_VIRTUAL_PLAIN, /* w - lr g */
    MFM_VIRTUAL_FULL   /* as the step on w itself, with momentum and weight decay */
};

enum mfm_virtual_params { MFM_VIRTUAL_ALL, MFM_VIRTUAL_CLASSIFIER };

typedef struct mfm_meta_steps {
    uint64_t every;       /* a meta step every so many steps */
    uint64_t from, until; /* the first and the last epoch that has them, from 1; until 0: the end */
    int virtual_form, virtual_params;
} mfm_meta_steps;

extern const mfm_settings mfm_meta_steps_settings;

/* For mfm_option's idle: why meta steps, and what they train, have no effect; NULL: they have. */
const char *mfm_no_meta_steps(const mfm_run_facts *run);

/* The streams of such a method, in this order. */
enum { MFM_META_STEP_TRAIN, MFM_META_STEP_META };

/* For mfm_method: the problem has one hyper graph. how: settings of an mfm_modulator_training, for
 * phi; NULL: phi is never stepped, and the run reads no meta batches. */
int mfm_meta_step_begin(mfm_training *training, const mfm_settings *how);
bool mfm_meta_step_reads(const mfm_training *training, int stream);
void mfm_meta_step_run(mfm_training *training, const mfm_batch *batches, double lr,
                       mfm_step_losses *losses);
void mfm_meta_step_end(mfm_training *training);
size_t mfm_meta_step_bytes(const mfm_training *training);

/* The last part of a bilevel step: w along the objective's gradient, sharpened when the run says
 * so.
 */
void mfm_step_weights(mfm_training *training, mfm_bilevel *bilevel, double lr);

#endif
