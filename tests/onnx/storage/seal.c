/* The checksum of checkpoints. */
#include "onnx/storage/seal.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "onnx/checkpoint.h"
#include "tests/onnx/hand.h"
#include "tests/scratch.h"
#include "tests/suite.h"

static bool is_refused(mfm_ctx *ctx, const char *path)
{
    mfm_model *model;
    const int status = mfm_checkpoint_load(ctx, path, &model);
    mfm_model_free(model);
    return status == MFM_EDATA && strstr(mfm_message(ctx), "checksum");
}

/* Every bit turned, every page zeroed, every length cut to, and bytes behind. */
static void every_change_of_the_file_is_refused(void)
{
    char path[SCRATCH];
    CU_ASSERT_PTR_NOT_NULL_FATAL(scratch_file(path, "seal"));
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    mfm_model *model = hand_residual(ctx, 8, 13), *read = NULL;
    CU_ASSERT_EQUAL_FATAL(mfm_model_save_sealed(ctx, model, path, NULL), MFM_OK);
    CU_ASSERT_EQUAL_FATAL(mfm_checkpoint_load(ctx, path, &read), MFM_OK);
    mfm_model_free(read);
    mfm_model_free(model);
    uint8_t bytes[1 << 16];
    const int file = open(path, O_RDWR);
    const ssize_t size = pread(file, bytes, sizeof bytes, 0);
    CU_ASSERT_FATAL(size > 1000 && size < (ssize_t)sizeof bytes);
    for (ssize_t i = 0; i < 8 * size; i++) {
        const uint8_t turned = (uint8_t)(bytes[i / 8] ^ 1 << i % 8);
        CU_ASSERT_EQUAL(pwrite(file, &turned, 1, i / 8), 1);
        CU_ASSERT(is_refused(ctx, path));
        CU_ASSERT_EQUAL(pwrite(file, &bytes[i / 8], 1, i / 8), 1);
    }
    static const uint8_t zeros[4096];
    for (ssize_t at = 0; at < size; at += 512) {
        const size_t length = (size_t)(size - at < 4096 ? size - at : 4096);
        CU_ASSERT_EQUAL(pwrite(file, zeros, length, at), (ssize_t)length);
        CU_ASSERT(is_refused(ctx, path));
        CU_ASSERT_EQUAL(pwrite(file, bytes + at, length, at), (ssize_t)length);
    }
    CU_ASSERT(pwrite(file, zeros, 8, size) == 8 && is_refused(ctx, path));
    for (ssize_t length = size; length-- > 0;)
        CU_ASSERT(ftruncate(file, length) == 0 && is_refused(ctx, path));
    CU_ASSERT_EQUAL(pwrite(file, bytes, (size_t)size, 0), size);
    CU_ASSERT_EQUAL(mfm_checkpoint_check(ctx, path), MFM_OK);
    close(file);
    unlink(path);
    mfm_ctx_free(ctx);
}

/* XXH3 of 128 bits, seed 0, over all that precedes the entry: as xxh128sum tells it of
 * "abc", whose digits stand here. */
static void the_checksum_is_xxh3(void)
{
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    mfm_seal *seal;
    uint8_t entry[MFM_SEAL_SIZE];
    CU_ASSERT_EQUAL_FATAL(mfm_seal_new(ctx, &seal), MFM_OK);
    mfm_seal_add(seal, "a", 1);
    mfm_seal_add(seal, "bc", 2);
    mfm_seal_entry(seal, entry);
    CU_ASSERT_EQUAL(memcmp(entry, "r0\n\fmfm.checksum\x12\x20", 18), 0);
    CU_ASSERT_EQUAL(memcmp(entry + 18, "06b05ab6733a618578af5f94892f3950", 32), 0);
    mfm_seal_free(ctx, seal);
    mfm_ctx_free(ctx);
}

static const mfm_case cases[] = {
    {"every change of the file is refused", every_change_of_the_file_is_refused},
    {"the checksum is XXH3's of 128 bits", the_checksum_is_xxh3},
};
MFM_SUITE("onnx/seal", cases)
