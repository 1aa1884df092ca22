/*
 * Files of features, as they are and with digests of entries that are right whatever was changed:
 * what is accepted gives rows within the file alone, and each has the digest that its entry tells.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/train/features/feature_file.h"
#include "tests/fuzz/fuzz.h"
#include "tests/scratch.h"

enum { MEMORY = 1 << 20, WIDTH = 3, MOST_BYTES = 1 << 14, HEAD = 64, ENTRY = 48 };

static mfm_digest key_of_seeds(void)
{
    return mfm_digest_of("fuzz", 4);
}

/* The one file of the process, in memory: a disk would be waited for at each input. */
static const char *file_of(const uint8_t *bytes, size_t size)
{
    static char path[32];
    static int file = -1;
    if (file < 0) {
        file = memfd_create("features", 0);
        if (file < 0) {
            perror("memfd_create");
            abort();
        }
        snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    }
    if (ftruncate(file, 0) || pwrite(file, bytes, size, 0) != (ssize_t)size) {
        perror(path);
        abort();
    }
    return path;
}

static const uint8_t *entry_of(const uint8_t *bytes, uint32_t row)
{
    return bytes + HEAD + (size_t)row * (ENTRY + WIDTH * sizeof(real));
}

static void check_rows(const mfm_ctx *ctx, const mfm_feature_file *file, const uint8_t *bytes)
{
    const uint32_t count = mfm_feature_file_count(file);
    real row[WIDTH];
    for (uint32_t i = 0; i < count; i++) {
        mfm_digest name, told;
        memcpy(&name, entry_of(bytes, i), sizeof name);
        const uint32_t found = mfm_feature_file_find(file, &name);
        fuzz_need(found < count, ctx, "a name that is there is found");
        const int status = mfm_feature_file_read(file, found, row);
        fuzz_need_reason(status, ctx);
        memcpy(&told, entry_of(bytes, found) + sizeof name, sizeof told);
        const mfm_digest digest = mfm_digest_of(row, sizeof row);
        fuzz_need(status || mfm_digest_same(&digest, &told), ctx, "a row has its digest");
    }
    /* libFuzzer learns this name, too, and writes files that have it. */
    const mfm_digest other = mfm_digest_of("no image", 8);
    const uint32_t found = mfm_feature_file_find(file, &other);
    fuzz_need(found >= count || memcmp(entry_of(bytes, found), &other, sizeof other) == 0, ctx,
              "what is not there is not found");
}

static void try_file(mfm_ctx *ctx, const uint8_t *bytes, size_t size)
{
    const mfm_digest key = key_of_seeds();
    mfm_feature_file *file;
    const int status = mfm_feature_file_open(ctx, file_of(bytes, size), &key, WIDTH, &file);
    fuzz_need_reason(status, ctx);
    fuzz_need((status == MFM_OK) == (file != NULL), ctx, "a file or a failure");
    if (file) {
        check_rows(ctx, file, bytes);
        fuzz_whole++;
    }
    mfm_feature_file_close(file);
}

/* Gives each entry the digest that it would have. */
static void mend(uint8_t *bytes, size_t size)
{
    if (size < HEAD)
        return;
    for (uint32_t i = 0; (size_t)(entry_of(bytes, i + 1) - bytes) <= size; i++) {
        uint8_t *entry = bytes + (entry_of(bytes, i) - bytes);
        mfm_digest d = mfm_digest_more(mfm_digest_of(bytes, HEAD), entry, ENTRY - sizeof d);
        d = mfm_digest_number(d, i);
        memcpy(entry + ENTRY - sizeof d, &d, sizeof d);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static uint8_t mended[MOST_BYTES];
    fuzz_memory memory = {MEMORY};
    if (size > sizeof mended)
        return 0;
    mfm_ctx *ctx = fuzz_ctx(&memory);
    if (!ctx)
        return 0;
    try_file(ctx, bytes, size);
    memcpy(mended, bytes, size);
    mend(mended, size);
    try_file(ctx, mended, size);
    mfm_ctx_free(ctx);
    return 0;
}

/* ---- seeds ---- */

static bool seed(fuzz_take *take, void *self, uint32_t rows)
{
    char path[SCRATCH];
    static uint8_t bytes[MOST_BYTES];
    if (!scratch_file(path, "fuzz-features"))
        return false;
    const mfm_digest key = key_of_seeds();
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    mfm_feature_file *f = NULL;
    bool good = ctx && !mfm_feature_file_new(ctx, path, &key, WIDTH, &f);
    for (uint32_t i = 0; i < rows && good; i++) {
        const mfm_digest name = mfm_digest_number(key, i);
        const real row[WIDTH] = {(real)i, 1, -1};
        uint32_t number;
        good = !mfm_feature_file_add(f, &name, row, &number);
    }
    good = good && !mfm_feature_file_sync(f);
    mfm_feature_file_close(f);
    FILE *file = good ? fopen(path, "rb") : NULL;
    const size_t size = file ? fread(bytes, 1, sizeof bytes, file) : 0;
    if (file)
        fclose(file);
    unlink(path);
    mfm_ctx_free(ctx);
    if (size)
        take(self, bytes, size);
    return size > 0;
}

bool fuzz_seeds(fuzz_take *take, void *self)
{
    return seed(take, self, 0) && seed(take, self, 1) && seed(take, self, 5);
}
