/*
 * Runs on frozen layers whose features are kept in memory, in a file, or not at all: the same bits,
 * also when a run reads what another has written, whatever was done to the file in between. And
 * augmented copies, which are the same wherever they are kept.
 */
#include <dirent.h>
#include <fnmatch.h>
#include <math.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "core/train/features/feature_file.h"
#include "tests/core/data/support.h"
#include "tests/core/train/support/session.h"

#define LENET                                                                                      \
    {                                                                                              \
        .classes = TINY_CLASSES, .channels = 1, .height = 20, .width = 20, .seed = 1               \
    }

static const recipe lenet = {"lenet", LENET, {NULL}, {0}};
static const recipe lenet_mfm = {"lenet", LENET, {"last_conv"}, {.hidden = 8}};

/* What a run is asked for, and what is known of it afterwards. */
typedef struct asked {
    const recipe *from;
    const char *method;
    double memory;     /* MiB */
    const char *cache; /* folder */
    double cache_size; /* MiB */
    uint32_t copies;   /* 0: without augmentation */
    const char *frozen;
    double scale;        /* of a frozen weight; 0: as it is */
    uint32_t validation; /* images of each class */
    const mfm_mixing *mixing;
    bool meta_of_all; /* the meta set is all of the training images */
    bool stop;        /* as soon as it looks */
} asked;

typedef struct result {
    session s;
    warning_log warnings;
    int status;
} result;

static void freeze(mfm_graph *graph, const char *pattern)
{
    for (size_t i = 0; i < graph->n_values; i++) {
        mfm_value *value = &graph->values[i];
        if (value->kind == MFM_VALUE_PARAM && fnmatch(pattern, value->name, 0) == 0)
            value->trainable = false;
    }
}

static void scale_frozen(const mfm_problem *p, double scale)
{
    CU_ASSERT_PTR_NOT_NULL_FATAL(p->prefix.graph);
    if (scale != 0)
        p->prefix.graph->params[0] *= (real)scale;
}

static void take_all(session *s)
{
    const mfm_split_options options = {.imbalance = 2,
                                       .meta_per_class = TINY_PER_CLASS,
                                       .meta_from = MFM_META_COPY,
                                       .validation_per_class = 2,
                                       .seed = 3};
    mfm_split_free(s->p.ctx, s->data.split);
    must(s->p.ctx, mfm_split_new(s->p.ctx, &s->data.dataset, &options, &s->data.split));
}

static void run(result *r, const asked *a)
{
    session *s = &r->s;
    session_init(s, a->from ? a->from : &lenet, a->method ? a->method : "base");
    r->warnings = (warning_log){0};
    mfm_ctx_on_warning(s->p.ctx, keep_warning, &r->warnings);
    if (!a->copies)
        s->data.preprocess.augment = (mfm_augment){.count = 0};
    s->options.feature_memory = a->memory;
    s->options.feature_cache = a->cache;
    s->options.feature_cache_size = a->cache_size;
    s->options.augmented_copies = a->copies;
    s->options.mixing = a->mixing;
    freeze(s->p.network->graph, a->frozen ? a->frozen : "conv*");
    session_start(s);
    session_validate(s, a->validation ? a->validation : 2);
    if (a->meta_of_all)
        take_all(s);
    s->stop = a->stop;
    scale_frozen(s->p.problem, a->scale);
    r->status = session_run(s);
    if (!a->stop)
        must(s->p.ctx, r->status);
}

static bool same(const result *a, const result *b)
{
    bool same = session_same(&a->s, &b->s);
    for (int e = 0; e < SESSION_EPOCHS; e++)
        same &= a->s.train_loss[e] == b->s.train_loss[e] &&
                a->s.test_error[e] == b->s.test_error[e] &&
                a->s.validation_loss[e] == b->s.validation_loss[e];
    return same;
}

