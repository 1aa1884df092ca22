/* What folders of IDX files are called and hold. Two training images and one test image of 1 x 2
 * pixels, unless a test says otherwise. */
#include <stdio.h>
#include <string.h>

#include "core/data/sources/dataset.h"
#include "tests/core/data/support.h"

static const unsigned char train_images[] = {0, 0, 8, 3, 0, 0, 0, 2, 0, 0,
                                             0, 1, 0, 0, 0, 2, 1, 2, 3, 4};
static const unsigned char train_labels[] = {0, 0, 8, 1, 0, 0, 0, 2, 0, 1};
static const unsigned char test_images[] = {0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 2, 5, 6};
static const unsigned char test_labels[] = {0, 0, 8, 1, 0, 0, 0, 1, 1};

static int open_folder(mfm_ctx *ctx, const test_folder *folder, unsigned parts,
                       mfm_dataset **dataset)
{
    char specification[2 * PATH_SIZE];
    snprintf(specification, sizeof specification, "idx:%s", folder->path);
    return mfm_dataset_open(ctx, specification, parts, dataset);
}

/* names: of training images and labels, test images and labels; those that end in .gz are. */
static void write_named(const test_folder *folder, const char *const names[4])
{
    static const unsigned char *const bytes[4] = {train_images, train_labels, test_images,
                                                  test_labels};
    static const size_t sizes[4] = {sizeof train_images, sizeof train_labels, sizeof test_images,
                                    sizeof test_labels};
    for (int i = 0; i < 4; i++)
        if (strstr(names[i], ".gz"))
            write_gzip(folder, names[i], bytes[i], sizes[i]);
        else
            write_file(folder, names[i], bytes[i], sizes[i]);
}

static void files_go_by_several_names(void)
{
    static const char *const names[][4] = {
        {"train-images.idx3-ubyte", "train-labels.idx1-ubyte", "t10k-images.idx3-ubyte",
         "t10k-labels.idx1-ubyte"},
        {"train-images.idx3-ubyte.gz", "train-labels-idx1-ubyte.gz", "test-images-idx3-ubyte",
         "t10k-labels.idx1-ubyte.gz"},
        {"emnist-letters-train-images-idx3-ubyte.gz", "emnist-letters-train-labels-idx1-ubyte.gz",
         "emnist-letters-test-images-idx3-ubyte", "emnist-letters-test-labels-idx1-ubyte"}};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const test_folder folder = folder_new();
        mfm_ctx *ctx = mfm_ctx_new(NULL);
        mfm_dataset *dataset;
        write_named(&folder, names[i]);
        CU_ASSERT_EQUAL_FATAL(open_folder(ctx, &folder, MFM_PART_TRAIN | MFM_PART_TEST, &dataset),
                              MFM_OK);
        CU_ASSERT_EQUAL(dataset->train.pixels[3], 4);
        CU_ASSERT_EQUAL(dataset->train.labels[1], 1);
        CU_ASSERT_EQUAL(dataset->test.pixels[1], 6);
        CU_ASSERT_EQUAL(dataset->test.labels[0], 1);
        mfm_dataset_free(ctx, dataset);
        mfm_ctx_free(ctx);
        folder_remove(&folder);
    }
}

/* Which of two sets is meant cannot be told; a set without prefix is. */
static void one_set_in_a_folder(void)
{
    const test_folder folder = folder_new();
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    mfm_dataset *dataset;
    write_named(&folder,
                (const char *const[]){"a-train-images-idx3-ubyte", "a-train-labels-idx1-ubyte",
                                      "a-test-images-idx3-ubyte", "a-test-labels-idx1-ubyte"});
    write_file(&folder, "b-train-images-idx3-ubyte", train_images, sizeof train_images);
    CU_ASSERT_EQUAL(open_folder(ctx, &folder, MFM_PART_TRAIN, &dataset), MFM_EDATA);
    CHECK_MESSAGE(ctx, "more than one set of files");
    write_named(&folder, (const char *const[]){"train-images-idx3-ubyte", "train-labels-idx1-ubyte",
                                               "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"});
    CU_ASSERT_EQUAL(open_folder(ctx, &folder, MFM_PART_TRAIN | MFM_PART_TEST, &dataset), MFM_OK);
    mfm_dataset_free(ctx, dataset);
    mfm_ctx_free(ctx);
    folder_remove(&folder);
}

static const unsigned char only_zero[] = {0, 0, 8, 1, 0, 0, 0, 1, 0};

