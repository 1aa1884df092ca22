/* What a run folder tells of its run, as a page shows it: run.json and metrics.jsonl. */
#ifndef MFM_RUN_RECORD_H
#define MFM_RUN_RECORD_H

#include <jansson.h>

#include "core/report/page/page.h"

typedef struct mfm_run_record {
    mfm_ctx *ctx;
    char *path;          /* of the folder, without a slash at its end */
    json_t *run, *lines; /* run.json; the metrics as a list of objects */
    mfm_page_run page;   /* points into what is here */
    int classes;
    const char **names; /* [classes], borrowed from run */
    double *per_class;  /* [3, classes]: training images, meta images, recall */
    double *per_epoch;  /* [1 + MFM_PAGE_SERIES, epochs]: number, series */
    char **texts;       /* that were made for the page */
    size_t n_texts, texts_capacity;
    mfm_page_row *options, *figures, *files;
} mfm_run_record;

/* MFM_EDATA names the line of the metrics, or the key, that is not as a run writes it. Clear it
 * after a failure too. */
int mfm_run_record_read(mfm_ctx *ctx, const char *path, const mfm_class_borders *borders,
                        mfm_run_record *record);
void mfm_run_record_clear(mfm_run_record *record);
/* An option as run.json tells it; "-" when it does not. */
const char *mfm_run_record_option(const mfm_run_record *record, const char *name);
/* Keeps a text until the record is cleared; NULL when memory ran out, now or in making it. */
const char *mfm_run_record_keep(mfm_run_record *record, char *text);
/* A relative place as it is named from here: those of a run are named from the folder where it
 * began. */
char *mfm_run_record_place(const mfm_run_record *record, const char *path);

#endif
