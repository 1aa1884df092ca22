#include "tests/core/data/images/image_writer.h"

#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>

/* A TIFF block, big-endian, whose one directory has one entry. */
static void make_exif(int orientation, uint8_t exif[26])
{
    static const uint8_t start[26] = {'M', 'M', 0, 42, 0, 0, 0, 8, 0, 1,
                                      1,   18,  0, 3,  0, 0, 0, 1, 0, 0};
    memcpy(exif, start, sizeof start);
    exif[19] = (uint8_t)orientation;
}

void write_jpeg(const char *path, const image_form *form, const uint8_t *pixels)
{
    struct jpeg_compress_struct info;
    struct jpeg_error_mgr errors;
    FILE *file = fopen(path, "wb");
    if (!file)
        abort();
    info.err = jpeg_std_error(&errors);
    jpeg_create_compress(&info);
    jpeg_stdio_dest(&info, file);
    info.image_height = (JDIMENSION)form->height;
    info.image_width = (JDIMENSION)form->width;
    info.input_components = form->channels;
    info.in_color_space = form->channels == 1   ? JCS_GRAYSCALE
                          : form->channels == 4 ? JCS_CMYK
                                                : JCS_RGB;
    jpeg_set_defaults(&info);
    if (form->ycck)
        jpeg_set_colorspace(&info, JCS_YCCK);
    jpeg_set_quality(&info, 100, TRUE);
    for (int i = 0; i < info.num_components; i++)
        info.comp_info[i].h_samp_factor = info.comp_info[i].v_samp_factor = 1;
    if (form->progressive)
        jpeg_simple_progression(&info);
    jpeg_start_compress(&info, TRUE);
    if (form->orientation) {
        uint8_t exif[32] = "Exif\0";
        make_exif(form->orientation, exif + 6);
        jpeg_write_marker(&info, JPEG_APP0 + 1, exif, sizeof exif);
    }
    while (info.next_scanline < info.image_height) {
        JSAMPROW row = (JSAMPROW)(uintptr_t)(pixels + info.next_scanline * (size_t)form->width *
                                                          (size_t)form->channels);
        jpeg_write_scanlines(&info, &row, 1);
    }
    jpeg_finish_compress(&info);
    jpeg_destroy_compress(&info);
    fclose(file);
}

static int png_colour(const image_form *form)
{
    static const int of[] = {0, PNG_COLOR_TYPE_GRAY, PNG_COLOR_TYPE_GRAY_ALPHA, PNG_COLOR_TYPE_RGB,
                             PNG_COLOR_TYPE_RGB_ALPHA};
    return form->palette ? PNG_COLOR_TYPE_PALETTE : of[form->channels];
}

void write_png(const char *path, const image_form *form, const uint8_t *pixels)
{
    FILE *file = fopen(path, "wb");
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(png);
    const int depth = form->depth ? form->depth : 8;
    png_color palette[256];
    uint8_t exif[26];
    if (!file || !info)
        abort();
    png_init_io(png, file);
    png_set_IHDR(png, info, (png_uint_32)form->width, (png_uint_32)form->height, depth,
                 png_colour(form), form->progressive ? PNG_INTERLACE_ADAM7 : PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    for (int i = 0; i < 256; i++)
        palette[i] = (png_color){(png_byte)i, (png_byte)(255 - i), (png_byte)(i / 2)};
    if (form->palette)
        png_set_PLTE(png, info, palette, 256);
    make_exif(form->orientation, exif);
    if (form->orientation)
        png_set_eXIf_1(png, info, sizeof exif, exif);
    png_write_info(png, info);
    const size_t row = (size_t)form->width * (size_t)form->channels * (size_t)depth / 8;
    const int passes = form->progressive ? png_set_interlace_handling(png) : 1;
    for (int pass = 0; pass < passes; pass++)
        for (int y = 0; y < form->height; y++)
            png_write_row(png, pixels + (size_t)y * row);
    png_write_end(png, NULL);
    png_destroy_write_struct(&png, &info);
    fclose(file);
}

void write_plain(write_image *write, const char *path, const image_form *form, int value)
{
    const size_t size = (size_t)form->height * (size_t)form->width * (size_t)form->channels;
    uint8_t *pixels = malloc(size);
    if (!pixels)
        abort();
    memset(pixels, value, size);
    write(path, form, pixels);
    free(pixels);
}
