/*
 * make-idx FOLDER CLASSES PER_CLASS TEST_PER_CLASS SIDE [SEED [FIRST]]: writes a small dataset in
 * MNIST's four files. Class c is a bright square at a place of its own on a noisy ground, so that a
 * small network learns it in a few epochs; the same arguments give the same bytes. SEED is of the
 * noise; labels are numbered from FIRST.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { IMAGES_MAGIC = 0x0803, LABELS_MAGIC = 0x0801, SQUARE = 5, PATH_LENGTH = 1024 };

static uint32_t state = 12345, first_label;

/* Numerical Recipes' linear congruence: nothing hangs on its quality. */
static uint32_t draw(uint32_t bound)
{
    state = state * 1664525u + 1013904223u;
    return (state >> 16) % bound;
}

static void put_word(FILE *file, uint32_t word)
{
    for (int shift = 24; shift >= 0; shift -= 8)
        fputc((int)(word >> shift & 0xFF), file);
}

static void put_image(FILE *file, uint32_t label, uint32_t side)
{
    const uint32_t columns = side / SQUARE;
    const uint32_t top = label / columns * SQUARE, left = label % columns * SQUARE;
    for (uint32_t y = 0; y < side; y++)
        for (uint32_t x = 0; x < side; x++) {
            const int inside = y >= top && y < top + SQUARE && x >= left && x < left + SQUARE;
            fputc((int)(inside ? 150 + draw(106) : draw(100)), file);
        }
}

static int put_part(const char *folder, const char *prefix, uint32_t classes, uint32_t per_class,
                    uint32_t side)
{
    char path[PATH_LENGTH];
    snprintf(path, sizeof path, "%s/%s-images-idx3-ubyte", folder, prefix);
    FILE *images = fopen(path, "wb");
    snprintf(path, sizeof path, "%s/%s-labels-idx1-ubyte", folder, prefix);
    FILE *labels = fopen(path, "wb");
    if (!images || !labels)
        return 1;
    put_word(images, IMAGES_MAGIC);
    put_word(images, classes * per_class);
    put_word(images, side);
    put_word(images, side);
    put_word(labels, LABELS_MAGIC);
    put_word(labels, classes * per_class);
    for (uint32_t i = 0; i < classes * per_class; i++) {
        put_image(images, i % classes, side);
        fputc((int)(i % classes + first_label), labels);
    }
    return fclose(images) || fclose(labels);
}

int main(int argc, char **argv)
{
    if (argc < 6 || argc > 8) {
        fprintf(stderr,
                "usage: make-idx FOLDER CLASSES PER_CLASS TEST_PER_CLASS SIDE [SEED [FIRST]]\n");
        return 2;
    }
    state += argc > 6 ? (uint32_t)atoi(argv[6]) : 0;
    first_label = argc > 7 ? (uint32_t)atoi(argv[7]) : 0;
    const uint32_t classes = (uint32_t)atoi(argv[2]), side = (uint32_t)atoi(argv[5]);
    return put_part(argv[1], "train", classes, (uint32_t)atoi(argv[3]), side) ||
           put_part(argv[1], "t10k", classes, (uint32_t)atoi(argv[4]), side);
}
