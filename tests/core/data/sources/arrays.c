/* What folders of arrays hold, how their rows become a model's input, and what is refused. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/data/array_form.h"
#include "core/data/split.h"
#include "tests/core/data/support.h"

enum { ROOM = 1024 };

/* A file of NumPy's version 1. */
static void write_npy(const test_folder *folder, const char *name, const char *type, bool fortran,
                      const char *shape, const void *numbers, size_t size)
{
    static const char magic[] = "\x93NUMPY\x01";
    char text[ROOM];
    unsigned char bytes[ROOM] = {0};
    const int length =
        snprintf(text, sizeof text, "{'descr': '%s', 'fortran_order': %s, 'shape': (%s), }\n", type,
                 fortran ? "True" : "False", shape);
    memcpy(bytes, magic, sizeof magic);
    bytes[8] = (unsigned char)length;
    memcpy(bytes + 10, text, (size_t)length);
    memcpy(bytes + 10 + length, numbers, size);
    write_file(folder, name, bytes, 10 + (size_t)length + size);
}

static const float train_x[] = {1, 10, 2, 10, 3, 10, 6, 10};
static const int64_t train_y[] = {0, 1, 0, 2};
static const uint8_t test_x[] = {7, 8, 9, 255};
static const int32_t test_y[] = {2, 1};

/* Tables of 2 features: 4 rows of float32 for training, 2 of uint8 for testing, 3 classes. */
static void write_tables(const test_folder *folder)
{
    write_npy(folder, "train_x.npy", "<f4", false, "4, 2", train_x, sizeof train_x);
    write_npy(folder, "train_y.npy", "<i8", false, "4,", train_y, sizeof train_y);
    write_npy(folder, "test_x.npy", "|u1", false, "2, 2", test_x, sizeof test_x);
    write_npy(folder, "test_y.npy", "<i4", false, "2, 1", test_y, sizeof test_y);
}

static int open_arrays(mfm_ctx *ctx, const test_folder *folder, unsigned parts,
                       mfm_dataset **dataset)
{
    char specification[2 * PATH_SIZE];
    snprintf(specification, sizeof specification, "arrays:%s", folder->path);
    return mfm_dataset_open(ctx, specification, parts, dataset);
}

static void files_become_rows(void)
{
    const test_folder folder = folder_new();
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    mfm_dataset *d;
    write_tables(&folder);
    CU_ASSERT_EQUAL_FATAL(open_arrays(ctx, &folder, MFM_PART_TRAIN | MFM_PART_TEST, &d), MFM_OK);
    CU_ASSERT_EQUAL(d->row.rank, 1);
    CU_ASSERT_EQUAL(d->row.dim[0], 2);
    CU_ASSERT_EQUAL(d->classes, 3);
    CU_ASSERT_FALSE(d->bytes);
    CU_ASSERT_EQUAL(d->train.count, 4);
    CU_ASSERT_EQUAL(memcmp(d->train.numbers, train_x, sizeof train_x), 0);
    CU_ASSERT_EQUAL(d->train.labels[3], 2);
    CU_ASSERT_EQUAL(d->test.count, 2);
    CU_ASSERT_EQUAL(d->test.numbers[3], 255);
    CU_ASSERT_EQUAL(d->test.labels[0], 2);
    mfm_dataset_free(ctx, d);
    write_file(&folder, "classes.txt", "a\nb c\nd\ne\n", 10);
    CU_ASSERT_EQUAL_FATAL(open_arrays(ctx, &folder, MFM_PART_TEST, &d), MFM_OK);
    CU_ASSERT_TRUE(d->bytes);
    CU_ASSERT_EQUAL(d->classes, 4);
    CU_ASSERT_STRING_EQUAL(d->class_names[1], "b c");
    mfm_dataset_free(ctx, d);
    mfm_ctx_free(ctx);
    folder_remove(&folder);
}

