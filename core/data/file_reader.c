#include "core/data/file_reader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

/* DEFLATE codes at most 258 bytes in 2 bits. */
enum { BUFFER_SIZE = 1 << 16, DEFLATE_RATIO = 1032, CHUNK = 1 << 30 };

struct mfm_file_reader {
    mfm_ctx *ctx;
    char *path;
    int file; /* -1: not open */
    uint64_t size;
    bool compressed;
    bool in_member;  /* a gzip member has begun and not ended */
    z_stream stream; /* next_in and avail_in walk through buffer for plain files, too */
    unsigned char buffer[BUFFER_SIZE];
};

static void *zlib_alloc(void *ctx, unsigned count, unsigned size)
{
    return mfm_alloc(ctx, count, size);
}

static void zlib_free(void *ctx, void *pointer)
{
    mfm_free(ctx, pointer);
}

static int refill(mfm_file_reader *reader)
{
    if (reader->stream.avail_in > 0)
        return MFM_OK;
    ssize_t got;
    do
        got = read(reader->file, reader->buffer, BUFFER_SIZE);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return mfm_fail(reader->ctx, MFM_EIO, "%s: cannot be read: %s", reader->path,
                        strerror(errno));
    reader->stream.next_in = reader->buffer;
    reader->stream.avail_in = (unsigned)got;
    return MFM_OK;
}

