#include "onnx/storage/external.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/refusals.h"
#include "tests/onnx/hand.h"
#include "tests/scratch.h"
#include "tests/suite.h"

static mfm_ctx *ctx;
static char folder[SCRATCH];

static char *in_folder(const char *name)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void add_entry(mfm_model *m, Onnx__TensorProto *t, const char *key, const char *value)
{
    Onnx__StringStringEntryProto *entry = mfm_proto_new(m, sizeof *entry);
    CU_ASSERT_PTR_NOT_NULL_FATAL(entry);
    onnx__string_string_entry_proto__init(entry);
    CU_ASSERT_FATAL(!mfm_proto_set_string(m, &entry->key, key) &&
                    !mfm_proto_set_string(m, &entry->value, value) &&
                    !mfm_proto_append(m, &t->external_data, &t->n_external_data, entry));
}

/* A NULL entry is left out. */
static void put_outside(mfm_model *m, const char *name, const char *location, const char *offset,
                        const char *length)
{
    Onnx__TensorProto *t = mfm_proto_initializer(m, name);
    CU_ASSERT_PTR_NOT_NULL_FATAL(t);
    mfm_free(ctx, t->raw_data.data);
    t->has_raw_data = 0;
    t->raw_data = (ProtobufCBinaryData){0, NULL};
    t->has_data_location = 1;
    t->data_location = ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL;
    if (location)
        add_entry(m, t, "location", location);
    if (offset)
        add_entry(m, t, "offset", offset);
    if (length)
        add_entry(m, t, "length", length);
}

/* A model whose bias [5] is at that place of a file. */
static mfm_model *with_external(const char *location, const char *offset, const char *length)
{
    mfm_model *m = hand_residual(ctx, 8, 17);
    put_outside(m, "bias", location, offset, length);
    CU_ASSERT_EQUAL_FATAL(mfm_model_save(ctx, m, in_folder("m.onnx")), MFM_OK);
    return m;
}

static const float numbers[8] = {9, 1, 2, 3, 4, 5, 9, 9};

static void write_numbers(const char *name)
{
    FILE *file = fopen(in_folder(name), "wb");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    CU_ASSERT_EQUAL(fwrite(numbers, sizeof numbers[0], 8, file), 8);
    fclose(file);
}

static void test_loaded(void)
{
    ctx = mfm_ctx_new(NULL);
    write_numbers("w.bin");
    mfm_model_free(with_external("w.bin", "4", "20"));
    mfm_model *m;
    CU_ASSERT_EQUAL_FATAL(mfm_model_load(ctx, in_folder("m.onnx"), &m), MFM_OK);
    const Onnx__TensorProto *t = mfm_proto_initializer(m, "bias");
    CU_ASSERT_EQUAL_FATAL(t->raw_data.len, 20);
    CU_ASSERT_EQUAL(memcmp(t->raw_data.data, numbers + 1, 20), 0);
    CU_ASSERT_FALSE(t->has_data_location);
    CU_ASSERT_EQUAL(t->n_external_data, 0);
    mfm_model_free(m);
    /* 20 bytes without being told, to the end of the file and before it. */
    static const char *const offsets[] = {"12", "8"};
    for (int i = 0; i < 2; i++) {
        mfm_model_free(with_external("w.bin", offsets[i], NULL));
        CU_ASSERT_EQUAL_FATAL(mfm_model_load(ctx, in_folder("m.onnx"), &m), MFM_OK);
        t = mfm_proto_initializer(m, "bias");
        CU_ASSERT_EQUAL_FATAL(t->raw_data.len, 20);
        CU_ASSERT_EQUAL(memcmp(t->raw_data.data, numbers + 3 - i, 20), 0);
        mfm_model_free(m);
    }
    CU_ASSERT_EQUAL(mkdir(in_folder("sub"), 0700), 0);
    write_numbers("sub/w.bin");
    mfm_model_free(with_external("sub/w.bin", NULL, "20"));
    CU_ASSERT_EQUAL_FATAL(mfm_model_load(ctx, in_folder("m.onnx"), &m), MFM_OK);
    mfm_model_free(m);
    mfm_ctx_free(ctx);
}

