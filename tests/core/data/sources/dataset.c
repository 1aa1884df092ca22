#include "core/data/sources/dataset.h"

#include <string.h>
#include <unistd.h>

#include "tests/core/data/support.h"

enum {
    TRAIN_LABELS = 8 + 4,
    TRAIN_IMAGES = 16 + 4 * 6,
    TEST_LABELS = 8 + 2,
    TEST_IMAGES = 16 + 12
};

/* 4 training and 2 test images of 2 rows and 3 columns, 3 classes. */
static const unsigned char train_labels[TRAIN_LABELS] = {0, 0, 8, 1, 0, 0, 0, 4, 2, 0, 1, 0};
static const unsigned char train_images[TRAIN_IMAGES] = {
    0, 0, 8, 3, 0, 0, 0,  4,  0,  0,  0,  2,  0,   0,   0,   3, /* header */
    0, 1, 2, 3, 4, 5, 10, 11, 12, 13, 14, 15, 255, 255, 255, 255, 255, 255, 100, 100, 100, 0, 0, 0};
static const unsigned char test_labels[TEST_LABELS] = {0, 0, 8, 1, 0, 0, 0, 2, 1, 2};
static const unsigned char test_images[TEST_IMAGES] = {0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0,
                                                       0, 3, 9, 8, 7, 6, 5, 4, 1, 1, 2, 2, 3, 3};

static void write_idx(const test_folder *folder)
{
    write_file(folder, "train-labels-idx1-ubyte", train_labels, TRAIN_LABELS);
    write_gzip(folder, "train-images-idx3-ubyte.gz", train_images, TRAIN_IMAGES);
    write_gzip(folder, "t10k-labels-idx1-ubyte.gz", test_labels, TEST_LABELS);
    write_file(folder, "t10k-images-idx3-ubyte", test_images, TEST_IMAGES);
}

static int open_kind(mfm_ctx *ctx, const char *kind, const test_folder *folder, unsigned parts,
                     mfm_dataset **dataset)
{
    char specification[2 * PATH_SIZE];
    snprintf(specification, sizeof specification, "%s:%s", kind, folder->path);
    return mfm_dataset_open(ctx, specification, parts, dataset);
}

static void idx_gives_what_the_files_hold(void)
{
    const test_folder folder = folder_new();
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    mfm_dataset *dataset;
    write_idx(&folder);
    CU_ASSERT_EQUAL_FATAL(open_kind(ctx, "idx", &folder, MFM_PART_TRAIN | MFM_PART_TEST, &dataset),
                          MFM_OK);
    CU_ASSERT_EQUAL(dataset->height, 2);
    CU_ASSERT_EQUAL(dataset->width, 3);
    CU_ASSERT_EQUAL(dataset->channels, 1);
    CU_ASSERT_EQUAL(dataset->classes, 3);
    CU_ASSERT_STRING_EQUAL(dataset->class_names[2], "2");
    CU_ASSERT_EQUAL(dataset->train.count, 4);
    CU_ASSERT_EQUAL(memcmp(dataset->train.pixels, train_images + 16, 24), 0);
    CU_ASSERT_EQUAL(dataset->train.labels[0], 2);
    CU_ASSERT_EQUAL(dataset->train.labels[3], 0);
    CU_ASSERT_EQUAL(dataset->test.count, 2);
    CU_ASSERT_EQUAL(memcmp(dataset->test.pixels, test_images + 16, 12), 0);
    CU_ASSERT_EQUAL(dataset->test.labels[1], 2);
    mfm_dataset_free(ctx, dataset);
    mfm_ctx_free(ctx);
    folder_remove(&folder);
}

/* Bytes 0..5, 10..15, six times 255, three times 100 and 0: the sum is 1920 and the sum of the
 * squares 15 + 40 + (100 + ... + 225) = 55 + 955 + 390150 + 30000 = 421160, over 24 pixels. */
static void idx_measures_the_training_images(void)
{
    const test_folder folder = folder_new();
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    mfm_dataset *dataset;
    write_idx(&folder);
    CU_ASSERT_EQUAL_FATAL(open_kind(ctx, "idx", &folder, MFM_PART_TEST, &dataset), MFM_OK);
    CU_ASSERT_EQUAL(dataset->train.count, 0);
    CU_ASSERT_EQUAL(dataset->test.count, 2);
    const double mean = 1920 / 24.0 / 255, square = 421160 / 24.0 / (255.0 * 255.0);
    CU_ASSERT_DOUBLE_EQUAL(dataset->mean[0], mean, 1e-14);
    CU_ASSERT_DOUBLE_EQUAL(dataset->deviation[0] * dataset->deviation[0], square - mean * mean,
                           1e-13);
    mfm_dataset_free(ctx, dataset);
    mfm_ctx_free(ctx);
    folder_remove(&folder);
}

