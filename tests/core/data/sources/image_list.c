/* Lists of image files: what they tell, how they are quoted, and that they come back. */
#include "core/data/sources/files/image_list.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/data/sources/source.h"
#include "core/data/split.h"
#include "tests/core/data/images/image_writer.h"
#include "tests/core/data/support.h"

static mfm_ctx *ctx;
static test_folder folder;
static char list[PATH_SIZE + 16], specification[PATH_SIZE + 16];

static void begin(void)
{
    ctx = mfm_ctx_new(NULL);
    folder = folder_new();
    snprintf(list, sizeof list, "%s/list.txt", folder.path);
    snprintf(specification, sizeof specification, "folder:%s", folder.path);
}

static void end(void)
{
    folder_remove(&folder);
    mfm_ctx_free(ctx);
}

static void add_image(const char *name, int value)
{
    const image_form form = {.height = 4, .width = 5, .channels = 3};
    write_plain(write_png, path_in(&folder, name), &form, value);
}

static void write_list(const char *text)
{
    write_file(&folder, "list.txt", text, strlen(text));
}

static int open_list(mfm_dataset_options options, unsigned parts, mfm_dataset **dataset)
{
    options.list = list;
    return mfm_dataset_open_with(ctx, specification, &options, parts, dataset);
}

enum { BOTH = MFM_PART_TRAIN | MFM_PART_TEST };

static void a_line_is_path_class_and_part(void)
{
    mfm_dataset *d;
    begin();
    add_image("1.png", 1);
    add_image("two words.png", 2);
    add_image("#3\"\\.png", 3);
    write_list("\xEF\xBB\xBF# path class part\r\n\r\n"
               "  1.png\tdog train\r\n"
               "\"two words.png\"   \"a cat\" train\n"
               "\"#3\\\"\\\\.png\" dog test");
    CU_ASSERT_EQUAL_FATAL(open_list((mfm_dataset_options){0}, BOTH, &d), MFM_OK);
    CU_ASSERT(d->classes == 2 && d->train.count == 2 && d->test.count == 1);
    CU_ASSERT_STRING_EQUAL(d->class_names[0], "a cat");
    CU_ASSERT_STRING_EQUAL(mfm_images_path(&d->train, 1), "two words.png");
    CU_ASSERT_STRING_EQUAL(mfm_images_path(&d->test, 0), "#3\"\\.png");
    CU_ASSERT(d->train.labels[0] == 1 && d->train.labels[1] == 0 && d->test.labels[0] == 1);
    mfm_dataset_free(ctx, d);
    end();
}

static void refuse(const char *text, unsigned parts, int code, const char *message)
{
    mfm_dataset *d;
    write_list(text);
    CU_ASSERT_EQUAL(open_list((mfm_dataset_options){0}, parts, &d), code);
    if (!strstr(mfm_message(ctx), message)) {
        printf("\n    %s\n", mfm_message(ctx));
        CU_FAIL(message);
    }
}

