#include "core/data/images/decoder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/data/images/format.h"

struct mfm_decoder {
    mfm_image_file file;
    const mfm_image_format *format;
    const char *path; /* the caller's, from begin to pixels */
    uint8_t *bytes, *pixels, *turned;
    size_t bytes_size, pixels_size, turned_size;
    char message[MFM_PICTURE_MESSAGE];
    size_t memory; /* that an image may take; 0: any */
};

mfm_decoder *mfm_decoder_new(void)
{
    return calloc(1, sizeof(mfm_decoder));
}

void mfm_decoder_free(mfm_decoder *decoder)
{
    if (!decoder)
        return;
    free(decoder->bytes);
    free(decoder->pixels);
    free(decoder->turned);
    free(decoder);
}

__attribute__((format(printf, 4, 5))) static int fail(mfm_picture *picture, int code,
                                                      const char *path, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int used = snprintf(picture->message, sizeof picture->message,
                        "%.*s: ", (int)sizeof picture->message / 2, path);
    used = used < 0 ? 0 : used;
    vsnprintf(picture->message + used, sizeof picture->message - (size_t)used, format, args);
    va_end(args);
    return code;
}

/* What was there is not kept. */
static bool make_room(uint8_t **room, size_t *size, size_t wanted)
{
    if (*size >= wanted)
        return true;
    free(*room);
    *room = malloc(wanted);
    *size = *room ? wanted : 0;
    return *room;
}

/* ---- the file ---- */

static int read_bytes(mfm_decoder *d, int file, const char *path, mfm_picture *picture)
{
    struct stat info;
    if (fstat(file, &info) != 0)
        return fail(picture, MFM_EIO, path, "%s", strerror(errno));
    if (!S_ISREG(info.st_mode))
        return fail(picture, MFM_EDATA, path, "no regular file");
    if (info.st_size == 0)
        return fail(picture, MFM_EDATA, path, "an empty file");
    if (info.st_size > MFM_IMAGE_FILE_BYTES)
        return fail(picture, MFM_EDATA, path, "%lld bytes: up to %d", (long long)info.st_size,
                    MFM_IMAGE_FILE_BYTES);
    const size_t size = (size_t)info.st_size;
    if (!make_room(&d->bytes, &d->bytes_size, size))
        return fail(picture, MFM_ENOMEM, path, "out of memory");
    for (size_t done = 0; done < size;) {
        const ssize_t got = read(file, d->bytes + done, size - done);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return fail(picture, MFM_EIO, path, "%s", got ? strerror(errno) : "it became shorter");
        done += (size_t)got;
    }
    d->file.bytes = d->bytes;
    d->file.size = size;
    return MFM_OK;
}

/* A pipe in the place of an image must not make anyone wait. */
static int read_file(mfm_decoder *d, const char *path, mfm_picture *picture)
{
    const int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file < 0)
        return fail(picture, MFM_EIO, path, "%s", strerror(errno));
    const int status = read_bytes(d, file, path, picture);
    close(file);
    return status;
}

static const mfm_image_format *find_format(const mfm_image_file *file, const char **name)
{
    static const uint8_t jpeg[] = {0xFF, 0xD8, 0xFF}, png[] = {0x89, 'P', 'N', 'G', '\r', '\n'};
    *name = NULL;
    if (file->size > sizeof jpeg && memcmp(file->bytes, jpeg, sizeof jpeg) == 0)
        *name = "JPEG";
    else if (file->size > sizeof png && memcmp(file->bytes, png, sizeof png) == 0)
        *name = "PNG";
#ifdef MFM_IMAGES
    if (*name)
        return **name == 'J' ? &mfm_image_jpeg : &mfm_image_png;
#endif
    return NULL;
}

bool mfm_decoder_built(void)
{
#ifdef MFM_IMAGES
    return true;
#else
    return false;
#endif
}

void mfm_decoder_set_memory(mfm_decoder *decoder, size_t bytes)
{
    decoder->memory = bytes;
}

static int check_memory(const mfm_decoder *d, const char *path, mfm_picture *picture)
{
    const mfm_image_file *file = &d->file;
    const size_t pixels = (size_t)file->height * (size_t)file->width;
    const size_t needed = file->size + MFM_IMAGE_PIXEL_BYTES * pixels;
    if (d->memory == 0 || needed <= d->memory)
        return MFM_OK;
    return fail(picture, MFM_EDATA, path,
                "%d x %d pixels may take %zu MiB: --data-memory leaves %zu for an image",
                file->width, file->height, (needed >> 20) + 1, d->memory >> 20);
}