/* One image of 1 x 2 pixels (1, 2, 3) and (4, 5, 6): channels last, then first. */
static void colour_is_read_in_both_orders(void)
{
    static const unsigned char last[] = {0, 0, 8, 4, 0, 0, 0, 1, 0, 0, 0, 1, 0,
                                         0, 0, 2, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6};
    static const unsigned char first[] = {0, 0, 8, 4, 0, 0, 0, 1, 0, 0, 0, 3, 0, 0, 0, 1, 0, 0,
                                          0, 5, 1, 7, 7, 7, 4, 2, 8, 8, 8, 5, 3, 9, 9, 9, 6};
    const test_folder folder = folder_new();
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    mfm_dataset *dataset;
    write_file(&folder, "train-images-idx4-ubyte", last, sizeof last);
    write_file(&folder, "train-labels-idx1-ubyte", only_zero, sizeof only_zero);
    CU_ASSERT_EQUAL_FATAL(open_folder(ctx, &folder, MFM_PART_TRAIN, &dataset), MFM_OK);
    CU_ASSERT_EQUAL(dataset->channels, 3);
    CU_ASSERT_EQUAL(dataset->height, 1);
    CU_ASSERT_EQUAL(dataset->width, 2);
    CU_ASSERT_EQUAL(memcmp(dataset->train.pixels, last + 20, 6), 0);
    CU_ASSERT_DOUBLE_EQUAL(dataset->mean[1], 3.5 / 255, 1e-15);
    CU_ASSERT_DOUBLE_EQUAL(dataset->deviation[1], 1.5 / 255, 1e-15);
    mfm_dataset_free(ctx, dataset);
    write_file(&folder, "train-images-idx3-ubyte", first, sizeof first);
    CU_ASSERT_EQUAL_FATAL(open_folder(ctx, &folder, MFM_PART_TRAIN, &dataset), MFM_OK);
    CU_ASSERT_EQUAL(dataset->width, 5);
    static const unsigned char pixels[] = {1, 2, 3, 7, 8, 9, 7, 8, 9, 7, 8, 9, 4, 5, 6};
    CU_ASSERT_EQUAL(memcmp(dataset->train.pixels, pixels, sizeof pixels), 0);
    mfm_dataset_free(ctx, dataset);
    mfm_ctx_free(ctx);
    folder_remove(&folder);
}

static void refuse_colour(unsigned char a, unsigned char c, unsigned char high, const char *message)
{
    const unsigned char bytes[] = {0, 0, 8, 4, high, 0, 0, 1, 0, 0, 0, a, 0, 0, 0, 9, 0, 0, 0, c};
    const test_folder folder = folder_new();
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    mfm_dataset *dataset;
    write_file(&folder, "train-images-idx4-ubyte", bytes, sizeof bytes);
    CU_ASSERT_EQUAL(open_folder(ctx, &folder, MFM_PART_TRAIN, &dataset), MFM_EDATA);
    CHECK_MESSAGE(ctx, message);
    mfm_ctx_free(ctx);
    folder_remove(&folder);
}

static void colour_files_are_checked(void)
{
    refuse_colour(5, 5, 0,
                  "images of 5 x 9 x 5: the last axis or the first must be that of 1 to 4");
    refuse_colour(5, 0, 0, "images of 5 x 9 x 0");
    refuse_colour(9, 3, 255, "more than the file can hold");
    refuse_colour(9, 3, 0, "more than the file can hold");
}

static void write_letters(const test_folder *folder, unsigned char a, unsigned char b,
                          unsigned char test)
{
    const unsigned char train[] = {0, 0, 8, 1, 0, 0, 0, 2, a, b};
    const unsigned char tests[] = {0, 0, 8, 1, 0, 0, 0, 1, test};
    write_file(folder, "train-images-idx3-ubyte", train_images, sizeof train_images);
    write_file(folder, "train-labels-idx1-ubyte", train, sizeof train);
    write_file(folder, "t10k-images-idx3-ubyte", test_images, sizeof test_images);
    write_file(folder, "t10k-labels-idx1-ubyte", tests, sizeof tests);
}