/* It lies below /dev, like standard input, which has no folder. */
static void test_in_memory(void)
{
    char usual[SCRATCH];
    memcpy(usual, folder, sizeof usual);
    strcpy(folder, "/dev/shm/mfm-external-XXXXXX");
    if (mkdtemp(folder)) {
        ctx = mfm_ctx_new(NULL);
        write_numbers("w.bin");
        mfm_model_free(with_external("w.bin", "4", "20"));
        mfm_model *m;
        CU_ASSERT_EQUAL_FATAL(mfm_model_load(ctx, in_folder("m.onnx"), &m), MFM_OK);
        mfm_model_free(m);
        mfm_ctx_free(ctx);
        unlink(in_folder("m.onnx"));
        unlink(in_folder("w.bin"));
        CU_ASSERT_EQUAL(rmdir(folder), 0);
    } else {
        printf("not tried: no folder in /dev/shm ");
    }
    memcpy(folder, usual, sizeof usual);
}

static bool refused(const char *location, const char *offset, const char *length, int code,
                    const char *part)
{
    mfm_model *made = with_external(location, offset, length), *m;
    mfm_model_free(made);
    const int status = mfm_model_load(ctx, in_folder("m.onnx"), &m);
    const bool told = status == code && strstr(mfm_message(ctx), part) && !m;
    if (!told)
        printf("\n    %d: %s\n", status, status ? mfm_message(ctx) : "loaded");
    if (!status)
        mfm_model_free(m);
    return told;
}

static void test_locations(void)
{
    ctx = mfm_ctx_new(NULL);
    char up[256], absolute[256];
    snprintf(up, sizeof up, "../%s/w.bin", strrchr(folder, '/') + 1);
    snprintf(absolute, sizeof absolute, "%s/w.bin", folder);
    CU_ASSERT_TRUE(refused(NULL, NULL, NULL, MFM_EDATA, "no location"));
    CU_ASSERT_TRUE(refused("", NULL, NULL, MFM_EDATA, "no location"));
    CU_ASSERT_TRUE(refused(absolute, "4", "20", MFM_EDATA, "it must be relative"));
    CU_ASSERT_TRUE(refused(up, "4", "20", MFM_EDATA, "it must stay in the model's folder"));
    CU_ASSERT_TRUE(refused("sub/../w.bin", "4", "20", MFM_EDATA, "it must stay in"));
    CU_ASSERT_TRUE(refused("sub//w.bin", "4", "20", MFM_EDATA, "it must stay in"));
    CU_ASSERT_TRUE(refused("sub", NULL, "20", MFM_EDATA, "not a regular file"));
    CU_ASSERT_TRUE(refused("absent", NULL, "20", MFM_EIO, "location 'absent'"));
    CU_ASSERT_EQUAL(symlink("w.bin", in_folder("link")), 0);
    CU_ASSERT_TRUE(refused("link", "4", "20", MFM_EDATA, "links are not followed"));
    CU_ASSERT_EQUAL(symlink("sub", in_folder("linked")), 0);
    CU_ASSERT_TRUE(refused("linked/w.bin", "4", "20", MFM_EDATA, "links are not followed"));
    char first[256];
    snprintf(first, sizeof first, "%s/w.bin", folder);
    CU_ASSERT_EQUAL(link(first, in_folder("twin")), 0);
    CU_ASSERT_TRUE(refused("w.bin", "4", "20", MFM_EDATA, "it has 2 names"));
    unlink(in_folder("twin"));
    unlink(in_folder("link"));
    unlink(in_folder("linked"));
    mfm_ctx_free(ctx);
}

