/* One training run over tiny data, and what is watched of it. */
#ifndef MFM_TESTS_TRAIN_SESSION_H
#define MFM_TESTS_TRAIN_SESSION_H

#include "core/train/bilevel/meta_step.h"
#include "tests/core/train/support/prepared.h"
#include "tests/core/train/support/tiny_data.h"

enum { SESSION_EPOCHS = 3 };

typedef struct session {
    prepared p;
    tiny_data data;
    mfm_modulator_training modulator; /* also of a weighting network */
    mfm_meta_steps meta_steps;
    mfm_chosen chosen[6];
    mfm_train_options options; /* chosen is the session's own */
    mfm_training *training;
    volatile sig_atomic_t stop;
    uint64_t stop_at;          /* asks for a stop after this step; 0: never */
    uint32_t stop_evaluated;   /* asks for one within an evaluation, after that many images */
    double save_seconds;       /* as in mfm_train_events */
    size_t spare_from;         /* the same; saving then takes some time */
    const char *checkpoint;    /* path that save writes to; NULL: saving only counts */
    int fail_save, fail_epoch; /* results of the events */
    int steps, epochs, saves;
    char note[512];      /* the last */
    uint64_t last_saved; /* step of the last save */
    double train_loss[SESSION_EPOCHS], meta_loss[SESSION_EPOCHS], test_error[SESSION_EPOCHS];
    double lr[SESSION_EPOCHS], validation_error[SESSION_EPOCHS], validation_loss[SESSION_EPOCHS];
} session;

/* Options that a test may change before session_start. */
void session_init(session *s, const recipe *from, const char *method);
/* The same data, and the options of another, on a model that is there already: a checkpoint. */
void session_init_model(session *s, mfm_ctx *ctx, mfm_model *model, const session *like);
void session_start(session *s);
/* The test images again and again, up to count: an evaluation of several batches. Before
 * session_run. */
void session_repeat_tests(session *s, uint32_t count);
/* Another split of the same images, with so many of each class for validation. Before session_run.
 */
void session_validate(session *s, uint32_t per_class);
/* mfm_train with events that fill in the session. */
int session_run(session *s);
void session_clear(session *s);

/* Every vector and counter that a checkpoint holds agrees bit for bit (not the seconds). */
bool session_same(const session *a, const session *b);

#endif
