#include "onnx/storage/seal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "onnx/storage/file_read.h"

enum { BLOCK = 1 << 20, DIGITS = 32 };

struct mfm_seal {
    XXH3_state_t state;
};

int mfm_seal_new(mfm_ctx *ctx, mfm_seal **seal)
{
    _Static_assert(_Alignof(mfm_seal) <= 64, "what mfm_alloc_aligned gives");
    *seal = mfm_alloc_aligned(ctx, 1, sizeof **seal);
    if (!*seal)
        return MFM_ENOMEM;
    XXH3_128bits_reset(&(*seal)->state);
    return MFM_OK;
}

void mfm_seal_free(mfm_ctx *ctx, mfm_seal *seal)
{
    mfm_free_aligned(ctx, seal);
}

void mfm_seal_add(mfm_seal *seal, const void *bytes, size_t size)
{
    XXH3_128bits_update(&seal->state, bytes, size);
}

/* ModelProto's field 14, of StringStringEntryProto's fields 1 and 2. */
void mfm_seal_entry(const mfm_seal *seal, uint8_t entry[MFM_SEAL_SIZE])
{
    enum { KEY = sizeof MFM_SEAL_KEY - 1, INNER = 2 + KEY + 2 + DIGITS };
    _Static_assert(2 + INNER == MFM_SEAL_SIZE, "lengths below 128 take one byte each");
    const XXH128_hash_t hash = XXH3_128bits_digest(&seal->state);
    char text[DIGITS + 1];
    snprintf(text, sizeof text, "%016llx%016llx", (unsigned long long)hash.high64,
             (unsigned long long)hash.low64);
    const uint8_t head[4] = {14 << 3 | 2, INNER, 1 << 3 | 2, KEY};
    const uint8_t value[2] = {2 << 3 | 2, DIGITS};
    memcpy(entry, head, sizeof head);
    memcpy(entry + 4, MFM_SEAL_KEY, KEY);
    memcpy(entry + 4 + KEY, value, sizeof value);
    memcpy(entry + 6 + KEY, text, DIGITS);
}

static int read_failed(mfm_ctx *ctx, const char *path, ssize_t got)
{
    return mfm_fail(ctx, MFM_EIO, "cannot read %s: %s", path,
                    got < 0 ? strerror(errno) : "it became shorter");
}

static int add_file(mfm_ctx *ctx, mfm_seal *seal, int file, uint64_t size, const char *path)
{
    uint8_t *block = mfm_alloc(ctx, BLOCK, 1);
    int status = block ? MFM_OK : MFM_ENOMEM;
    for (uint64_t at = 0; at < size && !status;) {
        const size_t wanted = size - at < BLOCK ? (size_t)(size - at) : BLOCK;
        const ssize_t got = mfm_read_at(file, block, wanted, at);
        if (got != (ssize_t)wanted)
            status = read_failed(ctx, path, got);
        else
            mfm_seal_add(seal, block, wanted);
        at += wanted;
    }
    mfm_free(ctx, block);
    return status;
}

static int check_file(mfm_ctx *ctx, mfm_seal *seal, int file, uint64_t size, const char *path)
{
    uint8_t found[MFM_SEAL_SIZE], right[MFM_SEAL_SIZE];
    const uint64_t before = size < MFM_SEAL_SIZE ? 0 : size - MFM_SEAL_SIZE;
    const int status = add_file(ctx, seal, file, before, path);
    if (status)
        return status;
    const ssize_t got = mfm_read_at(file, found, MFM_SEAL_SIZE, before);
    if (got < 0)
        return read_failed(ctx, path, got);
    mfm_seal_entry(seal, right);
    if (got == MFM_SEAL_SIZE && memcmp(found, right, MFM_SEAL_SIZE) == 0)
        return MFM_OK;
    return mfm_fail(ctx, MFM_EDATA,
                    "%s: its checksum is wrong or missing: it was damaged, cut short, or not "
                    "written by this version",
                    path);
}

int mfm_seal_check(mfm_ctx *ctx, const char *path)
{
    struct stat st;
    mfm_seal *seal = NULL;
    const int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file < 0)
        return mfm_fail(ctx, MFM_EIO, "cannot open %s: %s", path, strerror(errno));
    int status = fstat(file, &st) ? read_failed(ctx, path, -1) : mfm_seal_new(ctx, &seal);
    if (!status && !S_ISREG(st.st_mode))
        status = mfm_fail(ctx, MFM_EIO, "cannot read %s: not a regular file", path);
    if (!status)
        status = check_file(ctx, seal, file, (uint64_t)st.st_size, path);
    mfm_seal_free(ctx, seal);
    close(file);
    return status;
}