static void test_ranges(void)
{
    ctx = mfm_ctx_new(NULL);
    CU_ASSERT_TRUE(refused("w.bin", "16", "20", MFM_EDATA, "'w.bin' ends at 32"));
    CU_ASSERT_TRUE(refused("w.bin", "33", NULL, MFM_EDATA, "'w.bin' ends at 32"));
    CU_ASSERT_TRUE(refused("w.bin", "16", NULL, MFM_EDATA, "'w.bin' ends at 32"));
    CU_ASSERT_TRUE(refused("w.bin", "4", "18446744073709551615", MFM_EDATA, "ends at 32"));
    CU_ASSERT_TRUE(refused("w.bin", "-4", "20", MFM_EDATA, "offset '-4': not a number"));
    CU_ASSERT_TRUE(refused("w.bin", "18446744073709551616", "20", MFM_EDATA, "not a number"));
    CU_ASSERT_TRUE(refused("w.bin", "0", "", MFM_EDATA, "length '': not a number"));
    CU_ASSERT_TRUE(
        refused("w.bin", "0", "16", MFM_EDATA, "16 bytes: its shape and type ask for 5"));
    mfm_ctx_free(ctx);
}

static int load(mfm_ctx *own, void *path)
{
    mfm_model *m;
    const int status = mfm_model_load(own, path, &m);
    if (!status)
        mfm_model_free(m);
    return status;
}

static void test_memory(void)
{
    ctx = mfm_ctx_new(NULL);
    mfm_model_free(with_external("w.bin", "4", "20"));
    mfm_assert_refusals_are_told(load, in_folder("m.onnx"));
    mfm_ctx_free(ctx);
}

static void test_bytes(void)
{
    ctx = mfm_ctx_new(NULL);
    mfm_model *made = with_external("w.bin", "4", "20"), *m;
    size_t size;
    void *bytes = hand_pack(ctx, made, &size);
    CU_ASSERT_EQUAL(mfm_model_parse(ctx, bytes, size, "bytes", &m), MFM_ENOTSUP);
    CU_ASSERT_PTR_NULL(m);
    mfm_free(ctx, bytes);
    mfm_model_free(made);
    mfm_ctx_free(ctx);
}

/* One range may be two tensors; of two that share bytes one has a wrong offset. */
static void test_overlap(void)
{
    static const struct {
        const char *offset;
        int code;
    } tries[] = {{"0", MFM_OK}, {"12", MFM_EDATA}, {"4", MFM_EDATA}};
    ctx = mfm_ctx_new(NULL);
    for (size_t i = 0; i < 3; i++) {
        mfm_model *m = hand_residual(ctx, 8, 17), *loaded;
        hand_weight(m, "more", HAND_DIMS(5));
        put_outside(m, "bias", "w.bin", "0", "20");
        put_outside(m, "more", "w.bin", tries[i].offset, "20");
        CU_ASSERT_EQUAL_FATAL(mfm_model_save(ctx, m, in_folder("m.onnx")), MFM_OK);
        mfm_model_free(m);
        CU_ASSERT_EQUAL(mfm_model_load(ctx, in_folder("m.onnx"), &loaded), tries[i].code);
        if (tries[i].code)
            CU_ASSERT_PTR_NOT_NULL(
                strstr(mfm_message(ctx), "bias and more: their ranges in 'w.bin' overlap"));
        mfm_model_free(loaded);
    }
    mfm_ctx_free(ctx);
}

/* The one file BASE.HASH.data of the folder. */
static char *beside(const char *base)
{
    static char name[300];
    name[0] = '\0';
    DIR *dir = opendir(folder);
    for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir))
        if (strncmp(entry->d_name, base, strlen(base)) == 0 && strstr(entry->d_name, ".data"))
            snprintf(name, sizeof name, "%.250s", entry->d_name);
    closedir(dir);
    return name;
}

/* The bias as another load of the file has it. */
static bool has_bias(const char *name, const float *bias)
{
    mfm_model *m;
    if (mfm_model_load(ctx, in_folder(name), &m))
        return false;
    const Onnx__TensorProto *t = mfm_proto_initializer(m, "bias");
    const bool same = t->raw_data.len == 20 && memcmp(t->raw_data.data, bias, 20) == 0;
    mfm_model_free(m);
    return same;
}

