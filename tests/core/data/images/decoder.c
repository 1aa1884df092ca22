/* Image files of every form come out as colours; what is cut off, damaged or too large is refused.
 */
#include "core/data/images/decoder.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "tests/core/data/images/image_writer.h"
#include "tests/core/data/support.h"

enum { HEIGHT = 9, WIDTH = 14, MOST = 4 * HEIGHT * WIDTH * 2 };

static test_folder folder;
static mfm_decoder *decoder;
static mfm_picture picture;

static void begin(void)
{
    folder = folder_new();
    decoder = mfm_decoder_new();
    CU_ASSERT_PTR_NOT_NULL_FATAL(decoder);
    mfm_decoder_set_memory(decoder, 0);
}

static void end(void)
{
    mfm_decoder_free(decoder);
    folder_remove(&folder);
}

/* Smooth, so that JPEG keeps it. */
static uint8_t sample(int y, int x, int c)
{
    return (uint8_t)(20 + 14 * y * (c != 1) + 8 * x * (c != 0) + 5 * c);
}

static void fill(const image_form *form, uint8_t *pixels)
{
    for (int y = 0, at = 0; y < form->height; y++)
        for (int x = 0; x < form->width; x++)
            for (int c = 0; c < form->channels; c++)
                pixels[at++] = sample(y, x, c);
}

static int read_image(const char *path, int reduce)
{
    const int status = mfm_decoder_begin(decoder, path, &picture);
    return status ? status : mfm_decoder_pixels(decoder, reduce, &picture);
}

/* Largest difference of the picture from expected(y, x, c). */
static int difference(int (*expected)(int y, int x, int c))
{
    int most = 0;
    CU_ASSERT_FATAL(picture.height == HEIGHT && picture.width == WIDTH && picture.channels == 3);
    for (int y = 0, at = 0; y < HEIGHT; y++)
        for (int x = 0; x < WIDTH; x++)
            for (int c = 0; c < 3; c++, at++) {
                const int d = abs(picture.pixels[at] - expected(y, x, c));
                most = d > most ? d : most;
            }
    return most;
}

static int colours(int y, int x, int c)
{
    return sample(y, x, c);
}

static int grey(int y, int x, int c)
{
    (void)c;
    return sample(y, x, 0);
}

static int from_palette(int y, int x, int c)
{
    const int i = sample(y, x, 0);
    return c == 0 ? i : c == 1 ? 255 - i : i / 2;
}

static int from_cmyk(int y, int x, int c)
{
    return (int)(sample(y, x, c) * sample(y, x, 3) / 255.0 + 0.5);
}

static void check_png(image_form form, int (*expected)(int y, int x, int c))
{
    uint8_t pixels[MOST];
    form.height = HEIGHT;
    form.width = WIDTH;
    fill(&form, pixels);
    const char *path = path_in(&folder, "a.png");
    write_png(path, &form, pixels);
    CU_ASSERT_EQUAL_FATAL(read_image(path, 8), MFM_OK);
    CU_ASSERT_EQUAL(difference(expected), 0);
}

static void png_comes_back_exactly_in_every_form(void)
{
    begin();
    check_png((image_form){.channels = 3}, colours);
    check_png((image_form){.channels = 3, .progressive = 1}, colours);
    check_png((image_form){.channels = 1}, grey);
    check_png((image_form){.channels = 1, .palette = 1}, from_palette);
    check_png((image_form){.channels = 2}, grey);    /* alpha is dropped */
    check_png((image_form){.channels = 4}, colours); /* alpha is dropped */
    end();
}

