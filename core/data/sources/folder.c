/*
 * folder:DIR, photographs in a folder for each class: DIR/CLASS/NAME.jpg, or DIR/train/CLASS and
 * DIR/test/CLASS; or as a list tells (image_list.h). Classes are numbered in the order of their
 * names' bytes. Images are JPEG and PNG files, by the ends of their names; other files, hidden ones
 * and folders within a class are left out, which a warning counts.
 *
 * Where nothing tells what is for testing the images are training images, of which --test-part
 * takes some of each class out; where only test images are asked for and no share is given, all
 * are.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/random.h"
#include "core/data/images/decoder.h"
#include "core/data/sources/dataset_kind.h"
#include "core/data/sources/files/image_scan.h"

/* How many of a class are for testing: at least one is, and at least one stays. */
static uint32_t test_share(double share, uint32_t images)
{
    const uint32_t wanted = (uint32_t)floor(share * images + 0.5);
    if (images < 2)
        return 0;
    return wanted < 1 ? 1 : wanted > images - 1 ? images - 1 : wanted;
}

/* order [count]: the images of class 0, of class 1, and so on, each in the list's order; first
 * [classes + 1]. */
static void by_class(const mfm_file_list *list, size_t classes, uint32_t *order, uint32_t *first)
{
    memset(first, 0, (classes + 1) * sizeof *first);
    for (uint32_t i = 0; i < list->count; i++)
        first[list->labels[i] + 1u]++;
    for (size_t c = 0; c < classes; c++)
        first[c + 1] += first[c];
    for (uint32_t i = 0; i < list->count; i++)
        order[first[list->labels[i]]++] = i;
    for (size_t c = classes; c > 0; c--)
        first[c] = first[c - 1];
    first[0] = 0;
}

/* A class's place among the names in the order of their bytes. */
typedef struct place {
    const char *name;
    uint32_t number; /* of the class */
} place;

static int by_bytes(const void *a, const void *b)
{
    return strcmp(((const place *)a)->name, ((const place *)b)->name);
}

static place *order_classes(const mfm_image_scan *s)
{
    place *places = mfm_alloc(s->ctx, s->classes.count, sizeof *places);
    for (uint32_t c = 0; places && c < s->classes.count; c++)
        places[c] = (place){.name = s->classes.name[c], .number = c};
    if (places)
        qsort(places, s->classes.count, sizeof *places, by_bytes);
    return places;
}

/* Each class's images are shuffled with a key of its own, which does not depend on how a model
 * numbers the classes; the first ones are for testing. */
static void choose_tests(const mfm_image_scan *s, const place *places, uint32_t *order,
                         const uint32_t *first, bool *tests)
{
    for (uint32_t p = 0; p < s->classes.count; p++) {
        const mfm_key key = {s->options->test_seed, MFM_STREAM_SPLIT, p, 1};
        const uint32_t begin = first[places[p].number];
        const uint32_t count = first[places[p].number + 1] - begin;
        mfm_random_shuffle(&key, order + begin, count);
        const uint32_t share = test_share(s->options->test_part, count);
        for (uint32_t i = 0; i < share; i++)
            tests[order[begin + i]] = true;
    }
}

static int divide(mfm_image_scan *s)
{
    mfm_file_list all = s->train;
    s->train = (mfm_file_list){0};
    uint32_t *order = mfm_alloc(s->ctx, all.count, sizeof *order);
    uint32_t *first = mfm_alloc(s->ctx, s->classes.count + 1, sizeof *first);
    bool *tests = mfm_alloc(s->ctx, all.count, sizeof *tests);
    place *places = order_classes(s);
    int status = order && first && tests && places ? MFM_OK : MFM_ENOMEM;
    if (status == MFM_OK) {
        by_class(&all, s->classes.count, order, first);
        choose_tests(s, places, order, first, tests);
    }
    for (uint32_t i = 0; status == MFM_OK && i < all.count; i++)
        status = mfm_file_list_add(s->ctx, tests[i] ? &s->test : &s->train, all.paths[i],
                                   all.sizes[i], all.ids[i], all.labels[i]);
    mfm_free(s->ctx, order);
    mfm_free(s->ctx, first);
    mfm_free(s->ctx, tests);
    mfm_free(s->ctx, places);
    mfm_file_list_clear(s->ctx, &all);
    return status;
}

