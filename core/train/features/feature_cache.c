#include "core/train/features/feature_cache.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

int mfm_feature_cache_unusable(mfm_feature_cache *c, const char *why)
{
    mfm_warn(c->ctx, "%s: the features are computed anew", why);
    return MFM_CACHE_ANEW;
}

int mfm_feature_cache_open(mfm_ctx *ctx, const char *folder, const mfm_digest *key, size_t width,
                           mfm_feature_cache *c)
{
    char text[MFM_DIGEST_TEXT];
    struct stat st;
    *c = (mfm_feature_cache){.ctx = ctx, .key = *key, .width = width};
    if (mkdir(folder, 0777) && errno != EEXIST)
        return mfm_fail(ctx, MFM_EIO, "--feature-cache: cannot make %s: %s", folder,
                        strerror(errno));
    if (stat(folder, &st) || !S_ISDIR(st.st_mode))
        return mfm_fail(ctx, MFM_EIO, "--feature-cache: %s: not a folder", folder);
    c->path = mfm_format(ctx, "%s/%s.features", folder, mfm_digest_text(key, text));
    const int status =
        c->path ? mfm_feature_file_open(ctx, c->path, key, width, &c->file) : MFM_ENOMEM;
    if (status != MFM_EDATA && status != MFM_EIO)
        return status;
    mfm_feature_cache_unusable(c, mfm_message(ctx));
    return MFM_OK;
}

void mfm_feature_cache_forget(mfm_feature_cache *c)
{
    mfm_feature_writer_close(c->writer);
    mfm_feature_file_close(c->file);
    c->writer = NULL;
    c->file = NULL;
}

void mfm_feature_cache_clear(mfm_feature_cache *c)
{
    mfm_feature_cache_forget(c);
    mfm_free(c->ctx, c->path);
    c->path = NULL;
}

static int lose(mfm_feature_cache *c)
{
    mfm_warn(c->ctx, "%s: features are kept in memory alone, as far as there is room",
             mfm_message(c->ctx));
    mfm_feature_writer_close(c->writer);
    c->writer = NULL;
    c->unwritable = true;
    return MFM_CACHE_LOST;
}

int mfm_feature_cache_put(mfm_feature_cache *c, const mfm_digest *name, const real *row,
                          uint32_t *number)
{
    if (c->unwritable)
        return MFM_CACHE_LOST;
    int status = c->writer ? MFM_OK
                           : mfm_feature_writer_open(c->ctx, c->path, &c->key, c->width, c->file,
                                                     &c->writer);
    if (status == MFM_EDATA)
        return mfm_feature_cache_unusable(c, mfm_message(c->ctx));
    if (!status)
        status = mfm_feature_writer_put(c->writer, name, row, number);
    return !status || status == MFM_ENOMEM ? status : lose(c);
}

int mfm_feature_cache_commit(mfm_feature_cache *c)
{
    if (!c->writer)
        return MFM_OK;
    if (mfm_feature_writer_commit(c->writer))
        return lose(c);
    mfm_feature_cache_forget(c);
    return mfm_feature_file_open(c->ctx, c->path, &c->key, c->width, &c->file);
}