/* 16 bits, both bytes alike: v * 257, which is v of 8 bits. */
static void sixteen_bits_become_eight(void)
{
    begin();
    const image_form form = {.height = HEIGHT, .width = WIDTH, .channels = 3, .depth = 16};
    uint8_t pixels[MOST];
    fill(&form, pixels);
    for (int i = HEIGHT * WIDTH * 3; i-- > 0;)
        pixels[2 * i] = pixels[2 * i + 1] = pixels[i];
    write_png(path_in(&folder, "a.png"), &form, pixels);
    CU_ASSERT_EQUAL_FATAL(read_image(path_in(&folder, "a.png"), 1), MFM_OK);
    CU_ASSERT_EQUAL(difference(colours), 0);
    end();
}

static void check_jpeg(image_form form, int (*expected)(int y, int x, int c), int tolerance)
{
    uint8_t pixels[MOST];
    form.height = HEIGHT;
    form.width = WIDTH;
    fill(&form, pixels);
    const char *path = path_in(&folder, "a.jpg");
    write_jpeg(path, &form, pixels);
    CU_ASSERT_EQUAL_FATAL(read_image(path, 1), MFM_OK);
    const int most = difference(expected);
    if (most > tolerance)
        printf("\n    a difference of %d\n", most);
    CU_ASSERT(most <= tolerance);
}

static void jpeg_comes_back_in_every_form(void)
{
    begin();
    check_jpeg((image_form){.channels = 3}, colours, 2);
    check_jpeg((image_form){.channels = 3, .progressive = 1}, colours, 2);
    check_jpeg((image_form){.channels = 1}, grey, 1);
    check_jpeg((image_form){.channels = 4}, from_cmyk, 2);
    end();
}

/* As Photoshop writes print images: CMYK by way of YCCK, with Adobe's marker. */
static void ycck_comes_back_as_cmyk_does(void)
{
    begin();
    static uint8_t bytes[1 << 16];
    check_jpeg((image_form){.channels = 4, .ycck = 1}, from_cmyk, 3);
    check_jpeg((image_form){.channels = 4, .ycck = 1, .progressive = 1}, from_cmyk, 3);
    const size_t size = read_whole(&folder, "a.jpg", bytes, sizeof bytes);
    CU_ASSERT_PTR_NOT_NULL(memmem(bytes, size, "Adobe", 5));
    end();
}

static void a_jpeg_can_be_read_smaller(void)
{
    begin();
    static uint8_t pixels[3 * 32 * 40];
    const image_form form = {.height = 32, .width = 40, .channels = 3};
    memset(pixels, 100, sizeof pixels);
    write_jpeg(path_in(&folder, "a.jpg"), &form, pixels);
    for (int reduce = 1; reduce <= 8; reduce *= 2) {
        CU_ASSERT_EQUAL_FATAL(read_image(path_in(&folder, "a.jpg"), reduce), MFM_OK);
        CU_ASSERT(picture.height == 32 / reduce && picture.width == 40 / reduce);
        for (int i = 0; i < 3 * picture.height * picture.width; i++)
            CU_ASSERT(abs(picture.pixels[i] - 100) <= 1);
    }
    end();
}

/* The stored image's place (row, column) of 0 and 1 that a corner of the picture shows: EXIF 2.32,
 * table of the tag Orientation. corner: top left, top right, bottom left, bottom right. */
static const int corners[9][4][2] = {{{0}},
                                     {{0, 0}, {0, 1}, {1, 0}, {1, 1}},
                                     {{0, 1}, {0, 0}, {1, 1}, {1, 0}},
                                     {{1, 1}, {1, 0}, {0, 1}, {0, 0}},
                                     {{1, 0}, {1, 1}, {0, 0}, {0, 1}},
                                     {{0, 0}, {1, 0}, {0, 1}, {1, 1}},
                                     {{1, 0}, {0, 0}, {1, 1}, {0, 1}},
                                     {{1, 1}, {0, 1}, {1, 0}, {0, 0}},
                                     {{0, 1}, {1, 1}, {0, 0}, {1, 0}}};