static bool noted(const result *r, const char *words)
{
    if (strstr(r->s.note, words))
        return true;
    printf("\n    the note is '%s'\n", r->s.note);
    return false;
}

/* The one file of a cache; how many there are. */
static int only_file(const test_folder *folder, char path[PATH_SIZE])
{
    int count = 0;
    DIR *d = opendir(folder->path);
    CU_ASSERT_PTR_NOT_NULL_FATAL(d);
    for (struct dirent *e; (e = readdir(d));)
        if (e->d_name[0] != '.') {
            snprintf(path, PATH_SIZE, "%s", path_in(folder, e->d_name));
            count++;
        }
    closedir(d);
    return count;
}

/* Beside what is kept in no way, and what memory keeps. */
static void check_cache(const recipe *from, const char *method)
{
    const test_folder folder = folder_new();
    char path[PATH_SIZE];
    asked a = {.from = from, .method = method};
    result none, memory, first, second, file, both;
    run(&none, &a);
    a.memory = 4;
    run(&memory, &a);
    a.cache = folder.path;
    run(&first, &a);
    run(&second, &a);
    CU_ASSERT(noted(&memory, "images are computed once"));
    CU_ASSERT(noted(&first, "MiB, kept in "));
    CU_ASSERT(noted(&second, "images are read from "));
    a.memory = 0; /* all of it lies in the file */
    run(&file, &a);
    CU_ASSERT(noted(&file, "images are read from "));
    a.memory = 0.1; /* some fits */
    run(&both, &a);
    CU_ASSERT(noted(&both, "images are read from "));
    CU_ASSERT(same(&none, &memory));
    CU_ASSERT(same(&none, &first));
    CU_ASSERT(same(&none, &second));
    CU_ASSERT(same(&none, &file));
    CU_ASSERT(same(&none, &both));
    CU_ASSERT_EQUAL(first.warnings.count + second.warnings.count + file.warnings.count +
                        both.warnings.count,
                    0);
    CU_ASSERT_EQUAL(only_file(&folder, path), 1);
    session_clear(&none.s);
    session_clear(&memory.s);
    session_clear(&first.s);
    session_clear(&second.s);
    session_clear(&file.s);
    session_clear(&both.s);
    folder_remove(&folder);
}

static void test_cache(void)
{
    check_cache(&lenet, "base");
    check_cache(&lenet_mfm, "mfm");
    check_cache(&lenet, "l2rw");
}

/* A first run that has no memory for them writes the file all the same. */
static void test_file_alone(void)
{
    const test_folder folder = folder_new();
    result none, first, second;
    run(&none, &(asked){.memory = 0});
    run(&first, &(asked){.memory = 0, .cache = folder.path});
    CU_ASSERT(noted(&first, "kept in "));
    run(&second, &(asked){.memory = 4, .cache = folder.path});
    CU_ASSERT(noted(&second, "read from "));
    CU_ASSERT(same(&none, &first));
    CU_ASSERT(same(&none, &second));
    session_clear(&none.s);
    session_clear(&first.s);
    session_clear(&second.s);
    folder_remove(&folder);
}

/* Another split has the same images in other places; another model, and other layers, have a file
 * of their own. */
static void test_others(void)
{
    const test_folder folder = folder_new();
    char path[PATH_SIZE];
    result with, without;
    const asked kinds[] = {{.validation = 4}, {.scale = 1.5}, {.frozen = "conv1*"}};
    run(&with, &(asked){.memory = 4, .cache = folder.path});
    session_clear(&with.s);
    for (int i = 0; i < 3; i++) {
        asked a = kinds[i];
        run(&without, &a);
        a.memory = 4;
        a.cache = folder.path;
        run(&with, &a);
        CU_ASSERT(noted(&with, i == 0 ? "read from " : "kept in "));
        CU_ASSERT(same(&with, &without));
        CU_ASSERT_EQUAL(only_file(&folder, path), i + 1);
        session_clear(&with.s);
        session_clear(&without.s);
    }
    folder_remove(&folder);
}

