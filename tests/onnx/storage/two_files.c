/* Models and checkpoints that one file does not hold, where a file ends at 4000 bytes. */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/random.h"
#include "onnx/checkpoint.h"
#include "onnx/storage/external.h"
#include "onnx/storage/tensor_data.h"
#include "tests/refusals.h"
#include "tests/onnx/hand.h"
#include "tests/onnx/session.h"
#include "tests/scratch.h"
#include "tests/suite.h"

static mfm_ctx *ctx;
static char folder[SCRATCH];

enum { NAME = 300 };

static char *in_folder(char path[NAME], const char *name)
{
    snprintf(path, NAME, "%s/%.160s", folder, name);
    return path;
}

static void clear_folder(void)
{
    DIR *dir = opendir(folder);
    for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir))
        unlinkat(dirfd(dir), entry->d_name, 0);
    closedir(dir);
}

/* How many files of a save to `base` are beside it; *name is the last. */
static int beside(const char *base, char name[NAME])
{
    int count = 0;
    DIR *dir = opendir(folder);
    for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir))
        if (mfm_model_makes(entry->d_name, base)) {
            snprintf(name, NAME, "%.250s", entry->d_name);
            count++;
        }
    closedir(dir);
    return count;
}

static int count_files(void)
{
    int count = 0;
    DIR *dir = opendir(folder);
    for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir))
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    closedir(dir);
    return count;
}

/* [n,1,8,8] -> 64 -> 32 -> 32 -> 5: two matrices of 8192 and 4096 bytes, one of 640. */
static mfm_model *make(mfm_ctx *own)
{
    mfm_model *m = hand_model(own, 8, 17);
    hand_input(m, "x", HAND_DIMS(-1, 1, 8, 8));
    hand_weight(m, "w1", HAND_DIMS(64, 32));
    hand_weight(m, "w2", HAND_DIMS(32, 32));
    hand_weight(m, "fc", HAND_DIMS(32, 5));
    hand_weight(m, "bias", HAND_DIMS(5));
    hand_node(m, "Flatten", "", "x", "f");
    hand_node(m, "MatMul", "", "f w1", "a");
    hand_node(m, "Relu", "", "a", "b");
    hand_node(m, "MatMul", "", "b w2", "c");
    hand_node(m, "Relu", "", "c", "d");
    hand_node(m, "Gemm", "", "d fc bias", "logits");
    hand_output(m, "logits", HAND_DIMS(-1, 5));
    return m;
}

static void set_first(mfm_model *m, const char *name, float number)
{
    memcpy(mfm_proto_initializer(m, name)->raw_data.data, &number, sizeof number);
}

typedef struct text {
    size_t size;
    unsigned char bytes[1 << 16];
} text;

static void add(void *self, const void *bytes, size_t size)
{
    text *t = self;
    CU_ASSERT_FATAL(t->size + size <= sizeof t->bytes);
    memcpy(t->bytes + t->size, bytes, size);
    t->size += size;
}

/* Whether two models are the same, field by field. */
static bool alike(const mfm_model *a, const mfm_model *b)
{
    static text x, y;
    x.size = y.size = 0;
    return !mfm_model_stream(ctx, a, add, &x) && !mfm_model_stream(ctx, b, add, &y) &&
           x.size == y.size && memcmp(x.bytes, y.bytes, x.size) == 0;
}

/* ---- models ------------------------------------------------------------------------------- */

