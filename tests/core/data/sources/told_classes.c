/* folder:DIR whose classes a model tells: what their numbers are, and which images are for testing.
 */
#include <string.h>
#include <sys/stat.h>

#include "core/data/sources/source.h"
#include "core/data/split.h"
#include "tests/core/data/images/image_writer.h"
#include "tests/core/data/support.h"

static mfm_ctx *ctx;
static test_folder folder;
static char specification[PATH_SIZE + 16];

static void begin(void)
{
    ctx = mfm_ctx_new(NULL);
    folder = folder_new();
    snprintf(specification, sizeof specification, "folder:%s", folder.path);
}

static void end(void)
{
    folder_remove(&folder);
    mfm_ctx_free(ctx);
}

/* A class of so many images of a colour. */
static void add_class(const char *name, int images, int colour)
{
    const image_form form = {.height = 8, .width = 8, .channels = 3};
    char path[64];
    CU_ASSERT_EQUAL_FATAL(mkdir(path_in(&folder, name), 0700), 0);
    for (int i = 0; i < images; i++) {
        snprintf(path, sizeof path, "%s/%d.png", name, i);
        write_plain(write_png, path_in(&folder, path), &form, colour);
    }
}

static mfm_dataset *open_told(const mfm_dataset_options *options, unsigned parts)
{
    mfm_dataset *d;
    CU_ASSERT_EQUAL_FATAL(mfm_dataset_open_with(ctx, specification, options, parts, &d), MFM_OK);
    return d;
}

/* Names that are numbers are names: class 2 is 10, whatever of the others there is. */
static void numbers_are_names(void)
{
    static const char *const model[] = {"1", "2", "10"};
    const mfm_dataset_options told = {.class_names = model, .classes = 3, .own_names = true};
    begin();
    add_class("10", 2, 10);
    add_class("2", 1, 20);
    mfm_dataset *d = open_told(&told, MFM_PART_TEST);
    CU_ASSERT(d->classes == 3 && d->test.count == 3);
    CU_ASSERT(d->test.labels[0] == 1 && d->test.labels[1] == 2 && d->test.labels[2] == 2);
    CU_ASSERT_STRING_EQUAL(d->class_names[2], "10");
    mfm_dataset_free(ctx, d);
    end();
}

/* A model that is trained on, or has numbers for names, says nothing of other classes. */
static void other_classes_are_the_images_own(void)
{
    static const char *const model[] = {"0", "1", "2"};
    mfm_dataset_options told = {.class_names = model, .classes = 3, .own_names = true};
    mfm_dataset *d;
    begin();
    add_class("cat", 1, 10);
    add_class("1", 2, 20);
    d = open_told(&told, MFM_PART_TRAIN);
    CU_ASSERT(d->classes == 2 && d->train.count == 3);
    CU_ASSERT_STRING_EQUAL(d->class_names[0], "1");
    CU_ASSERT_STRING_EQUAL(d->class_names[1], "cat");
    CU_ASSERT(d->train.labels[0] == 0 && d->train.labels[2] == 1);
    mfm_dataset_free(ctx, d);
    told.own_names = false;
    CU_ASSERT_EQUAL(mfm_dataset_open_with(ctx, specification, &told, MFM_PART_TRAIN, &d),
                    MFM_EDATA);
    CHECK_MESSAGE(ctx, "cat is no class of the model");
    end();
}

static bool has_path(const mfm_images *images, const char *path)
{
    for (uint32_t i = 0; i < images->count; i++)
        if (strcmp(mfm_images_path(images, i), path) == 0)
            return true;
    return false;
}

/* What is for testing is never trained on by another that numbers the classes otherwise. */
static void a_share_is_the_same_in_any_order(void)
{
    static const char *const model[] = {"dog", "bird", "cat"};
    const mfm_dataset_options plain = {.test_part = 0.5, .test_seed = 3};
    const mfm_dataset_options told = {
        .test_part = 0.5, .test_seed = 3, .class_names = model, .classes = 3, .own_names = true};
    begin();
    add_class("bird", 10, 10);
    add_class("cat", 10, 20);
    add_class("dog", 10, 30);
    mfm_dataset *own = open_told(&plain, MFM_PART_TRAIN | MFM_PART_TEST);
    mfm_dataset *other = open_told(&told, MFM_PART_TRAIN | MFM_PART_TEST);
    CU_ASSERT(own->test.count == 15 && other->test.count == 15);
    CU_ASSERT_STRING_EQUAL(other->class_names[0], "dog");
    CU_ASSERT_EQUAL(strncmp(mfm_images_path(&other->test, 0), "dog/", 4), 0);
    CU_ASSERT_EQUAL(other->test.labels[0], 0);
    for (uint32_t i = 0; i < own->test.count; i++)
        CU_ASSERT(has_path(&other->test, mfm_images_path(&own->test, i)));
    mfm_dataset_free(ctx, own);
    mfm_dataset_free(ctx, other);
    end();
}

static void names_that_no_model_can_tell_are_refused(void)
{
    static const char *const names[] = {"caf\xE9", "tab\tin it"};
    mfm_dataset *d;
    for (int i = 0; i < 2; i++) {
        begin();
        add_class("caf\xC3\xA9", 1, 10);
        add_class(names[i], 1, 20);
        CU_ASSERT_EQUAL(mfm_dataset_open(ctx, specification, MFM_PART_TRAIN, &d), MFM_EDATA);
        CHECK_MESSAGE(ctx, "a name is UTF-8 without control characters");
        CHECK_MESSAGE(ctx, names[i]);
        end();
    }
}

/* Of letters beyond A to Z no case is known, nor that an accent may stand by itself. */
static void other_letters_are_bytes(void)
{
    static const char *const names[] = {"e\xCC\x81tude", "\xC3\x89tude", "\xC3\xA9tude"};
    begin();
    for (int i = 0; i < 3; i++)
        add_class(names[i], 1, 50 * i);
    mfm_dataset *d = open_told(&(mfm_dataset_options){0}, MFM_PART_TRAIN);
    CU_ASSERT(d->classes == 3 && d->train.count == 3);
    for (int i = 0; i < 3; i++)
        CU_ASSERT_STRING_EQUAL(d->class_names[i], names[i]);
    mfm_dataset_free(ctx, d);
    end();
}

static const mfm_case cases[] = {
    {"numbers are names", numbers_are_names},
    {"other classes are the images' own", other_classes_are_the_images_own},
    {"a share is the same in any order", a_share_is_the_same_in_any_order},
    {"names that no model can tell are refused", names_that_no_model_can_tell_are_refused},
    {"letters beyond A to Z are compared by their bytes", other_letters_are_bytes},
};

MFM_SUITE("core/data/told_classes", cases)
