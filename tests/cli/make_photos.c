/*
 * Photographs for the tests: make_photos FOLDER PER_CLASS writes FOLDER/dark and FOLDER/light with
 * JPEG and PNG files of differing sizes, noise around another grey for each class. With a third
 * argument CLASSES there are so many folders scene00, scene01, ... instead, of another colour each.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "tests/core/data/images/image_writer.h"

static uint32_t state = 1;

static int noise(int below)
{
    state = state * 1664525u + 1013904223u;
    return (int)((state >> 8) % (uint32_t)below);
}

static void write_one(const char *folder, const char *name, int number, const int colour[3])
{
    static uint8_t pixels[96 * 96 * 3];
    const image_form form = {.height = 20 + noise(70), .width = 20 + noise(70), .channels = 3};
    char path[4096];
    for (int i = 0; i < form.height * form.width * 3; i++)
        pixels[i] = (uint8_t)(colour[i % 3] + noise(60));
    snprintf(path, sizeof path, "%s/%s/%03d.%s", folder, name, number, number % 4 ? "jpg" : "png");
    (number % 4 ? write_jpeg : write_png)(path, &form, pixels);
}

static void write_class(const char *folder, const char *name, int count, const int colour[3])
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    mkdir(path, 0700);
    for (int i = 0; i < count; i++)
        write_one(folder, name, i, colour);
}

int main(int argc, char **argv)
{
    static const int dark[3] = {40, 40, 40}, light[3] = {160, 160, 160};
    if (argc != 3 && argc != 4)
        return 2;
    const int count = atoi(argv[2]), classes = argc == 4 ? atoi(argv[3]) : 0;
    mkdir(argv[1], 0700);
    if (!classes) {
        write_class(argv[1], "dark", count, dark);
        write_class(argv[1], "light", count, light);
    }
    for (int c = 0; c < classes; c++) {
        char name[32];
        const int colour[3] = {c % 5 * 40, c / 5 % 5 * 40, c / 25 * 40};
        snprintf(name, sizeof name, "scene%02d", c);
        write_class(argv[1], name, count, colour);
    }
    return 0;
}