static void labels_from_1_are_numbered_from_0(void)
{
    const test_folder folder = folder_new();
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    warning_log warnings = {0};
    mfm_ctx_on_warning(ctx, keep_warning, &warnings);
    mfm_dataset *dataset;
    write_letters(&folder, 2, 1, 2);
    CU_ASSERT_EQUAL_FATAL(open_folder(ctx, &folder, MFM_PART_TRAIN | MFM_PART_TEST, &dataset),
                          MFM_OK);
    CU_ASSERT_EQUAL(dataset->classes, 2);
    CU_ASSERT_EQUAL(dataset->first_label, 1);
    CU_ASSERT_EQUAL(dataset->train.labels[0], 1);
    CU_ASSERT_EQUAL(dataset->train.labels[1], 0);
    CU_ASSERT_EQUAL(dataset->test.labels[0], 1);
    CU_ASSERT_STRING_EQUAL(dataset->class_names[0], "1");
    CU_ASSERT_STRING_EQUAL(dataset->class_names[1], "2");
    CU_ASSERT(mfm_dataset_unnamed(dataset));
    CU_ASSERT_EQUAL(warnings.count, 1);
    CU_ASSERT_PTR_NOT_NULL(
        strstr(warnings.last, "no image has label 0: label 1 is class 0, and so on up to 2"));
    /* and back again, for a model that says so */
    CU_ASSERT_EQUAL(mfm_dataset_number_from(ctx, dataset, 0), MFM_OK);
    CU_ASSERT_EQUAL(dataset->classes, 3);
    CU_ASSERT_EQUAL(dataset->test.labels[0], 2);
    CU_ASSERT_STRING_EQUAL(dataset->class_names[2], "2");
    CU_ASSERT_EQUAL(mfm_dataset_number_from(ctx, dataset, 2), MFM_EDATA);
    CHECK_MESSAGE(ctx, "training image 1 has label 1: labels begin at 2 here");
    CU_ASSERT_EQUAL(dataset->test.labels[0], 2);
    mfm_dataset_free(ctx, dataset);
    write_letters(&folder, 2, 1, 0);
    CU_ASSERT_EQUAL(open_folder(ctx, &folder, MFM_PART_TRAIN | MFM_PART_TEST, &dataset), MFM_EDATA);
    CHECK_MESSAGE(ctx, "image 0 has label 0: the labels are 1 to 2");
    mfm_ctx_free(ctx);
    folder_remove(&folder);
}

static void test_images_may_stand_alone(void)
{
    const test_folder folder = folder_new();
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    mfm_dataset *dataset;
    write_file(&folder, "t10k-images-idx3-ubyte", test_images, sizeof test_images);
    write_file(&folder, "t10k-labels-idx1-ubyte", test_labels, sizeof test_labels);
    CU_ASSERT_EQUAL_FATAL(open_folder(ctx, &folder, MFM_PART_TEST, &dataset), MFM_OK);
    CU_ASSERT(dataset->unmeasured);
    CU_ASSERT_EQUAL(dataset->classes, 2);
    CU_ASSERT_EQUAL(dataset->train.count, 0);
    CU_ASSERT_EQUAL(dataset->test.labels[0], 1);
    mfm_dataset_free(ctx, dataset);
    CU_ASSERT_EQUAL(open_folder(ctx, &folder, MFM_PART_TRAIN | MFM_PART_TEST, &dataset), MFM_EIO);
    CHECK_MESSAGE(ctx, "train-images-idx3-ubyte: no such file");
    /* half a training part is a fault, not none */
    write_file(&folder, "train-labels-idx1-ubyte", train_labels, sizeof train_labels);
    CU_ASSERT_EQUAL(open_folder(ctx, &folder, MFM_PART_TEST, &dataset), MFM_EIO);
    CHECK_MESSAGE(ctx, "train-images-idx3-ubyte: no such file");
    mfm_ctx_free(ctx);
    folder_remove(&folder);
}

static int open_both(mfm_ctx *ctx, void *folder)
{
    mfm_dataset *dataset;
    const int status = open_folder(ctx, folder, MFM_PART_TRAIN | MFM_PART_TEST, &dataset);
    mfm_dataset_free(ctx, dataset);
    return status;
}

static void failing_allocations_are_reported(void)
{
    test_folder folder = folder_new();
    write_letters(&folder, 1, 2, 1);
    write_file(&folder, "x-train-images-idx3-ubyte", train_images, sizeof train_images);
    check_failing_allocations(open_both, &folder);
    folder_remove(&folder);
}

static const mfm_case cases[] = {
    {"files go by several names", files_go_by_several_names},
    {"one set in a folder", one_set_in_a_folder},
    {"colour is read in both orders", colour_is_read_in_both_orders},
    {"colour files are checked", colour_files_are_checked},
    {"labels from 1 are numbered from 0", labels_from_1_are_numbered_from_0},
    {"test images may stand alone", test_images_may_stand_alone},
    {"failing allocations are reported", failing_allocations_are_reported},
};

MFM_SUITE("core/data/idx", cases)
