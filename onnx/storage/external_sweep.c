/* Files of weights that no model reads any more. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/data/file_writer.h"
#include "onnx/proto/model.h"
#include "onnx/storage/file_read.h"

typedef struct sweeper {
    mfm_ctx *ctx;
    const char *base; /* of the model's path */
    DIR *folder;
    char **names; /* of files beside */
    size_t n_names, capacity;
} sweeper;

bool mfm_model_makes(const char *name, const char *base)
{
    enum { DIGITS = 16 };
    const size_t length = strlen(base);
    if (strncmp(name, base, length) != 0 || name[length] != '.' ||
        strlen(name + length) != 1 + DIGITS + strlen(".data"))
        return false;
    const char *digits = name + length + 1;
    for (int i = 0; i < DIGITS; i++)
        if (!isdigit((unsigned char)digits[i]) && !(digits[i] >= 'a' && digits[i] <= 'f'))
            return false;
    return strcmp(digits + DIGITS, ".data") == 0;
}

static int list_names(sweeper *s)
{
    int status = MFM_OK;
    const struct dirent *entry;
    while (!status && (entry = readdir(s->folder)) != NULL) {
        if (!mfm_model_makes(entry->d_name, s->base))
            continue;
        status = mfm_grow(s->ctx, &s->names, s->n_names, &s->capacity, sizeof *s->names);
        char *name = status ? NULL : mfm_strdup(s->ctx, entry->d_name);
        if (name)
            s->names[s->n_names++] = name;
        else
            status = MFM_ENOMEM;
    }
    return status;
}

/* Takes those off the list whose names stand in the bytes, wherever: a model that is damaged counts
 * as well. */
static void spare_named(sweeper *s, const uint8_t *bytes, size_t size)
{
    for (size_t i = s->n_names; i-- > 0;)
        if (memmem(bytes, size, s->names[i], strlen(s->names[i]))) {
            mfm_free(s->ctx, s->names[i]);
            s->names[i] = s->names[--s->n_names];
        }
}

/* A model that is not there reads nothing. */
static int spare_read(sweeper *s, const char *path)
{
    struct stat st;
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 && errno == ENOENT)
        return MFM_OK;
    if (fd < 0 || fstat(fd, &st)) {
        mfm_fail(s->ctx, MFM_EIO, "cannot read %s: %s", path, strerror(errno));
        if (fd >= 0)
            close(fd);
        return MFM_EIO;
    }
    uint8_t *bytes = mfm_alloc(s->ctx, (size_t)st.st_size, 1);
    const ssize_t got = bytes ? mfm_read_at(fd, bytes, (size_t)st.st_size, 0) : 0;
    int status = bytes ? MFM_OK : MFM_ENOMEM;
    if (got < 0)
        status = mfm_fail(s->ctx, MFM_EIO, "cannot read %s: %s", path, strerror(errno));
    if (!status)
        spare_named(s, bytes, (size_t)got);
    mfm_free(s->ctx, bytes);
    close(fd);
    return status;
}

static int remove_names(const sweeper *s)
{
    int status = MFM_OK;
    for (size_t i = 0; i < s->n_names && !status; i++)
        if (unlinkat(dirfd(s->folder), s->names[i], 0) && errno != ENOENT)
            status = mfm_fail(s->ctx, MFM_EIO, "cannot remove %s, which nothing reads: %s",
                              s->names[i], strerror(errno));
    return status;
}

int mfm_model_sweep(mfm_ctx *ctx, const char *path, const char *const *others, size_t n_others)
{
    const char *slash = strrchr(path, '/');
    sweeper s = {.ctx = ctx, .base = slash ? slash + 1 : path};
    char *folder = mfm_folder_of(ctx, path);
    if (!folder)
        return MFM_ENOMEM;
    s.folder = opendir(folder);
    int status = s.folder ? list_names(&s)
                          : mfm_fail(ctx, MFM_EIO, "cannot read %s: %s", folder, strerror(errno));
    if (!status && s.n_names)
        status = spare_read(&s, path);
    for (size_t i = 0; i < n_others && s.n_names && !status; i++)
        status = spare_read(&s, others[i]);
    if (!status)
        status = remove_names(&s);
    for (size_t i = 0; i < s.n_names; i++)
        mfm_free(ctx, s.names[i]);
    mfm_free(ctx, s.names);
    if (s.folder)
        closedir(s.folder);
    mfm_free(ctx, folder);
    return status;
}