/* Of the file that has been read. */
static int read_header(mfm_decoder *d, const char *path, mfm_picture *picture)
{
    const char *name;
    mfm_image_file *file = &d->file;
    int status;
    d->format = find_format(file, &name);
    if (!d->format)
        return name ? fail(picture, MFM_ENOTSUP, path, "%s: this build reads no image files", name)
                    : fail(picture, MFM_EDATA, path, "neither JPEG nor PNG by its first bytes");
    file->message = d->message;
    status = d->format->size(file);
    if (status != MFM_OK)
        return fail(picture, status, path, "%s", d->message);
    if (file->height < 1 || file->width < 1 || file->height > MFM_IMAGE_SIDE ||
        file->width > MFM_IMAGE_SIDE || (int64_t)file->height * file->width > MFM_IMAGE_PIXELS)
        return fail(picture, MFM_EDATA, path, "%d x %d pixels: up to %d in all, %d a side",
                    file->width, file->height, MFM_IMAGE_PIXELS, MFM_IMAGE_SIDE);
    status = check_memory(d, path, picture);
    if (status != MFM_OK)
        return status;
    const bool turned = file->orientation > 4;
    picture->height = turned ? file->width : file->height;
    picture->width = turned ? file->height : file->width;
    picture->channels = 3;
    return MFM_OK;
}

int mfm_decoder_begin(mfm_decoder *d, const char *path, mfm_picture *picture)
{
    picture->pixels = NULL;
    d->path = path;
    d->format = NULL;
    const int status = read_file(d, path, picture);
    return status ? status : read_header(d, path, picture);
}

int mfm_decoder_digest(mfm_decoder *d, const char *path, mfm_picture *picture, mfm_digest *digest)
{
    picture->pixels = NULL;
    d->format = NULL;
    const int status = read_file(d, path, picture);
    if (status == MFM_OK)
        *digest = mfm_digest_of(d->file.bytes, d->file.size);
    return status;
}

int mfm_decoder_begin_bytes(mfm_decoder *d, const char *name, const uint8_t *bytes, size_t size,
                            mfm_picture *picture)
{
    picture->pixels = NULL;
    d->path = name;
    d->format = NULL;
    d->file.bytes = bytes;
    d->file.size = size;
    return read_header(d, name, picture);
}

/* ---- the pixels ---- */

/* EXIF's orientations 2 to 8: where row y and column x of the picture lie as stored. */
static void turn(const uint8_t *from, int height, int width, int orientation, uint8_t *to)
{
    const bool swaps = orientation > 4;
    const int rows = swaps ? width : height, columns = swaps ? height : width;
    const bool flip_y =
        orientation == 3 || orientation == 4 || orientation == 7 || orientation == 8;
    const bool flip_x =
        orientation == 2 || orientation == 3 || orientation == 6 || orientation == 7;
    for (int y = 0; y < rows; y++)
        for (int x = 0; x < columns; x++) {
            const int v = flip_y ? rows - 1 - y : y, u = flip_x ? columns - 1 - x : x;
            const int at = swaps ? u * width + v : v * width + u;
            memcpy(to + 3 * ((size_t)y * (size_t)columns + (size_t)x), from + 3 * (size_t)at, 3);
        }
}

int mfm_decoder_pixels(mfm_decoder *d, int reduce, mfm_picture *picture)
{
    mfm_image_file *file = &d->file;
    int by = d->format->reduces ? reduce : 1;
    const int height = (file->height + by - 1) / by, width = (file->width + by - 1) / by;
    const size_t size = 3 * (size_t)height * (size_t)width;
    const bool turns = file->orientation > 1;
    if (!make_room(&d->pixels, &d->pixels_size, size) ||
        (turns && !make_room(&d->turned, &d->turned_size, size)))
        return fail(picture, MFM_ENOMEM, d->path, "out of memory for %d x %d pixels", width,
                    height);
    const int status = d->format->decode(file, &by, d->pixels);
    if (status != MFM_OK)
        return fail(picture, status, d->path, "%s", d->message);
    if (turns)
        turn(d->pixels, height, width, file->orientation, d->turned);
    picture->height = file->orientation > 4 ? width : height;
    picture->width = file->orientation > 4 ? height : width;
    picture->pixels = turns ? d->turned : d->pixels;
    return MFM_OK;
}

bool mfm_decoder_takes(const char *name)
{
    static const char *const ends[] = {".jpg", ".jpeg", ".jpe", ".png"};
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot && i < sizeof ends / sizeof ends[0]; i++)
        if (strcasecmp(dot, ends[i]) == 0)
            return true;
    return false;
}