/* Four numbers, 1 to 4 row by row, whatever the type, the order of bytes and that of the axes. */
static void types_and_orders(void)
{
    static const float columns[] = {1, 3, 2, 4};
    static const double wide[] = {1, 2, 3, 4};
    static const uint8_t big[] = {0x3f, 0x80, 0, 0, 0x40, 0,    0, 0,
                                  0x40, 0x40, 0, 0, 0x40, 0x80, 0, 0};
    static const int64_t whole[] = {1, 2, 3, 4};
    static const uint8_t bytes[] = {1, 3, 2, 4};
    static const struct {
        const char *type;
        bool fortran;
        const void *numbers;
        size_t size;
    } forms[] = {{"<f4", true, columns, sizeof columns},
                 {"<f8", false, wide, sizeof wide},
                 {">f4", false, big, sizeof big},
                 {"<i8", false, whole, sizeof whole},
                 {"|u1", true, bytes, sizeof bytes}};
    static const uint8_t labels[] = {0, 1};
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        const test_folder folder = folder_new();
        mfm_ctx *ctx = mfm_ctx_new(NULL);
        mfm_dataset *d;
        write_npy(&folder, "train_x.npy", forms[i].type, forms[i].fortran, "2, 2", forms[i].numbers,
                  forms[i].size);
        write_npy(&folder, "train_y.npy", "|u1", false, "2,", labels, sizeof labels);
        CU_ASSERT_EQUAL_FATAL(open_arrays(ctx, &folder, MFM_PART_TRAIN, &d), MFM_OK);
        for (int k = 0; k < 4; k++)
            CU_ASSERT_EQUAL(d->train.numbers[k], (float)(k + 1));
        mfm_dataset_free(ctx, d);
        mfm_ctx_free(ctx);
        folder_remove(&folder);
    }
}

/* Of 1, 2, 3, 6: mean 3, squares of distances 4 + 1 + 0 + 9 = 14, over 4. The other feature is the
 * same in all rows. */
static void features_are_standardised(void)
{
    const test_folder folder = folder_new();
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    mfm_dataset *d;
    real row[2];
    write_tables(&folder);
    CU_ASSERT_EQUAL_FATAL(open_arrays(ctx, &folder, MFM_PART_TRAIN | MFM_PART_TEST, &d), MFM_OK);
    mfm_array_form form = mfm_array_form_of(&d->row, false);
    mfm_array_form_row(&form, d->test.numbers, row);
    CU_ASSERT_EQUAL(row[0], 7);
    CU_ASSERT_EQUAL_FATAL(mfm_array_form_measure(ctx, d, &form), MFM_OK);
    CU_ASSERT_EQUAL(form.mean[0], 3);
    CU_ASSERT_DOUBLE_EQUAL(form.deviation[0], sqrt(3.5), 1e-15);
    CU_ASSERT_EQUAL(form.mean[1], 10);
    CU_ASSERT_EQUAL(form.deviation[1], 1);
    mfm_array_form_row(&form, d->test.numbers, row);
    CU_ASSERT_EQUAL(row[0], (real)(float)(4 / sqrt(3.5)));
    CU_ASSERT_EQUAL(row[1], -2);
    CU_ASSERT_EQUAL(mfm_array_form_check_data(ctx, &form, d), MFM_OK);
    form.deviation[0] = 1e-45;
    CU_ASSERT_EQUAL(mfm_array_form_check_data(ctx, &form, d), MFM_EDATA);
    CHECK_MESSAGE(ctx, "training row 0, number 0: 1 with mean 3 and deviation 1e-45 is beyond");
    form.deviation[0] = 0;
    CU_ASSERT_EQUAL(mfm_array_form_check(ctx, &form), MFM_EDATA);
    mfm_array_form_clear(ctx, &form);
    mfm_dataset_free(ctx, d);
    mfm_ctx_free(ctx);
    folder_remove(&folder);
}

