/* folder:DIR: which images there are, of which classes and parts; and their batches. */
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/data/evaluation_images.h"
#include "core/data/image_reader.h"
#include "core/data/loader.h"
#include "core/data/sources/source.h"
#include "core/data/split.h"
#include "tests/core/data/images/image_writer.h"
#include "tests/core/data/support.h"

static mfm_ctx *ctx;
static test_folder folder;
static warning_log warnings;

static void begin(void)
{
    ctx = mfm_ctx_new(NULL);
    folder = folder_new();
    warnings = (warning_log){0};
    mfm_ctx_on_warning(ctx, keep_warning, &warnings);
}

static void end(void)
{
    folder_remove(&folder);
    mfm_ctx_free(ctx);
}

static void add_folder(const char *name)
{
    CU_ASSERT_EQUAL_FATAL(mkdir(path_in(&folder, name), 0700), 0);
}

/* An image of one colour, whose size depends on it. */
static void add_image(const char *name, int value)
{
    const image_form form = {.height = 20 + value % 30, .width = 50 - value % 20, .channels = 3};
    const bool png = strstr(name, ".png") || strstr(name, ".PNG");
    write_plain(png ? write_png : write_jpeg, path_in(&folder, name), &form, value);
}

static int open_data(const mfm_dataset_options *options, unsigned parts, mfm_dataset **dataset)
{
    char specification[PATH_SIZE + 16];
    snprintf(specification, sizeof specification, "folder:%s", folder.path);
    return mfm_dataset_open_with(ctx, specification, options, parts, dataset);
}

static const mfm_dataset_options none;
enum { BOTH = MFM_PART_TRAIN | MFM_PART_TEST };

static void refuse(const mfm_dataset_options *options, unsigned parts, int code,
                   const char *message)
{
    mfm_dataset *dataset;
    CU_ASSERT_EQUAL(open_data(options, parts, &dataset), code);
    CU_ASSERT_PTR_NULL(dataset);
    if (!strstr(mfm_message(ctx), message)) {
        printf("\n    %s\n", mfm_message(ctx));
        CU_FAIL(message);
    }
}

/* In a: 3 images, in B: 2; and what is none. */
static void add_two_classes(const char *below)
{
    static const char *const names[] = {"a",        "B",       "a/1.jpg", "a/2.PNG",
                                        "a/3.jpeg", "B/x.png", "B/y.JPG"};
    char name[64];
    for (int i = 0; i < 7; i++) {
        snprintf(name, sizeof name, "%s%s", below, names[i]);
        if (i < 2)
            add_folder(name);
        else
            add_image(name, 40 * i);
    }
}

static void classes_are_folders_in_the_order_of_their_names(void)
{
    mfm_dataset *d;
    begin();
    add_two_classes("");
    write_file(&folder, "a/notes.txt", "x", 1);
    write_file(&folder, "README", "x", 1);
    write_file(&folder, "a/.hidden.jpg", "x", 1);
    add_folder("a/deeper");
    CU_ASSERT_EQUAL_FATAL(open_data(&none, MFM_PART_TRAIN, &d), MFM_OK);
    CU_ASSERT(d->classes == 2 && d->channels == 3 && d->height == 0);
    CU_ASSERT_STRING_EQUAL(d->class_names[0], "B");
    CU_ASSERT_STRING_EQUAL(d->class_names[1], "a");
    CU_ASSERT_EQUAL_FATAL(d->train.count, 5);
    const uint16_t labels[] = {0, 0, 1, 1, 1};
    CU_ASSERT_EQUAL(memcmp(d->train.labels, labels, sizeof labels), 0);
    CU_ASSERT_EQUAL(warnings.count, 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(warnings.last, "2 files are no JPEG or PNG and left out"));
    mfm_dataset_free(ctx, d);
    CU_ASSERT_EQUAL(unlink(path_in(&folder, "a/.hidden.jpg")), 0);
    end();
}

