/* Real files: every one below the folders given by the build, and a copy of it, must come back byte
 * for byte. */
#include <ftw.h>
#include <stdlib.h>
#include <string.h>

#include "tests/onnx/hand.h"
#include "tests/suite.h"

static mfm_ctx *ctx;
static size_t files, wrong;

static bool ends_with(const char *text, const char *end)
{
    const size_t n = strlen(text), m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

static bool same_as_file(const char *path, const void *bytes, size_t size)
{
    FILE *file = fopen(path, "rb");
    unsigned char *content = malloc(size + 1);
    const bool same = file && content && fread(content, 1, size + 1, file) == size &&
                      memcmp(content, bytes, size) == 0;
    free(content);
    if (file)
        fclose(file);
    return same;
}

static bool packs_to(const char *path, const mfm_model *model)
{
    void *bytes;
    size_t size;
    if (mfm_model_pack(ctx, model, &bytes, &size))
        return false;
    const bool same = same_as_file(path, bytes, size);
    mfm_free(ctx, bytes);
    return same;
}

static bool round_trip(const char *path)
{
    mfm_model *model, *copy = NULL;
    if (mfm_model_load(ctx, path, &model) || mfm_model_copy(ctx, model, &copy))
        printf("\n    %s\n", mfm_message(ctx));
    const bool same = copy && packs_to(path, model) && packs_to(path, copy);
    if (copy && !same)
        printf("\n    %s: not the same bytes\n", path);
    mfm_model_free(copy);
    mfm_model_free(model);
    return same;
}

static int visit(const char *path, const struct stat *st, int kind, struct FTW *place)
{
    (void)st;
    (void)place;
    if (kind == FTW_F && ends_with(path, ".onnx")) {
        files++;
        wrong += !round_trip(path);
    }
    return 0;
}

static void test_all(void)
{
    ctx = mfm_ctx_new(NULL);
    CU_ASSERT_EQUAL(nftw(MFM_TEST_CORPUS, visit, 16, FTW_PHYS), 0);
    printf("%zu files ", files);
    CU_ASSERT_TRUE(files > 1000);
    CU_ASSERT_EQUAL(wrong, 0);
    mfm_ctx_free(ctx);
}

static const mfm_case cases[] = {
    {"every model of ONNX's own tests comes back byte for byte", test_all},
};
MFM_SUITE("onnx/corpus", cases)