/* What is opened stays in its file until it is wanted. */
static void test_saved_in_two(void)
{
    double read[2048];
    char path[NAME], name[NAME];
    ctx = mfm_ctx_new(NULL);
    mfm_model *m = make(ctx), *loaded, *opened;
    void *bytes;
    size_t size;
    CU_ASSERT_FALSE(mfm_model_fits_one_file(m, 0));
    CU_ASSERT_EQUAL(mfm_model_pack(ctx, m, &bytes, &size), MFM_ENOTSUP);
    CU_ASSERT_EQUAL_FATAL(mfm_model_save(ctx, m, in_folder(path, "m.onnx")), MFM_OK);
    CU_ASSERT_EQUAL(beside("m.onnx", name), 1);
    CU_ASSERT_EQUAL_FATAL(mfm_model_load(ctx, path, &loaded), MFM_OK);
    CU_ASSERT_TRUE(alike(m, loaded));
    CU_ASSERT_STRING_EQUAL(mfm_model_beside(loaded, 0), name);
    CU_ASSERT_PTR_NULL(mfm_model_beside(loaded, 1));
    CU_ASSERT_EQUAL_FATAL(mfm_model_open(ctx, path, &opened), MFM_OK);
    const Onnx__TensorProto *t = mfm_proto_initializer(opened, "w1");
    CU_ASSERT_PTR_NULL(t->raw_data.data);
    CU_ASSERT_EQUAL(mfm_tensor_read_doubles(opened, t, read), MFM_OK);
    CU_ASSERT_EQUAL(read[0], 0.5);
    CU_ASSERT_EQUAL(read[2047], -0.25);
    CU_ASSERT_EQUAL(mfm_proto_initializer(opened, "fc")->raw_data.len, 640);
    CU_ASSERT_EQUAL(mfm_external_check(opened), MFM_OK);
    char data[NAME];
    CU_ASSERT_EQUAL(truncate(in_folder(data, name), 4000), 0);
    CU_ASSERT_EQUAL(mfm_tensor_read_doubles(opened, t, read), MFM_EIO);
    CU_ASSERT_PTR_NOT_NULL(strstr(mfm_message(ctx), "became shorter"));
    mfm_model_free(opened);
    CU_ASSERT_EQUAL(mfm_model_load(ctx, path, &opened), MFM_EDATA);
    mfm_model_free(loaded);
    mfm_model_free(m);
    clear_folder();
    mfm_ctx_free(ctx);
}

/* The first of them from a file of another's making, the rest too large for one. */
static void test_outside_and_large(void)
{
    char path[NAME], name[NAME];
    ctx = mfm_ctx_new(NULL);
    mfm_model *m = make(ctx), *loaded;
    m->outside = mfm_alloc(ctx, 1, sizeof *m->outside);
    CU_ASSERT_PTR_NOT_NULL_FATAL(m->outside);
    m->outside[0] = mfm_strdup(ctx, "bias");
    m->n_outside = m->outside_capacity = 1;
    CU_ASSERT_EQUAL_FATAL(mfm_model_save(ctx, m, in_folder(path, "m.onnx")), MFM_OK);
    struct stat st;
    CU_ASSERT_EQUAL(stat(path, &st), 0);
    CU_ASSERT_TRUE(st.st_size < 4000);
    CU_ASSERT_EQUAL_FATAL(mfm_model_load(ctx, path, &loaded), MFM_OK);
    CU_ASSERT_TRUE(alike(m, loaded));
    CU_ASSERT_EQUAL(loaded->n_outside, 3);
    CU_ASSERT_EQUAL(beside("m.onnx", name), 1);
    mfm_model_free(loaded);
    mfm_model_free(m);
    clear_folder();
    mfm_ctx_free(ctx);
}

/* A descriptor, and what is no regular file, takes one file or none. */
static void test_no_name(void)
{
    char path[NAME];
    ctx = mfm_ctx_new(NULL);
    mfm_model *m = make(ctx);
    const int file = open("/dev/null", O_WRONLY);
    CU_ASSERT_FATAL(file >= 0);
    CU_ASSERT_EQUAL(mfm_model_save_descriptor(ctx, m, file, "null"), MFM_ENOTSUP);
    CU_ASSERT_PTR_NOT_NULL(strstr(mfm_message(ctx), "one file ends at 2 GiB"));
    CU_ASSERT_EQUAL(mfm_model_save(ctx, m, "/dev/null"), MFM_ENOTSUP);
    CU_ASSERT_EQUAL(mfm_model_save(ctx, m, in_folder(path, "none/m.onnx")), MFM_EIO);
    CU_ASSERT_EQUAL(count_files(), 0);
    close(file);
    mfm_model_free(m);
    mfm_ctx_free(ctx);
}

