/*
 * make-cifar FOLDER CLASSES PER_CLASS TEST_PER_CLASS: a small dataset in the files of CIFAR's
 * binary version: for 10 classes data_batch_1.bin to 5 and test_batch.bin, of records LABEL PIXELS;
 * for 100 train.bin and test.bin, of records COARSE FINE PIXELS. Pixels are 32 x 32 bytes of red,
 * then of green, then of blue: noise around a colour of the class's own. The same arguments give
 * the same bytes.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PLANE = 32 * 32, BATCHES = 5, PATH_LENGTH = 1024, COARSE = 20 };

static uint32_t state = 1;

static uint32_t draw(uint32_t bound)
{
    state = state * 1664525u + 1013904223u;
    return (state >> 16) % bound;
}

static void put_record(FILE *file, uint32_t label, uint32_t classes)
{
    const uint32_t colour[3] = {label % 5 * 45, label / 5 % 5 * 45, label / 25 * 45};
    if (classes == 100)
        fputc((int)(label % COARSE), file);
    fputc((int)label, file);
    for (int c = 0; c < 3; c++)
        for (int i = 0; i < PLANE; i++)
            fputc((int)(colour[c] + draw(70)), file);
}

/* Records `first` up to `end` of per_class images of each class, in turn. */
static int put_file(const char *folder, const char *name, uint32_t classes, uint32_t first,
                    uint32_t end)
{
    char path[PATH_LENGTH];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    if (!file)
        return 1;
    for (uint32_t i = first; i < end; i++)
        put_record(file, i % classes, classes);
    return fclose(file);
}

int main(int argc, char **argv)
{
    if (argc != 5)
        return 2;
    const uint32_t classes = (uint32_t)atoi(argv[2]);
    const uint32_t images = classes * (uint32_t)atoi(argv[3]);
    const uint32_t tests = classes * (uint32_t)atoi(argv[4]);
    if (classes == 100)
        return put_file(argv[1], "train.bin", classes, 0, images) ||
               put_file(argv[1], "test.bin", classes, 0, tests);
    int failed = put_file(argv[1], "test_batch.bin", classes, 0, tests);
    for (uint32_t b = 0; b < BATCHES; b++) {
        char name[32];
        snprintf(name, sizeof name, "data_batch_%u.bin", b + 1);
        failed |=
            put_file(argv[1], name, classes, images / BATCHES * b, images / BATCHES * (b + 1));
    }
    return failed;
}