static void parts_are_folders_where_there_are_such(void)
{
    mfm_dataset *d;
    begin();
    add_folder("train");
    add_two_classes("train/");
    refuse(&none, BOTH, MFM_EIO, "/test: no such folder");
    add_folder("test");
    add_folder("test/a");
    refuse(&none, BOTH, MFM_EDATA, "/test: no JPEG or PNG file");
    add_image("test/a/1.png", 9);
    CU_ASSERT_EQUAL_FATAL(open_data(&none, BOTH, &d), MFM_OK);
    CU_ASSERT(d->train.count == 5 && d->test.count == 1 && d->test.labels[0] == 1);
    mfm_dataset_free(ctx, d);
    add_folder("val");
    CU_ASSERT_EQUAL_FATAL(open_data(&none, MFM_PART_TRAIN, &d), MFM_OK);
    CU_ASSERT_PTR_NOT_NULL(
        strstr(warnings.last, ": 1 folder is not read beside its parts, such as"));
    mfm_dataset_free(ctx, d);
    const mfm_dataset_options half = {.test_part = 0.5};
    refuse(&half, BOTH, MFM_EINVAL, "is divided already");
    add_folder("test/c");
    refuse(&none, BOTH, MFM_EDATA, "/test/c: no class of the training images");
    end();
}

/* The test images by themselves: their folders are the classes, or those that a model tells. */
static void a_test_part_may_stand_alone(void)
{
    static const char *const model[] = {"B", "a", "c"}, *const other[] = {"a", "c"};
    mfm_dataset *d;
    begin();
    add_folder("test");
    add_two_classes("test/");
    refuse(&none, BOTH, MFM_EDATA, "/train: no such folder");
    CU_ASSERT_EQUAL_FATAL(open_data(&none, MFM_PART_TEST, &d), MFM_OK);
    CU_ASSERT(d->classes == 2 && d->test.count == 5 && d->train.count == 0 && d->unmeasured);
    mfm_dataset_free(ctx, d);
    const mfm_dataset_options told = {.class_names = model, .classes = 3};
    CU_ASSERT_EQUAL_FATAL(open_data(&told, MFM_PART_TEST, &d), MFM_OK);
    CU_ASSERT(d->classes == 3 && d->test.count == 5 && d->test.labels[4] == 1);
    CU_ASSERT_STRING_EQUAL(d->class_names[2], "c");
    mfm_dataset_free(ctx, d);
    const mfm_dataset_options lacks = {.class_names = other, .classes = 2};
    refuse(&lacks, MFM_PART_TEST, MFM_EDATA, "B is no class of the model");
    end();
}

static void folders_that_cannot_be_meant_are_refused(void)
{
    begin();
    write_file(&folder, "only.jpg", "x", 1);
    refuse(&none, MFM_PART_TRAIN, MFM_EDATA, "no folder in it");
    add_folder("Cat");
    refuse(&none, MFM_PART_TRAIN, MFM_EDATA, "/Cat: no JPEG or PNG file in it");
    add_image("Cat/1.jpg", 1);
    refuse(&none, BOTH, MFM_EINVAL, "no test images: give --test-part");
    add_folder("cat");
    refuse(&none, MFM_PART_TRAIN, MFM_EDATA, "the classes Cat and cat differ by case only");
    mfm_dataset *d;
    CU_ASSERT_EQUAL(mfm_dataset_open(ctx, "folder:/nowhere/at/all", MFM_PART_TRAIN, &d), MFM_EIO);
    CHECK_MESSAGE(ctx, "/nowhere/at/all: No such file");
    end();
}