static int open_regular(mfm_file_reader *reader)
{
    /* O_NONBLOCK: a FIFO in the place of the file must not hang the program */
    reader->file = open(reader->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat about;
    if (reader->file < 0 || fstat(reader->file, &about) != 0)
        return mfm_fail(reader->ctx, MFM_EIO, "%s: cannot be opened: %s", reader->path,
                        strerror(errno));
    if (!S_ISREG(about.st_mode))
        return mfm_fail(reader->ctx, MFM_EIO, "%s: cannot be read: not a regular file",
                        reader->path);
    reader->size = (uint64_t)about.st_size;
    return MFM_OK;
}

static int detect_gzip(mfm_file_reader *reader)
{
    const int status = refill(reader);
    if (status != MFM_OK)
        return status;
    if (reader->stream.avail_in < 2 || reader->buffer[0] != 0x1f || reader->buffer[1] != 0x8b)
        return MFM_OK;
    reader->stream.zalloc = zlib_alloc;
    reader->stream.zfree = zlib_free;
    reader->stream.opaque = reader->ctx;
    if (inflateInit2(&reader->stream, MAX_WBITS + 16) != Z_OK)
        return mfm_fail(reader->ctx, MFM_ENOMEM, "%s: cannot be decompressed: out of memory",
                        reader->path);
    reader->compressed = true;
    reader->in_member = true;
    return MFM_OK;
}

int mfm_file_reader_open(mfm_ctx *ctx, const char *path, mfm_file_reader **result)
{
    *result = NULL;
    mfm_file_reader *reader = mfm_alloc(ctx, 1, sizeof *reader);
    if (!reader)
        return MFM_ENOMEM;
    reader->ctx = ctx;
    reader->file = -1;
    reader->path = mfm_strdup(ctx, path);
    int status = reader->path ? open_regular(reader) : MFM_ENOMEM;
    if (status == MFM_OK)
        status = detect_gzip(reader);
    if (status != MFM_OK) {
        mfm_file_reader_close(reader);
        return status;
    }
    *result = reader;
    return MFM_OK;
}

void mfm_file_reader_close(mfm_file_reader *reader)
{
    if (!reader)
        return;
    if (reader->compressed)
        inflateEnd(&reader->stream);
    if (reader->file >= 0)
        close(reader->file);
    mfm_free(reader->ctx, reader->path);
    mfm_free(reader->ctx, reader);
}

const char *mfm_file_reader_path(const mfm_file_reader *reader)
{
    return reader->path;
}

bool mfm_file_reader_compressed(const mfm_file_reader *reader)
{
    return reader->compressed;
}

uint64_t mfm_file_reader_limit(const mfm_file_reader *reader)
{
    if (!reader->compressed)
        return reader->size;
    return reader->size > UINT64_MAX / DEFLATE_RATIO ? UINT64_MAX : reader->size * DEFLATE_RATIO;
}

static int take_plain(mfm_file_reader *reader, unsigned char *to, size_t size, size_t *got)
{
    while (*got < size) {
        const int status = refill(reader);
        if (status != MFM_OK || reader->stream.avail_in == 0)
            return status;
        const size_t left = size - *got;
        const size_t now = left < reader->stream.avail_in ? left : reader->stream.avail_in;
        memcpy(to + *got, reader->stream.next_in, now);
        reader->stream.next_in += now;
        reader->stream.avail_in -= (unsigned)now;
        *got += now;
    }
    return MFM_OK;
}

/* Members may follow one another, as gzip allows. */
static int take_compressed(mfm_file_reader *reader, unsigned char *to, size_t size, size_t *got)
{
    z_stream *stream = &reader->stream;
    while (*got < size) {
        const int status = refill(reader);
        if (status != MFM_OK)
            return status;
        if (stream->avail_in == 0 && reader->in_member)
            return mfm_fail(reader->ctx, MFM_EDATA,
                            "%s: truncated: the compressed data ends too early", reader->path);
        if (stream->avail_in == 0)
            return MFM_OK;
        if (!reader->in_member)
            inflateReset(stream);
        reader->in_member = true;
        const unsigned room = size - *got < CHUNK ? (unsigned)(size - *got) : CHUNK;
        stream->next_out = to + *got;
        stream->avail_out = room;
        const int code = inflate(stream, Z_NO_FLUSH);
        *got += room - stream->avail_out;
        if (code == Z_MEM_ERROR)
            return mfm_fail(reader->ctx, MFM_ENOMEM, "%s: cannot be decompressed: out of memory",
                            reader->path);
        if (code != Z_OK && code != Z_STREAM_END)
            return mfm_fail(reader->ctx, MFM_EDATA, "%s: damaged compressed data: %s", reader->path,
                            stream->msg ? stream->msg : "not readable as gzip");
        reader->in_member = code != Z_STREAM_END;
    }
    return MFM_OK;
}

static int take(mfm_file_reader *reader, void *to, size_t size, size_t *got)
{
    *got = 0;
    return reader->compressed ? take_compressed(reader, to, size, got)
                              : take_plain(reader, to, size, got);
}

int mfm_file_reader_read(mfm_file_reader *reader, void *to, size_t size)
{
    size_t got;
    const int status = take(reader, to, size, &got);
    if (status != MFM_OK || got == size)
        return status;
    return mfm_fail(reader->ctx, MFM_EDATA, "%s: truncated: %zu bytes: %zu expected", reader->path,
                    got, size);
}

int mfm_file_reader_end(mfm_file_reader *reader)
{
    unsigned char extra;
    size_t got;
    const int status = take(reader, &extra, 1, &got);
    if (status != MFM_OK || got == 0)
        return status;
    return mfm_fail(reader->ctx, MFM_EDATA, "%s: too long: bytes follow the last image or label",
                    reader->path);
}

int mfm_file_read_whole(mfm_ctx *ctx, const char *path, char **bytes, size_t *size)
{
    mfm_file_reader *reader;
    *bytes = NULL;
    int status = mfm_file_reader_open(ctx, path, &reader);
    if (status != MFM_OK)
        return status;
    *size = (size_t)reader->size;
    if (reader->compressed)
        status = mfm_fail(ctx, MFM_EDATA, "%s: compressed by gzip: gunzip it", path);
    else if (!(*bytes = mfm_alloc(ctx, *size + 1, 1)))
        status = MFM_ENOMEM;
    if (status == MFM_OK)
        status = mfm_file_reader_read(reader, *bytes, *size);
    mfm_file_reader_close(reader);
    if (status != MFM_OK) {
        mfm_free(ctx, *bytes);
        *bytes = NULL;
    }
    return status;
}
