/* The images that a list tells (image_list.h). Its lines are read twice: for the classes, then for
 * the images, whose numbers depend on all classes. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/data/sources/files/image_list.h"
#include "core/data/sources/files/image_scan.h"

static bool is_test(const mfm_image_line *line)
{
    return line->field[2] && strcmp(line->field[2], "test") == 0;
}

static int take_class(void *self, const mfm_image_line *line)
{
    mfm_image_scan *s = self;
    const char *part = line->field[2];
    if (part && strcmp(part, "train") != 0 && strcmp(part, "test") != 0)
        return mfm_fail(s->ctx, MFM_EDATA, "%s:%d: part %s: train or test", s->options->list,
                        line->number, part);
    s->divided = s->divided || part;
    const size_t last = s->classes.count - 1;
    if (s->classes.count && strcmp(s->classes.name[last], line->field[1]) == 0)
        return MFM_OK; /* a list is mostly in order */
    return mfm_scan_add_class(s, line->field[1]);
}

static int take_image(void *self, const mfm_image_line *line)
{
    mfm_image_scan *s = self;
    struct stat info = {0};
    const char *path = line->field[0];
    const int label = mfm_scan_find_class(s, line->field[1]);
    char *whole =
        path[0] == '/' ? mfm_strdup(s->ctx, path) : mfm_format(s->ctx, "%s/%s", s->folder, path);
    if (!whole)
        return MFM_ENOMEM;
    const bool found = stat(whole, &info) == 0;
    int status = MFM_OK;
    if (!found && s->options->on_bad == MFM_BAD_STOP)
        status = mfm_fail(s->ctx, MFM_EIO, "%s:%d: %s: %s", s->options->list, line->number, whole,
                          strerror(errno));
    mfm_free(s->ctx, whole);
    return status ? status
                  : mfm_file_list_add(s->ctx, is_test(line) ? &s->test : &s->train, path,
                                      found ? (uint64_t)info.st_size : 0, mfm_file_id_of(&info),
                                      label);
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* An image that is in both parts would test what it has taught. */
static int check_doubles(const mfm_image_scan *s)
{
    const size_t count = (size_t)s->train.count + s->test.count;
    char **paths = mfm_alloc(s->ctx, count ? count : 1, sizeof *paths);
    int status = paths ? MFM_OK : MFM_ENOMEM;
    if (!paths)
        return status;
    for (size_t i = 0; i < count; i++)
        paths[i] = i < s->train.count ? s->train.paths[i] : s->test.paths[i - s->train.count];
    qsort(paths, count, sizeof *paths, by_bytes);
    for (size_t i = 1; status == MFM_OK && i < count; i++)
        if (strcmp(paths[i - 1], paths[i]) == 0)
            status = mfm_fail(s->ctx, MFM_EDATA, "%s: %s stands in it twice", s->options->list,
                              paths[i]);
    mfm_free(s->ctx, paths);
    return status;
}

static int check_classes(const mfm_image_scan *s)
{
    bool *seen = mfm_alloc(s->ctx, s->classes.count, sizeof *seen);
    int status = seen ? MFM_OK : MFM_ENOMEM;
    for (uint32_t i = 0; seen && i < s->train.count; i++)
        seen[s->train.labels[i]] = true;
    for (size_t c = 0; status == MFM_OK && c < s->classes.count; c++)
        if (!seen[c])
            status = mfm_fail(s->ctx, MFM_EDATA, "%s: class %s has no training image",
                              s->options->list, s->classes.name[c]);
    mfm_free(s->ctx, seen);
    return status;
}

int mfm_scan_list(mfm_image_scan *s)
{
    const char *path = s->options->list;
    int status = mfm_image_list_read(s->ctx, path, take_class, s);
    if (status == MFM_OK)
        status = mfm_scan_settle_classes(s, path);
    if (status == MFM_OK)
        status = mfm_image_list_read(s->ctx, path, take_image, s);
    if (status == MFM_OK)
        status = check_doubles(s);
    if (status == MFM_OK && (s->parts & MFM_PART_TRAIN) && !s->told)
        status = check_classes(s);
    if (status == MFM_OK && s->divided && (s->parts & MFM_PART_TEST) && s->test.count == 0)
        status = mfm_fail(s->ctx, MFM_EDATA, "%s: no line has the part test", path);
    return status;
}