static int settle_parts(mfm_image_scan *s)
{
    const mfm_dataset_options *o = s->options;
    if (s->divided)
        return o->test_part > 0 ? mfm_fail(s->ctx, MFM_EINVAL,
                                           "%s is divided already: no --test-part", s->folder)
                                : MFM_OK;
    if (o->test_part > 0)
        return divide(s);
    if (s->parts == MFM_PART_TEST) {
        mfm_warn(s->ctx,
                 "%s: all %u images are taken for testing: --test-part F, as in training, or "
                 "--list with the images.txt of the run leaves the training images out",
                 s->folder, s->train.count);
        s->test = s->train;
        s->train = (mfm_file_list){0};
    } else if (s->parts & MFM_PART_TEST) {
        return mfm_fail(s->ctx, MFM_EINVAL,
                        "%s: no test images: give --test-part F, or put the classes into %s/train "
                        "and %s/test",
                        s->folder, s->folder, s->folder);
    }
    return MFM_OK;
}

/* Classes that have that many images in a part; *name is the first of them. */
static uint32_t count_classes(const mfm_image_scan *s, const mfm_file_list *list, uint32_t images,
                              uint32_t *count, const char **name)
{
    uint32_t classes = 0;
    memset(count, 0, s->classes.count * sizeof *count);
    for (uint32_t i = 0; i < list->count; i++)
        count[list->labels[i]]++;
    for (size_t c = s->classes.count; c-- > 0;)
        if (count[c] == images) {
            classes++;
            *name = s->classes.name[c];
        }
    return classes;
}

/* Classes of one training image, and those that nothing tests, are trained on, but worth a look. */
static int tell_scarce(const mfm_image_scan *s)
{
    const char *name = NULL;
    uint32_t *count = mfm_alloc(s->ctx, s->classes.count, sizeof *count);
    if (!count)
        return MFM_ENOMEM;
    const uint32_t single = count_classes(s, &s->train, 1, count, &name);
    if (single)
        mfm_warn(s->ctx, "%s: %u %s one training image, such as %s", s->folder, single,
                 single == 1 ? "class has" : "classes have", name);
    const uint32_t untested = count_classes(s, &s->test, 0, count, &name);
    if (untested && (s->parts & MFM_PART_TEST))
        mfm_warn(s->ctx, "%s: %u %s no test image, such as %s", s->folder, untested,
                 untested == 1 ? "class has" : "classes have", name);
    mfm_free(s->ctx, count);
    return MFM_OK;
}

static int make_parts(mfm_image_scan *s, mfm_dataset *dataset)
{
    int status = mfm_dataset_set_classes(s->ctx, dataset, (int)s->classes.count,
                                         (const char *const *)s->classes.name);
    if (status == MFM_OK && s->train.count)
        status = mfm_file_images_new(s->ctx, s->folder, s->options, &s->train, &dataset->train);
    if (status == MFM_OK && s->test.count && (s->parts & MFM_PART_TEST))
        status = mfm_file_images_new(s->ctx, s->folder, s->options, &s->test, &dataset->test);
    return status;
}

/* Without training images, a model that tells its own normalisation is needed. */
static int read_folder(mfm_ctx *ctx, const char *folder, unsigned parts, mfm_dataset *dataset)
{
    mfm_image_scan s = {.ctx = ctx, .options = &dataset->options, .folder = folder, .parts = parts};
    if (!mfm_decoder_built())
        return mfm_fail(ctx, MFM_ENOTSUP, "folder: " MFM_DECODER_MISSING);
    int status = dataset->options.list ? mfm_scan_list(&s) : mfm_scan_folder(&s);
    if (status == MFM_OK)
        status = settle_parts(&s);
    if (status == MFM_OK)
        status = mfm_scan_check_same_files(&s);
    if (status == MFM_OK && (parts & MFM_PART_TRAIN))
        status = tell_scarce(&s);
    if (status == MFM_OK && s.others)
        mfm_warn(ctx, "%s: %u %s no JPEG or PNG and left out, such as %s", folder, s.others,
                 s.others == 1 ? "file is" : "files are", s.other);
    if (status == MFM_OK)
        status = make_parts(&s, dataset);
    if (status == MFM_OK)
        status = mfm_file_images_measure(ctx, dataset);
    mfm_scan_clear(&s);
    return status;
}

const mfm_dataset_kind mfm_dataset_folder = {
    .name = "folder", .read = read_folder, .augment = "resized-crop,flip", .files = true};