static void check_turned(const char *path, int orientation, int height, int width)
{
    CU_ASSERT_EQUAL_FATAL(read_image(path, 1), MFM_OK);
    const bool turned = orientation > 4;
    CU_ASSERT_EQUAL_FATAL(picture.height, turned ? width : height);
    CU_ASSERT_EQUAL_FATAL(picture.width, turned ? height : width);
    for (int k = 0; k < 4; k++) {
        const int y = k / 2 * (picture.height - 1), x = k % 2 * (picture.width - 1);
        const int *at = corners[orientation][k];
        CU_ASSERT(abs(picture.pixels[3 * (y * picture.width + x)] -
                      (60 + 100 * at[0] + 50 * at[1])) <= 2);
    }
}

/* Moves EXIF behind the pixels of a PNG, in front of the 12 bytes that end it. */
static void move_exif_back(const char *name)
{
    uint8_t bytes[4096], chunk[256];
    const size_t size = read_whole(&folder, name, bytes, sizeof bytes);
    size_t at = 8;
    while (at < size && memcmp(bytes + at + 4, "eXIf", 4) != 0)
        at++;
    CU_ASSERT_FATAL(at + 12 < size && bytes[at + 2] == 0);
    const size_t length = 12 + (size_t)bytes[at + 3], behind = size - 12 - at - length;
    memcpy(chunk, bytes + at, length);
    memmove(bytes + at, bytes + at + length, behind);
    memcpy(bytes + at + behind, chunk, length);
    write_file(&folder, name, bytes, size);
}

static void pictures_are_turned_as_exif_says(void)
{
    begin();
    static uint8_t pixels[3 * 16 * 24];
    for (int orientation = 1; orientation <= 8; orientation++) {
        const image_form form = {
            .height = 16, .width = 24, .channels = 3, .orientation = orientation};
        for (int i = 0; i < 16 * 24; i++)
            memset(pixels + 3 * i, 60 + 100 * (i / 24 >= 8) + 50 * (i % 24 >= 12), 3);
        write_jpeg(path_in(&folder, "a.jpg"), &form, pixels);
        check_turned(path_in(&folder, "a.jpg"), orientation, 16, 24);
        write_png(path_in(&folder, "a.png"), &form, pixels);
        check_turned(path_in(&folder, "a.png"), orientation, 16, 24);
        move_exif_back("a.png");
        check_turned(path_in(&folder, "a.png"), orientation, 16, 24);
    }
    end();
}

static void make(const char *name, bool jpeg, int progressive)
{
    const image_form form = {.height = HEIGHT,
                             .width = WIDTH,
                             .channels = 3,
                             .orientation = 6,
                             .progressive = progressive};
    uint8_t pixels[MOST];
    fill(&form, pixels);
    (jpeg ? write_jpeg : write_png)(path_in(&folder, name), &form, pixels);
}

/* kind: bit 0 JPEG, bit 1 progressive. */
static void what_is_cut_off_anywhere_is_refused(void)
{
    begin();
    static uint8_t bytes[1 << 16];
    for (int kind = 0; kind < 4; kind++) {
        make("whole", kind & 1, kind & 2);
        const size_t size = read_whole(&folder, "whole", bytes, sizeof bytes);
        for (size_t keep = 0; keep < size; keep++) {
            write_file(&folder, "cut", bytes, keep);
            const int status = read_image(path_in(&folder, "cut"), 1);
            CU_ASSERT(status == MFM_EDATA);
            CU_ASSERT_PTR_NOT_NULL(strstr(picture.message, "/cut: "));
        }
    }
    end();
}

/* Read or refused, within its memory: the sanitizers watch. */
static void damaged_bytes_never_crash(void)
{
    begin();
    mfm_decoder_set_memory(decoder, 1 << 20); /* a size that is damaged takes no time */
    static uint8_t bytes[1 << 16];
    static const uint8_t masks[] = {0x01, 0x80, 0xFF};
    for (int kind = 0; kind < 4; kind++) {
        make("whole", kind & 1, kind & 2);
        const size_t size = read_whole(&folder, "whole", bytes, sizeof bytes);
        for (size_t at = 0; at < size; at++)
            for (size_t m = 0; m < sizeof masks; m++) {
                bytes[at] ^= masks[m];
                write_file(&folder, "bad", bytes, size);
                const int status = read_image(path_in(&folder, "bad"), 1 << (at & 3));
                CU_ASSERT(status == MFM_OK || status == MFM_EDATA);
                bytes[at] ^= masks[m];
            }
    }
    end();
}

