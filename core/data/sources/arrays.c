/*
 * arrays:FOLDER: NumPy's files train_x.npy, train_y.npy, test_x.npy, test_y.npy. x is [n, ...],
 * rows of numbers of any shape, y [n] or [n, 1] their labels, whole numbers; classes.txt, where
 * there is one, has the names of the classes, a line for each.
 *
 * Without it the labels of the training rows tell the classes, so they are read even when only the
 * test part is wanted; labels that begin at 1 are numbered from 0, which a warning says.
 */
#include <math.h>
#include <stdio.h>
#include <sys/stat.h>

#include "core/base/utf8.h"
#include "core/data/class_names.h"
#include "core/data/file_reader.h"
#include "core/data/sources/dataset_kind.h"
#include "core/data/sources/files/npy_file.h"

enum { MOST_CLASSES = UINT16_MAX };

typedef struct array_folder {
    mfm_ctx *ctx;
    const char *path;
    mfm_dataset *dataset;
    bool bytes; /* so far all rows are bytes */
} array_folder;

/* The file of a part, train_x.npy and so on; NULL without memory. */
static char *name_of(const array_folder *f, enum mfm_part part, char what)
{
    return mfm_format(f->ctx, "%s/%s_%c.npy", f->path, part == MFM_PART_TRAIN ? "train" : "test",
                      what);
}

static int look_for(const array_folder *f, enum mfm_part part, bool *found)
{
    struct stat info;
    char *path = name_of(f, part, 'y');
    *found = path && stat(path, &info) == 0;
    mfm_free(f->ctx, path);
    return path ? MFM_OK : MFM_ENOMEM;
}

/* ---- rows ---- */

/* What float32 does not hold, or nothing should learn from: the first such number. */
static int check_finite(mfm_ctx *ctx, const char *path, const mfm_npy_file *file, size_t size)
{
    const size_t count = (size_t)mfm_shape_count(&file->shape);
    size_t at = 0;
    while (at < count && isfinite(file->numbers[at]))
        at++;
    if (at == count)
        return MFM_OK;
    mfm_shape place = file->shape;
    char text[MFM_SHAPE_TEXT];
    size_t rest = at;
    for (int a = place.rank; a-- > 0; rest /= (size_t)file->shape.dim[a])
        place.dim[a] = (int64_t)(rest % (size_t)file->shape.dim[a]);
    return mfm_fail(ctx, MFM_EDATA,
                    "%s: row %zu, number %s: %s: all must be finite numbers within float32", path,
                    at / size, mfm_shape_text(&place, text),
                    isnan(file->numbers[at]) ? "not a number (nan)" : "infinite");
}

/* The first part that is read tells the shape of a row, the other agrees. */
static int check_rows(array_folder *f, const char *path, const mfm_npy_file *file)
{
    mfm_dataset *d = f->dataset;
    const mfm_shape *shape = &file->shape;
    char text[MFM_SHAPE_TEXT], other[MFM_SHAPE_TEXT];
    const int64_t count = mfm_shape_count(shape);
    if (shape->rank < 2 || count == 0 || shape->dim[0] > UINT32_MAX)
        return mfm_fail(f->ctx, MFM_EDATA,
                        "%s: shape %s: expected [n, ...], rows of at least one number, n from 1 to "
                        "2^32 - 1",
                        path, mfm_shape_text(shape, text));
    mfm_shape row = {.rank = shape->rank - 1};
    for (int i = 0; i < row.rank; i++)
        row.dim[i] = shape->dim[i + 1];
    if (count / shape->dim[0] > INT32_MAX)
        return mfm_fail(f->ctx, MFM_EDATA, "%s: rows of shape %s: at most 2^31 - 1 numbers", path,
                        mfm_shape_text(&row, text));
    if (d->row.rank && !mfm_shape_equal(&d->row, &row))
        return mfm_fail(f->ctx, MFM_EDATA,
                        "%s: rows of shape %s: those of the other part have shape %s", path,
                        mfm_shape_text(&row, text), mfm_shape_text(&d->row, other));
    d->row = row;
    d->height = d->width = 1;
    d->channels = (int)mfm_shape_count(&row);
    return MFM_OK;
}

static int read_rows(array_folder *f, enum mfm_part part, mfm_images *rows)
{
    mfm_npy_file file = {.numbers = NULL};
    char *path = name_of(f, part, 'x');
    int status = path ? mfm_npy_file_read(f->ctx, path, &file) : MFM_ENOMEM;
    if (!status)
        status = check_rows(f, path, &file);
    if (!status)
        status = check_finite(f->ctx, path, &file, mfm_dataset_image_size(f->dataset));
    rows->numbers = file.numbers;
    rows->count = status ? 0 : (uint32_t)file.shape.dim[0];
    f->bytes = f->bytes && file.type == MFM_NPY_BYTE;
    mfm_free(f->ctx, path);
    return status;
}

/* ---- labels ---- */

