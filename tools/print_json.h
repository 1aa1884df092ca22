/* Results as JSON on standard output. */
#ifndef MFM_PRINT_JSON_H
#define MFM_PRINT_JSON_H

#include <jansson.h>

#include "core/engine/context.h"

/* Prints root, indented, and gives it up. root NULL stands for memory that ran out on the way. */
int mfm_print_json(mfm_ctx *ctx, json_t *root);

/* null for what is no finite number: JSON has no other word for it. */
json_t *mfm_json_number(double number);

#endif
