/*
 * Datasets. The first byte of an input chooses the kind; then come the kind's files, each as two
 * bytes of length, low byte first, and its bytes. What is read must be as its header says.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "core/data/sources/dataset.h"
#include "tests/fuzz/fuzz.h"
#include "tests/scratch.h"

enum { FILES = 6, MEMORY = 64 << 20, PATH_LENGTH = SCRATCH + 32, MOST_BYTES = 1 << 16 };

typedef struct kind {
    const char *name;
    const char *files[FILES];
} kind;

static const kind kinds[] = {
    {"idx",
     {"train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte",
      "t10k-labels-idx1-ubyte"}},
    {"cifar10",
     {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin",
      "data_batch_5.bin", "test_batch.bin"}},
    {"cifar100", {"train.bin", "test.bin", "fine_label_names.txt"}},
    {"arrays", {"train_x.npy", "train_y.npy", "test_x.npy", "test_y.npy", "classes.txt"}},
};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

/* One folder for the process; its files are written anew for each input. */
static char folder[SCRATCH];

static void remove_files(const kind *k)
{
    char path[PATH_LENGTH];
    for (int i = 0; i < FILES && k->files[i]; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, k->files[i]);
        unlink(path);
    }
}

static void remove_folder(void)
{
    for (int i = 0; i < KINDS; i++)
        remove_files(&kinds[i]);
    rmdir(folder);
}

static void make_folder(void)
{
    static bool made;
    if (made)
        return;
    made = true;
    if (!scratch_folder(folder, "fuzz-data")) {
        perror(folder);
        abort();
    }
    atexit(remove_folder);
}

static void write_files(const kind *k, const uint8_t *bytes, size_t size)
{
    char path[PATH_LENGTH];
    for (int i = 0; i < FILES && k->files[i] && size >= 2; i++) {
        size_t length = (size_t)bytes[0] | (size_t)bytes[1] << 8;
        bytes += 2, size -= 2;
        length = length < size ? length : size;
        snprintf(path, sizeof path, "%s/%s", folder, k->files[i]);
        FILE *file = fopen(path, "wb");
        if (!file || fwrite(bytes, 1, length, file) != length || fclose(file))
            abort();
        bytes += length, size -= length;
    }
}

static void check_rows(const mfm_ctx *ctx, const mfm_dataset *d, const mfm_images *rows)
{
    for (size_t i = 0; i < rows->count * mfm_dataset_image_size(d); i++)
        fuzz_need(isfinite(rows->numbers[i]), ctx, "numbers are finite");
}

/* Reads every byte, so that a sanitizer sees what is not there. */
static void check_images(const mfm_ctx *ctx, const mfm_dataset *d, const mfm_images *images)
{
    unsigned sum = 0;
    if (d->row.rank)
        check_rows(ctx, d, images);
    for (size_t i = 0; !d->row.rank && i < images->count * mfm_dataset_image_size(d); i++)
        sum += images->pixels[i];
    for (uint32_t i = 0; i < images->count; i++)
        fuzz_need(images->labels[i] < d->classes, ctx, "labels are classes");
    fuzz_need(sum <= 255u * images->count * mfm_dataset_image_size(d), ctx, "pixels are bytes");
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    fuzz_memory memory = {MEMORY};
    mfm_ctx *ctx = size ? fuzz_ctx(&memory) : NULL;
    if (!ctx)
        return 0;
    make_folder();
    const kind *k = &kinds[bytes[0] % KINDS];
    remove_files(k);
    write_files(k, bytes + 1, size - 1);
    char specification[2 * PATH_LENGTH];
    snprintf(specification, sizeof specification, "%s:%s", k->name, folder);
    mfm_dataset *dataset;
    const int status =
        mfm_dataset_open(ctx, specification, MFM_PART_TRAIN | MFM_PART_TEST, &dataset);
    fuzz_need_reason(status, ctx);
    if (!status) {
        fuzz_need(dataset->train.count && dataset->test.count, ctx, "both parts have images");
        check_images(ctx, dataset, &dataset->train);
        check_images(ctx, dataset, &dataset->test);
        fuzz_whole++;
        mfm_dataset_free(ctx, dataset);
    }
    mfm_ctx_free(ctx);
    return 0;
}

/* ---- seeds ---- */

/* An input under construction. */
typedef struct input {
    uint8_t bytes[MOST_BYTES];
    size_t size;
} input;

