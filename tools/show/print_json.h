/* Results as JSON on standard output. */
#ifndef MFM_PRINT_JSON_H
#define MFM_PRINT_JSON_H

#include <jansson.h>

#include "core/base/context.h"

/* Prints root, indented, and gives it up. root NULL stands for memory that ran out on the way. */
int mfm_print_json(mfm_ctx *ctx, json_t *root);

/* A name out of a file, or a path: whatever is not ASCII becomes '?' in one that is not UTF-8,
 * which JSON cannot hold. NULL only when memory ran out. */
json_t *mfm_json_text(const char *text);
/* The same for what is to be read back: every byte of such a name is kept besides. */
json_t *mfm_json_exact(const char *text);
/* The text of either; the caller frees *text. MFM_EDATA when json is neither. */
int mfm_json_exact_text(mfm_ctx *ctx, const json_t *json, char **text);
/* null for what is no finite number: JSON has no other word for it. */
json_t *mfm_json_number(double number);

#endif