static void test_saved(void)
{
    static const float other[5] = {7, 7, 7, 7, 7};
    char old[300], path[300];
    ctx = mfm_ctx_new(NULL);
    write_numbers("w.bin");
    mfm_model_free(with_external("w.bin", "4", "20"));
    mfm_model *m;
    CU_ASSERT_EQUAL_FATAL(mfm_model_load(ctx, in_folder("m.onnx"), &m), MFM_OK);
    CU_ASSERT_EQUAL_FATAL(mfm_model_save(ctx, m, in_folder("out.onnx")), MFM_OK);
    snprintf(old, sizeof old, "%s", beside("out.onnx."));
    CU_ASSERT_EQUAL(strlen(old), strlen("out.onnx.0123456789abcdef.data"));
    struct stat st;
    CU_ASSERT_FATAL(stat(in_folder(old), &st) == 0);
    CU_ASSERT_EQUAL(st.st_size, 20);
    CU_ASSERT_TRUE(has_bias("out.onnx", numbers + 1));
    /* In memory nothing has changed, and other weights have a file of their own. */
    Onnx__TensorProto *t = mfm_proto_initializer(m, "bias");
    CU_ASSERT_EQUAL_FATAL(t->raw_data.len, 20);
    memcpy(t->raw_data.data, other, 20);
    snprintf(path, sizeof path, "%s", in_folder("out.onnx"));
    CU_ASSERT_EQUAL(mfm_model_save(ctx, m, path), MFM_OK);
    CU_ASSERT_EQUAL(access(in_folder(old), F_OK), 0);
    CU_ASSERT_TRUE(has_bias("out.onnx", other));
    /* A place that cannot be written: what is there stays. */
    CU_ASSERT_EQUAL(mfm_model_save(ctx, m, in_folder("none/out.onnx")), MFM_EIO);
    CU_ASSERT_TRUE(has_bias("out.onnx", other));
    mfm_model_free(m);
    mfm_ctx_free(ctx);
}

static int load_and_save(mfm_ctx *own, void *paths)
{
    const char *const *path = paths;
    mfm_model *m;
    int status = mfm_model_load(own, path[0], &m);
    if (!status)
        status = mfm_model_save(own, m, path[1]);
    if (m)
        mfm_model_free(m);
    return status;
}

static void test_memory_of_a_save(void)
{
    char from[300], to[300];
    ctx = mfm_ctx_new(NULL);
    write_numbers("w.bin");
    mfm_model_free(with_external("w.bin", "4", "20"));
    snprintf(from, sizeof from, "%s", in_folder("m.onnx"));
    snprintf(to, sizeof to, "%s", in_folder("n.onnx"));
    const char *paths[] = {from, to};
    mfm_assert_refusals_are_told(load_and_save, paths);
    mfm_ctx_free(ctx);
}

static const mfm_case cases[] = {
    {"a range of a file becomes the tensor's data", test_loaded},
    {"a folder in memory is like others", test_in_memory},
    {"a location stays in the model's folder and is no link", test_locations},
    {"a range stays in its file and fits the tensor", test_ranges},
    {"any refused allocation is reported, and nothing leaks", test_memory},
    {"a model from bytes has no folder to look in", test_bytes},
    {"ranges do not overlap", test_overlap},
    {"what lay outside is saved outside, under a name of its own", test_saved},
    {"a save says what memory it lacks, and leaks nothing", test_memory_of_a_save},
};

int main(void)
{
    if (!scratch_folder(folder, "external"))
        return 1;
    const int failed = mfm_suite_run("onnx/external", cases, sizeof cases / sizeof cases[0]);
    unlink(in_folder("sub/w.bin"));
    rmdir(in_folder("sub"));
    DIR *dir = opendir(folder);
    for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir))
        unlinkat(dirfd(dir), entry->d_name, 0);
    closedir(dir);
    return rmdir(folder) || failed;
}