/* ---- damage ---------------------------------------------------------------------------------- */

static long size_of(const char *path)
{
    FILE *file = fopen(path, "rb");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    fseek(file, 0, SEEK_END);
    const long size = ftell(file);
    fclose(file);
    return size;
}

static void flip(const char *path, long at)
{
    FILE *file = fopen(path, "r+b");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    fseek(file, at, SEEK_SET);
    const int byte = fgetc(file);
    fseek(file, at, SEEK_SET);
    fputc(byte ^ 4, file);
    fclose(file);
}

/* One line says so, the results are the same, and the next run reads what this one wrote. */
static void check_damaged(const test_folder *folder, const result *none, double memory,
                          const char *words, const char *note)
{
    result r;
    run(&r, &(asked){.memory = memory, .cache = folder->path});
    CU_ASSERT_EQUAL(r.warnings.count, 1);
    if (!strstr(r.warnings.last, words))
        CU_FAIL("another warning");
    CU_ASSERT(noted(&r, note));
    CU_ASSERT(same(none, &r));
    session_clear(&r.s);
    run(&r, &(asked){.memory = memory, .cache = folder->path});
    CU_ASSERT_EQUAL(r.warnings.count, 0);
    CU_ASSERT(noted(&r, "read from "));
    CU_ASSERT(same(none, &r));
    session_clear(&r.s);
}

/* What lies behind a damaged entry, or a cut, is computed again; other damage tells that nothing of
 * the file is as it was. */
static void test_damage(void)
{
    const char *anew = "the features are computed anew",
               *cut = "at its end are damaged or cut short";
    const test_folder folder = folder_new();
    char path[PATH_SIZE];
    result none, r;
    uint64_t width;
    run(&none, &(asked){.memory = 0});
    run(&r, &(asked){.memory = 4, .cache = folder.path});
    session_clear(&r.s);
    CU_ASSERT_EQUAL_FATAL(only_file(&folder, path), 1);
    FILE *file = fopen(path, "rb");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    fseek(file, 40, SEEK_SET);
    CU_ASSERT_EQUAL_FATAL(fread(&width, sizeof width, 1, file), 1);
    fclose(file);
    const long record = 48 + (long)(width * sizeof(real)), size = size_of(path);
    const long middle = 64 + (size - 64) / record / 2 * record;
    const long anew_at[] = {20, 40, 64 + 48, middle + 60, size - 10};
    for (int i = 0; i < 5; i++) {
        flip(path, anew_at[i]);
        check_damaged(&folder, &none, i % 2 ? 4 : 0, anew, "kept in ");
    }
    flip(path, middle + 5);
    check_damaged(&folder, &none, 4, cut, "computed once and added");
    flip(path, middle + 40);
    check_damaged(&folder, &none, 0, cut, "computed once and added");
    CU_ASSERT_EQUAL(truncate(path, size - 1), 0);
    check_damaged(&folder, &none, 4, cut, "computed once and added");
    CU_ASSERT_EQUAL(truncate(path, middle + 1), 0);
    check_damaged(&folder, &none, 0, cut, "computed once and added");
    CU_ASSERT_EQUAL(truncate(path, 65), 0);
    check_damaged(&folder, &none, 0, cut, "kept in ");
    CU_ASSERT_EQUAL(size_of(path), size);
    CU_ASSERT_EQUAL(truncate(path, 63), 0);
    check_damaged(&folder, &none, 4, "it is cut short: the features are computed anew", "kept in ");
    CU_ASSERT_EQUAL(truncate(path, 0), 0);
    check_damaged(&folder, &none, 0, "it is cut short: the features are computed anew", "kept in ");
    session_clear(&none.s);
    folder_remove(&folder);
}