/* Ten images, of which the same four are for testing each time; one image stays for training. */
static void a_share_is_taken_out_for_testing(void)
{
    mfm_dataset *d[3];
    begin();
    add_folder("a");
    add_folder("b");
    for (int i = 0; i < 10; i++) {
        char name[32];
        snprintf(name, sizeof name, "a/%d.png", i);
        add_image(name, 25 * i);
    }
    add_image("b/1.png", 7);
    const mfm_dataset_options options[3] = {
        {.test_part = 0.4}, {.test_part = 0.4}, {.test_part = 0.4, .test_seed = 5}};
    for (int i = 0; i < 3; i++) {
        CU_ASSERT_EQUAL_FATAL(open_data(&options[i], BOTH, &d[i]), MFM_OK);
        CU_ASSERT(d[i]->train.count == 7 && d[i]->test.count == 4);
        CU_ASSERT_PTR_NOT_NULL(strstr(warnings.last, "1 class has no test image, such as b"));
    }
    CU_ASSERT_EQUAL(mfm_test_hash(d[0]), mfm_test_hash(d[1]));
    CU_ASSERT_NOT_EQUAL(mfm_test_hash(d[0]), mfm_test_hash(d[2]));
    /* every image is in one of the parts: their bytes differ */
    bool seen[256] = {false};
    for (int part = 0; part < 2; part++) {
        const mfm_images *images = part ? &d[0]->test : &d[0]->train;
        mfm_reader *reader;
        CU_ASSERT_EQUAL_FATAL(mfm_reader_open(ctx, images, 0, 0, 0, &reader), MFM_OK);
        for (uint32_t i = 0; i < images->count; i++) {
            CU_ASSERT_EQUAL_FATAL(mfm_reader_begin(reader, i), MFM_OK);
            CU_ASSERT_EQUAL_FATAL(mfm_reader_pixels(reader, 1), MFM_OK);
            const uint8_t value = mfm_reader_picture(reader)->pixels[0];
            CU_ASSERT(!seen[value] && (value == 7 || value % 25 == 0));
            seen[value] = true;
        }
        mfm_reader_close(ctx, reader);
    }
    for (int i = 0; i < 3; i++)
        mfm_dataset_free(ctx, d[i]);
    end();
}

enum { SIDE = 16, BATCH = 6, STEPS = 12 };

static mfm_loader_stream stream_of(const mfm_dataset *d, const mfm_preprocess *p,
                                   const uint32_t *indices)
{
    return (mfm_loader_stream){.feed = {.images = &d->train,
                                        .preprocess = p,
                                        .indices = indices,
                                        .count = d->train.count,
                                        .batch = BATCH,
                                        .seed = 3,
                                        .stream = MFM_STREAM_SHUFFLE}};
}

/* Batches of decoded, cropped and resized images depend on the seed alone. */
static void batches_are_the_same_for_any_number_of_workers(void)
{
    static real first[STEPS][BATCH * SIDE * SIDE * 3];
    static const uint32_t indices[] = {0, 1, 2, 3, 4};
    mfm_dataset *d;
    mfm_preprocess p;
    begin();
    add_two_classes("");
    CU_ASSERT_EQUAL_FATAL(open_data(&none, MFM_PART_TRAIN, &d), MFM_OK);
    mfm_augment augment;
    CU_ASSERT_EQUAL_FATAL(
        mfm_augment_read(ctx,
                         "resized-crop,shift:2,flip,color-jitter:0.4:0.4:0.4:0.1,randaugment,"
                         "erasing",
                         MFM_BORDER_REFLECT, &augment),
        MFM_OK);
    CU_ASSERT_EQUAL_FATAL(mfm_preprocess_init(ctx, d, 3, SIDE, SIDE, false, NULL, &augment, &p),
                          MFM_OK);
    const mfm_loader_stream stream = stream_of(d, &p, indices);
    for (int workers = 1; workers <= 5; workers++) {
        mfm_loader *loader;
        mfm_batch batch;
        CU_ASSERT_EQUAL_FATAL(mfm_loader_new(ctx, &stream, 1, 3, workers, &loader), MFM_OK);
        for (int step = 0; step < STEPS; step++) {
            CU_ASSERT_EQUAL_FATAL(mfm_loader_next(loader, 0, &batch, NULL), MFM_OK);
            if (workers == 1)
                memcpy(first[step], batch.images, sizeof first[step]);
            CU_ASSERT_EQUAL(memcmp(first[step], batch.images, sizeof first[step]), 0);
        }
        mfm_loader_free(ctx, loader);
    }
    mfm_dataset_free(ctx, d);
    end();
}

