/*
 * Drives a fuzz target where libFuzzer is not at hand:
 *     fuzz-TARGET FILE ...                   replays files
 *     fuzz-TARGET --mutate N SEED [FILE ...] replays each, then N mutations of it
 *     fuzz-TARGET --seeds FOLDER             writes the target's seeds there
 * Without files it takes those seeds. A mutation changes a few bytes, cuts a piece out or doubles
 * one; the same seed and files give the same mutations.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/random.h"
#include "tests/fuzz/fuzz.h"

enum { MOST_BYTES = 1 << 20, PATH_LENGTH = 1024 };

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
    const char *folder; /* for seeds */
    bool fits;          /* so far */
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

static void run_seed(void *self, const void *bytes, size_t size)
{
    fuzzer *f = self;
    f->fits = f->fits && size <= MOST_BYTES;
    if (!f->fits)
        return;
    memcpy(f->original, bytes, size);
    const unsigned long whole = fuzz_whole;
    run(f->original, size);
    if (fuzz_whole == whole) {
        fprintf(stderr, "seed %u does not get through\n", f->key.node);
        f->fits = false;
    }
    run_all(f, size);
}

static bool run_seeds(fuzzer *f)
{
    f->fits = true;
    return fuzz_seeds(run_seed, f) && f->fits;
}

/* Each in a file of its own, named by its number. */
static void write_seed(void *self, const void *bytes, size_t size)
{
    fuzzer *f = self;
    char path[PATH_LENGTH];
    snprintf(path, sizeof path, "%s/seed-%u", f->folder, f->key.node++);
    FILE *file = fopen(path, "wb");
    f->fits = f->fits && file && fwrite(bytes, 1, size, file) == size;
    f->fits = file && fclose(file) == 0 && f->fits;
}

static bool write_seeds(fuzzer *f, const char *folder)
{
    f->folder = folder;
    f->fits = true;
    return fuzz_seeds(write_seed, f) && f->fits;
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
    const bool write = argc == 3 && strcmp(argv[1], "--seeds") == 0;
    if (!write)
        printf("seed %llu, %lu mutations of each\n", (unsigned long long)f->key.seed, f->rounds);
    const bool done = write          ? write_seeds(f, argv[2])
                      : first < argc ? run_files(f, argv + first, argc - first)
                                     : run_seeds(f);
    free(f);
    return done ? 0 : 1;
}
