#include "tests/core/train/support/fixture.h"

#include <math.h>
#include <string.h>

#include "core/base/random.h"
#include "tests/suite.h"

void fixture_open(mfm_ctx *ctx, const char *folder, fixture *f)
{
    *f = (fixture){.ctx = ctx};
    char path[1024];
    snprintf(path, sizeof path, MFM_TEST_DATA "/%s/manifest.json", folder);
    f->manifest = json_load_file(path, 0, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(f->manifest);
    f->n_results = (size_t)fixture_number(f, "floats");
    f->results = mfm_alloc(ctx, f->n_results + 1, sizeof *f->results);
    CU_ASSERT_PTR_NOT_NULL_FATAL(f->results);
    snprintf(path, sizeof path, MFM_TEST_DATA "/%s/results.bin", folder);
    FILE *file = fopen(path, "rb");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    const size_t got = fread(f->results, sizeof *f->results, f->n_results + 1, file);
    fclose(file);
    CU_ASSERT_EQUAL_FATAL(got, f->n_results);
}

void fixture_close(fixture *f)
{
    json_decref(f->manifest);
    mfm_free(f->ctx, f->results);
}

static double number_of(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    CU_ASSERT_FATAL(json_is_number(value));
    return json_number_value(value);
}

double fixture_number(const fixture *f, const char *key)
{
    return number_of(f->manifest, key);
}

static const json_t *entry(const fixture *f, const char *list, const char *name)
{
    size_t i;
    json_t *row;
    json_array_foreach(json_object_get(f->manifest, list), i, row)
    {
        if (strcmp(json_string_value(json_object_get(row, "name")), name) == 0)
            return row;
    }
    printf("\n    no '%s' in %s\n", name, list);
    CU_FAIL_FATAL("the fixture lacks a tensor");
    return NULL;
}

static mfm_shape shape_of(const json_t *row)
{
    const json_t *dims = json_object_get(row, "shape");
    mfm_shape shape = {.rank = (int)json_array_size(dims)};
    for (int i = 0; i < shape.rank; i++)
        shape.dim[i] = json_integer_value(json_array_get(dims, (size_t)i));
    return shape;
}

static mfm_key key_of(const fixture *f, const json_t *row, const char *step)
{
    return (mfm_key){.seed = (uint64_t)fixture_number(f, "seed"),
                     .stream = MFM_STREAM_TEST,
                     .node = (uint32_t)number_of(row, "node"),
                     .step = step ? (uint64_t)fixture_number(f, step) : 0};
}

/* How the elements of a tensor are drawn. */
typedef struct formula {
    mfm_key key;
    char kind; /* 'n'ormal, 'u'niform, 'b'elow */
    double scale, offset;
    uint64_t bound;
} formula;

static formula formula_of(const fixture *f, const json_t *row)
{
    formula made = {.key = key_of(f, row, NULL)};
    made.kind = json_string_value(json_object_get(row, "draw"))[0];
    if (made.kind == 'b') {
        made.bound = (uint64_t)number_of(row, "bound");
        return made;
    }
    made.scale = number_of(row, "scale");
    made.offset = number_of(row, "offset");
    return made;
}

static real draw(const formula *from, uint64_t index)
{
    if (from->kind == 'b')
        return (real)mfm_random_below(&from->key, index, from->bound);
    const double x = from->kind == 'n' ? mfm_random_normal(&from->key, index)
                                       : mfm_random_uniform(&from->key, index);
    return (real)(float)(from->offset + from->scale * x);
}

static real *vector_new(const fixture *f, int64_t count)
{
    real *vector = mfm_alloc_aligned(f->ctx, (size_t)count, sizeof *vector);
    CU_ASSERT_PTR_NOT_NULL_FATAL(vector);
    return vector;
}

static real *to_storage(const fixture *f, const mfm_shape *shape, real *row_major)
{
    real *stored = vector_new(f, mfm_shape_count(shape));
    mfm_layout_to_engine(shape, row_major, stored);
    mfm_free_aligned(f->ctx, row_major);
    return stored;
}

real *fixture_tensor(const fixture *f, const char *name, mfm_shape *shape)
{
    const json_t *row = entry(f, "tensors", name);
    const formula from = formula_of(f, row);
    *shape = shape_of(row);
    const int64_t count = mfm_shape_count(shape);
    real *row_major = vector_new(f, count);
    double sum = 0;
    for (int64_t i = 0; i < count; i++) {
        row_major[i] = draw(&from, (uint64_t)i);
        sum += (double)row_major[i];
    }
    /* The last bit of a float may differ from one C library to the next. */
    CU_ASSERT_DOUBLE_EQUAL(row_major[0], number_of(row, "first"), 1e-6);
    CU_ASSERT_DOUBLE_EQUAL(sum, number_of(row, "sum"), 1e-6 * sqrt((double)count));
    return to_storage(f, shape, row_major);
}

real *fixture_result(const fixture *f, const char *name, mfm_shape *shape)
{
    const json_t *row = entry(f, "results", name);
    *shape = shape_of(row);
    const int64_t count = mfm_shape_count(shape);
    const size_t offset = (size_t)number_of(row, "offset");
    CU_ASSERT_FATAL(offset + (size_t)count <= f->n_results);
    real *row_major = vector_new(f, count);
    for (int64_t i = 0; i < count; i++)
        row_major[i] = (real)f->results[offset + (size_t)i];
    return to_storage(f, shape, row_major);
}

void fixture_sample(const fixture *f, const char *name, const mfm_shape *shape, const real *stored,
                    real *samples)
{
    const mfm_key key = key_of(f, entry(f, "tensors", name), "samples_step");
    const int64_t count = mfm_shape_count(shape), n = (int64_t)fixture_number(f, "samples");
    real *row_major = vector_new(f, count);
    mfm_layout_to_row_major(shape, stored, row_major);
    for (int64_t i = 0; i < n; i++)
        samples[i] = row_major[mfm_random_below(&key, (uint64_t)i, (uint64_t)count)];
    mfm_free_aligned(f->ctx, row_major);
}

double fixture_error(const real *wanted, const real *got, int64_t count)
{
    double difference = 0, size = 0;
    for (int64_t i = 0; i < count; i++) {
        const double w = (double)wanted[i], d = (double)got[i] - w;
        difference += d * d;
        size += w * w;
    }
    return sqrt(difference / size);
}
