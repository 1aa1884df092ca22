/* What is written is read by libpng. */
#include "core/data/images/png_write.h"

#include <string.h>

#include "tests/suite.h"
#ifdef MFM_IMAGES
#include <png.h>
#endif

static void a_picture_comes_back(void)
{
#ifdef MFM_IMAGES
    enum { HEIGHT = 5, WIDTH = 7 };
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    for (int channels = 1; channels <= 3; channels += 2) {
        uint8_t pixels[HEIGHT * WIDTH * 3], back[HEIGHT * WIDTH * 3], *png;
        size_t size;
        for (int i = 0; i < HEIGHT * WIDTH * channels; i++)
            pixels[i] = (uint8_t)(37 * i);
        CU_ASSERT_EQUAL_FATAL(mfm_png_write(ctx, pixels, HEIGHT, WIDTH, channels, &png, &size),
                              MFM_OK);
        png_image image = {.version = PNG_IMAGE_VERSION};
        CU_ASSERT_FATAL(png_image_begin_read_from_memory(&image, png, size));
        CU_ASSERT(image.width == WIDTH && image.height == HEIGHT);
        image.format = channels == 1 ? PNG_FORMAT_GRAY : PNG_FORMAT_RGB;
        CU_ASSERT_FATAL(png_image_finish_read(&image, NULL, back, 0, NULL));
        CU_ASSERT_EQUAL(memcmp(pixels, back, (size_t)(HEIGHT * WIDTH * channels)), 0);
        mfm_free(ctx, png);
    }
    mfm_ctx_free(ctx);
#endif
}

static void odd_pictures_are_refused(void)
{
    static const int odd[][3] = {{0, 4, 1}, {4, 0, 3}, {4, 4, 2}, {4, 4, 4}, {70000, 1, 1}};
    const uint8_t pixels[64] = {0};
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        uint8_t *png = NULL;
        size_t size;
        CU_ASSERT_EQUAL(mfm_png_write(ctx, pixels, odd[i][0], odd[i][1], odd[i][2], &png, &size),
                        MFM_EINVAL);
        CU_ASSERT_PTR_NULL(png);
    }
    mfm_ctx_free(ctx);
}

static const mfm_case cases[] = {
    {"a picture comes back", a_picture_comes_back},
    {"odd pictures are refused", odd_pictures_are_refused},
};

MFM_SUITE("core/data/png_write", cases)
