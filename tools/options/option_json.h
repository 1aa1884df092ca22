/* Options as JSON: how a run remembers what it was asked for, and goes on with it. */
#ifndef MFM_OPTION_JSON_H
#define MFM_OPTION_JSON_H

#include <jansson.h>

#include "tools/options/options.h"

/* Every option that is neither local nor idle, by name, in the table's order; NULL when memory ran
 * out. */
json_t *mfm_options_to_json(const mfm_option_table *table, const void *values);

/* The value of one option, whose field is given. */
json_t *mfm_option_to_json(const mfm_option *option, const void *field);

/* Takes from a run's options what was not given now; what was given and is fixed must be equal.
 * Relative places are those of folder, where the run's options were given (NULL: the working
 * folder). One that is missing or damaged in the run is MFM_EDATA; one that differs is MFM_EINVAL
 * with both values. */
int mfm_options_adopt(mfm_ctx *ctx, const mfm_option_table *table, const json_t *run,
                      const char *folder, void *values, mfm_arguments *arguments);

/* The first of a run's options, but for empty ones, that the table does not have; NULL: it has all
 * of them. */
const char *mfm_options_unknown(const mfm_option_table *table, const json_t *run);

#endif
