#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/data/sources/dataset.h"
#include "tests/core/data/support.h"

enum { PIXELS = 3 * 32 * 32, MAX_RECORD = 2 + PIXELS };

static const char *const train_names[] = {"data_batch_1.bin", "data_batch_2.bin",
                                          "data_batch_3.bin", "data_batch_4.bin",
                                          "data_batch_5.bin"};

/* One record whose red, green and blue planes count on from `first`. */
static size_t make_record(unsigned char *record, int label_bytes, int label, int first)
{
    record[0] = 7;
    record[label_bytes - 1] = (unsigned char)label;
    for (int i = 0; i < PIXELS; i++)
        record[label_bytes + i] = (unsigned char)(first + i * 5 + i / 1024);
    return (size_t)label_bytes + PIXELS;
}

static unsigned char pixel_of(int first, int channel, int row, int column)
{
    const int i = channel * 1024 + row * 32 + column;
    return (unsigned char)(first + i * 5 + i / 1024);
}

/* Two images in the first training file, one in the others, one test image. */
static void write_cifar10(const test_folder *folder)
{
    unsigned char records[2 * MAX_RECORD];
    for (int i = 0; i < 5; i++) {
        const size_t size = make_record(records, 1, i, 10 * i);
        const size_t more = i == 0 ? make_record(records + size, 1, 9, 99) : 0;
        write_file(folder, train_names[i], records, size + more);
    }
    write_file(folder, "test_batch.bin", records, make_record(records, 1, 3, 200));
}

static void write_cifar100(const test_folder *folder)
{
    unsigned char record[MAX_RECORD];
    write_file(folder, "train.bin", record, make_record(record, 2, 99, 1));
    write_file(folder, "test.bin", record, make_record(record, 2, 42, 2));
}

static int open_kind(mfm_ctx *ctx, const char *kind, const test_folder *folder, unsigned parts,
                     mfm_dataset **dataset)
{
    char specification[2 * PATH_SIZE];
    snprintf(specification, sizeof specification, "%s:%s", kind, folder->path);
    return mfm_dataset_open(ctx, specification, parts, dataset);
}

static void check_image(const mfm_images *images, uint32_t index, int label, int first)
{
    CU_ASSERT_EQUAL(images->labels[index], label);
    const uint8_t *pixels = images->pixels + (size_t)index * PIXELS;
    int wrong = 0;
    for (int row = 0; row < 32; row++)
        for (int column = 0; column < 32; column++)
            for (int c = 0; c < 3; c++)
                wrong += pixels[(row * 32 + column) * 3 + c] != pixel_of(first, c, row, column);
    CU_ASSERT_EQUAL(wrong, 0);
}

static void planes_become_pixels(void)
{
    const test_folder folder = folder_new();
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    mfm_dataset *dataset;
    write_cifar10(&folder);
    CU_ASSERT_EQUAL_FATAL(
        open_kind(ctx, "cifar10", &folder, MFM_PART_TRAIN | MFM_PART_TEST, &dataset), MFM_OK);
    CU_ASSERT_EQUAL(dataset->train.count, 6);
    check_image(&dataset->train, 0, 0, 0);
    check_image(&dataset->train, 1, 9, 99);
    check_image(&dataset->train, 2, 1, 10);
    check_image(&dataset->train, 5, 4, 40);
    CU_ASSERT_EQUAL(dataset->test.count, 1);
    check_image(&dataset->test, 0, 3, 200);
    CU_ASSERT_EQUAL(dataset->classes, 10);
    CU_ASSERT_STRING_EQUAL(dataset->class_names[9], "truck");
    CU_ASSERT_EQUAL(dataset->mean[2], 0.4465);
    CU_ASSERT_EQUAL(dataset->deviation[1], 0.1994);
    mfm_dataset_free(ctx, dataset);
    mfm_ctx_free(ctx);
    folder_remove(&folder);
}

static void fine_labels_are_taken(void)
{
    const test_folder folder = folder_new();
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    warning_log warnings = {0};
    mfm_ctx_on_warning(ctx, keep_warning, &warnings);
    mfm_dataset *dataset;
    write_cifar100(&folder);
    CU_ASSERT_EQUAL_FATAL(
        open_kind(ctx, "cifar100", &folder, MFM_PART_TRAIN | MFM_PART_TEST, &dataset), MFM_OK);
    check_image(&dataset->train, 0, 99, 1);
    check_image(&dataset->test, 0, 42, 2);
    CU_ASSERT_EQUAL(dataset->classes, 100);
    CU_ASSERT_STRING_EQUAL(dataset->class_names[99], "99");
    CU_ASSERT_EQUAL(warnings.count, 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(warnings.last, "fine_label_names.txt"));
    mfm_dataset_free(ctx, dataset);
    mfm_ctx_free(ctx);
    folder_remove(&folder);
}

static void write_names(const test_folder *folder, int count)
{
    char text[2048];
    size_t used = 0;
    for (int i = 0; i < count; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "name-%d\r\n", i);
    write_file(folder, "fine_label_names.txt", text, used);
}

