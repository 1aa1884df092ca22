/*
 * make-arrays table FOLDER CLASSES PER_CLASS TEST_PER_CLASS FEATURES: writes a table as .npy files.
 * The features of class c that are c modulo the classes are large, all others noise, and each has a
 * scale of its own; the same arguments give the same bytes.
 *
 * make-arrays idx FROM FOLDER MEAN DEVIATION: the four files of MNIST's in FROM as arrays of
 * float32 [n, 1, height, width], (byte / 255 - MEAN) / DEVIATION.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_LENGTH = 1024, IMAGES_HEADER = 16, LABELS_HEADER = 8, LARGEST = 1 << 22 };

static uint32_t state = 12345;

/* Numerical Recipes' linear congruence: nothing hangs on its quality. */
static uint32_t draw(uint32_t bound)
{
    state = state * 1664525u + 1013904223u;
    return (state >> 16) % bound;
}

static FILE *open_npy(const char *folder, const char *name, const char *type, const char *shape)
{
    char path[PATH_LENGTH], text[128];
    snprintf(path, sizeof path, "%s/%s.npy", folder, name);
    FILE *file = fopen(path, "wb");
    if (!file)
        exit(1);
    const int length =
        snprintf(text, sizeof text, "{'descr': '%s', 'fortran_order': False, 'shape': (%s), }\n",
                 type, shape);
    fwrite("\x93NUMPY\x01\0", 1, 8, file);
    fputc(length, file);
    fputc(0, file);
    fputs(text, file);
    return file;
}

static void put_float(FILE *file, double number)
{
    const float value = (float)number;
    fwrite(&value, sizeof value, 1, file);
}

static int put_table(const char *folder, const char *part, uint32_t classes, uint32_t per_class,
                     uint32_t features)
{
    char name[16], shape[64];
    snprintf(name, sizeof name, "%s_x", part);
    snprintf(shape, sizeof shape, "%u, %u", classes * per_class, features);
    FILE *rows = open_npy(folder, name, "<f4", shape);
    snprintf(name, sizeof name, "%s_y", part);
    snprintf(shape, sizeof shape, "%u,", classes * per_class);
    FILE *labels = open_npy(folder, name, "|u1", shape);
    for (uint32_t i = 0; i < classes * per_class; i++) {
        for (uint32_t k = 0; k < features; k++)
            put_float(rows, (k + 1) * (draw(100) + (k % classes == i % classes ? 60 : 0)) / 100.0);
        fputc((int)(i % classes), labels);
    }
    return fclose(rows) || fclose(labels);
}

static size_t read_idx(const char *folder, const char *name, unsigned char *bytes)
{
    char path[PATH_LENGTH];
    snprintf(path, sizeof path, "%s/%s-ubyte", folder, name);
    FILE *file = fopen(path, "rb");
    const size_t size = file ? fread(bytes, 1, LARGEST, file) : 0;
    if (file)
        fclose(file);
    return size;
}

static uint32_t word(const unsigned char *b)
{
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

static int put_images(const char *from, const char *folder, const char *idx, const char *part,
                      double mean, double deviation)
{
    static unsigned char bytes[LARGEST];
    char name[32], shape[64];
    snprintf(name, sizeof name, "%s-images-idx3", idx);
    size_t size = read_idx(from, name, bytes);
    if (size < IMAGES_HEADER)
        return 1;
    snprintf(name, sizeof name, "%s_x", part);
    snprintf(shape, sizeof shape, "%u, 1, %u, %u", word(bytes + 4), word(bytes + 8),
             word(bytes + 12));
    FILE *file = open_npy(folder, name, "<f4", shape);
    for (size_t i = IMAGES_HEADER; i < size; i++)
        put_float(file, (bytes[i] / 255.0 - mean) / deviation);
    if (fclose(file))
        return 1;
    snprintf(name, sizeof name, "%s-labels-idx1", idx);
    size = read_idx(from, name, bytes);
    if (size < LABELS_HEADER)
        return 1;
    snprintf(name, sizeof name, "%s_y", part);
    snprintf(shape, sizeof shape, "%u,", word(bytes + 4));
    file = open_npy(folder, name, "|u1", shape);
    fwrite(bytes + LABELS_HEADER, 1, size - LABELS_HEADER, file);
    return fclose(file);
}

int main(int argc, char **argv)
{
    if (argc == 7 && strcmp(argv[1], "table") == 0) {
        const uint32_t classes = (uint32_t)atoi(argv[3]), features = (uint32_t)atoi(argv[6]);
        return put_table(argv[2], "train", classes, (uint32_t)atoi(argv[4]), features) ||
               put_table(argv[2], "test", classes, (uint32_t)atoi(argv[5]), features);
    }
    if (argc == 6 && strcmp(argv[1], "idx") == 0) {
        const double mean = atof(argv[4]), deviation = atof(argv[5]);
        return put_images(argv[2], argv[3], "train", "train", mean, deviation) ||
               put_images(argv[2], argv[3], "t10k", "test", mean, deviation);
    }
    return 2;
}
