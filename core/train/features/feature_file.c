#include "core/train/features/feature_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/file_io.h"
#include "core/data/file_writer.h"

/*
 * head | records, each an entry and its row: numbers as this machine has them, which the head's
 * `order` and `number` tell from other machines' and builds'.
 */
enum { VERSION = 2, ORDER = 0x01020304 };

typedef struct head {
    char magic[8];
    uint32_t order, version, number, unused; /* number: bytes of one */
    mfm_digest key;
    uint64_t width;
    uint8_t padding[16];
} head;

typedef struct entry {
    mfm_digest name, row;
} entry;

typedef struct record {
    entry entry;
    mfm_digest check; /* of the head, the entry, and the record's number: it is of this place */
} record;

_Static_assert(sizeof(head) == 64 && sizeof(record) == 48, "no padding but what is said");

static head head_of(const mfm_digest *key, size_t width)
{
    head h = {.order = ORDER,
              .version = VERSION,
              .number = sizeof(real),
              .key = *key,
              .width = (uint64_t)width};
    memcpy(h.magic, MFM_FEATURE_MAGIC, sizeof h.magic);
    return h;
}

struct mfm_feature_file {
    mfm_ctx *ctx;
    char *path;
    int file;
    head head;
    size_t width;
    uint32_t count;
    size_t room;     /* for entries */
    entry *entries;  /* [count] */
    uint32_t *slots; /* [n_slots] rows by their names: at the first free slot from the name's own */
    size_t n_slots;  /* a power of two, more than the rows in it */
    uint64_t dropped;
    char *record;   /* room for one, while rows are added */
    uint32_t began; /* rows there were before */
};

static record record_of(const mfm_feature_file *f, const entry *e, uint32_t number)
{
    const mfm_digest d = mfm_digest_more(mfm_digest_of(&f->head, sizeof f->head), e, sizeof *e);
    return (record){.entry = *e, .check = mfm_digest_number(d, number)};
}

static size_t record_size(const mfm_feature_file *f)
{
    return sizeof(record) + f->width * sizeof(real);
}

uint64_t mfm_feature_file_size(const mfm_feature_file *f, uint32_t rows)
{
    return sizeof(head) + rows * (uint64_t)record_size(f);
}

/* ---- reading --------------------------------------------------------------------------------- */

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

static int check_head(const mfm_feature_file *f, uint64_t size)
{
    head first;
    if (size < sizeof first)
        return damaged(f, "it is cut short");
    const int status = read_at(f, &first, sizeof first, 0);
    if (status)
        return status;
    if (memcmp(first.magic, f->head.magic, sizeof first.magic) != 0)
        return damaged(f, "it is no file of features");
    if (first.order == ORDER && first.version < VERSION)
        return damaged(f, "an earlier version of this program wrote it");
    if (memcmp(&first, &f->head, sizeof first) != 0)
        return damaged(f, "its features are of another model, program or machine");
    return MFM_OK;
}

/* Rows from `count` on, up to the first that is not whole. Behind it is what is dropped. */
static int read_entries(mfm_feature_file *f)
{
    struct stat st;
    if (fstat(f->file, &st))
        return mfm_fail(f->ctx, MFM_EIO, "cannot read %s: %s", f->path, strerror(errno));
    const uint64_t size = (uint64_t)st.st_size;
    while (f->count + 1 < MFM_NO_FEATURES && mfm_feature_file_size(f, f->count + 1) <= size) {
        record found;
        int status = read_at(f, &found, sizeof found, mfm_feature_file_size(f, f->count));
        if (status)
            return status;
        const record right = record_of(f, &found.entry, f->count);
        if (!mfm_digest_same(&right.check, &found.check))
            break;
        status = mfm_grow(f->ctx, &f->entries, f->count, &f->room, sizeof *f->entries);
        if (status)
            return status;
        f->entries[f->count++] = found.entry;
    }
    const uint64_t whole = mfm_feature_file_size(f, f->count);
    f->dropped = size > whole ? size - whole : 0;
    return MFM_OK;
}

/* Who adds has not yet written what is cut short. Where files cannot be locked, nobody adds. */
static bool somebody_adds(const mfm_feature_file *f)
{
    if (flock(f->file, LOCK_SH | LOCK_NB))
        return errno == EWOULDBLOCK;
    flock(f->file, LOCK_UN);
    return false;
}

