/*
 * cifar100:FOLDER: the folder cifar-100-binary of the binary version, with its 100 fine labels.
 * Their names are the lines of fine_label_names.txt; without that file the classes go by number.
 */
#include <string.h>
#include <unistd.h>

#include "core/data/sources/files/cifar_files.h"
#include "core/data/sources/dataset_kind.h"
#include "core/data/file_reader.h"

enum { CLASSES = 100, NAMES_SIZE = 1 << 14 };

static const char *const train[] = {"train.bin", NULL};
static const char *const test[] = {"test.bin", NULL};

/* Cuts text, which ends with NUL, into lines; empty ones do not count. */
static int cut_lines(char *text, const char *names[CLASSES])
{
    int count = 0;
    char *state = NULL;
    for (char *line = strtok_r(text, "\r\n", &state); line; line = strtok_r(NULL, "\r\n", &state)) {
        if (count < CLASSES)
            names[count] = line;
        count++;
    }
    return count;
}

static int read_names(mfm_ctx *ctx, mfm_file_reader *reader, mfm_dataset *dataset)
{
    const uint64_t size = mfm_file_reader_limit(reader);
    if (size >= NAMES_SIZE)
        return mfm_fail(ctx, MFM_EDATA, "%s: %llu bytes: below %d for %d names",
                        mfm_file_reader_path(reader), (unsigned long long)size, NAMES_SIZE,
                        CLASSES);
    char text[NAMES_SIZE];
    const char *names[CLASSES];
    const int status = mfm_file_reader_read(reader, text, (size_t)size);
    if (status != MFM_OK)
        return status;
    text[size] = '\0';
    const int count = cut_lines(text, names);
    if (count != CLASSES)
        return mfm_fail(ctx, MFM_EDATA, "%s: %d lines: one for each of %d classes",
                        mfm_file_reader_path(reader), count, CLASSES);
    return mfm_dataset_set_classes(ctx, dataset, CLASSES, names);
}

static int name_classes(mfm_ctx *ctx, const char *folder, mfm_dataset *dataset)
{
    char *path = mfm_format(ctx, "%s/fine_label_names.txt", folder);
    if (!path)
        return MFM_ENOMEM;
    mfm_file_reader *reader = NULL;
    int status;
    if (access(path, F_OK) == 0) {
        status = mfm_file_reader_open(ctx, path, &reader);
        if (status == MFM_OK)
            status = read_names(ctx, reader, dataset);
    } else {
        mfm_warn(ctx, "%s: no such file: the classes go by number", path);
        status = mfm_dataset_set_classes(ctx, dataset, CLASSES, NULL);
    }
    mfm_file_reader_close(reader);
    mfm_free(ctx, path);
    return status;
}

static int read_cifar100(mfm_ctx *ctx, const char *folder, unsigned parts, mfm_dataset *dataset)
{
    const mfm_cifar cifar = {CLASSES, 2, train, test};
    const int status = name_classes(ctx, folder, dataset);
    return status == MFM_OK ? mfm_cifar_read(ctx, folder, parts, &cifar, dataset) : status;
}

const mfm_dataset_kind mfm_dataset_cifar100 = {
    .name = "cifar100", .read = read_cifar100, .augment = "shift:4,flip"};
