/* The commands that train a run of a table, as words of a command line. */
#ifndef MFM_REPRODUCE_COMMANDS_H
#define MFM_REPRODUCE_COMMANDS_H

#include "tools/reproduce/plan.h"

enum { MFM_MOST_WORDS = 160 };

/* Words are kept until they are cleared. The first failure stays. */
typedef struct mfm_words {
    mfm_ctx *ctx;
    char *item[MFM_MOST_WORDS + 1]; /* ended by NULL */
    int count, status;
} mfm_words;

/* Owns the word, which may be NULL: memory ran out. */
void mfm_words_take(mfm_words *words, char *word);
void mfm_words_add(mfm_words *words, const char *word);
void mfm_words_add_number(mfm_words *words, const char *option, long long number);
/* Words that are separated by blanks. */
void mfm_words_add_all(mfm_words *words, const char *text);
void mfm_words_clear(mfm_words *words);

/* Which dataset, by its name, and where it is. */
const char *mfm_reproduce_dataset(const mfm_paper_run *run);
const char *mfm_reproduce_specification(const mfm_reproduce *r, const mfm_paper_run *run);

/* The model that a run starts from; the caller frees it. */
char *mfm_reproduce_start_path(const mfm_reproduce *r, const mfm_paper_run *run);
/* The command that makes it. */
void mfm_reproduce_write_start(const mfm_reproduce *r, const mfm_paper_run *run, const char *start,
                               mfm_words *words);
/* The command that trains it, but for where results go. */
void mfm_reproduce_write_train(const mfm_reproduce *r, const mfm_paper_run *run, const char *start,
                               mfm_words *words);

#endif