static int load(mfm_feature_file *f)
{
    struct stat st;
    if (fstat(f->file, &st))
        return mfm_fail(f->ctx, MFM_EIO, "cannot read %s: %s", f->path, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return damaged(f, "it is no regular file");
    const bool growing = somebody_adds(f);
    int status = check_head(f, (uint64_t)st.st_size);
    if (!status)
        status = read_entries(f);
    if (!status)
        status = make_slots(f);
    if (growing)
        f->dropped = 0;
    if (!status)
        futimens(f->file, NULL); /* what may not be touched may be read all the same */
    return status;
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
    *f = (mfm_feature_file){.ctx = ctx,
                            .file = file,
                            .head = head_of(key, width),
                            .width = width,
                            .path = mfm_strdup(ctx, path)};
    const int status = f->path ? load(f) : MFM_ENOMEM;
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
    mfm_free(f->ctx, f->record);
    mfm_free(f->ctx, f);
}

uint32_t mfm_feature_file_count(const mfm_feature_file *f)
{
    return f ? f->count : 0;
}

uint64_t mfm_feature_file_dropped(const mfm_feature_file *f)
{
    return f->dropped;
}

uint32_t mfm_feature_file_find(const mfm_feature_file *f, const mfm_digest *name)
{
    return f ? f->slots[slot_of(f, name)] : MFM_NO_FEATURES;
}

int mfm_feature_file_read(const mfm_feature_file *f, uint32_t row, real *to)
{
    const int status =
        read_at(f, to, f->width * sizeof *to, mfm_feature_file_size(f, row) + sizeof(record));
    if (status)
        return status;
    const mfm_digest found = mfm_digest_of(to, f->width * sizeof *to);
    return mfm_digest_same(&found, &f->entries[row].row) ? MFM_OK : damaged(f, "it is damaged");
}

size_t mfm_feature_file_bytes(const mfm_feature_file *f)
{
    return f ? f->room * sizeof *f->entries + f->n_slots * sizeof *f->slots : 0;
}

/* ---- adding ---------------------------------------------------------------------------------- */

int mfm_feature_file_new(mfm_ctx *ctx, const char *path, const mfm_digest *key, size_t width,
                         mfm_feature_file **result)
{
    const head h = head_of(key, width);
    mfm_file_writer *out;
    *result = NULL;
    int status = mfm_file_writer_open(ctx, path, &out);
    if (status)
        return status;
    mfm_file_writer_put(out, &h, sizeof h);
    status = mfm_file_writer_commit(out, NULL);
    mfm_file_writer_close(out);
    return status ? status : mfm_feature_file_open(ctx, path, key, width, result);
}

static int unwritable(const mfm_feature_file *f, const char *why)
{
    return mfm_fail(f->ctx, MFM_EIO, "cannot write %s: %s", f->path, why);
}

static bool still_there(const mfm_feature_file *f)
{
    struct stat held, there;
    return fstat(f->file, &held) == 0 && stat(f->path, &there) == 0 && mfm_same_file(&held, &there);
}

/* Others may have added to the file since it was opened, and been killed. */
static int prepare(mfm_feature_file *f)
{
    const int status = read_entries(f);
    if (status)
        return status;
    if (f->dropped && ftruncate(f->file, (off_t)mfm_feature_file_size(f, f->count)))
        return unwritable(f, strerror(errno));
    f->dropped = 0;
    f->began = f->count;
    f->record = mfm_alloc(f->ctx, 1, record_size(f));
    return f->record ? MFM_OK : MFM_ENOMEM;
}

/* The file is read and written from now on. */
static int begin(mfm_feature_file *f)
{
    const int file = open(f->path, O_RDWR | O_APPEND | O_CLOEXEC | O_NONBLOCK);
    if (file < 0)
        return unwritable(f, strerror(errno));
    if (!still_there(f) || (flock(file, LOCK_EX | LOCK_NB) && errno == EWOULDBLOCK)) {
        close(file);
        return unwritable(f, "another run writes it");
    }
    close(f->file);
    f->file = file;
    const int status = still_there(f) ? prepare(f) : unwritable(f, "another run writes it");
    if (status)
        flock(file, LOCK_UN);
    return status;
}

static int write_record(const mfm_feature_file *f)
{
    const int error = mfm_write_all(f->file, f->record, record_size(f));
    return error ? unwritable(f, strerror(error)) : MFM_OK;
}

int mfm_feature_file_add(mfm_feature_file *f, const mfm_digest *name, const real *row,
                         uint32_t *number)
{
    int status = f->record ? MFM_OK : begin(f);
    if (status)
        return status;
    if (f->count + 2 >= MFM_NO_FEATURES)
        return mfm_fail(f->ctx, MFM_ENOTSUP, "%s: more than 2^32 - 3 rows", f->path);
    status = mfm_grow(f->ctx, &f->entries, f->count, &f->room, sizeof *f->entries);
    if (status)
        return status;
    const entry e = {*name, mfm_digest_of(row, f->width * sizeof *row)};
    const record r = record_of(f, &e, f->count);
    memcpy(f->record, &r, sizeof r);
    memcpy(f->record + sizeof r, row, f->width * sizeof *row);
    status = write_record(f);
    if (status)
        return status;
    *number = f->count;
    f->entries[f->count++] = e;
    return MFM_OK;
}

static void end_adding(mfm_feature_file *f)
{
    flock(f->file, LOCK_UN);
    mfm_free(f->ctx, f->record);
    f->record = NULL;
}

int mfm_feature_file_sync(mfm_feature_file *f)
{
    if (!f->record)
        return MFM_OK;
    if (fsync(f->file))
        return unwritable(f, strerror(errno));
    end_adding(f);
    return MFM_OK;
}

void mfm_feature_file_take_back(mfm_feature_file *f)
{
    if (!f->record)
        return;
    /* What cannot be cut off is whole rows, and perhaps a part that the next who opens it drops. */
    if (ftruncate(f->file, (off_t)mfm_feature_file_size(f, f->began)) == 0)
        f->count = f->began;
    if (!f->count && still_there(f))
        unlink(f->path);
    end_adding(f);
}
