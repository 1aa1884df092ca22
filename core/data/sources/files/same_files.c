/* One file that is there under several names: by a link, or by another way to its folder. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/data/sources/files/image_scan.h"

typedef struct named {
    mfm_file_id id;
    bool test;
    uint32_t index; /* in its part */
} named;

mfm_file_id mfm_file_id_of(const struct stat *info)
{
    return (mfm_file_id){.device = (uint64_t)info->st_dev, .inode = (uint64_t)info->st_ino};
}

static bool same(const named *a, const named *b)
{
    return a->id.device == b->id.device && a->id.inode == b->id.inode;
}

/* Names of one file stand together, those for training first. */
static int by_file(const void *x, const void *y)
{
    const named *a = x, *b = y;
    if (a->id.device != b->id.device)
        return a->id.device < b->id.device ? -1 : 1;
    if (a->id.inode != b->id.inode)
        return a->id.inode < b->id.inode ? -1 : 1;
    if (a->test != b->test)
        return a->test ? 1 : -1;
    return a->index < b->index ? -1 : a->index > b->index;
}

static size_t put(const mfm_file_list *list, bool test, named *to)
{
    size_t n = 0;
    for (uint32_t i = 0; i < list->count; i++)
        if (list->ids[i].inode || list->ids[i].device)
            to[n++] = (named){.id = list->ids[i], .test = test, .index = i};
    return n;
}

static const char *path_of(const mfm_image_scan *s, const named *file)
{
    return (file->test ? &s->test : &s->train)->paths[file->index];
}

/* An image of both parts would test what it has taught. */
static int check(const mfm_image_scan *s, const named *files, size_t n)
{
    const char *where = s->options->list ? s->options->list : s->folder;
    const named *first = files, *example[2] = {NULL, NULL};
    uint32_t twice = 0;
    for (const named *f = files + 1; f < files + n; f++) {
        if (!same(first, f)) {
            first = f;
            continue;
        }
        if (first->test != f->test)
            return mfm_fail(s->ctx, MFM_EDATA,
                            "%s: %s is for training and %s for testing, and both are one file: "
                            "take one of them out",
                            where, path_of(s, first), path_of(s, f));
        if (twice++ == 0) {
            example[0] = first;
            example[1] = f;
        }
    }
    if (twice)
        mfm_warn(s->ctx,
                 "%s: %u %s a file that is there under another name, such as %s and %s: what is "
                 "set apart of them is no test of the others",
                 where, twice, twice == 1 ? "image is" : "images are", path_of(s, example[0]),
                 path_of(s, example[1]));
    return MFM_OK;
}

int mfm_scan_check_same_files(mfm_image_scan *s)
{
    named *files = mfm_alloc(s->ctx, (size_t)s->train.count + s->test.count + 1, sizeof *files);
    if (!files)
        return MFM_ENOMEM;
    size_t n = put(&s->train, false, files);
    n += put(&s->test, true, files + n);
    qsort(files, n, sizeof *files, by_file);
    const int status = check(s, files, n);
    mfm_free(s->ctx, files);
    return status;
}
