#include "core/train/features/feature_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/data/file_writer.h"

/*
 * head | rows [count, width] | entries [count] | end: numbers as this machine has them, which the
 * head's `order` and `number` tell from other machines' and builds'.
 */
enum { VERSION = 1, ORDER = 0x01020304 };
static const char magic[8] = {'m', 'f', 'm', '.', 'f', 'e', 'a', 't'};

typedef struct head {
    char magic[8];
    uint32_t order, version, number, unused; /* number: bytes of one */
    mfm_digest key;
    uint64_t width;
    uint8_t padding[16]; /* rows begin at a multiple of 64 bytes */
} head;

typedef struct entry {
    mfm_digest name, row;
} entry;

typedef struct end {
    uint64_t count;
    mfm_digest digest; /* of the head, then of the entries, then of the count */
} end;

_Static_assert(sizeof(head) == 64 && sizeof(entry) == 32 && sizeof(end) == 24,
               "no padding but what is said");

static head head_of(const mfm_digest *key, size_t width)
{
    head h = {.order = ORDER,
              .version = VERSION,
              .number = sizeof(real),
              .key = *key,
              .width = (uint64_t)width};
    memcpy(h.magic, magic, sizeof magic);
    return h;
}

static mfm_digest digest_of(const head *h, const entry *entries, uint64_t count)
{
    const mfm_digest d =
        mfm_digest_more(mfm_digest_of(h, sizeof *h), entries, (size_t)count * sizeof *entries);
    return mfm_digest_number(d, count);
}

/* ---- reading --------------------------------------------------------------------------------- */

struct mfm_feature_file {
    mfm_ctx *ctx;
    char *path;
    int file;
    size_t width;
    uint32_t count;
    entry *entries;  /* [count] */
    uint32_t *slots; /* [n_slots] rows by their names: at the first free slot from the name's own */
    size_t n_slots;  /* a power of two, more than count */
};

static int damaged(const mfm_feature_file *f, const char *why)
{
    return mfm_fail(f->ctx, MFM_EDATA, "%s: %s", f->path, why);
}