static void test_images_may_stand_alone(void)
{
    const test_folder folder = folder_new();
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    mfm_dataset *dataset;
    write_cifar10(&folder);
    for (int i = 1; i <= 5; i++) {
        char name[32];
        snprintf(name, sizeof name, "data_batch_%d.bin", i);
        CU_ASSERT_EQUAL(unlink(path_in(&folder, name)), 0);
    }
    CU_ASSERT_EQUAL_FATAL(open_kind(ctx, "cifar10", &folder, MFM_PART_TEST, &dataset), MFM_OK);
    check_image(&dataset->test, 0, 3, 200);
    CU_ASSERT(!dataset->unmeasured);
    mfm_dataset_free(ctx, dataset);
    CU_ASSERT_EQUAL(open_kind(ctx, "cifar10", &folder, MFM_PART_TRAIN, &dataset), MFM_EIO);
    mfm_ctx_free(ctx);
    folder_remove(&folder);
}

static void names_of_fine_labels_are_read(void)
{
    const test_folder folder = folder_new();
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    mfm_dataset *dataset;
    write_cifar100(&folder);
    write_names(&folder, 100);
    CU_ASSERT_EQUAL_FATAL(open_kind(ctx, "cifar100", &folder, MFM_PART_TEST, &dataset), MFM_OK);
    CU_ASSERT_STRING_EQUAL(dataset->class_names[0], "name-0");
    CU_ASSERT_STRING_EQUAL(dataset->class_names[99], "name-99");
    mfm_dataset_free(ctx, dataset);
    for (int count = 99; count <= 101; count += 2) {
        write_names(&folder, count);
        CU_ASSERT_EQUAL(open_kind(ctx, "cifar100", &folder, MFM_PART_TEST, &dataset), MFM_EDATA);
        CHECK_MESSAGE(ctx, "one for each of 100 classes");
    }
    mfm_ctx_free(ctx);
    folder_remove(&folder);
}

static void refuse(const void *bytes, size_t size, const char *message)
{
    const test_folder folder = folder_new();
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    mfm_dataset *dataset;
    write_cifar10(&folder);
    write_file(&folder, "data_batch_3.bin", bytes, size);
    CU_ASSERT_EQUAL(open_kind(ctx, "cifar10", &folder, MFM_PART_TRAIN, &dataset), MFM_EDATA);
    CU_ASSERT_PTR_NULL(dataset);
    CHECK_MESSAGE(ctx, path_in(&folder, "data_batch_3.bin"));
    CHECK_MESSAGE(ctx, message);
    mfm_ctx_free(ctx);
    folder_remove(&folder);
}

static void broken_files_are_refused(void)
{
    unsigned char record[MAX_RECORD];
    const size_t size = make_record(record, 1, 0, 0);
    refuse(record, size - 1, "a multiple of 3073");
    refuse(record, size + 1, "a multiple of 3073");
    refuse(record, 0, "a multiple of 3073");
    record[0] = 10;
    refuse(record, size, "label 10: the labels are 0 to 9");
    const unsigned char gzip[] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0};
    refuse(gzip, sizeof gzip, "the plain file is required");
}

static void a_missing_file_is_named(void)
{
    const test_folder folder = folder_new();
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    mfm_dataset *dataset;
    write_cifar10(&folder);
    unlink(path_in(&folder, "data_batch_4.bin"));
    CU_ASSERT_EQUAL(open_kind(ctx, "cifar10", &folder, MFM_PART_TRAIN, &dataset), MFM_EIO);
    CHECK_MESSAGE(ctx, path_in(&folder, "data_batch_4.bin"));
    mfm_ctx_free(ctx);
    folder_remove(&folder);
}

static int open_both(mfm_ctx *ctx, void *folder)
{
    mfm_dataset *dataset;
    int status = open_kind(ctx, "cifar10", folder, MFM_PART_TRAIN | MFM_PART_TEST, &dataset);
    mfm_dataset_free(ctx, dataset);
    if (status == MFM_OK) {
        status = open_kind(ctx, "cifar100", folder, MFM_PART_TEST, &dataset);
        mfm_dataset_free(ctx, dataset);
    }
    return status;
}

static void failing_allocations_are_reported(void)
{
    test_folder folder = folder_new();
    write_cifar10(&folder);
    write_cifar100(&folder);
    write_names(&folder, 100);
    check_failing_allocations(open_both, &folder);
    folder_remove(&folder);
}

static const mfm_case cases[] = {
    {"planes become pixels", planes_become_pixels},
    {"fine labels are taken", fine_labels_are_taken},
    {"test images may stand alone", test_images_may_stand_alone},
    {"names of fine labels are read", names_of_fine_labels_are_read},
    {"broken files are refused", broken_files_are_refused},
    {"a missing file is named", a_missing_file_is_named},
    {"failing allocations are reported", failing_allocations_are_reported},
};

MFM_SUITE("core/data/cifar", cases)