static void what_is_no_list_is_refused_by_its_line(void)
{
    begin();
    add_image("1.png", 1);
    add_image("2.png", 2);
    refuse("# nothing\n", BOTH, MFM_EDATA, "list.txt: no class in it");
    refuse("1.png\n", BOTH, MFM_EDATA, "list.txt:1: no class: a line is");
    refuse("1.png a train\n\n2.png a b\n", BOTH, MFM_EDATA, "list.txt:3: part b: train or test");
    refuse("1.png a train x\n", BOTH, MFM_EDATA, "list.txt:1: more than path, class and part");
    refuse("\"1.png a\n", BOTH, MFM_EDATA, "list.txt:1: a quote that does not end");
    refuse("\"1.png\"a b\n", BOTH, MFM_EDATA, "list.txt:1: a quote that does not end");
    refuse("\"1\\x.png\" a\n", BOTH, MFM_EDATA, "list.txt:1: a quote that does not end");
    refuse("1.png \"\"\n", BOTH, MFM_EDATA, "list.txt:1: an empty name");
    refuse("1.png a train\n3.png a test\n", BOTH, MFM_EIO, "list.txt:2: ");
    CHECK_MESSAGE(ctx, "/3.png: No such file");
    refuse("1.png a train\n1.png a test\n", BOTH, MFM_EDATA, "1.png stands in it twice");
    /* The same by another way, and by a link. */
    CU_ASSERT_EQUAL_FATAL(mkdir(path_in(&folder, "b"), 0700), 0);
    CU_ASSERT_EQUAL_FATAL(symlink("../1.png", path_in(&folder, "b/3.png")), 0);
    refuse("1.png a train\nb/../1.png a test\n", BOTH, MFM_EDATA,
           "list.txt: 1.png is for training and b/../1.png for testing, and both are one file");
    refuse("2.png a train\nb/3.png a test\n./1.png a train\n", BOTH, MFM_EDATA,
           "list.txt: ./1.png is for training and b/3.png for testing, and both are one file");
    refuse("1.png a train\n2.png b test\n", BOTH, MFM_EDATA, "class b has no training image");
    refuse("1.png a train\n2.png A test\n", BOTH, MFM_EDATA, "differ by case only");
    refuse("1.png a train\n2.png a train\n", BOTH, MFM_EDATA, "no line has the part test");
    refuse("1.png a\n2.png a\n", BOTH, MFM_EINVAL, "no test images: give --test-part");
    mfm_dataset *d;
    CU_ASSERT_EQUAL(open_list((mfm_dataset_options){.test_part = 0.5}, BOTH, &d), MFM_OK);
    CU_ASSERT(d && d->train.count == 1 && d->test.count == 1);
    mfm_dataset_free(ctx, d);
    CU_ASSERT_EQUAL(
        mfm_dataset_open_with(ctx, "cifar10:x", &(mfm_dataset_options){.list = list}, BOTH, &d),
        MFM_EINVAL);
    CHECK_MESSAGE(ctx, "--list: cifar10 has a test part of its own");
    end();
}

static void a_missing_image_may_be_left_out(void)
{
    mfm_dataset *d;
    begin();
    add_image("1.png", 1);
    write_list("1.png a train\n2.png a train\n");
    const mfm_dataset_options skip = {.on_bad = MFM_BAD_SKIP};
    CU_ASSERT_EQUAL_FATAL(open_list(skip, MFM_PART_TRAIN, &d), MFM_OK);
    CU_ASSERT_EQUAL(d->train.count, 2);
    CU_ASSERT_EQUAL(mfm_images_failed(&d->train), 1);
    mfm_dataset_free(ctx, d);
    end();
}

/* Names as no one should give them: a share taken out is the same when the list is read back. */
static void a_list_comes_back(void)
{
    static const char *const classes[] = {"plain", "with space",  "\"quoted\"",
                                          "#hash", "back\\slash", "caf\xC3\xA9"};
    mfm_dataset *d, *again;
    char name[64];
    begin();
    for (size_t c = 0; c < sizeof classes / sizeof classes[0]; c++) {
        CU_ASSERT_EQUAL_FATAL(mkdir(path_in(&folder, classes[c]), 0700), 0);
        for (int i = 0; i < 5; i++) {
            snprintf(name, sizeof name, "%s/ tab\tand\nline\r %d.png", classes[c], i);
            add_image(name, (int)c * 5 + i);
        }
    }
    const mfm_dataset_options part = {.test_part = 0.4, .test_seed = 3};
    CU_ASSERT_EQUAL_FATAL(mfm_dataset_open_with(ctx, specification, &part, BOTH, &d), MFM_OK);
    CU_ASSERT_EQUAL(mfm_image_list_write(ctx, list, d), MFM_OK);
    CU_ASSERT_EQUAL_FATAL(open_list((mfm_dataset_options){0}, BOTH, &again), MFM_OK);
    CU_ASSERT(again->train.count == 18 && again->test.count == 12 && again->classes == 6);
    CU_ASSERT_EQUAL(mfm_test_hash(d), mfm_test_hash(again));
    for (uint32_t i = 0; i < d->train.count; i++) {
        CU_ASSERT_EQUAL(d->train.labels[i], again->train.labels[i]);
        CU_ASSERT_STRING_EQUAL(mfm_images_path(&d->train, i), mfm_images_path(&again->train, i));
    }
    mfm_dataset_free(ctx, d);
    mfm_dataset_free(ctx, again);
    end();
}

static const mfm_case cases[] = {
    {"a line is path, class and part", a_line_is_path_class_and_part},
    {"what is no list is refused by its line", what_is_no_list_is_refused_by_its_line},
    {"a missing image may be left out", a_missing_image_may_be_left_out},
    {"a list comes back", a_list_comes_back},
};

MFM_SUITE("core/data/image_list", cases)