static int read_at(const mfm_feature_file *f, void *to, size_t size, uint64_t at)
{
    for (size_t done = 0; done < size;) {
        const ssize_t got = pread(f->file, (char *)to + done, size - done, (off_t)(at + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got ? mfm_fail(f->ctx, MFM_EIO, "cannot read %s: %s", f->path, strerror(errno))
                       : damaged(f, "it is cut short");
        done += (size_t)got;
    }
    return MFM_OK;
}

static uint64_t place_of(const mfm_feature_file *f, uint64_t row)
{
    return sizeof(head) + row * f->width * sizeof(real);
}

static size_t slot_of(const mfm_feature_file *f, const mfm_digest *name)
{
    uint64_t start;
    memcpy(&start, name->byte, sizeof start);
    size_t at = (size_t)start & (f->n_slots - 1);
    while (f->slots[at] != MFM_NO_FEATURES &&
           !mfm_digest_same(&f->entries[f->slots[at]].name, name))
        at = (at + 1) & (f->n_slots - 1);
    return at;
}

static int make_slots(mfm_feature_file *f)
{
    for (f->n_slots = 2; f->n_slots < 2 * (size_t)f->count;)
        f->n_slots *= 2;
    f->slots = mfm_alloc(f->ctx, f->n_slots, sizeof *f->slots);
    if (!f->slots)
        return MFM_ENOMEM;
    for (size_t i = 0; i < f->n_slots; i++)
        f->slots[i] = MFM_NO_FEATURES;
    for (uint32_t i = 0; i < f->count; i++)
        f->slots[slot_of(f, &f->entries[i].name)] = i;
    return MFM_OK;
}

/* What the head must be is known, and so is the size of all else once the count is. */
static int check_ends(mfm_feature_file *f, const head *right, uint64_t size, end *last)
{
    head first;
    const uint64_t a_row = f->width * sizeof(real) + sizeof(entry);
    if (size < sizeof(head) + sizeof(end))
        return damaged(f, "it is cut short");
    int status = read_at(f, &first, sizeof first, 0);
    if (!status)
        status = read_at(f, last, sizeof *last, size - sizeof *last);
    if (status)
        return status;
    if (memcmp(first.magic, magic, sizeof magic) != 0)
        return damaged(f, "it is no file of features");
    if (memcmp(&first, right, sizeof first) != 0)
        return damaged(f, "its features are of another model, program or machine");
    const uint64_t rest = size - sizeof(head) - sizeof(end);
    if (last->count >= MFM_NO_FEATURES || rest % a_row != 0 || rest / a_row != last->count)
        return damaged(f, "it is damaged or cut short");
    f->count = (uint32_t)last->count;
    return MFM_OK;
}

static int read_entries(mfm_feature_file *f, const head *right, const end *last)
{
    f->entries = mfm_alloc(f->ctx, f->count, sizeof *f->entries);
    if (!f->entries)
        return MFM_ENOMEM;
    const int status = read_at(f, f->entries, f->count * sizeof *f->entries, place_of(f, f->count));
    if (status)
        return status;
    const mfm_digest found = digest_of(right, f->entries, f->count);
    return mfm_digest_same(&found, &last->digest) ? make_slots(f) : damaged(f, "it is damaged");
}

static int load(mfm_feature_file *f, const mfm_digest *key)
{
    struct stat st;
    const head right = head_of(key, f->width);
    end last;
    if (fstat(f->file, &st))
        return mfm_fail(f->ctx, MFM_EIO, "cannot read %s: %s", f->path, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return damaged(f, "it is no regular file");
    const int status = check_ends(f, &right, (uint64_t)st.st_size, &last);
    return status ? status : read_entries(f, &right, &last);
}

int mfm_feature_file_open(mfm_ctx *ctx, const char *path, const mfm_digest *key, size_t width,
                          mfm_feature_file **result)
{
    *result = NULL;
    const int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file < 0)
        return errno == ENOENT
                   ? MFM_OK
                   : mfm_fail(ctx, MFM_EIO, "cannot open %s: %s", path, strerror(errno));
    mfm_feature_file *f = mfm_alloc(ctx, 1, sizeof *f);
    if (!f) {
        close(file);
        return MFM_ENOMEM;
    }
    *f =
        (mfm_feature_file){.ctx = ctx, .file = file, .width = width, .path = mfm_strdup(ctx, path)};
    const int status = f->path ? load(f, key) : MFM_ENOMEM;
    if (status)
        mfm_feature_file_close(f);
    else
        *result = f;
    return status;
}

void mfm_feature_file_close(mfm_feature_file *f)
{
    if (!f)
        return;
    close(f->file);
    mfm_free(f->ctx, f->path);
    mfm_free(f->ctx, f->entries);
    mfm_free(f->ctx, f->slots);
    mfm_free(f->ctx, f);
}

uint32_t mfm_feature_file_count(const mfm_feature_file *f)
{
    return f ? f->count : 0;
}

uint32_t mfm_feature_file_find(const mfm_feature_file *f, const mfm_digest *name)
{
    return f ? f->slots[slot_of(f, name)] : MFM_NO_FEATURES;
}

int mfm_feature_file_read(const mfm_feature_file *f, uint32_t row, real *to)
{
    const int status = read_at(f, to, f->width * sizeof *to, place_of(f, row));
    if (status)
        return status;
    const mfm_digest found = mfm_digest_of(to, f->width * sizeof *to);
    return mfm_digest_same(&found, &f->entries[row].row) ? MFM_OK : damaged(f, "it is damaged");
}

size_t mfm_feature_file_bytes(const mfm_feature_file *f)
{
    return f ? f->count * sizeof *f->entries + f->n_slots * sizeof *f->slots : 0;
}

/* ---- writing --------------------------------------------------------------------------------- */

struct mfm_feature_writer {
    mfm_ctx *ctx;
    mfm_file_writer *out;
    head head;
    size_t size; /* bytes of a row */
    entry *entries;
    size_t count, room;
};

static int add(mfm_feature_writer *w, const mfm_digest *name, const mfm_digest *digest,
               const real *row)
{
    if (w->count + 1 >= MFM_NO_FEATURES)
        return mfm_fail(w->ctx, MFM_ENOTSUP, "a file of features: more than 2^32 - 2 rows");
    const int status = mfm_grow(w->ctx, &w->entries, w->count, &w->room, sizeof *w->entries);
    if (status)
        return status;
    mfm_file_writer_put(w->out, row, w->size);
    w->entries[w->count++] = (entry){*name, *digest};
    return mfm_file_writer_failed(w->out) ? mfm_file_writer_commit(w->out, NULL) : MFM_OK;
}

static int copy_rows(mfm_feature_writer *w, const mfm_feature_file *old)
{
    real *row = mfm_alloc(w->ctx, old->width, sizeof *row);
    int status = row ? MFM_OK : MFM_ENOMEM;
    for (uint32_t i = 0; i < old->count && !status; i++) {
        status = mfm_feature_file_read(old, i, row);
        if (!status)
            status = add(w, &old->entries[i].name, &old->entries[i].row, row);
    }
    mfm_free(w->ctx, row);
    return status;
}

int mfm_feature_writer_open(mfm_ctx *ctx, const char *path, const mfm_digest *key, size_t width,
                            const mfm_feature_file *old, mfm_feature_writer **result)
{
    *result = NULL;
    mfm_feature_writer *w = mfm_alloc(ctx, 1, sizeof *w);
    if (!w)
        return MFM_ENOMEM;
    *w =
        (mfm_feature_writer){.ctx = ctx, .head = head_of(key, width), .size = width * sizeof(real)};
    int status = mfm_file_writer_open(ctx, path, &w->out);
    if (!status)
        mfm_file_writer_put(w->out, &w->head, sizeof w->head);
    if (!status && old)
        status = copy_rows(w, old);
    if (status)
        mfm_feature_writer_close(w);
    else
        *result = w;
    return status;
}

int mfm_feature_writer_put(mfm_feature_writer *w, const mfm_digest *name, const real *row,
                           uint32_t *number)
{
    const mfm_digest digest = mfm_digest_of(row, w->size);
    *number = (uint32_t)w->count;
    return add(w, name, &digest, row);
}

int mfm_feature_writer_commit(mfm_feature_writer *w)
{
    const end last = {.count = w->count, .digest = digest_of(&w->head, w->entries, w->count)};
    mfm_file_writer_put(w->out, w->entries, w->count * sizeof *w->entries);
    mfm_file_writer_put(w->out, &last, sizeof last);
    return mfm_file_writer_commit(w->out, NULL);
}

void mfm_feature_writer_close(mfm_feature_writer *w)
{
    if (!w)
        return;
    mfm_file_writer_close(w->out);
    mfm_free(w->ctx, w->entries);
    mfm_free(w->ctx, w);
}