/* Damaged after the dataset was opened: training stops with its path. */
static void a_damaged_image_stops_with_its_path(void)
{
    static const uint32_t indices[] = {0, 1, 2, 3, 4};
    mfm_dataset *d;
    mfm_preprocess p;
    mfm_loader *loader;
    mfm_batch batch;
    begin();
    add_two_classes("");
    CU_ASSERT_EQUAL_FATAL(open_data(&none, MFM_PART_TRAIN, &d), MFM_OK);
    const mfm_augment augment = {0};
    CU_ASSERT_EQUAL_FATAL(mfm_preprocess_init(ctx, d, 3, SIDE, SIDE, false, NULL, &augment, &p),
                          MFM_OK);
    write_file(&folder, "a/1.jpg", "\xFF\xD8\xFF\xE0", 4);
    const mfm_loader_stream stream = stream_of(d, &p, indices);
    CU_ASSERT_EQUAL_FATAL(mfm_loader_new(ctx, &stream, 1, 3, 2, &loader), MFM_OK);
    int status = MFM_OK;
    for (int step = 0; status == MFM_OK && step < STEPS; step++)
        status = mfm_loader_next(loader, 0, &batch, NULL);
    CU_ASSERT_EQUAL(status, MFM_EDATA);
    CHECK_MESSAGE(ctx, "/a/1.jpg: JPEG: ");
    mfm_loader_free(ctx, loader);
    mfm_dataset_free(ctx, d);
    end();
}

/* Left out, the next image of its batch stands in its place, whatever the number of workers; it is
 * told once, and evaluation does not count it. */
static void a_damaged_image_is_left_out_on_request(void)
{
    static real first[STEPS][BATCH * SIDE * SIDE * 3];
    static const uint32_t indices[] = {0, 1, 2, 3, 4};
    const mfm_dataset_options skip = {.on_bad = MFM_BAD_SKIP};
    enum { BROKEN = 2 }; /* a/1.jpg follows B/x.png and B/y.JPG */
    mfm_dataset *d;
    mfm_preprocess p;
    begin();
    add_two_classes("");
    write_file(&folder, "a/1.jpg", "\xFF\xD8\xFF\xE0", 4);
    CU_ASSERT_EQUAL_FATAL(open_data(&skip, MFM_PART_TRAIN, &d), MFM_OK);
    CU_ASSERT_EQUAL(warnings.count, 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(warnings.last, "/a/1.jpg: JPEG: "));
    CU_ASSERT_PTR_NOT_NULL(strstr(warnings.last, ": it is left out"));
    const mfm_augment augment = {0};
    CU_ASSERT_EQUAL_FATAL(mfm_preprocess_init(ctx, d, 3, SIDE, SIDE, false, NULL, &augment, &p),
                          MFM_OK);
    const mfm_loader_stream stream = stream_of(d, &p, indices);
    for (int workers = 1; workers <= 4; workers++) {
        mfm_loader *loader;
        mfm_batch batch;
        CU_ASSERT_EQUAL_FATAL(mfm_loader_new(ctx, &stream, 1, 3, workers, &loader), MFM_OK);
        for (int step = 0; step < STEPS; step++) {
            CU_ASSERT_EQUAL_FATAL(mfm_loader_next(loader, 0, &batch, NULL), MFM_OK);
            for (int i = 0; i < BATCH; i++) {
                CU_ASSERT_NOT_EQUAL(batch.indices[i], BROKEN);
                CU_ASSERT_EQUAL(batch.labels[i], d->train.labels[batch.indices[i]]);
            }
            if (workers == 1)
                memcpy(first[step], batch.images, sizeof first[step]);
            CU_ASSERT_EQUAL(memcmp(first[step], batch.images, sizeof first[step]), 0);
        }
        mfm_loader_free(ctx, loader);
    }
    static real images[5 * SIDE * SIDE * 3];
    real labels[5];
    mfm_evaluation_images *reading;
    CU_ASSERT_EQUAL_FATAL(mfm_evaluation_images_open(ctx, &d->train, NULL, &p, &reading), MFM_OK);
    CU_ASSERT_EQUAL(mfm_evaluation_images_read(reading, 0, 5, images, labels), MFM_OK);
    for (int i = 0; i < 5; i++)
        CU_ASSERT_EQUAL(labels[i], i == BROKEN ? MFM_LEFT_OUT : d->train.labels[i]);
    mfm_evaluation_images_close(reading);
    mfm_images_tell(ctx, &d->train, true);
    CU_ASSERT_EQUAL(warnings.count, 2);
    CU_ASSERT_PTR_NOT_NULL(strstr(warnings.last, "1 of 5 images cannot be read"));
    mfm_dataset_free(ctx, d);
    end();
}