/* count: of the rows that are there; 0: they are not read. */
static int check_labels(array_folder *f, const char *path, const mfm_npy_file *file, uint32_t count)
{
    const mfm_shape *shape = &file->shape;
    char text[MFM_SHAPE_TEXT];
    if (file->type == MFM_NPY_FLOAT32 || file->type == MFM_NPY_FLOAT64)
        return mfm_fail(f->ctx, MFM_EDATA,
                        "%s: floating-point numbers: labels are whole: astype(numpy.int64) makes "
                        "them so",
                        path);
    if (shape->rank < 1 || shape->rank > 2 || (shape->rank == 2 && shape->dim[1] != 1) ||
        shape->dim[0] < 1)
        return mfm_fail(f->ctx, MFM_EDATA, "%s: shape %s: expected [n], a label for each row%s",
                        path, mfm_shape_text(shape, text),
                        shape->rank == 2 ? ": argmax(axis=1) makes them of one-hot rows" : "");
    if (shape->dim[0] > UINT32_MAX || (count && shape->dim[0] != count))
        return mfm_fail(f->ctx, MFM_EDATA, "%s: %lld labels: the file of the rows holds %u", path,
                        (long long)shape->dim[0], count);
    const int classes = f->dataset->classes, most = classes ? classes : MOST_CLASSES;
    for (int64_t i = 0; i < shape->dim[0]; i++)
        if (file->numbers[i] < 0 || file->numbers[i] >= (float)most)
            return mfm_fail(f->ctx, MFM_EDATA, "%s: row %lld has label %.0f: %s 0 to %d", path,
                            (long long)i, (double)file->numbers[i],
                            classes ? "the classes are" : "labels are", most - 1);
    return MFM_OK;
}

static int read_labels(array_folder *f, enum mfm_part part, mfm_images *rows)
{
    mfm_npy_file file = {.numbers = NULL};
    char *path = name_of(f, part, 'y');
    int status = path ? mfm_npy_file_read(f->ctx, path, &file) : MFM_ENOMEM;
    if (!status)
        status = check_labels(f, path, &file, rows->count);
    if (!status) {
        rows->count = (uint32_t)file.shape.dim[0];
        rows->labels = mfm_alloc(f->ctx, rows->count, sizeof *rows->labels);
        status = rows->labels ? MFM_OK : MFM_ENOMEM;
    }
    for (uint32_t i = 0; !status && i < rows->count; i++)
        rows->labels[i] = (uint16_t)file.numbers[i];
    mfm_free(f->ctx, path);
    mfm_free(f->ctx, file.numbers);
    return status;
}

/* ---- classes ---- */

static int set_names(array_folder *f, const char *path, const mfm_class_names *names)
{
    if (names->count == 0 || names->count > MOST_CLASSES)
        return mfm_fail(f->ctx, MFM_EDATA, "%s: %zu classes: between 1 and %d", path, names->count,
                        MOST_CLASSES);
    for (size_t i = 0; i < names->count; i++)
        if (!mfm_utf8_is_name(names->name[i]))
            return mfm_fail(f->ctx, MFM_EDATA,
                            "%s: line %zu: names are UTF-8 without control characters", path,
                            i + 1);
    return mfm_dataset_set_classes(f->ctx, f->dataset, (int)names->count, names->name);
}

/* Of classes.txt, where there is one. */
static int read_names(array_folder *f)
{
    struct stat info;
    mfm_class_names names = {.text = NULL};
    char *text, *path = mfm_format(f->ctx, "%s/classes.txt", f->path);
    size_t size;
    int status = path ? MFM_OK : MFM_ENOMEM;
    if (!status && stat(path, &info) == 0) {
        status = mfm_file_read_whole(f->ctx, path, &text, &size);
        if (!status)
            status = mfm_class_names_parse(f->ctx, path, text, size, &names);
        if (!status)
            status = set_names(f, path, &names);
    }
    mfm_class_names_clear(f->ctx, &names);
    mfm_free(f->ctx, path);
    return status;
}

/* The classes are what these labels show. */
static int set_classes(array_folder *f, const mfm_images *rows, bool *first_is_1)
{
    int lowest = rows->labels[0], highest = lowest;
    for (uint32_t i = 1; i < rows->count; i++) {
        lowest = rows->labels[i] < lowest ? rows->labels[i] : lowest;
        highest = rows->labels[i] > highest ? rows->labels[i] : highest;
    }
    *first_is_1 = lowest == 1;
    return mfm_dataset_set_classes(f->ctx, f->dataset, highest + 1, NULL);
}

/* ---- the folder ---- */

static int read_part(array_folder *f, enum mfm_part part, unsigned parts, mfm_images *rows)
{
    int status = parts & part ? read_rows(f, part, rows) : MFM_OK;
    if (!status)
        status = read_labels(f, part, rows);
    return status;
}

static int number_from_1(mfm_ctx *ctx, mfm_dataset *dataset)
{
    mfm_warn(ctx, "%s: no row has label 0: label 1 is class 0, and so on up to %d", dataset->name,
             dataset->classes - 1);
    return mfm_dataset_number_from(ctx, dataset, 1);
}

static int read_arrays(mfm_ctx *ctx, const char *folder, unsigned parts, mfm_dataset *dataset)
{
    array_folder f = {.ctx = ctx, .path = folder, .dataset = dataset, .bytes = true};
    bool trains = true, first_is_1 = false;
    int status = read_names(&f);
    if (!status && !(parts & MFM_PART_TRAIN))
        status = look_for(&f, MFM_PART_TRAIN, &trains);
    dataset->unmeasured = !trains;
    const bool named = dataset->classes > 0;
    if (!status && trains)
        status = read_part(&f, MFM_PART_TRAIN, parts, &dataset->train);
    if (!status && trains && !named)
        status = set_classes(&f, &dataset->train, &first_is_1);
    if (!status && (parts & MFM_PART_TEST))
        status = read_part(&f, MFM_PART_TEST, parts, &dataset->test);
    if (!status && !trains && !named)
        status = set_classes(&f, &dataset->test, &(bool){false});
    dataset->bytes = f.bytes;
    return !status && first_is_1 ? number_from_1(ctx, dataset) : status;
}

const mfm_dataset_kind mfm_dataset_arrays = {
    .name = "arrays", .numbers = true, .read = read_arrays};
