/*
 * Photographs for the tests: make_photos FOLDER PER_CLASS writes FOLDER/dark and FOLDER/light with
 * JPEG and PNG files of differing sizes, noise around another grey for each class.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "tests/core/data/image_writer.h"

static uint32_t state = 1;

static int noise(int below)
{
    state = state * 1664525u + 1013904223u;
    return (int)((state >> 8) % (uint32_t)below);
}

static void write_one(const char *folder, const char *name, int number, int grey)
{
    static uint8_t pixels[96 * 96 * 3];
    const image_form form = {.height = 20 + noise(70), .width = 20 + noise(70), .channels = 3};
    char path[4096];
    for (int i = 0; i < form.height * form.width * 3; i++)
        pixels[i] = (uint8_t)(grey + noise(60));
    snprintf(path, sizeof path, "%s/%s/%03d.%s", folder, name, number, number % 4 ? "jpg" : "png");
    (number % 4 ? write_jpeg : write_png)(path, &form, pixels);
}

int main(int argc, char **argv)
{
    static const char *const names[] = {"dark", "light"};
    if (argc != 3)
        return 2;
    mkdir(argv[1], 0700);
    for (int c = 0; c < 2; c++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/%s", argv[1], names[c]);
        mkdir(path, 0700);
        for (int i = 0; i < atoi(argv[2]); i++)
            write_one(argv[1], names[c], i, 40 + 120 * c);
    }
    return 0;
}