static const mfm_preprocess_info told = {
    .channels = 3,
    .height = SIDE,
    .width = SIDE,
    .image_channels = 3,
    .image_height = SIDE,
    .image_width = SIDE,
    .full_height = SIDE * 256 / 224,
    .full_width = SIDE * 256 / 224,
    .normalisation = {
        .channels = 3, .scale = 255, .mean = {0.5, 0.4, 0.3}, .deviation = {0.1, 0.2, 0.3}}};

/* A file by itself, for a model that tells what it reads, becomes what it is in evaluation. */
static void a_file_by_itself_is_what_evaluation_reads(void)
{
    static real images[5 * SIDE * SIDE * 3], alone[SIDE * SIDE * 3];
    static const char *const names[] = {"B/x.png", "B/y.JPG", "a/1.jpg", "a/2.PNG", "a/3.jpeg"};
    mfm_dataset *d;
    mfm_preprocess p, q;
    mfm_image_reader *reader;
    mfm_evaluation_images *reading;
    begin();
    add_two_classes("");
    CU_ASSERT_EQUAL_FATAL(open_data(&none, MFM_PART_TRAIN, &d), MFM_OK);
    const mfm_augment augment = {0};
    CU_ASSERT_EQUAL_FATAL(
        mfm_preprocess_init(ctx, d, 3, SIDE, SIDE, false, &told.normalisation, &augment, &p),
        MFM_OK);
    CU_ASSERT_EQUAL_FATAL(mfm_evaluation_images_open(ctx, &d->train, NULL, &p, &reading), MFM_OK);
    CU_ASSERT_EQUAL(mfm_evaluation_images_read(reading, 0, 5, images, NULL), MFM_OK);
    CU_ASSERT_EQUAL_FATAL(mfm_preprocess_files(ctx, &told, &q), MFM_OK);
    CU_ASSERT_EQUAL_FATAL(mfm_image_reader_new(ctx, &q, &reader), MFM_OK);
    CU_ASSERT_EQUAL(mfm_image_reader_read(reader, path_in(&folder, "a/no.png"), alone), MFM_EIO);
    CHECK_MESSAGE(ctx, "/a/no.png: No such file");
    for (int i = 0; i < 5; i++) {
        CU_ASSERT_EQUAL(mfm_image_reader_read(reader, path_in(&folder, names[i]), alone), MFM_OK);
        CU_ASSERT_EQUAL(memcmp(alone, images + i * SIDE * SIDE * 3, sizeof alone), 0);
    }
    mfm_image_reader_free(ctx, reader);
    mfm_evaluation_images_close(reading);
    mfm_dataset_free(ctx, d);
    end();
}

/* A model of images of 10 x 10 that were padded: a file becomes 10 x 10, and is padded. */
static void a_file_is_padded_as_the_model_was_trained(void)
{
    static real alone[SIDE * SIDE * 3];
    mfm_preprocess_info small = told;
    mfm_preprocess p;
    mfm_image_reader *reader;
    begin();
    add_folder("a");
    add_image("a/x.png", 255);
    small.image_channels = 1;
    small.image_height = small.image_width = 10;
    small.full_height = small.full_width = 0;
    CU_ASSERT_EQUAL_FATAL(mfm_preprocess_files(ctx, &small, &p), MFM_OK);
    CU_ASSERT_EQUAL_FATAL(mfm_image_reader_new(ctx, &p, &reader), MFM_OK);
    CU_ASSERT_EQUAL(mfm_image_reader_read(reader, path_in(&folder, "a/x.png"), alone), MFM_OK);
    enum { EDGE = (SIDE - 10) / 2 };
    for (int y = 0, at = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++)
            for (int c = 0; c < 3; c++, at++) {
                const bool inside = y >= EDGE && y < EDGE + 10 && x >= EDGE && x < EDGE + 10;
                const mfm_normalisation *n = &told.normalisation;
                CU_ASSERT_DOUBLE_EQUAL(alone[at], (inside - n->mean[c]) / n->deviation[c], 1e-5);
            }
    mfm_image_reader_free(ctx, reader);
    end();
}

