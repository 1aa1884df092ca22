/* Resizing against weights worked out by hand. tests/interop compares whole images with Pillow's.
 */
#include "core/data/images/resize.h"

#include <string.h>

#include "tests/suite.h"

static mfm_resizer resizer;

static void check_row(const uint8_t *in, int width, int to, const uint8_t *expected)
{
    uint8_t out[16];
    const mfm_region across = {in, 1, width, 1, width}, down = {in, width, 1, 1, 1};
    const mfm_window row = {1, to, 0, 0, 1, to}, column = {to, 1, 0, 0, to, 1};
    CU_ASSERT_EQUAL(mfm_resize(&resizer, &across, &row, out), 0);
    CU_ASSERT_EQUAL(memcmp(out, expected, (size_t)to), 0);
    CU_ASSERT_EQUAL(mfm_resize(&resizer, &down, &column, out), 0);
    CU_ASSERT_EQUAL(memcmp(out, expected, (size_t)to), 0);
}

/* To half: output 0 has its centre at 1, so that inputs 0, 1, 2 weigh 3/4, 3/4, 1/4 of 7/4 in all.
 * 255 / 7 = 36.4; and the other way round. */
static void half_the_size_is_a_triangle_of_four(void)
{
    check_row((const uint8_t[]){0, 0, 255, 255}, 4, 2, (const uint8_t[]){36, 219});
    check_row((const uint8_t[]){0, 255, 0, 0, 0, 0}, 6, 3, (const uint8_t[]){109, 32, 0});
}

/* To twice: outputs lie a quarter of a pixel beside the inputs. */
static void twice_the_size_is_linear(void)
{
    check_row((const uint8_t[]){0, 200}, 2, 4, (const uint8_t[]){0, 50, 150, 200});
}

static void the_same_size_is_the_same(void)
{
    check_row((const uint8_t[]){0, 7, 255, 3}, 4, 4, (const uint8_t[]){0, 7, 255, 3});
}

/* A window is the part of the whole, whatever its channels. */
static void a_window_is_a_part_of_the_whole(void)
{
    uint8_t in[11 * 13 * 3], whole[8 * 7 * 3], part[3 * 4 * 3];
    for (size_t i = 0; i < sizeof in; i++)
        in[i] = (uint8_t)(i * 2654435761u >> 13);
    const mfm_region from = {in, 11, 13, 3, 13 * 3};
    const mfm_window all = {8, 7, 0, 0, 8, 7}, some = {8, 7, 4, 2, 3, 4};
    CU_ASSERT_EQUAL(mfm_resize(&resizer, &from, &all, whole), 0);
    CU_ASSERT_EQUAL(mfm_resize(&resizer, &from, &some, part), 0);
    for (int y = 0; y < 3; y++)
        CU_ASSERT_EQUAL(memcmp(part + y * 12, whole + ((4 + y) * 7 + 2) * 3, 12), 0);
    mfm_resizer_clear(&resizer);
}

static const mfm_case cases[] = {
    {"half the size is a triangle of four", half_the_size_is_a_triangle_of_four},
    {"twice the size is linear", twice_the_size_is_linear},
    {"the same size is the same", the_same_size_is_the_same},
    {"a window is a part of the whole", a_window_is_a_part_of_the_whole},
};

MFM_SUITE("core/data/resize", cases)