/* Gives every row of a file other numbers, in a file that is whole (docs/formats.md). */
static void change_numbers(mfm_ctx *ctx, const char *path)
{
    static char bytes[1 << 20];
    FILE *file = fopen(path, "rb");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    const size_t size = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    CU_ASSERT_FATAL(size > 64 && size < sizeof bytes);
    mfm_digest key, name;
    uint64_t width;
    memcpy(&key, bytes + 24, sizeof key);
    memcpy(&width, bytes + 40, sizeof width);
    const size_t record = 48 + width * sizeof(real);
    mfm_feature_file *f;
    must(ctx, mfm_feature_file_new(ctx, path, &key, (size_t)width, &f));
    for (size_t at = 64; at < size; at += record) {
        real *row = (real *)(void *)(bytes + at + 48);
        uint32_t number;
        memcpy(&name, bytes + at, sizeof name);
        row[0] += (real)1e-6 + row[0] * (real)1e-6;
        must(ctx, mfm_feature_file_add(f, &name, row, &number));
    }
    must(ctx, mfm_feature_file_sync(f));
    mfm_feature_file_close(f);
}

static void test_other_numbers(void)
{
    const test_folder folder = folder_new();
    char path[PATH_SIZE];
    result none, r;
    run(&none, &(asked){.memory = 0});
    for (int i = 0; i < 2; i++) {
        run(&r, &(asked){.memory = 4, .cache = folder.path});
        CU_ASSERT_EQUAL_FATAL(only_file(&folder, path), 1);
        change_numbers(r.s.p.ctx, path);
        session_clear(&r.s);
        check_damaged(&folder, &none, i ? 4 : 0, "this program computes other numbers", "kept in ");
    }
    session_clear(&none.s);
    folder_remove(&folder);
}

/* What was computed until then is there for the next run. */
static void test_interrupted(void)
{
    const test_folder folder = folder_new();
    result none, r;
    run(&none, &(asked){.memory = 0});
    for (int i = 0; i < 3; i++) {
        run(&r, &(asked){.memory = i % 2 ? 4 : 0, .cache = folder.path, .stop = true});
        CU_ASSERT_EQUAL(r.status, MFM_EINTR);
        CU_ASSERT_PTR_NOT_NULL(strstr(mfm_message(r.s.p.ctx), "the checkpoint is kept"));
        CU_ASSERT_EQUAL(r.warnings.count, 0);
        session_clear(&r.s);
    }
    run(&r, &(asked){.memory = 4, .cache = folder.path});
    CU_ASSERT(noted(&r, "computed once and added"));
    CU_ASSERT(same(&none, &r));
    session_clear(&r.s);
    session_clear(&none.s);
    folder_remove(&folder);
}

static void test_full(void)
{
    const test_folder folder = folder_new();
    char path[PATH_SIZE];
    struct rlimit before, small;
    result none, r;
    run(&none, &(asked){.memory = 0});
    getrlimit(RLIMIT_FSIZE, &before);
    signal(SIGXFSZ, SIG_IGN);
    for (int i = 0; i < 4; i++) {
        small = before;
        small.rlim_cur = i < 2 ? 2000 : 20000;
        setrlimit(RLIMIT_FSIZE, &small);
        run(&r, &(asked){.memory = i % 2 ? 4 : 0, .cache = folder.path});
        setrlimit(RLIMIT_FSIZE, &before);
        CU_ASSERT(r.warnings.count == 1);
        CU_ASSERT_PTR_NOT_NULL(strstr(r.warnings.last, "File too large"));
        CU_ASSERT(same(&none, &r));
        CU_ASSERT_EQUAL(only_file(&folder, path), 0);
        session_clear(&r.s);
    }
    session_clear(&none.s);
    folder_remove(&folder);
}

/* ---- how much of the disk -------------------------------------------------------------------- */