/* An image of 2 channels, 1 row and 3 columns: 0 1 2 and 10 11 12. */
static void images_are_stored_channels_last(void)
{
    static const float planes[] = {0, 1, 2, 10, 11, 12};
    static const real turned[] = {0, 10, 1, 11, 2, 12};
    const mfm_shape row = mfm_shape_of(3, 2, 1, 3), signal = mfm_shape_of(2, 2, 3);
    double mean[] = {0, 10}, deviation[] = {1, 2};
    real out[6];
    mfm_array_form form = mfm_array_form_of(&row, false);
    mfm_array_form_row(&form, planes, out);
    CU_ASSERT_EQUAL(memcmp(out, turned, sizeof out), 0);
    form = mfm_array_form_of(&signal, false);
    form.mean = mean;
    form.deviation = deviation;
    mfm_array_form_row(&form, planes, out);
    CU_ASSERT_EQUAL(out[2], 2);
    CU_ASSERT_EQUAL(out[4], 0.5);
    const mfm_shape rows = mfm_shape_of(3, 1, 3, 2);
    form = mfm_array_form_of(&rows, true);
    CU_ASSERT_EQUAL(form.axis, 2);
    mfm_array_form_row(&form, planes, out);
    CU_ASSERT_EQUAL(out[1], 1);
    CU_ASSERT_EQUAL(out[5], 12);
}

/* The first and the last number of a row tell splits apart, and so do test rows. */
static void hashes_see_all_numbers(void)
{
    const test_folder folder = folder_new();
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    mfm_dataset *d;
    mfm_split *split;
    const mfm_split_options options = {.imbalance = 1};
    write_tables(&folder);
    CU_ASSERT_EQUAL_FATAL(open_arrays(ctx, &folder, MFM_PART_TRAIN | MFM_PART_TEST, &d), MFM_OK);
    CU_ASSERT_EQUAL_FATAL(mfm_split_new(ctx, d, &options, &split), MFM_OK);
    const uint64_t test = mfm_test_hash(d), train = split->hash;
    mfm_split_free(ctx, split);
    d->test.numbers[3] = 254;
    CU_ASSERT_NOT_EQUAL(mfm_test_hash(d), test);
    for (uint32_t i = 0; i < 4; i++)
        d->train.numbers[2 * i + 1] = 11;
    CU_ASSERT_EQUAL_FATAL(mfm_split_new(ctx, d, &options, &split), MFM_OK);
    CU_ASSERT_NOT_EQUAL(split->hash, train);
    mfm_split_free(ctx, split);
    mfm_dataset_free(ctx, d);
    mfm_ctx_free(ctx);
    folder_remove(&folder);
}

/* Labels 1 to 3 are classes 0 to 2, with a warning, unless classes.txt names them. */
static void labels_from_1(void)
{
    static const int64_t labels[] = {1, 3, 2, 1};
    const test_folder folder = folder_new();
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    mfm_dataset *d;
    warning_log log = {0};
    mfm_ctx_on_warning(ctx, keep_warning, &log);
    write_tables(&folder);
    write_npy(&folder, "train_y.npy", "<i8", false, "4,", labels, sizeof labels);
    CU_ASSERT_EQUAL_FATAL(open_arrays(ctx, &folder, MFM_PART_TRAIN | MFM_PART_TEST, &d), MFM_OK);
    CU_ASSERT_EQUAL(log.count, 1);
    CU_ASSERT_EQUAL(d->classes, 3);
    CU_ASSERT_EQUAL(d->first_label, 1);
    CU_ASSERT_EQUAL(d->train.labels[1], 2);
    CU_ASSERT_EQUAL(d->test.labels[0], 1);
    CU_ASSERT_STRING_EQUAL(d->class_names[0], "1");
    mfm_dataset_free(ctx, d);
    write_file(&folder, "classes.txt", "a\nb\nc", 5);
    CU_ASSERT_EQUAL(open_arrays(ctx, &folder, MFM_PART_TRAIN, &d), MFM_EDATA);
    CHECK_MESSAGE(ctx, "train_y.npy: row 1 has label 3: the classes are 0 to 2");
    mfm_ctx_free(ctx);
    folder_remove(&folder);
}

