/* JPEG by libjpeg, which libjpeg-turbo provides. */
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>
/* after jpeglib.h */
#include <jerror.h>

#include "core/data/images/format.h"

struct jpeg {
    struct jpeg_decompress_struct info;
    struct jpeg_error_mgr errors;
    struct jpeg_progress_mgr progress;
    jmp_buf out;
    char *message;
    bool no_memory;
    uint8_t *row; /* of CMYK or grey */
};

static void give_up(j_common_ptr info)
{
    struct jpeg *jpeg = info->client_data;
    char text[JMSG_LENGTH_MAX];
    info->err->format_message(info, text);
    snprintf(jpeg->message, MFM_PICTURE_MESSAGE, "JPEG: %s", text);
    jpeg->no_memory = info->err->msg_code == JERR_OUT_OF_MEMORY;
    longjmp(jpeg->out, 1);
}

/* The library would fill what is missing with grey and go on. What does no harm to the pixels, such
 * as bytes between segments, may be. */
static void on_message(j_common_ptr info, int level)
{
    const int code = info->err->msg_code;
    if (level < 0 &&
        (code == JWRN_JPEG_EOF || code == JWRN_HIT_MARKER || code == JWRN_HUFF_BAD_CODE ||
         code == JWRN_MUST_RESYNC || code == JWRN_NOT_SEQUENTIAL || code == JWRN_ARITH_BAD_CODE))
        give_up(info);
}

static void no_output(j_common_ptr info)
{
    (void)info;
}

/* A progressive file may ask for any number of passes over a large image. */
static void on_progress(j_common_ptr info)
{
    struct jpeg *jpeg = info->client_data;
    const int64_t scans = jpeg->info.input_scan_number;
    const int64_t pixels = (int64_t)jpeg->info.image_height * jpeg->info.image_width;
    if (scans <= MFM_IMAGE_SCANS && scans * pixels <= MFM_IMAGE_SCANNED)
        return;
    snprintf(jpeg->message, MFM_PICTURE_MESSAGE, "JPEG: more than %lld scans of %lld pixels",
             (long long)(scans - 1), (long long)pixels);
    longjmp(jpeg->out, 1);
}

static int read_orientation(const struct jpeg_decompress_struct *info)
{
    static const uint8_t exif[6] = "Exif\0";
    for (jpeg_saved_marker_ptr m = info->marker_list; m; m = m->next)
        if (m->marker == JPEG_APP0 + 1 && m->data_length > sizeof exif &&
            memcmp(m->data, exif, sizeof exif) == 0)
            return mfm_exif_orientation(m->data + sizeof exif, m->data_length - sizeof exif);
    return 1;
}

static void read_header(struct jpeg *jpeg, const mfm_image_file *file)
{
    struct jpeg_decompress_struct *info = &jpeg->info;
    jpeg_create_decompress(info);
    info->client_data = jpeg;
    info->progress = &jpeg->progress;
    info->mem->max_memory_to_use = 2L * 3 * MFM_IMAGE_PIXELS;
    jpeg_mem_src(info, file->bytes, (unsigned long)file->size);
    jpeg_save_markers(info, JPEG_APP0 + 1, 0xFFFF);
    jpeg_read_header(info, TRUE);
}

static void init(struct jpeg *jpeg, char *message)
{
    *jpeg = (struct jpeg){.message = message};
    jpeg->info.err = jpeg_std_error(&jpeg->errors);
    jpeg->info.client_data = jpeg;
    jpeg->errors.error_exit = give_up;
    jpeg->errors.emit_message = on_message;
    jpeg->errors.output_message = no_output;
    jpeg->progress.progress_monitor = on_progress;
}

static int finish(struct jpeg *jpeg, int status)
{
    jpeg_destroy_decompress(&jpeg->info);
    free(jpeg->row);
    return jpeg->no_memory ? MFM_ENOMEM : status;
}

static int read_size(mfm_image_file *file)
{
    struct jpeg jpeg;
    init(&jpeg, file->message);
    if (setjmp(jpeg.out))
        return finish(&jpeg, MFM_EDATA);
    read_header(&jpeg, file);
    file->height = (int)jpeg.info.image_height;
    file->width = (int)jpeg.info.image_width;
    file->orientation = read_orientation(&jpeg.info);
    return finish(&jpeg, MFM_OK);
}

/* Inverted, as Adobe writes it: the bytes are what is left of the paper's white. */
static void from_cmyk(const uint8_t *in, int width, uint8_t *out)
{
    for (int x = 0; x < width; x++)
        for (int c = 0; c < 3; c++) {
            const int product = in[4 * x + c] * in[4 * x + 3] + 128;
            out[3 * x + c] = (uint8_t)(((product >> 8) + product) >> 8);
        }
}

static void read_rows(struct jpeg *jpeg, uint8_t *pixels)
{
    struct jpeg_decompress_struct *info = &jpeg->info;
    const size_t size = 3 * (size_t)info->output_width;
    const bool cmyk = info->out_color_space == JCS_CMYK;
    while (info->output_scanline < info->output_height) {
        uint8_t *out = pixels + info->output_scanline * size;
        JSAMPROW row = cmyk ? jpeg->row : out;
        if (jpeg_read_scanlines(info, &row, 1) == 1 && cmyk)
            from_cmyk(row, (int)info->output_width, out);
    }
}

static int decode(mfm_image_file *file, int *reduce, uint8_t *pixels)
{
    struct jpeg jpeg;
    init(&jpeg, file->message);
    if (setjmp(jpeg.out))
        return finish(&jpeg, MFM_EDATA);
    read_header(&jpeg, file);
    struct jpeg_decompress_struct *info = &jpeg.info;
    const bool cmyk = info->jpeg_color_space == JCS_CMYK || info->jpeg_color_space == JCS_YCCK;
    info->out_color_space = cmyk ? JCS_CMYK : JCS_RGB;
    info->scale_num = 8 / (unsigned)*reduce;
    info->scale_denom = 8;
    jpeg_calc_output_dimensions(info);
    if (cmyk && !(jpeg.row = malloc(4 * (size_t)info->output_width)))
        jpeg.no_memory = true;
    if (jpeg.no_memory)
        return finish(&jpeg, MFM_ENOMEM);
    jpeg_start_decompress(info);
    read_rows(&jpeg, pixels);
    jpeg_finish_decompress(info);
    return finish(&jpeg, MFM_OK);
}

const mfm_image_format mfm_image_jpeg = {.size = read_size, .decode = decode, .reduces = true};
