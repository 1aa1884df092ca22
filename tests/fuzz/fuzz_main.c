/*
 * Drives the fuzz target where libFuzzer is not at hand:
 *     fuzz-model FILE ...                   replays files
 *     fuzz-model --mutate N SEED [FILE ...] replays each, then N mutations of it
 * Without files it takes small models of its own: plain ones of several versions, and injected
 * ones. A mutation changes a few bytes, cuts a piece out or doubles one; the same seed and files
 * give the same mutations.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/engine/random.h"
#include "onnx/inject.h"
#include "tests/fuzz/fuzz_model.h"
#include "tests/onnx/hand.h"

enum { MOST_BYTES = 1 << 20 };

static size_t read_file(const char *path, uint8_t *bytes)
{
    FILE *file = fopen(path, "rb");
    if (!file) {
        perror(path);
        return 0;
    }
    const size_t size = fread(bytes, 1, MOST_BYTES, file);
    fclose(file);
    return size;
}

static size_t change_bytes(const mfm_key *key, uint8_t *bytes, size_t size)
{
    const uint64_t count = 1 + mfm_random_below(key, 1, 4);
    for (uint64_t i = 0; i < count; i++)
        bytes[mfm_random_below(key, 2 * i + 2, size)] =
            (uint8_t)mfm_random_below(key, 2 * i + 3, 256);
    return size;
}

static size_t cut_out(const mfm_key *key, uint8_t *bytes, size_t size)
{
    const size_t at = mfm_random_below(key, 1, size);
    const size_t length = 1 + mfm_random_below(key, 2, size - at);
    memmove(bytes + at, bytes + at + length, size - at - length);
    return size - length;
}

static size_t repeat(const mfm_key *key, uint8_t *bytes, size_t size)
{
    const size_t at = mfm_random_below(key, 1, size);
    const size_t length = 1 + mfm_random_below(key, 2, size - at);
    if (size + length > MOST_BYTES)
        return size;
    memmove(bytes + at + length, bytes + at, size - at);
    return size + length;
}

static size_t mutate(const mfm_key *key, uint8_t *bytes, size_t size)
{
    switch (mfm_random_below(key, 0, 6)) {
    case 0:
        return cut_out(key, bytes, size);
    case 1:
        return repeat(key, bytes, size);
    default:
        return change_bytes(key, bytes, size);
    }
}

/* An exact copy, so that a sanitizer sees every byte read past the end. */
static void run(const uint8_t *bytes, size_t size)
{
    uint8_t *exact = malloc(size ? size : 1);
    if (!exact)
        return;
    memcpy(exact, bytes, size);
    LLVMFuzzerTestOneInput(exact, size);
    free(exact);
}

typedef struct fuzzer {
    mfm_key key;
    unsigned long rounds;
    uint8_t original[MOST_BYTES], mutant[MOST_BYTES];
} fuzzer;

static void run_all(fuzzer *f, size_t size)
{
    run(f->original, size);
    for (f->key.step = 0; f->key.step < f->rounds && size; f->key.step++) {
        memcpy(f->mutant, f->original, size);
        run(f->mutant, mutate(&f->key, f->mutant, size));
    }
    f->key.node++;
}

/* A model of its own into f->original; 0 when it could not be made. */
static size_t make_seed(fuzzer *f, int64_t ir_version, int64_t opset, bool inject)
{
    const mfm_inject_options options = {.hidden = 2};
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    if (!ctx)
        return 0;
    mfm_model *model = hand_residual(ctx, ir_version, opset);
    void *bytes;
    size_t size = 0;
    if ((!inject || !mfm_model_inject(ctx, model, &options)) &&
        !mfm_model_pack(ctx, model, &bytes, &size) && size <= MOST_BYTES) {
        memcpy(f->original, bytes, size);
        mfm_free(ctx, bytes);
    }
    mfm_model_free(model);
    mfm_ctx_free(ctx);
    return size;
}

static bool run_seeds(fuzzer *f)
{
    static const int64_t versions[][2] = {{3, 8}, {4, 9}, {8, 17}};
    bool made = true;
    for (size_t i = 0; i < 2 * sizeof versions / sizeof versions[0]; i++) {
        const size_t size = make_seed(f, versions[i / 2][0], versions[i / 2][1], i % 2);
        made = made && size > 0;
        run_all(f, size);
    }
    return made;
}

static bool run_files(fuzzer *f, char **paths, int count)
{
    bool read = true;
    for (int i = 0; i < count; i++) {
        const size_t size = read_file(paths[i], f->original);
        read = read && size > 0;
        run_all(f, size);
    }
    return read;
}

int main(int argc, char **argv)
{
    fuzzer *f = calloc(1, sizeof *f);
    if (!f)
        return 1;
    int first = 1;
    f->key.stream = MFM_STREAM_TEST;
    if (argc > 3 && strcmp(argv[1], "--mutate") == 0) {
        f->rounds = strtoul(argv[2], NULL, 10);
        f->key.seed = strtoull(argv[3], NULL, 10);
        first = 4;
    }
    printf("seed %llu, %lu mutations of each\n", (unsigned long long)f->key.seed, f->rounds);
    const bool done = first < argc ? run_files(f, argv + first, argc - first) : run_seeds(f);
    free(f);
    return done ? 0 : 1;
}