/* Writing stops within the weights: the old model and its weights stay, and nothing else. */
static void test_full(void)
{
    char path[NAME], before[NAME], after[NAME];
    ctx = mfm_ctx_new(NULL);
    mfm_model *m = make(ctx), *loaded;
    CU_ASSERT_EQUAL_FATAL(mfm_model_save(ctx, m, in_folder(path, "m.onnx")), MFM_OK);
    CU_ASSERT_EQUAL(beside("m.onnx", before), 1);
    struct rlimit was, small;
    signal(SIGXFSZ, SIG_IGN);
    CU_ASSERT_EQUAL_FATAL(getrlimit(RLIMIT_FSIZE, &was), 0);
    small = (struct rlimit){6000, was.rlim_max};
    set_first(m, "w1", 7);
    CU_ASSERT_EQUAL_FATAL(setrlimit(RLIMIT_FSIZE, &small), 0);
    const int status = mfm_model_save(ctx, m, path);
    CU_ASSERT_EQUAL_FATAL(setrlimit(RLIMIT_FSIZE, &was), 0);
    CU_ASSERT_EQUAL(status, MFM_EIO);
    CU_ASSERT_EQUAL(beside("m.onnx", after), 1);
    CU_ASSERT_STRING_EQUAL(before, after);
    CU_ASSERT_EQUAL(count_files(), 2);
    CU_ASSERT_EQUAL_FATAL(mfm_model_load(ctx, path, &loaded), MFM_OK);
    set_first(m, "w1", 0.5F);
    CU_ASSERT_TRUE(alike(m, loaded));
    mfm_model_free(loaded);
    mfm_model_free(m);
    clear_folder();
    mfm_ctx_free(ctx);
}

static void test_copied(void)
{
    ctx = mfm_ctx_new(NULL);
    mfm_model *m = make(ctx), *copy;
    hand_weight(m, "inside", HAND_DIMS(3));
    hand_constant(m, "inside", "constant");
    CU_ASSERT_EQUAL_FATAL(mfm_model_copy(ctx, m, &copy), MFM_OK);
    CU_ASSERT_TRUE(alike(m, copy));
    CU_ASSERT_STRING_EQUAL(mfm_model_path(m), mfm_model_path(copy));
    set_first(copy, "w2", 9);
    CU_ASSERT_FALSE(alike(m, copy));
    mfm_model_free(copy);
    mfm_model_free(m);
    mfm_ctx_free(ctx);
}

/* ---- what is swept ------------------------------------------------------------------------ */

static void test_swept(void)
{
    char path[NAME], second[NAME], first[NAME], last[NAME];
    static const char *const spared[] = {
        "m.onnx.0123456789abcdef.dat", "m.onnx.0123456789ABCDEF.data",
        "m.onnx.123456789abcdef.data", "n.onnx.0123456789abcdef.data", "0123456789abcdef.data"};
    for (size_t i = 0; i < sizeof spared / sizeof spared[0]; i++)
        CU_ASSERT_FALSE(mfm_model_makes(spared[i], "m.onnx"));
    ctx = mfm_ctx_new(NULL);
    mfm_model *m = make(ctx);
    CU_ASSERT_EQUAL_FATAL(mfm_model_save(ctx, m, in_folder(path, "m.onnx")), MFM_OK);
    CU_ASSERT_EQUAL(beside("m.onnx", first), 1);
    CU_ASSERT_EQUAL(rename(path, in_folder(second, "old.onnx")), 0);
    for (int i = 0; i < 2; i++) {
        set_first(m, "w1", (float)i);
        CU_ASSERT_EQUAL_FATAL(mfm_model_save(ctx, m, path), MFM_OK);
    }
    CU_ASSERT_EQUAL(beside("m.onnx", last), 3);
    const char *const others[] = {second, "/nowhere/at/all.onnx"};
    CU_ASSERT_EQUAL(mfm_model_sweep(ctx, path, others, 2), MFM_OK);
    CU_ASSERT_EQUAL(beside("m.onnx", last), 2);
    CU_ASSERT_EQUAL(access(in_folder(last, first), F_OK), 0);
    CU_ASSERT_EQUAL(unlink(second), 0);
    CU_ASSERT_EQUAL(mfm_model_sweep(ctx, path, others, 2), MFM_OK);
    CU_ASSERT_EQUAL(beside("m.onnx", last), 1);
    CU_ASSERT_STRING_NOT_EQUAL(last, first);
    CU_ASSERT_EQUAL(unlink(path), 0);
    CU_ASSERT_EQUAL(mfm_model_sweep(ctx, path, NULL, 0), MFM_OK);
    CU_ASSERT_EQUAL(count_files(), 0);
    mfm_model_free(m);
    mfm_ctx_free(ctx);
}