/* One file of a good folder is replaced. */
typedef struct hostile {
    const char *name, *type, *shape;
    const void *numbers;
    size_t size;
    const char *message;
} hostile;

static void check_hostile(const hostile *h)
{
    const test_folder folder = folder_new();
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    mfm_dataset *d;
    write_tables(&folder);
    write_npy(&folder, h->name, h->type, false, h->shape, h->numbers, h->size);
    const int status = open_arrays(ctx, &folder, MFM_PART_TRAIN | MFM_PART_TEST, &d);
    CU_ASSERT_TRUE(status == MFM_EDATA || status == MFM_ENOTSUP);
    CU_ASSERT_PTR_NULL(d);
    CHECK_MESSAGE(ctx, h->message);
    mfm_ctx_free(ctx);
    folder_remove(&folder);
}

static void what_does_not_fit_is_refused(void)
{
    static const float bad[] = {1, 2, 3, 4, 5, NAN, 7, 8}, far[] = {1, 2, 3, -INFINITY, 0, 0, 0, 0};
    static const double large[] = {0, 0, 0, 0, 0, 0, 1e39, 0};
    static const int64_t negative[] = {0, -1, 0, 2}, high[] = {0, 1, 0, 65535},
                         huge[] = {0, 1, 0, 1LL << 40};
    static const int32_t beyond[] = {2, 3};
    static const float real_labels[] = {0, 1, 0, 2}, none[] = {0};
    static const int64_t one_hot[] = {1, 0, 0, 1, 1, 0, 0, 1};
    static const hostile files[] = {
        {"train_x.npy", "<f4", "4, 2", bad, sizeof bad, "row 2, number [2,1]: not a number (nan)"},
        {"train_x.npy", "<f4", "4, 2", far, sizeof far, "row 1, number [1,1]: infinite"},
        {"train_x.npy", "<f8", "4, 2", large, sizeof large, "row 3, number [3,0]: infinite"},
        {"train_x.npy", "<f4", "8,", train_x, sizeof train_x, "shape [8]: expected [n, ...]"},
        {"train_x.npy", "<f4", "2, 4", train_x, sizeof train_x, "4 labels: the file of the rows"},
        {"train_x.npy", "<f4", "4, 0", none, 0, "rows of at least one number"},
        {"train_x.npy", "<f4", "0, 2", none, 0, "n from 1 to"},
        {"train_x.npy", "<f4", "4, 3", train_x, sizeof train_x, "bytes after the header"},
        {"train_x.npy", "<f4", "4, 1", train_x, sizeof train_x, "bytes after the header"},
        {"train_x.npy", "<f2", "4, 4", train_x, sizeof train_x, "its numbers are <f2"},
        {"train_x.npy", "|O", "4, 2", train_x, sizeof train_x, "its numbers are |O"},
        {"test_x.npy", "|u1", "1, 4", test_x, sizeof test_x,
         "rows of shape [4]: those of the other part have shape [2]"},
        {"train_y.npy", "<i8", "4,", negative, sizeof negative, "row 1 has label -1: labels are 0"},
        {"train_y.npy", "<i8", "4,", high, sizeof high, "row 3 has label 65535: labels are 0 to"},
        {"train_y.npy", "<i8", "4,", huge, sizeof huge, "row 3 has label 1099511627776"},
        {"train_y.npy", "<f4", "4,", real_labels, sizeof real_labels, "labels are whole"},
        {"train_y.npy", "<i8", "4, 2", one_hot, sizeof one_hot, "argmax"},
        {"train_y.npy", "<i8", "3,", train_y, 3 * sizeof train_y[0], "3 labels: the file of the"},
        {"test_y.npy", "<i4", "2,", beyond, sizeof beyond,
         "row 1 has label 3: the classes are 0 to 2"}};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        check_hostile(&files[i]);
}