/* Writes a file over the good ones; opening must fail with the message. */
static void refuse(const char *name, const void *bytes, size_t size, const char *message)
{
    const test_folder folder = folder_new();
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    mfm_dataset *dataset;
    write_idx(&folder);
    char packed[PATH_SIZE];
    snprintf(packed, sizeof packed, "%s.gz", name);
    unlink(path_in(&folder, packed));
    write_file(&folder, name, bytes, size);
    const int status = open_kind(ctx, "idx", &folder, MFM_PART_TRAIN | MFM_PART_TEST, &dataset);
    CU_ASSERT_EQUAL(status, MFM_EDATA);
    CU_ASSERT_PTR_NULL(dataset);
    CHECK_MESSAGE(ctx, path_in(&folder, name));
    CHECK_MESSAGE(ctx, message);
    mfm_ctx_free(ctx);
    folder_remove(&folder);
}

static void refuse_changed(const char *name, const unsigned char *bytes, size_t size, size_t at,
                           unsigned char value, const char *message)
{
    unsigned char changed[64];
    memcpy(changed, bytes, size);
    changed[at] = value;
    refuse(name, changed, size, message);
}

static void broken_images_are_refused(void)
{
    const char *const name = "train-images-idx3-ubyte";
    refuse_changed(name, train_images, TRAIN_IMAGES, 3, 1, "magic number: 0x00000801");
    refuse_changed(name, train_images, TRAIN_IMAGES, 7, 0, "wrong sizes");
    refuse_changed(name, train_images, TRAIN_IMAGES, 7, 3, "too long");
    refuse_changed(name, train_images, TRAIN_IMAGES, 8, 255, "sides up to");
    refuse_changed(name, train_images, TRAIN_IMAGES, 4, 255, "more than the file can hold");
    refuse_changed(name, train_images, TRAIN_IMAGES, 14, 127, "more than the file can hold");
    refuse(name, train_images, TRAIN_IMAGES - 1, "truncated");
    refuse(name, train_images, 15, "truncated");
    refuse(name, "", 0, "truncated");
}

static void broken_labels_are_refused(void)
{
    const char *const name = "train-labels-idx1-ubyte";
    refuse_changed(name, train_labels, TRAIN_LABELS, 3, 3, "magic number: 0x00000803");
    refuse_changed(name, train_labels, TRAIN_LABELS, 7, 5,
                   "5 labels: the file of the images holds 4");
    refuse(name, train_labels, TRAIN_LABELS - 1, "truncated");
    const unsigned char three[] = {0, 0, 8, 1, 0, 0, 0, 3, 2, 0, 1};
    refuse(name, three, sizeof three, "3 labels: the file of the images holds 4");
    refuse_changed("t10k-labels-idx1-ubyte", test_labels, TEST_LABELS, 9, 3,
                   "image 1 has label 3: the labels are 0 to 2");
}

static void parts_must_agree_in_shape(void)
{
    unsigned char turned[TEST_IMAGES];
    memcpy(turned, test_images, TEST_IMAGES);
    turned[11] = 3;
    turned[15] = 2;
    refuse("t10k-images-idx3-ubyte", turned, TEST_IMAGES, "3 x 2");
}

/* A header that claims 2^31 pixels, in a gzip file whose size would allow them only 1032 times. */
static void claims_of_compressed_headers_are_bounded(void)
{
    const test_folder folder = folder_new();
    failing_memory memory = {0};
    const mfm_allocator allocator = failing_allocator(&memory);
    mfm_ctx *ctx = mfm_ctx_new(&allocator);
    mfm_dataset *dataset;
    unsigned char claiming[TRAIN_IMAGES];
    memcpy(claiming, train_images, TRAIN_IMAGES);
    claiming[4] = 127;
    write_idx(&folder);
    write_gzip(&folder, "train-images-idx3-ubyte.gz", claiming, TRAIN_IMAGES);
    CU_ASSERT_EQUAL(open_kind(ctx, "idx", &folder, MFM_PART_TRAIN, &dataset), MFM_EDATA);
    CHECK_MESSAGE(ctx, "more than the file can hold");
    CU_ASSERT_EQUAL(memory.held, 1);
    mfm_ctx_free(ctx);
    folder_remove(&folder);
}