/* ---- checkpoints -------------------------------------------------------------------------- */

static int prepare(session *s)
{
    return session_prepare(s, (mfm_train_options){.optimizer = mfm_optimizers[MFM_ADAM]});
}

/* Other numbers in every vector. */
static void go_on(mfm_training *t, uint64_t step)
{
    for (int i = 0; i < t->n_kept; i++)
        for (size_t v = 0; v < t->kept[i].layout->n_values; v++) {
            const mfm_value *value = &t->kept[i].layout->values[v];
            const mfm_key key = {.seed = step, .stream = MFM_STREAM_TEST, .node = (uint32_t)i};
            const bool param = value->kind == MFM_VALUE_PARAM;
            for (size_t k = 0; param && k < (size_t)mfm_shape_count(&value->shape); k++)
                t->kept[i].data[value->offset + k] =
                    (real)(float)mfm_random_normal(&key, value->offset + k);
        }
    t->counters.step = step;
}

static bool same_training(const mfm_training *a, const mfm_training *b)
{
    for (int i = 0; i < a->n_kept; i++)
        if (memcmp(a->kept[i].data, b->kept[i].data, a->kept[i].count * sizeof(real)) != 0)
            return false;
    return a->n_kept == b->n_kept && a->counters.step == b->counters.step;
}

/* Whether the checkpoint at path is what training holds. */
static bool comes_back(const char *path, const mfm_training *training)
{
    session s = {.ctx = ctx};
    must(&s, mfm_checkpoint_load(ctx, path, &s.model));
    must(&s, prepare(&s));
    must(&s, mfm_checkpoint_restore(ctx, s.model, s.training));
    const bool same = same_training(s.training, training);
    session_release(&s);
    return same;
}

static session begin(void)
{
    session s = {.ctx = ctx, .model = make(ctx)};
    must(&s, prepare(&s));
    go_on(s.training, 1);
    return s;
}

/* The one before keeps its own weights, and goes with them. */
static void test_checkpoint(void)
{
    char path[NAME], previous[NAME], name[NAME];
    ctx = mfm_ctx_new(NULL);
    session s = begin();
    in_folder(path, "c.onnx");
    const char *const others[] = {in_folder(previous, "p.onnx")};
    must(&s, mfm_checkpoint_save(ctx, s.model, s.training, "{}", path, "p.onnx"));
    CU_ASSERT_TRUE(comes_back(path, s.training));
    CU_ASSERT_EQUAL(count_files(), 2);
    for (uint64_t step = 2; step < 5; step++) {
        go_on(s.training, step);
        must(&s, mfm_checkpoint_save(ctx, s.model, s.training, "{}", path, "p.onnx"));
        must(&s, mfm_model_sweep(ctx, path, others, 1));
        CU_ASSERT_TRUE(comes_back(path, s.training));
        CU_ASSERT_EQUAL(beside("c.onnx", name), 2);
        CU_ASSERT_EQUAL(count_files(), 4);
    }
    go_on(s.training, 3);
    CU_ASSERT_TRUE(comes_back(previous, s.training));
    CU_ASSERT_EQUAL(mfm_checkpoint_check(ctx, path), MFM_OK);
    session_release(&s);
    clear_folder();
    mfm_ctx_free(ctx);
}

