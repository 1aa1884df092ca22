/* PNG by libpng. */
#include <png.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/data/images/format.h"

enum { MAX_CHUNK = 1 << 23, MAX_CHUNKS = 1000 };

struct png {
    png_structp read;
    png_infop info;
    const mfm_image_file *file;
    size_t at;
    png_bytepp rows; /* of an image that is stored in passes */
};

static void give_up(png_structp read, png_const_charp text)
{
    const struct png *png = png_get_error_ptr(read);
    snprintf(png->file->message, MFM_PICTURE_MESSAGE, "PNG: %s", text);
    png_longjmp(read, 1);
}

static void on_warning(png_structp read, png_const_charp text)
{
    (void)read;
    (void)text;
}

static void take(png_structp read, png_bytep to, size_t size)
{
    struct png *png = png_get_io_ptr(read);
    if (size > png->file->size - png->at)
        png_error(read, "the file ends early");
    memcpy(to, png->file->bytes + png->at, size);
    png->at += size;
}

static int finish(struct png *png, int status)
{
    png_destroy_read_struct(&png->read, &png->info, NULL);
    free(png->rows);
    if (status == MFM_ENOMEM)
        snprintf(png->file->message, MFM_PICTURE_MESSAGE, "PNG: out of memory");
    return status;
}

/* Texts, profiles and suggested palettes, which nobody reads, may be many and inflate to MAX_CHUNK
 * each. */
static void leave_out(png_structp read)
{
    static const png_byte names[] = "tEXt\0zTXt\0iTXt\0iCCP\0sPLT";
    png_set_keep_unknown_chunks(read, PNG_HANDLE_CHUNK_NEVER, names, sizeof names / 5);
}

static bool init(struct png *png, const mfm_image_file *file)
{
    *png = (struct png){.file = file};
    png->read = png_create_read_struct(PNG_LIBPNG_VER_STRING, png, give_up, on_warning);
    png->info = png->read ? png_create_info_struct(png->read) : NULL;
    if (!png->info)
        return false;
    png_set_read_fn(png->read, png, take);
    png_set_user_limits(png->read, MFM_IMAGE_PIXELS, MFM_IMAGE_PIXELS);
    png_set_chunk_cache_max(png->read, MAX_CHUNKS);
    png_set_chunk_malloc_max(png->read, MAX_CHUNK);
    leave_out(png->read);
    return true;
}

/* The library reads what follows the pixels with these, which is too late for the size. */
static int late_orientation(const mfm_image_file *file)
{
    enum { SIGNATURE = 8, FRAME = 12 }; /* length, name and check of a chunk */
    for (size_t at = SIGNATURE; file->size - at >= FRAME;) {
        const uint8_t *chunk = file->bytes + at;
        const size_t length = png_get_uint_32(chunk);
        if (length > file->size - at - FRAME)
            break;
        if (memcmp(chunk + 4, "eXIf", 4) == 0)
            return mfm_exif_orientation(chunk + 8, length);
        at += FRAME + length;
    }
    return 1;
}

static int read_size(mfm_image_file *file)
{
    struct png png;
    if (!init(&png, file))
        return finish(&png, MFM_ENOMEM);
    if (setjmp(png_jmpbuf(png.read)))
        return finish(&png, MFM_EDATA);
    png_read_info(png.read, png.info);
    png_uint_32 size = 0;
    png_bytep exif = NULL;
    file->height = (int)png_get_image_height(png.read, png.info);
    file->width = (int)png_get_image_width(png.read, png.info);
    file->orientation = png_get_eXIf_1(png.read, png.info, &size, &exif)
                            ? mfm_exif_orientation(exif, size)
                            : late_orientation(file);
    return finish(&png, MFM_OK);
}

static void convert(struct png *png)
{
    png_set_expand(png->read); /* palettes to colours, fewer bits to 8 */
    png_set_scale_16(png->read);
    png_set_gray_to_rgb(png->read);
    png_set_strip_alpha(png->read);
    png_set_interlace_handling(png->read);
    png_read_update_info(png->read, png->info);
}

static int decode(mfm_image_file *file, int *reduce, uint8_t *pixels)
{
    struct png png;
    *reduce = 1;
    if (!init(&png, file))
        return finish(&png, MFM_ENOMEM);
    png.rows = malloc((size_t)file->height * sizeof *png.rows);
    if (!png.rows)
        return finish(&png, MFM_ENOMEM);
    for (int y = 0; y < file->height; y++)
        png.rows[y] = pixels + 3 * (size_t)y * (size_t)file->width;
    if (setjmp(png_jmpbuf(png.read)))
        return finish(&png, MFM_EDATA);
    png_read_info(png.read, png.info);
    convert(&png);
    if (png_get_rowbytes(png.read, png.info) != 3 * (size_t)file->width)
        png_error(png.read, "a form of pixels that is not known");
    png_read_image(png.read, png.rows);
    png_read_end(png.read, NULL);
    return finish(&png, MFM_OK);
}

const mfm_image_format mfm_image_png = {.size = read_size, .decode = decode};
