/*
 * 128 bits that tell bytes from other bytes: XXH3 (Collet's xxHash) with seed 0, in its canonical
 * order, the highest byte first. It guards against damage and mistakes, not against forgery.
 */
#ifndef MFM_DIGEST_H
#define MFM_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/linkage.h"

MFM_C_BEGIN

typedef struct mfm_digest {
    uint8_t byte[16];
} mfm_digest;

mfm_digest mfm_digest_of(const void *bytes, size_t size);
/* Of what `before` stands for, with more behind it. It depends on where the parts end. */
mfm_digest mfm_digest_more(mfm_digest before, const void *bytes, size_t size);
/* The same for a number, as eight bytes, the lowest first. */
mfm_digest mfm_digest_number(mfm_digest before, uint64_t number);
bool mfm_digest_same(const mfm_digest *a, const mfm_digest *b);

/* Hexadecimal digits; returns text. */
enum { MFM_DIGEST_TEXT = 33 };
char *mfm_digest_text(const mfm_digest *digest, char text[MFM_DIGEST_TEXT]);

MFM_C_END

#endif
