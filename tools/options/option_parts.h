/* What the files behind options.h share. */
#ifndef MFM_OPTION_PARTS_H
#define MFM_OPTION_PARTS_H

#include "tools/options/options.h"

enum { MFM_OPTION_TEXT = 512 };

/* An option and where its field lies in the structure that is filled. */
typedef struct mfm_option_entry {
    const mfm_option *option;
    size_t offset;
    bool idle; /* its group is */
} mfm_option_entry;

/* The index-th option over all groups; false after the last. */
bool mfm_option_at(const mfm_option_table *table, size_t index, mfm_option_entry *entry);

/* Sets the field from text, which must outlive it. first: the option has not been given before.
 * MFM_EUSAGE names the option, the value and the rule. */
int mfm_option_set(mfm_ctx *ctx, const mfm_option *option, const char *text, bool first,
                   void *field);

/* What MODEL can be; "" where there is none. */
const char *mfm_option_model_note(const mfm_option_table *table);
/* The help line: what it is, the choices, the default that field holds. */
void mfm_option_describe(const mfm_option *option, const void *field, char text[MFM_OPTION_TEXT]);

#endif