static void put_file(input *in, const uint8_t *bytes, size_t size)
{
    in->bytes[in->size++] = (uint8_t)(size & 0xFF);
    in->bytes[in->size++] = (uint8_t)(size >> 8);
    memcpy(in->bytes + in->size, bytes, size);
    in->size += size;
}

static bool put_gzip(input *in, const uint8_t *bytes, size_t size)
{
    uint8_t packed[1 << 10];
    z_stream stream = {.next_in = (uint8_t *)bytes,
                       .avail_in = (unsigned)size,
                       .next_out = packed,
                       .avail_out = sizeof packed};
    if (deflateInit2(&stream, 9, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        return false;
    const bool done = deflate(&stream, Z_FINISH) == Z_STREAM_END;
    const size_t length = sizeof packed - stream.avail_out;
    deflateEnd(&stream);
    if (done)
        put_file(in, packed, length);
    return done;
}

/* Three images of 2 x 2 pixels, of classes 0, 1 and 2. */
static bool put_idx(input *in, bool compressed)
{
    static const uint8_t images[] = {0, 0, 8, 3, 0, 0, 0, 3, 0, 0, 0, 2, 0, 0,
                                     0, 2, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 9};
    static const uint8_t labels[] = {0, 0, 8, 1, 0, 0, 0, 3, 0, 1, 2};
    bool done = true;
    for (int part = 0; part < 2; part++)
        if (compressed) {
            done = put_gzip(in, images, sizeof images) && done;
            done = put_gzip(in, labels, sizeof labels) && done;
        } else {
            put_file(in, images, sizeof images);
            put_file(in, labels, sizeof labels);
        }
    return done;
}

static void put_cifar(input *in, int files, int label_bytes)
{
    uint8_t record[3074];
    for (int i = 0; i < files; i++) {
        for (size_t k = 0; k < sizeof record; k++)
            record[k] = (uint8_t)(k % 251);
        record[0] = record[1] = (uint8_t)i;
        put_file(in, record, 3072 + (size_t)label_bytes);
    }
}

static void put_npy(input *in, const char *type, const char *fortran, const char *shape,
                    const void *numbers, size_t size)
{
    uint8_t bytes[256] = "\x93NUMPY\x01";
    const int length =
        snprintf((char *)bytes + 10, sizeof bytes - 10,
                 "{'descr': '%s', 'fortran_order': %s, 'shape': (%s), }\n", type, fortran, shape);
    bytes[8] = (uint8_t)length;
    memcpy(bytes + 10 + length, numbers, size);
    put_file(in, bytes, 10 + (size_t)length + size);
}

/* Four rows for training, two for testing, of three classes that begin at 1. */
static void put_arrays(input *in, bool named)
{
    static const float train[] = {1, 2, 3, 4, 5, 6, 7, 8};
    static const double test[] = {9, 10, 11, 12};
    static const int64_t labels[] = {1, 2, 3, 1};
    static const uint8_t few[] = {2, 1};
    put_npy(in, "<f4", "False", "4, 2, 1", train, sizeof train);
    put_npy(in, "<i8", "False", "4,", labels, sizeof labels);
    put_npy(in, "<f8", "True", "2, 2, 1", test, sizeof test);
    put_npy(in, "|u1", "False", "2, 1", few, sizeof few);
    if (named)
        put_file(in, (const uint8_t *)"a\nb\nc\nd\n", 8);
}

bool fuzz_seeds(fuzz_take *take, void *self)
{
    static input in;
    bool done = true;
    for (int compressed = 0; compressed < 2; compressed++) {
        in = (input){.bytes = {0}, .size = 1};
        done = put_idx(&in, compressed) && done;
        take(self, in.bytes, in.size);
    }
    in = (input){.bytes = {1}, .size = 1};
    put_cifar(&in, 6, 1);
    take(self, in.bytes, in.size);
    in = (input){.bytes = {2}, .size = 1};
    put_cifar(&in, 2, 2);
    char names[1024];
    size_t length = 0;
    for (int i = 0; i < 100; i++)
        length += (size_t)snprintf(names + length, sizeof names - length, "class%d\n", i);
    put_file(&in, (const uint8_t *)names, length);
    take(self, in.bytes, in.size);
    for (int named = 0; named < 2; named++) {
        in = (input){.bytes = {3}, .size = 1};
        put_arrays(&in, named);
        take(self, in.bytes, in.size);
    }
    return done;
}