/* No more is added than there is room for; what was added is read again. */
static void test_bound(void)
{
    const test_folder folder = folder_new();
    char path[PATH_SIZE];
    const double bound = 20000;
    result none, r;
    run(&none, &(asked){.memory = 4});
    for (int i = 0; i < 4; i++) {
        run(&r,
            &(asked){.memory = i % 2 ? 0 : 4, .cache = folder.path, .cache_size = bound / 0x1p20});
        CU_ASSERT_EQUAL(r.warnings.count, 1);
        CU_ASSERT_PTR_NOT_NULL(
            strstr(r.warnings.last, "--feature-cache-size 0.0190735 leaves room"));
        CU_ASSERT(same(&none, &r));
        CU_ASSERT_EQUAL_FATAL(only_file(&folder, path), 1);
        CU_ASSERT(size_of(path) > 10000 && (double)size_of(path) <= bound);
        session_clear(&r.s);
    }
    run(&r, &(asked){.memory = 4, .cache = folder.path});
    CU_ASSERT(noted(&r, "computed once and added"));
    CU_ASSERT(same(&none, &r));
    session_clear(&r.s);
    session_clear(&none.s);
    folder_remove(&folder);
}

/* ---- augmented copies ------------------------------------------------------------------------ */

static void test_copies(void)
{
    const test_folder folder = folder_new();
    for (int i = 0; i < 2; i++) {
        const recipe *from = i ? &lenet_mfm : &lenet;
        const char *method = i ? "mfm" : "base";
        asked a = {.from = from, .method = method, .copies = 3};
        result none, memory, file, again;
        run(&none, &a); /* each batch reads its copies */
        a.memory = 4;
        run(&memory, &a);
        CU_ASSERT(noted(&memory, "(3 copies of each)"));
        a.cache = folder.path;
        run(&file, &a);
        a.memory = 0;
        run(&again, &a);
        CU_ASSERT(noted(&again, "read from "));
        CU_ASSERT(same(&none, &memory));
        CU_ASSERT(same(&none, &file));
        CU_ASSERT(same(&none, &again));
        session_clear(&memory.s);
        session_clear(&file.s);
        session_clear(&again.s);
        a = (asked){.from = from, .method = method, .copies = 2};
        run(&memory, &a); /* others */
        CU_ASSERT_FALSE(same(&none, &memory));
        session_clear(&memory.s);
        session_clear(&none.s);
    }
    folder_remove(&folder);
}

/* ---- what varies ----------------------------------------------------------------------------- */

/* The meta set is all of the training images, whose features are kept: those of a batch that is
 * mixed are others. */
static void test_mixed(void)
{
    const mfm_mixing *mixup = mfm_mixing_find("mixup");
    result with, without;
    run(&with, &(asked){.from = &lenet_mfm,
                        .method = "mfm",
                        .memory = 4,
                        .mixing = mixup,
                        .meta_of_all = true});
    run(&without,
        &(asked){.from = &lenet_mfm, .method = "mfm", .mixing = mixup, .meta_of_all = true});
    CU_ASSERT(noted(&with, "meta"));
    CU_ASSERT(same(&with, &without));
    session_clear(&with.s);
    session_clear(&without.s);
}

static const mfm_case cases[] = {
    {"what memory or a file keeps gives the same bits, and so does what the next run reads",
     test_cache},
    {"features that no memory has room for lie in the file", test_file_alone},
    {"another split reads the same file, another model and other layers have their own",
     test_others},
    {"a file that is damaged, anywhere, is told; what is whole before a cut is used", test_damage},
    {"a file with other numbers is told and written anew", test_other_numbers},
    {"a run that is interrupted keeps what it has computed", test_interrupted},
    {"a disk that is full is told, and changes nothing", test_full},
    {"a bound ends what is added", test_bound},
    {"augmented copies are the same in memory, in a file and in the batch", test_copies},
    {"batches that are mixed read no features that are kept", test_mixed},
};

MFM_SUITE("core/train/feature_cache", cases)
