#include "core/base/digest.h"

#include <stdio.h>
#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

mfm_digest mfm_digest_of(const void *bytes, size_t size)
{
    XXH128_canonical_t canonical;
    mfm_digest digest;
    _Static_assert(sizeof canonical.digest == sizeof digest.byte, "128 bits");
    XXH128_canonicalFromHash(&canonical, XXH3_128bits(bytes, size));
    memcpy(digest.byte, canonical.digest, sizeof digest.byte);
    return digest;
}

mfm_digest mfm_digest_more(mfm_digest before, const void *bytes, size_t size)
{
    const mfm_digest both[2] = {before, mfm_digest_of(bytes, size)};
    return mfm_digest_of(both, sizeof both);
}

mfm_digest mfm_digest_number(mfm_digest before, uint64_t number)
{
    uint8_t bytes[8];
    for (int i = 0; i < 8; i++)
        bytes[i] = (uint8_t)(number >> 8 * i);
    return mfm_digest_more(before, bytes, sizeof bytes);
}

bool mfm_digest_same(const mfm_digest *a, const mfm_digest *b)
{
    return memcmp(a->byte, b->byte, sizeof a->byte) == 0;
}

char *mfm_digest_text(const mfm_digest *digest, char text[MFM_DIGEST_TEXT])
{
    for (size_t i = 0; i < sizeof digest->byte; i++)
        snprintf(text + 2 * i, 3, "%02x", digest->byte[i]);
    return text;
}