/* Every byte of the weights counts, wherever it is, and so does their file. */
static void test_damaged_weights(void)
{
    char path[NAME], name[NAME], data[NAME], other[NAME];
    ctx = mfm_ctx_new(NULL);
    session s = begin();
    must(&s, mfm_checkpoint_save(ctx, s.model, s.training, "{}", in_folder(path, "c.onnx"), NULL));
    CU_ASSERT_EQUAL(beside("c.onnx", name), 1);
    struct stat st;
    CU_ASSERT_EQUAL_FATAL(stat(in_folder(data, name), &st), 0);
    mfm_model *m;
    const off_t places[] = {0, 8191, 8192 + 5, st.st_size - 1};
    const int file = open(data, O_RDWR);
    CU_ASSERT_FATAL(file >= 0);
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        unsigned char was, is;
        CU_ASSERT_EQUAL(pread(file, &was, 1, places[i]), 1);
        is = was ^ 1;
        CU_ASSERT_EQUAL(pwrite(file, &is, 1, places[i]), 1);
        CU_ASSERT_EQUAL(mfm_checkpoint_load(ctx, path, &m), MFM_EDATA);
        CU_ASSERT_PTR_NULL(m);
        CU_ASSERT_PTR_NOT_NULL(strstr(mfm_message(ctx), "not those that its name tells"));
        CU_ASSERT_EQUAL(mfm_checkpoint_check(ctx, path), MFM_EDATA);
        CU_ASSERT_EQUAL(pwrite(file, &was, 1, places[i]), 1);
    }
    close(file);
    CU_ASSERT_TRUE(comes_back(path, s.training));
    CU_ASSERT_EQUAL(rename(data, in_folder(other, "elsewhere")), 0);
    CU_ASSERT_EQUAL(mfm_checkpoint_load(ctx, path, &m), MFM_EIO);
    CU_ASSERT_EQUAL(rename(other, data), 0);
    CU_ASSERT_EQUAL(truncate(data, st.st_size - 1), 0);
    CU_ASSERT_EQUAL(mfm_checkpoint_load(ctx, path, &m), MFM_EDATA);
    session_release(&s);
    clear_folder();
    mfm_ctx_free(ctx);
}

/* ---- allocations -------------------------------------------------------------------------- */

typedef struct paths {
    char from[NAME], to[NAME];
} paths;

static int attempt(mfm_ctx *own, void *self)
{
    const paths *p = self;
    session s = {.ctx = own};
    mfm_model *copy = NULL;
    int status = mfm_model_load(own, p->from, &s.model);
    if (!status)
        status = mfm_model_copy(own, s.model, &copy);
    if (!status)
        status = mfm_model_save(own, copy, p->to);
    mfm_model_free(copy);
    if (!status)
        status = prepare(&s);
    if (!status)
        status = mfm_checkpoint_save(own, s.model, s.training, "{}", p->to, NULL);
    session_release(&s);
    if (!status)
        status = mfm_model_sweep(own, p->to, NULL, 0);
    if (!status)
        status = mfm_checkpoint_load(own, p->to, &s.model);
    mfm_model_free(s.model);
    return status;
}

static void test_memory(void)
{
    paths p;
    ctx = mfm_ctx_new(NULL);
    mfm_model *m = make(ctx);
    CU_ASSERT_EQUAL_FATAL(mfm_model_save(ctx, m, in_folder(p.from, "m.onnx")), MFM_OK);
    in_folder(p.to, "n.onnx");
    mfm_assert_refusals_are_told(attempt, &p);
    mfm_model_free(m);
    clear_folder();
    mfm_ctx_free(ctx);
}

static const mfm_case cases[] = {
    {"a model that one file does not hold is saved in two", test_saved_in_two},
    {"what was outside stays so, and what is large goes there", test_outside_and_large},
    {"without a name there is one file, or none", test_no_name},
    {"a full disk leaves the old model and its weights", test_full},
    {"a copy is the same, and one's own", test_copied},
    {"weights that no model names are swept", test_swept},
    {"a checkpoint and the one before come back", test_checkpoint},
    {"damaged weights are found out", test_damaged_weights},
    {"a refused allocation is told, and leaks nothing", test_memory},
};

int main(void)
{
    if (!scratch_folder(folder, "two-files"))
        return 1;
    const int failed = mfm_suite_run("onnx/two_files", cases, sizeof cases / sizeof cases[0]);
    return rmdir(folder) || failed;
}