static void refuse(const char *name, int code, const char *message)
{
    CU_ASSERT_EQUAL(read_image(path_in(&folder, name), 1), code);
    if (!strstr(picture.message, message)) {
        printf("\n    %s\n", picture.message);
        CU_FAIL(message);
    }
}

/* The frame header of a JPEG holds height and width, after FF C0, length and precision. */
static void huge_images_are_refused_by_their_header(void)
{
    begin();
    static uint8_t bytes[1 << 16];
    make("a.jpg", true, 0);
    size_t size = read_whole(&folder, "a.jpg", bytes, sizeof bytes), at = 0;
    while (bytes[at] != 0xFF || bytes[at + 1] != 0xC0)
        at++;
    memcpy(bytes + at + 5, "\xFF\xDC\xFF\xDC", 4); /* 65500, libjpeg's own limit */
    write_file(&folder, "huge", bytes, size);
    refuse("huge", MFM_EDATA, "65500 x 65500 pixels: up to 67108864");
    static const uint8_t png[] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n', 0,    0,    0,
                                  13,   'I', 'H', 'D', 'R',  0,    0,    0x80, 0,    0,    0,
                                  0x80, 0,   8,   2,   0,    0,    0,    0xD8, 0x84, 0x7C, 0x88};
    write_file(&folder, "huge", png, sizeof png);
    refuse("huge", MFM_EDATA, "PNG: ");
    end();
}

static void put_word(uint8_t *to, uint32_t word)
{
    for (int i = 0; i < 4; i++)
        to[i] = (uint8_t)(word >> (24 - 8 * i));
}

/* A chunk of PNG at `to`; returns its size. */
static size_t put_chunk(uint8_t *to, const char *type, const uint8_t *data, size_t size)
{
    put_word(to, (uint32_t)size);
    memcpy(to + 4, type, 4);
    memcpy(to + 8, data, size);
    put_word(to + 8 + size, (uint32_t)crc32(0, to + 4, (uInt)size + 4));
    return size + 12;
}

static long peak_mib(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss >> 10;
}

/* 8 MiB of one letter in some 8 KiB, a hundred times, in front of an image; and an image of 2^26
 * pixels in as little. */
static void a_png_bomb_takes_no_more_memory(void)
{
    enum { TEXT = (1 << 23) - 100, TEXTS = 100, HEAD = 33 };
    begin();
    static uint8_t whole[1 << 16], text[TEXT], packed[1 << 15] = "Comment\0";
    static uint8_t bomb[TEXTS * (sizeof packed + 12) + sizeof whole];
    check_png((image_form){.channels = 3}, colours);
    const size_t size = read_whole(&folder, "a.png", whole, sizeof whole);
    uLongf room = sizeof packed - 9;
    memset(text, 'a', sizeof text);
    CU_ASSERT_EQUAL_FATAL(compress2(packed + 9, &room, text, sizeof text, 9), Z_OK);
    memcpy(bomb, whole, HEAD); /* the signature and IHDR */
    size_t used = HEAD;
    for (int i = 0; i < TEXTS; i++)
        used += put_chunk(bomb + used, "zTXt", packed, room + 9);
    memcpy(bomb + used, whole + HEAD, size - HEAD);
    write_file(&folder, "bomb.png", bomb, used + size - HEAD);
    const long before = peak_mib();
    CU_ASSERT_EQUAL(read_image(path_in(&folder, "bomb.png"), 1), MFM_OK);
    CU_ASSERT_EQUAL(difference(colours), 0);
    CU_ASSERT(peak_mib() < before + 200);
    if (peak_mib() >= before + 200)
        printf("\n    %ld MiB\n", peak_mib() - before);
    mfm_decoder_set_memory(decoder, 64 << 20);
    put_word(whole + 16, 8192);
    put_word(whole + 20, 8192);
    put_word(whole + 29, (uint32_t)crc32(0, whole + 12, 17));
    write_file(&folder, "bomb.png", whole, size);
    refuse("bomb.png", MFM_EDATA, "8192 x 8192 pixels may take 769 MiB: --data-memory leaves 64");
    CU_ASSERT(peak_mib() < before + 200);
    end();
}