static void texts_that_are_no_names_are_refused(void)
{
    static const struct {
        const char *text;
        size_t size;
        const char *message;
    } texts[] = {{"", 0, "0 classes"},
                 {"a\n\nb\n", 5, "line 2 is empty"},
                 {"a\na\n", 4, "two classes are called"},
                 {"a\nb\tc\n", 6, "line 2: names are UTF-8"},
                 {"a\0b", 3, "zero byte"}};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        const test_folder folder = folder_new();
        mfm_ctx *ctx = mfm_ctx_new(NULL);
        mfm_dataset *d;
        write_tables(&folder);
        write_file(&folder, "classes.txt", texts[i].text, texts[i].size);
        CU_ASSERT_EQUAL(open_arrays(ctx, &folder, MFM_PART_TRAIN, &d), MFM_EDATA);
        CHECK_MESSAGE(ctx, texts[i].message);
        mfm_ctx_free(ctx);
        folder_remove(&folder);
    }
}

static void files_that_are_missing_are_named(void)
{
    const test_folder folder = folder_new();
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    mfm_dataset *d;
    CU_ASSERT_EQUAL(open_arrays(ctx, &folder, MFM_PART_TRAIN, &d), MFM_EIO);
    CHECK_MESSAGE(ctx, "train_x.npy");
    write_npy(&folder, "test_x.npy", "|u1", false, "2, 2", test_x, sizeof test_x);
    write_npy(&folder, "test_y.npy", "<i4", false, "2,", test_y, sizeof test_y);
    CU_ASSERT_EQUAL_FATAL(open_arrays(ctx, &folder, MFM_PART_TEST, &d), MFM_OK);
    CU_ASSERT_EQUAL(d->classes, 3);
    mfm_array_form form = mfm_array_form_of(&d->row, false);
    CU_ASSERT_EQUAL(mfm_array_form_measure(ctx, d, &form), MFM_EDATA);
    mfm_dataset_free(ctx, d);
    write_gzip(&folder, "train_x.npy", train_x, sizeof train_x);
    CU_ASSERT_EQUAL(open_arrays(ctx, &folder, MFM_PART_TRAIN, &d), MFM_EDATA);
    CHECK_MESSAGE(ctx, "gunzip");
    mfm_ctx_free(ctx);
    folder_remove(&folder);
}

/* Every part, and what is measured. */
static int open_and_measure(mfm_ctx *ctx, void *self)
{
    mfm_dataset *d;
    int status = open_arrays(ctx, self, MFM_PART_TRAIN | MFM_PART_TEST, &d);
    if (status)
        return status;
    mfm_array_form form = mfm_array_form_of(&d->row, false);
    status = mfm_array_form_measure(ctx, d, &form);
    mfm_array_form_clear(ctx, &form);
    mfm_dataset_free(ctx, d);
    return status;
}

static void memory_may_run_out(void)
{
    test_folder folder = folder_new();
    write_tables(&folder);
    write_file(&folder, "classes.txt", "a\nb\nc\n", 6);
    check_failing_allocations(open_and_measure, &folder);
    folder_remove(&folder);
}

static const mfm_case cases[] = {
    {"files become rows", files_become_rows},
    {"types and orders do not matter", types_and_orders},
    {"features are standardised", features_are_standardised},
    {"images are stored channels last", images_are_stored_channels_last},
    {"hashes see all numbers", hashes_see_all_numbers},
    {"labels from 1 are numbered from 0", labels_from_1},
    {"what does not fit is refused", what_does_not_fit_is_refused},
    {"texts that are no names are refused", texts_that_are_no_names_are_refused},
    {"files that are missing are named", files_that_are_missing_are_named},
    {"failing allocations are reported", memory_may_run_out},
};

MFM_SUITE("core/data/arrays", cases)