static void specifications_are_checked(void)
{
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    mfm_dataset *dataset;
    CU_ASSERT_EQUAL(mfm_dataset_open(ctx, "imagenet:x", MFM_PART_TRAIN, &dataset), MFM_EINVAL);
    CHECK_MESSAGE(ctx, "imagenet:x");
    CHECK_MESSAGE(ctx, "fashion-mnist[:FOLDER], idx:FOLDER, cifar10:FOLDER, cifar100:FOLDER");
    CU_ASSERT_EQUAL(mfm_dataset_open(ctx, "cifar", MFM_PART_TRAIN, &dataset), MFM_EINVAL);
    CU_ASSERT_EQUAL(mfm_dataset_open(ctx, "", MFM_PART_TRAIN, &dataset), MFM_EINVAL);
    CU_ASSERT_EQUAL(mfm_dataset_open(ctx, "idx", MFM_PART_TRAIN, &dataset), MFM_EINVAL);
    CHECK_MESSAGE(ctx, "idx:FOLDER");
    CU_ASSERT_EQUAL(mfm_dataset_open(ctx, "cifar10:", MFM_PART_TRAIN, &dataset), MFM_EINVAL);
    mfm_ctx_free(ctx);
}

static void a_missing_fashion_mnist_names_the_package(void)
{
    const test_folder folder = folder_new();
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    mfm_dataset *dataset;
    CU_ASSERT_EQUAL(open_kind(ctx, "fashion-mnist", &folder, MFM_PART_TEST, &dataset), MFM_EIO);
    CHECK_MESSAGE(ctx, "dataset-fashion-mnist");
    CHECK_MESSAGE(ctx, path_in(&folder, "t10k-images-idx3-ubyte"));
    mfm_ctx_free(ctx);
    folder_remove(&folder);
}

static void fashion_mnist_has_names_and_published_constants(void)
{
    const test_folder folder = folder_new();
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    mfm_dataset *dataset;
    write_idx(&folder);
    CU_ASSERT_EQUAL_FATAL(open_kind(ctx, "fashion-mnist", &folder, MFM_PART_TRAIN, &dataset),
                          MFM_OK);
    CU_ASSERT_EQUAL(dataset->classes, 10);
    CU_ASSERT_STRING_EQUAL(dataset->class_names[9], "Ankle boot");
    CU_ASSERT_EQUAL(dataset->mean[0], 0.286);
    CU_ASSERT_EQUAL(dataset->deviation[0], 0.353);
    CU_ASSERT_EQUAL(dataset->train.count, 4);
    CU_ASSERT_EQUAL(dataset->test.count, 0);
    mfm_dataset_free(ctx, dataset);
    mfm_ctx_free(ctx);
    folder_remove(&folder);
}

static int open_idx(mfm_ctx *ctx, void *folder)
{
    mfm_dataset *dataset;
    const int status = open_kind(ctx, "idx", folder, MFM_PART_TRAIN | MFM_PART_TEST, &dataset);
    mfm_dataset_free(ctx, dataset);
    return status;
}

static void failing_allocations_are_reported(void)
{
    test_folder folder = folder_new();
    write_idx(&folder);
    check_failing_allocations(open_idx, &folder);
    folder_remove(&folder);
}

static const mfm_case cases[] = {
    {"idx gives what the files hold", idx_gives_what_the_files_hold},
    {"idx measures the training images", idx_measures_the_training_images},
    {"broken images are refused", broken_images_are_refused},
    {"broken labels are refused", broken_labels_are_refused},
    {"parts must agree in shape", parts_must_agree_in_shape},
    {"claims of compressed headers are bounded", claims_of_compressed_headers_are_bounded},
    {"specifications are checked", specifications_are_checked},
    {"a missing fashion-mnist names the package", a_missing_fashion_mnist_names_the_package},
    {"fashion-mnist has names and published constants",
     fashion_mnist_has_names_and_published_constants},
    {"failing allocations are reported", failing_allocations_are_reported},
};

MFM_SUITE("core/data/dataset", cases)
