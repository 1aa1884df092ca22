/* Class folders: DIR/CLASS/NAME.jpg, or DIR/train/CLASS and DIR/test/CLASS (or DIR/val/CLASS). */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/words.h"
#include "core/data/images/decoder.h"
#include "core/data/sources/files/image_scan.h"

/* What is in a folder, in order, without what begins with a dot. */
struct names {
    char **name;
    size_t count, room;
};

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

/* *path is the caller's, NULL where there is no such folder. */
static int find_folder(mfm_ctx *ctx, const char *folder, const char *name, char **path)
{
    *path = mfm_format(ctx, "%s/%s", folder, name);
    if (!*path)
        return MFM_ENOMEM;
    if (!is_folder(*path)) {
        mfm_free(ctx, *path);
        *path = NULL;
    }
    return MFM_OK;
}

/* ---- classes ---- */

/* Folders of `part` are classes; files beside them are left out. */
static int find_classes(mfm_image_scan *s, const char *part)
{
    struct names names = {0};
    int status = list_folder(s->ctx, part, &names);
    for (size_t i = 0; status == MFM_OK && i < names.count; i++) {
        char *path;
        status = find_folder(s->ctx, part, names.name[i], &path);
        if (path)
            status = mfm_scan_add_class(s, names.name[i]);
        mfm_free(s->ctx, path);
    }
    clear_names(s->ctx, &names);
    if (status == MFM_OK && s->classes.count == 0)
        status =
            mfm_fail(s->ctx, MFM_EDATA, "%s: no folder in it: one for each class is needed%s", part,
                     strcmp(part, s->folder) == 0
                         ? ""
                         : "; a class that is called train, test or val needs --list");
    return status == MFM_OK ? mfm_scan_settle_classes(s, part) : status;
}

/* A test part may lack classes, but has none of its own. */
static int check_test_classes(mfm_image_scan *s, const char *test)
{
    struct names names = {0};
    int status = list_folder(s->ctx, test, &names);
    for (size_t i = 0; status == MFM_OK && i < names.count; i++) {
        char *path;
        status = find_folder(s->ctx, test, names.name[i], &path);
        if (path && mfm_scan_find_class(s, names.name[i]) < 0)
            status = mfm_fail(s->ctx, MFM_EDATA, "%s: no class of the training images is called so",
                              path);
        mfm_free(s->ctx, path);
    }
    clear_names(s->ctx, &names);
    return status;
}

/* ---- images ---- */

static int leave_out(mfm_image_scan *s, const char *path)
{
    if (s->others++ == 0) {
        s->other = mfm_strdup(s->ctx, path);
        if (!s->other)
            return MFM_ENOMEM;
    }
    return MFM_OK;
}

/* folder: of the class, relative to the dataset's. */
static int add_file(mfm_image_scan *s, const char *folder, const char *name, int label,
                    mfm_file_list *list)
{
    struct stat info = {0};
    char *relative = mfm_format(s->ctx, "%s/%s", folder, name);
    char *path = relative ? mfm_format(s->ctx, "%s/%s", s->folder, relative) : NULL;
    int status = path ? MFM_OK : MFM_ENOMEM;
    const bool image = path && mfm_decoder_takes(name), found = image && stat(path, &info) == 0;
    if (image && !found && s->options->on_bad == MFM_BAD_STOP)
        status = mfm_fail(s->ctx, MFM_EIO, "%s: %s", path, strerror(errno));
    else if (image && (!found || S_ISREG(info.st_mode)))
        status = mfm_file_list_add(s->ctx, list, relative, found ? (uint64_t)info.st_size : 0,
                                   mfm_file_id_of(&info), label);
    else if (path)
        status = leave_out(s, path);
    mfm_free(s->ctx, path);
    mfm_free(s->ctx, relative);
    return status;
}

/* part: "train", "test", or NULL for the dataset's folder itself. needed: a class without images is
 * an error. */
