#include "core/train/features/feature_prune.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/digest.h"
#include "core/data/file_writer.h"
#include "core/train/features/feature_file.h"

enum { NAME_SIZE = 64 };

typedef struct candidate {
    char name[NAME_SIZE];
    double bytes;
    struct timespec used;
} candidate;

typedef struct listing {
    mfm_ctx *ctx;
    const char *path;
    int folder;
    candidate *files;
    size_t count, room;
} listing;

/* KEY.features, or the temporary file of one. */
static bool is_ours(const char *name)
{
    const bool temporary = name[0] == '.';
    const char *key = name + temporary;
    const size_t digits = strspn(key, "0123456789abcdef");
    return digits == MFM_DIGEST_TEXT - 1 &&
           strcmp(key + digits, temporary ? ".features" MFM_TEMPORARY_SUFFIX : ".features") == 0;
}

static int list(listing *l, DIR *d)
{
    for (const struct dirent *e; (e = readdir(d));) {
        struct stat st;
        if (!is_ours(e->d_name) || fstatat(l->folder, e->d_name, &st, AT_SYMLINK_NOFOLLOW) ||
            !S_ISREG(st.st_mode))
            continue;
        const int status = mfm_grow(l->ctx, &l->files, l->count, &l->room, sizeof *l->files);
        if (status)
            return status;
        candidate *c = &l->files[l->count++];
        *c = (candidate){.bytes = (double)st.st_size, .used = st.st_mtim};
        memcpy(c->name, e->d_name, strlen(e->d_name) + 1); /* is_ours: shorter than NAME_SIZE */
    }
    return MFM_OK;
}

static int by_use(const void *a, const void *b)
{
    const candidate *x = a, *y = b;
    if (x->used.tv_sec != y->used.tv_sec)
        return x->used.tv_sec < y->used.tv_sec ? -1 : 1;
    if (x->used.tv_nsec != y->used.tv_nsec)
        return x->used.tv_nsec < y->used.tv_nsec ? -1 : 1;
    return strcmp(x->name, y->name);
}

/* Whether it is what its name says, and nobody writes it; it is locked until *file is closed. */
static bool may_go(const listing *l, const candidate *c, int *file)
{
    char magic[sizeof MFM_FEATURE_MAGIC - 1];
    *file = openat(l->folder, c->name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
    if (*file < 0 || (flock(*file, LOCK_EX | LOCK_NB) && errno == EWOULDBLOCK))
        return false;
    return c->bytes == 0 || (read(*file, magic, sizeof magic) == (ssize_t)sizeof magic &&
                             memcmp(magic, MFM_FEATURE_MAGIC, sizeof magic) == 0);
}

static void remove_file(const listing *l, const candidate *c, mfm_feature_pruned *pruned)
{
    int file;
    if (may_go(l, c, &file)) {
        if (unlinkat(l->folder, c->name, 0) == 0) {
            pruned->files++;
            pruned->bytes += c->bytes;
            pruned->left -= c->bytes;
        } else {
            mfm_warn(l->ctx, "cannot remove %s/%s: %s", l->path, c->name, strerror(errno));
        }
    }
    if (file >= 0)
        close(file);
}

int mfm_feature_prune(mfm_ctx *ctx, const char *folder, const char *keep, double size,
                      mfm_feature_pruned *pruned)
{
    *pruned = (mfm_feature_pruned){0};
    DIR *d = opendir(folder);
    if (!d)
        return mfm_fail(ctx, MFM_EIO, "cannot read %s: %s", folder, strerror(errno));
    listing l = {.ctx = ctx, .path = folder, .folder = dirfd(d)};
    const int status = list(&l, d);
    if (!status && l.count)
        qsort(l.files, l.count, sizeof *l.files, by_use);
    for (size_t i = 0; i < l.count; i++)
        pruned->left += l.files[i].bytes;
    for (size_t i = 0; i < l.count && !status && pruned->left > size; i++)
        if (strcmp(l.files[i].name, keep) != 0)
            remove_file(&l, &l.files[i], pruned);
    mfm_free(ctx, l.files);
    closedir(d);
    return status;
}