/* 9 x 14 pixels of 12 bytes and the file. */
static void an_image_beyond_its_memory_is_refused(void)
{
    begin();
    static uint8_t bytes[1 << 16];
    make("a.png", false, 0);
    const size_t size = read_whole(&folder, "a.png", bytes, sizeof bytes);
    mfm_decoder_set_memory(decoder, size + 12 * HEIGHT * WIDTH - 1);
    refuse("a.png", MFM_EDATA, "14 x 9 pixels may take 1 MiB: --data-memory leaves 0");
    mfm_decoder_set_memory(decoder, size + 12 * HEIGHT * WIDTH);
    CU_ASSERT_EQUAL(read_image(path_in(&folder, "a.png"), 1), MFM_OK);
    CU_ASSERT_EQUAL(mfm_decoder_begin_bytes(decoder, "here", bytes, size, &picture), MFM_OK);
    CU_ASSERT_EQUAL(mfm_decoder_begin_bytes(decoder, "here", bytes, 3, &picture), MFM_EDATA);
    CU_ASSERT_PTR_NOT_NULL(strstr(picture.message, "here: neither JPEG nor PNG"));
    end();
}

static void what_is_no_image_is_refused_with_its_path(void)
{
    begin();
    refuse("none", MFM_EIO, "/none: No such file");
    write_file(&folder, "empty", "", 0);
    refuse("empty", MFM_EDATA, "/empty: an empty file");
    write_file(&folder, "text", "GIF89a......", 12);
    refuse("text", MFM_EDATA, "/text: neither JPEG nor PNG");
    CU_ASSERT_EQUAL_FATAL(mkdir(path_in(&folder, "dir"), 0700), 0);
    refuse("dir", MFM_EDATA, "/dir: no regular file");
    CU_ASSERT_EQUAL(rmdir(path_in(&folder, "dir")), 0);
    CU_ASSERT_EQUAL_FATAL(mkfifo(path_in(&folder, "pipe"), 0600), 0);
    refuse("pipe", MFM_EDATA, "/pipe: no regular file");
    end();
}

static const mfm_case cases[] = {
    {"PNG comes back exactly in every form", png_comes_back_exactly_in_every_form},
    {"sixteen bits become eight", sixteen_bits_become_eight},
    {"JPEG comes back in every form", jpeg_comes_back_in_every_form},
    {"YCCK comes back as CMYK does", ycck_comes_back_as_cmyk_does},
    {"a PNG bomb takes no more memory than is allowed", a_png_bomb_takes_no_more_memory},
    {"a JPEG can be read smaller", a_jpeg_can_be_read_smaller},
    {"pictures are turned as EXIF says", pictures_are_turned_as_exif_says},
    {"what is cut off anywhere is refused", what_is_cut_off_anywhere_is_refused},
    {"damaged bytes never crash", damaged_bytes_never_crash},
    {"huge images are refused by their header", huge_images_are_refused_by_their_header},
    {"an image beyond its memory is refused", an_image_beyond_its_memory_is_refused},
    {"what is no image is refused with its path", what_is_no_image_is_refused_with_its_path},
};

MFM_SUITE("core/data/decoder", cases)
