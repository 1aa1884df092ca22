#include "tools/infer/image_paths.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/data/images/decoder.h"
#include "tools/files.h"

static int add(mfm_ctx *ctx, const char *path, mfm_image_paths *paths)
{
    const int status = mfm_grow(ctx, &paths->path, paths->count, &paths->room, sizeof *paths->path);
    if (status)
        return status;
    paths->path[paths->count] = mfm_strdup(ctx, path);
    return paths->path[paths->count] ? (paths->count++, MFM_OK) : MFM_ENOMEM;
}

/* ---- standard input ---- */

static int add_lines(mfm_ctx *ctx, mfm_image_paths *paths)
{
    char *line = NULL;
    size_t room = 0;
    int status = MFM_OK;
    for (ssize_t length; !status && (length = getline(&line, &room, stdin)) >= 0;) {
        while (length > 0 && (line[length - 1] == '\n' || line[length - 1] == '\r'))
            line[--length] = '\0';
        if (length > 0)
            status = add(ctx, line, paths);
    }
    if (!status && ferror(stdin))
        status = mfm_fail_errno(ctx, errno, "read", "standard input");
    free(line);
    return status;
}

/* ---- folders ---- */

/* Links to folders may lead back, and are not followed below the folder that was named. */
static bool is_folder(const char *path, bool follow)
{
    struct stat st;
    return (follow ? stat(path, &st) : lstat(path, &st)) == 0 && S_ISDIR(st.st_mode);
}

static int visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int add_folder(mfm_ctx *ctx, const char *folder, mfm_image_paths *paths);

static int add_entry(mfm_ctx *ctx, const char *folder, const char *name, mfm_image_paths *paths)
{
    const size_t length = strlen(folder);
    char *path =
        mfm_format(ctx, "%s%s%s", folder, length && folder[length - 1] == '/' ? "" : "/", name);
    int status = path ? MFM_OK : MFM_ENOMEM;
    if (path && is_folder(path, false))
        status = add_folder(ctx, path, paths);
    else if (path && mfm_decoder_takes(name))
        status = add(ctx, path, paths);
    mfm_free(ctx, path);
    return status;
}

static int add_folder(mfm_ctx *ctx, const char *folder, mfm_image_paths *paths)
{
    struct dirent **entries;
    const int count = scandir(folder, &entries, visible, by_bytes);
    if (count < 0)
        return mfm_fail_errno(ctx, errno, "read", folder);
    int status = MFM_OK;
    for (int i = 0; i < count; i++) {
        if (!status)
            status = add_entry(ctx, folder, entries[i]->d_name, paths);
        free(entries[i]);
    }
    free(entries);
    return status;
}

int mfm_image_paths_add(mfm_ctx *ctx, const char *argument, mfm_image_paths *paths)
{
    if (strcmp(argument, "-") == 0)
        return add_lines(ctx, paths);
    if (!is_folder(argument, true))
        return add(ctx, argument, paths);
    const size_t before = paths->count;
    const int status = add_folder(ctx, argument, paths);
    return status || paths->count > before
               ? status
               : mfm_fail(ctx, MFM_EDATA, "%s: no JPEG or PNG file in the folder", argument);
}

void mfm_image_paths_clear(mfm_ctx *ctx, mfm_image_paths *paths)
{
    for (size_t i = 0; i < paths->count; i++)
        mfm_free(ctx, paths->path[i]);
    mfm_free(ctx, paths->path);
    *paths = (mfm_image_paths){.count = 0};
}
