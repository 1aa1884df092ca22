/*
 * folder:DIR, photographs in a folder for each class: DIR/CLASS/NAME.jpg, or DIR/train/CLASS and
 * DIR/test/CLASS. Classes are numbered in the order of their names' bytes. Images are JPEG and PNG
 * files, by the ends of their names; other files, hidden ones and folders within a class are left
 * out, which a warning counts.
 *
 * Without DIR/train the images are training images, of which --test-part takes some of each class
 * out for testing; where only test images are asked for and no share is given, all are.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "core/data/sources/dataset_kind.h"
#include "core/data/images/decoder.h"
#include "core/data/sources/file_images.h"
#include "core/base/random.h"

enum { MAX_CLASSES = 65535 };

struct names {
    char **name;
    size_t count, room;
};

/* What is found on the way. */
struct scan {
    mfm_ctx *ctx;
    struct names classes;
    uint32_t others; /* files that are no images */
    char *other;     /* one of them */
};

/* ---- folders ---- */

static void clear_names(mfm_ctx *ctx, struct names *names)
{
    for (size_t i = 0; i < names->count; i++)
        mfm_free(ctx, names->name[i]);
    mfm_free(ctx, names->name);
    *names = (struct names){0};
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int add_name(mfm_ctx *ctx, struct names *names, const char *name)
{
    const int status = mfm_grow(ctx, &names->name, names->count, &names->room, sizeof *names->name);
    if (status != MFM_OK)
        return status;
    names->name[names->count] = mfm_strdup(ctx, name);
    return names->name[names->count] ? (names->count++, MFM_OK) : MFM_ENOMEM;
}

/* Names in a folder, in order, without those that begin with a dot. */
static int list_folder(mfm_ctx *ctx, const char *path, struct names *names)
{
    DIR *folder = opendir(path);
    if (!folder)
        return mfm_fail(ctx, MFM_EIO, "%s: %s", path, strerror(errno));
    int status = MFM_OK;
    errno = 0;
    for (struct dirent *entry; status == MFM_OK && (entry = readdir(folder)); errno = 0)
        if (entry->d_name[0] != '.')
            status = add_name(ctx, names, entry->d_name);
    if (status == MFM_OK && errno != 0)
        status = mfm_fail(ctx, MFM_EIO, "%s: %s", path, strerror(errno));
    closedir(folder);
    if (names->count > 1)
        qsort(names->name, names->count, sizeof *names->name, by_bytes);
    return status;
}

static bool is_folder(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

static bool has_folder(mfm_ctx *ctx, const char *folder, const char *name, char **path)
{
    *path = mfm_format(ctx, "%s/%s", folder, name);
    if (*path && is_folder(*path))
        return true;
    mfm_free(ctx, *path);
    *path = NULL;
    return false;
}

static bool is_image(const char *name)
{
    static const char *const ends[] = {".jpg", ".jpeg", ".jpe", ".png"};
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot && i < sizeof ends / sizeof ends[0]; i++)
        if (strcasecmp(dot, ends[i]) == 0)
            return true;
    return false;
}

/* ---- classes ---- */

/* Folders of `part` are classes; files beside them are left out. */
static int find_classes(struct scan *s, const char *part)
{
    struct names names = {0};
    int status = list_folder(s->ctx, part, &names);
    for (size_t i = 0; status == MFM_OK && i < names.count; i++) {
        char *path = mfm_format(s->ctx, "%s/%s", part, names.name[i]);
        if (!path)
            status = MFM_ENOMEM;
        else if (is_folder(path))
            status = add_name(s->ctx, &s->classes, names.name[i]);
        mfm_free(s->ctx, path);
    }
    clear_names(s->ctx, &names);
    if (status == MFM_OK && s->classes.count == 0)
        status =
            mfm_fail(s->ctx, MFM_EDATA, "%s: no folder in it: one for each class is needed", part);
    if (status == MFM_OK && s->classes.count > MAX_CLASSES)
        status = mfm_fail(s->ctx, MFM_EDATA, "%s: %zu folders: up to %d classes", part,
                          s->classes.count, MAX_CLASSES);
    return status;
}

static int check_case(const struct scan *s, const char *part)
{
    char *const *name = s->classes.name;
    for (size_t i = 0; i < s->classes.count; i++)
        for (size_t k = i + 1; k < s->classes.count; k++)
            if (strcasecmp(name[i], name[k]) == 0)
                return mfm_fail(s->ctx, MFM_EDATA,
                                "%s: the classes %s and %s differ by case only: rename one, or put "
                                "their images into one folder",
                                part, name[i], name[k]);
    return MFM_OK;
}

/* A test part may lack classes, but has none of its own. */
static int check_test_classes(struct scan *s, const char *test)
{
    struct scan found = {.ctx = s->ctx};
    int status = find_classes(&found, test);
    for (size_t i = 0; status == MFM_OK && i < found.classes.count; i++)
        if (!bsearch(&found.classes.name[i], s->classes.name, s->classes.count,
                     sizeof *s->classes.name, by_bytes))
            status =
                mfm_fail(s->ctx, MFM_EDATA, "%s/%s: no class of the training images is called so",
                         test, found.classes.name[i]);
    clear_names(s->ctx, &found.classes);
    return status;
}

/* ---- images ---- */

static int leave_out(struct scan *s, const char *path)
{
    if (s->others++ == 0) {
        s->other = mfm_strdup(s->ctx, path);
        if (!s->other)
            return MFM_ENOMEM;
    }
    return MFM_OK;
}

static int add_file(struct scan *s, const char *part, const char *class_name, const char *name,
                    int label, mfm_file_list *list)
{
    struct stat info;
    char *relative = mfm_format(s->ctx, "%s/%s", class_name, name);
    char *path = relative ? mfm_format(s->ctx, "%s/%s", part, relative) : NULL;
    int status = path ? MFM_OK : MFM_ENOMEM;
    if (path && is_image(name) && stat(path, &info) != 0)
        status = mfm_fail(s->ctx, MFM_EIO, "%s: %s", path, strerror(errno));
    else if (path && is_image(name) && S_ISREG(info.st_mode))
        status = mfm_file_list_add(s->ctx, list, relative, (uint64_t)info.st_size, label);
    else if (path)
        status = leave_out(s, path);
    mfm_free(s->ctx, path);
    mfm_free(s->ctx, relative);
    return status;
}

/* needed: a class without images is an error. */
static int find_images(struct scan *s, const char *part, bool needed, mfm_file_list *list)
{
    int status = MFM_OK;
    for (size_t c = 0; status == MFM_OK && c < s->classes.count; c++) {
        char *path;
        if (!has_folder(s->ctx, part, s->classes.name[c], &path) && !needed)
            continue;
        struct names names = {0};
        const uint32_t before = list->count;
        status = path ? list_folder(s->ctx, path, &names) : MFM_ENOMEM;
        for (size_t i = 0; status == MFM_OK && i < names.count; i++)
            status = add_file(s, part, s->classes.name[c], names.name[i], (int)c, list);
        if (status == MFM_OK && needed && list->count == before)
            status = mfm_fail(s->ctx, MFM_EDATA,
                              "%s: no JPEG or PNG file in it: remove the folder, or add images of "
                              "the class",
                              path);
        clear_names(s->ctx, &names);
        mfm_free(s->ctx, path);
    }
    if (status == MFM_OK && list->count == 0)
        status = mfm_fail(s->ctx, MFM_EDATA,
                          "%s: no JPEG or PNG file in the folders of its classes", part);
    return status;
}

/* ---- parts ---- */

/* How many of a class are for testing: at least one is, and at least one stays. */
static uint32_t test_share(double share, uint32_t images)
{
    const uint32_t wanted = (uint32_t)floor(share * images + 0.5);
    if (images < 2)
        return 0;
    return wanted < 1 ? 1 : wanted > images - 1 ? images - 1 : wanted;
}

/* Each class's images are shuffled with a key of its own; the first ones are for testing. */
static int divide(struct scan *s, const mfm_dataset_options *o, const mfm_file_list *all,
                  mfm_file_list *train, mfm_file_list *test)
{
    uint32_t *order = mfm_alloc(s->ctx, all->count, sizeof *order);
    bool *tests = mfm_alloc(s->ctx, all->count, sizeof *tests);
    int status = order && tests ? MFM_OK : MFM_ENOMEM;
    for (uint32_t first = 0, end; status == MFM_OK && first < all->count; first = end) {
        const int label = all->labels[first];
        const mfm_key key = {o->test_seed, MFM_STREAM_SPLIT, (uint32_t)label, 1};
        for (end = first; end < all->count && all->labels[end] == label; end++)
            order[end - first] = end;
        mfm_random_shuffle(&key, order, end - first);
        const uint32_t share = test_share(o->test_part, end - first);
        if (share == 0)
            mfm_warn(s->ctx,
                     "class %d (%s) has one image: it is a training image, and none tests it",
                     label, s->classes.name[label]);
        for (uint32_t i = 0; i < share; i++)
            tests[order[i]] = true;
    }
    for (uint32_t i = 0; status == MFM_OK && i < all->count; i++)
        status = mfm_file_list_add(s->ctx, tests[i] ? test : train, all->paths[i], all->sizes[i],
                                   all->labels[i]);
    mfm_free(s->ctx, order);
    mfm_free(s->ctx, tests);
    return status;
}

static int read_parts(struct scan *s, const char *folder, unsigned parts, mfm_dataset *dataset)
{
    const mfm_dataset_options *o = &dataset->options;
    mfm_file_list all = {0}, train = {0}, test = {0};
    int status = find_images(s, folder, true, &all);
    if (status == MFM_OK && o->test_part > 0) {
        status = divide(s, o, &all, &train, &test);
    } else if (status == MFM_OK && parts == MFM_PART_TEST) {
        mfm_warn(s->ctx,
                 "%s: all %u images are taken for testing: --test-part F, as in training, "
                 "leaves the training images out",
                 folder, all.count);
        test = all;
        all = (mfm_file_list){0};
    } else if (status == MFM_OK && (parts & MFM_PART_TEST)) {
        status =
            mfm_fail(s->ctx, MFM_EINVAL,
                     "%s: no test images: give --test-part F, or put the classes into %s/train "
                     "and %s/test",
                     folder, folder, folder);
    } else {
        train = all;
        all = (mfm_file_list){0};
    }
    if (status == MFM_OK && train.count)
        status = mfm_file_images_new(s->ctx, folder, o->skip_bad, &train, &dataset->train);
    if (status == MFM_OK && test.count)
        status = mfm_file_images_new(s->ctx, folder, o->skip_bad, &test, &dataset->test);
    mfm_file_list_clear(s->ctx, &all);
    mfm_file_list_clear(s->ctx, &train);
    mfm_file_list_clear(s->ctx, &test);
    return status;
}

static int read_part(struct scan *s, const char *part, bool needed, bool skips, mfm_images *images)
{
    mfm_file_list list = {0};
    int status = find_images(s, part, needed, &list);
    if (status == MFM_OK)
        status = mfm_file_images_new(s->ctx, part, skips, &list, images);
    mfm_file_list_clear(s->ctx, &list);
    return status;
}

/* The training images tell the classes, so their folders are looked through even when only the test
 * images are wanted. */
static int scan_folder(struct scan *s, const char *folder, unsigned parts, mfm_dataset *dataset)
{
    char *train, *test;
    const bool divided = has_folder(s->ctx, folder, "train", &train);
    if (!has_folder(s->ctx, folder, "test", &test))
        has_folder(s->ctx, folder, "val", &test);
    int status = find_classes(s, divided ? train : folder);
    if (status == MFM_OK)
        status = check_case(s, divided ? train : folder);
    if (status == MFM_OK && divided && dataset->options.test_part > 0)
        status = mfm_fail(s->ctx, MFM_EINVAL, "%s is divided already: no --test-part", folder);
    if (status == MFM_OK && divided && (parts & MFM_PART_TEST) && !test)
        status = mfm_fail(s->ctx, MFM_EIO, "%s/test: no such folder", folder);
    if (status == MFM_OK && divided && test)
        status = check_test_classes(s, test);
    if (status == MFM_OK && divided)
        status = read_part(s, train, true, dataset->options.skip_bad, &dataset->train);
    if (status == MFM_OK && divided && (parts & MFM_PART_TEST))
        status = read_part(s, test, false, dataset->options.skip_bad, &dataset->test);
    if (status == MFM_OK && !divided)
        status = read_parts(s, folder, parts, dataset);
    mfm_free(s->ctx, train);
    mfm_free(s->ctx, test);
    return status;
}

/* Without training images, a model that tells its own normalisation is needed. */
static int read_folder(mfm_ctx *ctx, const char *folder, unsigned parts, mfm_dataset *dataset)
{
    struct scan s = {.ctx = ctx};
    if (!mfm_decoder_built())
        return mfm_fail(ctx, MFM_ENOTSUP, "folder: " MFM_DECODER_MISSING);
    int status = scan_folder(&s, folder, parts, dataset);
    if (status == MFM_OK)
        status = mfm_dataset_set_classes(ctx, dataset, (int)s.classes.count,
                                         (const char *const *)s.classes.name);
    if (status == MFM_OK && s.others)
        mfm_warn(ctx, "%s: %u files that are no JPEG or PNG are left out, such as %s", folder,
                 s.others, s.other);
    if (status == MFM_OK)
        status = mfm_file_images_measure(ctx, dataset);
    clear_names(ctx, &s.classes);
    mfm_free(ctx, s.other);
    return status;
}

const mfm_dataset_kind mfm_dataset_folder = {
    .name = "folder", .read = read_folder, .divides = true};
