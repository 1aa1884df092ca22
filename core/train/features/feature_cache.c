#include "core/train/features/feature_cache.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

int mfm_feature_cache_unusable(mfm_feature_cache *c, const char *why)
{
    mfm_warn(c->ctx, "%s: the features are computed anew", why);
    return MFM_CACHE_ANEW;
}

static int open_file(mfm_feature_cache *c)
{
    const int status = mfm_feature_file_open(c->ctx, c->path, &c->key, c->width, &c->file);
    if (status == MFM_EDATA || status == MFM_EIO) {
        mfm_feature_cache_unusable(c, mfm_message(c->ctx));
        c->anew = true;
        return MFM_OK;
    }
    if (c->file && mfm_feature_file_dropped(c->file))
        mfm_warn(c->ctx,
                 "%s: %llu bytes at its end are damaged or cut short: the %u rows before them are "
                 "used",
                 c->path, (unsigned long long)mfm_feature_file_dropped(c->file),
                 mfm_feature_file_count(c->file));
    return status;
}

int mfm_feature_cache_open(mfm_ctx *ctx, const char *folder, double size, const mfm_digest *key,
                           size_t width, mfm_feature_cache *c)
{
    char text[MFM_DIGEST_TEXT];
    struct stat st;
    *c = (mfm_feature_cache){.ctx = ctx, .key = *key, .width = width, .size = size};
    if (mkdir(folder, 0777) && errno != EEXIST)
        return mfm_fail(ctx, MFM_EIO, "--feature-cache: cannot make %s: %s", folder,
                        strerror(errno));
    if (stat(folder, &st) || !S_ISDIR(st.st_mode))
        return mfm_fail(ctx, MFM_EIO, "--feature-cache: %s: not a folder", folder);
    c->folder = mfm_strdup(ctx, folder);
    c->path = mfm_format(ctx, "%s/%s.features", folder, mfm_digest_text(key, text));
    return c->folder && c->path ? open_file(c) : MFM_ENOMEM;
}

void mfm_feature_cache_forget(mfm_feature_cache *c)
{
    mfm_feature_file_close(c->file);
    c->file = NULL;
    c->anew = true;
}

void mfm_feature_cache_clear(mfm_feature_cache *c)
{
    mfm_feature_file_close(c->file);
    c->file = NULL;
    mfm_free(c->ctx, c->folder);
    mfm_free(c->ctx, c->path);
    c->folder = c->path = NULL;
}

static int lose(mfm_feature_cache *c)
{
    mfm_warn(c->ctx, "%s: features are kept in memory alone, as far as there is room",
             mfm_message(c->ctx));
    if (c->file)
        mfm_feature_file_take_back(c->file);
    c->unwritable = true;
    return MFM_CACHE_LOST;
}

/* What has been added stays: it is synced, and so not taken back. */
static int full(mfm_feature_cache *c)
{
    if (!mfm_feature_file_sync(c->file))
        mfm_fail(c->ctx, MFM_EIO, "%s: --feature-cache-size %g leaves room for %u rows", c->path,
                 c->size / 0x1p20, mfm_feature_file_count(c->file));
    return lose(c);
}

/* Another run may have made it since this one looked. */
static int make_file(mfm_feature_cache *c)
{
    const int status = c->anew ? MFM_OK : open_file(c);
    return status || c->file ? status
                             : mfm_feature_file_new(c->ctx, c->path, &c->key, c->width, &c->file);
}

int mfm_feature_cache_put(mfm_feature_cache *c, const mfm_digest *name, const real *row,
                          uint32_t *number)
{
    if (c->unwritable)
        return MFM_CACHE_LOST;
    int status = c->file ? MFM_OK : make_file(c);
    const uint32_t count = mfm_feature_file_count(c->file);
    if (!status && c->size > 0 && (double)mfm_feature_file_size(c->file, count + 1) > c->size)
        return full(c);
    if (!status)
        status = mfm_feature_file_add(c->file, name, row, number);
    if (status == MFM_EDATA)
        return mfm_feature_cache_unusable(c, mfm_message(c->ctx));
    return !status || status == MFM_ENOMEM ? status : lose(c);
}

int mfm_feature_cache_commit(mfm_feature_cache *c)
{
    return c->file && mfm_feature_file_sync(c->file) ? lose(c) : MFM_OK;
}

int mfm_feature_cache_prune(mfm_feature_cache *c, mfm_feature_pruned *pruned)
{
    *pruned = (mfm_feature_pruned){0};
    if (!c->path || c->size <= 0)
        return MFM_OK;
    const int status =
        mfm_feature_prune(c->ctx, c->folder, strrchr(c->path, '/') + 1, c->size, pruned);
    if (!status && pruned->left > c->size)
        mfm_warn(c->ctx, "%s: its files take %.1f MiB, more than --feature-cache-size %g",
                 c->folder, pruned->left / 0x1p20, c->size / 0x1p20);
    return status;
}