static void link_image(const char *what, const char *name)
{
    CU_ASSERT_EQUAL_FATAL(symlink(what, path_in(&folder, name)), 0);
}

static void one_file_teaches_or_tests(void)
{
    mfm_dataset *d;
    begin();
    add_folder("train");
    add_folder("test");
    add_two_classes("train/");
    add_two_classes("test/");
    CU_ASSERT_EQUAL_FATAL(open_data(&none, BOTH, &d), MFM_OK);
    CU_ASSERT_EQUAL(warnings.count, 0);
    mfm_dataset_free(ctx, d);
    /* Twice in a part, under another name. */
    link_image("1.jpg", "train/a/again.jpg");
    CU_ASSERT_EQUAL_FATAL(open_data(&none, BOTH, &d), MFM_OK);
    CU_ASSERT_EQUAL(warnings.count, 1);
    mfm_dataset_free(ctx, d);
    /* In both, by a link to it, and by a second name. */
    link_image("../../train/a/1.jpg", "test/a/other.jpg");
    refuse(&none, BOTH, MFM_EDATA,
           ": train/a/1.jpg is for training and test/a/other.jpg for testing, and both are one");
    refuse(&none, MFM_PART_TEST, MFM_EDATA, "both are one file: take one of them out");
    unlink(path_in(&folder, "test/a/other.jpg"));
    char from[PATH_SIZE];
    snprintf(from, sizeof from, "%s", path_in(&folder, "test/a/1.jpg"));
    CU_ASSERT_EQUAL_FATAL(link(from, path_in(&folder, "train/B/name.jpg")), 0);
    refuse(&none, BOTH, MFM_EDATA,
           ": train/B/name.jpg is for training and test/a/1.jpg for testing, and both are one");
    unlink(path_in(&folder, "train/B/name.jpg"));
    CU_ASSERT_EQUAL_FATAL(open_data(&none, BOTH, &d), MFM_OK);
    mfm_dataset_free(ctx, d);
    end();
}

/* A class that is one file under ten names: whatever is taken out is the rest, too. */
static void a_share_is_of_files(void)
{
    const mfm_dataset_options half = {.test_part = 0.5};
    mfm_dataset *d;
    begin();
    add_folder("a");
    add_image("a/0.jpg", 7);
    for (int i = 1; i < 10; i++) {
        char name[32];
        snprintf(name, sizeof name, "a/%d.jpg", i);
        link_image("0.jpg", name);
    }
    refuse(&half, BOTH, MFM_EDATA, "both are one file");
    CU_ASSERT_EQUAL_FATAL(open_data(&none, MFM_PART_TRAIN, &d), MFM_OK);
    CU_ASSERT_EQUAL(warnings.count, 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(warnings.last, ": 9 images are a file that is there under another"
                                                 " name, such as a/0.jpg and a/1.jpg: "));
    mfm_dataset_free(ctx, d);
    end();
}

static const mfm_case cases[] = {
    {"a file by itself is what evaluation reads", a_file_by_itself_is_what_evaluation_reads},
    {"a file is padded as the model was trained", a_file_is_padded_as_the_model_was_trained},
    {"classes are folders in the order of their names",
     classes_are_folders_in_the_order_of_their_names},
    {"parts are folders where there are such", parts_are_folders_where_there_are_such},
    {"a test part may stand alone", a_test_part_may_stand_alone},
    {"folders that cannot be meant are refused", folders_that_cannot_be_meant_are_refused},
    {"one file teaches or tests, whatever it is called", one_file_teaches_or_tests},
    {"a share of files under several names is refused", a_share_is_of_files},
    {"a share is taken out for testing", a_share_is_taken_out_for_testing},
    {"batches are the same for any number of workers",
     batches_are_the_same_for_any_number_of_workers},
    {"a damaged image stops with its path", a_damaged_image_stops_with_its_path},
    {"a damaged image is left out on request", a_damaged_image_is_left_out_on_request},
};

MFM_SUITE("core/data/folder", cases)
