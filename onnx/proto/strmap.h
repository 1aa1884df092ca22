/*
 * A map from names to numbers: open addressing, keys borrowed from the caller and valid as long as
 * the map is used.
 */
#ifndef MFM_ONNX_STRMAP_H
#define MFM_ONNX_STRMAP_H

#include <stdbool.h>
#include <stddef.h>

#include "core/base/context.h"

typedef struct mfm_strmap {
    mfm_ctx *ctx;
    struct mfm_strmap_slot {
        const char *key; /* NULL: free */
        size_t value, hash;
    } * slots;
    size_t count, capacity; /* a power of two, at most three quarters full */
} mfm_strmap;

void mfm_strmap_init(mfm_strmap *map, mfm_ctx *ctx);
void mfm_strmap_clear(mfm_strmap *map);
/* Sets key's number, new or old. MFM_ENOMEM leaves the map as it was. */
int mfm_strmap_set(mfm_strmap *map, const char *key, size_t value);
/* Whether key is there; *value, unless value is NULL, is then its number. */
bool mfm_strmap_get(const mfm_strmap *map, const char *key, size_t *value);

#endif