static int find_of_class(mfm_image_scan *s, const char *part, int label, bool needed,
                         mfm_file_list *list)
{
    char *relative =
        mfm_format(s->ctx, "%s%s%s", part ? part : "", part ? "/" : "", s->classes.name[label]);
    char *path = NULL;
    int status = relative ? find_folder(s->ctx, s->folder, relative, &path) : MFM_ENOMEM;
    struct names names = {0};
    const uint32_t before = list->count;
    if (status == MFM_OK && path)
        status = list_folder(s->ctx, path, &names);
    for (size_t i = 0; status == MFM_OK && i < names.count; i++)
        status = add_file(s, relative, names.name[i], label, list);
    if (status == MFM_OK && needed && list->count == before)
        status = mfm_fail(s->ctx, MFM_EDATA,
                          "%s/%s: no JPEG or PNG file in it: remove the folder, or add images of "
                          "the class",
                          s->folder, relative);
    clear_names(s->ctx, &names);
    mfm_free(s->ctx, path);
    mfm_free(s->ctx, relative);
    return status;
}

static int find_images(mfm_image_scan *s, const char *part, bool needed, mfm_file_list *list)
{
    int status = MFM_OK;
    for (size_t c = 0; status == MFM_OK && c < s->classes.count; c++)
        status = find_of_class(s, part, (int)c, needed, list);
    if (status == MFM_OK && list->count == 0)
        status =
            mfm_fail(s->ctx, MFM_EDATA, "%s%s%s: no JPEG or PNG file in the folders of its classes",
                     s->folder, part ? "/" : "", part ? part : "");
    return status;
}

/* ---- parts ---- */

/* How many folders there are beside train and that of the test part; other: the caller's, the first
 * of them, NULL where there is none. */
static int count_others(mfm_image_scan *s, const char *test_name, size_t *count, char **other)
{
    struct names names = {0};
    int status = list_folder(s->ctx, s->folder, &names);
    *count = 0;
    *other = NULL;
    for (size_t i = 0; status == MFM_OK && i < names.count; i++) {
        char *path = NULL;
        if (strcmp(names.name[i], "train") != 0 && strcmp(names.name[i], test_name) != 0)
            status = find_folder(s->ctx, s->folder, names.name[i], &path);
        *count += path != NULL;
        if (*other)
            mfm_free(s->ctx, path);
        else
            *other = path;
    }
    clear_names(s->ctx, &names);
    return status;
}

static int scan_divided(mfm_image_scan *s, const char *train, const char *test,
                        const char *test_name)
{
    const bool tests = s->parts & MFM_PART_TEST;
    int status = MFM_OK;
    s->divided = true;
    if (!train && (s->parts & MFM_PART_TRAIN))
        return mfm_fail(s->ctx, MFM_EDATA, "%s/train: no such folder, and %s is all there is",
                        s->folder, test);
    if (tests && !test)
        return mfm_fail(s->ctx, MFM_EIO, "%s/test: no such folder", s->folder);
    status = find_classes(s, train ? train : test);
    if (status == MFM_OK && train && test)
        status = check_test_classes(s, test);
    /* The training images tell the classes and the normalisation of the images. */
    if (status == MFM_OK && train)
        status = find_images(s, "train", !s->told, &s->train);
    if (status == MFM_OK && tests)
        status = find_images(s, test_name, false, &s->test);
    return status;
}

int mfm_scan_folder(mfm_image_scan *s)
{
    char *train = NULL, *test = NULL, *other = NULL;
    const char *test_name = "test";
    size_t others = 0;
    int status = find_folder(s->ctx, s->folder, "train", &train);
    if (status == MFM_OK)
        status = find_folder(s->ctx, s->folder, "test", &test);
    if (status == MFM_OK && !test) {
        test_name = "val";
        status = find_folder(s->ctx, s->folder, "val", &test);
    }
    if (status == MFM_OK && (train || test))
        status = count_others(s, test_name, &others, &other);
    if (status == MFM_OK && train && others)
        mfm_warn(s->ctx, "%s: %zu %s not read beside its parts, such as %s", s->folder, others,
                 mfm_plural(others, "folder is", "folders are"), other);
    if (status == MFM_OK && (train || (test && !others)))
        status = scan_divided(s, train, test, test_name);
    else if (status == MFM_OK) {
        status = find_classes(s, s->folder);
        if (status == MFM_OK)
            status = find_images(s, NULL, !s->told, &s->train);
    }
    mfm_free(s->ctx, train);
    mfm_free(s->ctx, test);
    mfm_free(s->ctx, other);
    return status;
}
