/*
 * Files of features: what was put comes back under its name, and whatever is done to a file, no row
 * comes out of it that was not put.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/train/features/feature_file.h"
#include "tests/core/data/support.h"

enum { WIDTH = 5, ROWS = 9, MOST = 4096 };

static mfm_digest name_of(uint32_t i)
{
    return mfm_digest_number(mfm_digest_of("image", 5), i);
}

static mfm_digest key_of(const char *text)
{
    return mfm_digest_of(text, strlen(text));
}

static void row_of(uint32_t i, real row[WIDTH])
{
    for (int k = 0; k < WIDTH; k++)
        row[k] = (real)(i * 100 + (uint32_t)k) / 7;
}

typedef struct place {
    mfm_ctx *ctx;
    test_folder folder;
    char path[PATH_SIZE];
    mfm_digest key;
} place;

static void place_init(place *p)
{
    p->ctx = mfm_ctx_new(NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(p->ctx);
    p->folder = folder_new();
    snprintf(p->path, sizeof p->path, "%s", path_in(&p->folder, "x.features"));
    p->key = key_of("a prefix");
}

static void place_clear(place *p)
{
    folder_remove(&p->folder);
    mfm_ctx_free(p->ctx);
}

/* Rows first .. end - 1, behind those that are there (old). */
static int write_rows(mfm_ctx *ctx, const place *p, const mfm_feature_file *old, uint32_t first,
                      uint32_t end)
{
    mfm_feature_writer *w;
    int status = mfm_feature_writer_open(ctx, p->path, &p->key, WIDTH, old, &w);
    for (uint32_t i = first; i < end && !status; i++) {
        real row[WIDTH];
        uint32_t number;
        const mfm_digest name = name_of(i);
        row_of(i, row);
        status = mfm_feature_writer_put(w, &name, row, &number);
        if (!status)
            CU_ASSERT_EQUAL(number, i);
    }
    if (!status)
        status = mfm_feature_writer_commit(w);
    mfm_feature_writer_close(w);
    return status;
}

static int open_file(mfm_ctx *ctx, const place *p, mfm_feature_file **file)
{
    return mfm_feature_file_open(ctx, p->path, &p->key, WIDTH, file);
}

/* Every row that it gives is the one that was put; returns how many it gives. */
static uint32_t count_right(const mfm_feature_file *file, uint32_t most)
{
    uint32_t given = 0;
    for (uint32_t i = 0; i < most; i++) {
        real found[WIDTH], right[WIDTH];
        const mfm_digest name = name_of(i);
        const uint32_t row = mfm_feature_file_find(file, &name);
        if (row == MFM_NO_FEATURES || mfm_feature_file_read(file, row, found))
            continue;
        row_of(i, right);
        given++;
        CU_ASSERT_FATAL(memcmp(found, right, sizeof right) == 0);
    }
    return given;
}

static void test_rows(void)
{
    place p;
    mfm_feature_file *file;
    place_init(&p);
    CU_ASSERT_EQUAL(open_file(p.ctx, &p, &file), MFM_OK); /* none is there */
    CU_ASSERT_PTR_NULL(file);
    CU_ASSERT_EQUAL(mfm_feature_file_count(file), 0);
    CU_ASSERT_EQUAL(mfm_feature_file_find(file, &p.key), MFM_NO_FEATURES);
    CU_ASSERT_EQUAL_FATAL(write_rows(p.ctx, &p, NULL, 0, ROWS), MFM_OK);
    CU_ASSERT_EQUAL_FATAL(open_file(p.ctx, &p, &file), MFM_OK);
    CU_ASSERT_EQUAL(mfm_feature_file_count(file), ROWS);
    CU_ASSERT_EQUAL(count_right(file, ROWS + 3), ROWS);
    /* More behind them; the file that is open stays what it was. */
    CU_ASSERT_EQUAL_FATAL(write_rows(p.ctx, &p, file, ROWS, ROWS + 3), MFM_OK);
    CU_ASSERT_EQUAL(count_right(file, ROWS + 3), ROWS);
    mfm_feature_file_close(file);
    CU_ASSERT_EQUAL_FATAL(open_file(p.ctx, &p, &file), MFM_OK);
    CU_ASSERT_EQUAL(count_right(file, ROWS + 3), ROWS + 3);
    mfm_feature_file_close(file);
    CU_ASSERT_EQUAL_FATAL(write_rows(p.ctx, &p, NULL, 0, 0), MFM_OK); /* an empty one */
    CU_ASSERT_EQUAL_FATAL(open_file(p.ctx, &p, &file), MFM_OK);
    CU_ASSERT_EQUAL(count_right(file, ROWS), 0);
    mfm_feature_file_close(file);
    place_clear(&p);
}

static void test_foreign(void)
{
    place p;
    mfm_feature_file *file;
    place_init(&p);
    CU_ASSERT_EQUAL_FATAL(write_rows(p.ctx, &p, NULL, 0, ROWS), MFM_OK);
    const mfm_digest other = key_of("another prefix");
    CU_ASSERT_EQUAL(mfm_feature_file_open(p.ctx, p.path, &other, WIDTH, &file), MFM_EDATA);
    CU_ASSERT_PTR_NULL(file);
    CU_ASSERT_EQUAL(mfm_feature_file_open(p.ctx, p.path, &p.key, WIDTH + 1, &file), MFM_EDATA);
    write_file(&p.folder, "x.features",
               "an image, perhaps, or whatever else is long enough to have "
               "a head and an end of such a file, and some more",
               100);
    CU_ASSERT_EQUAL(open_file(p.ctx, &p, &file), MFM_EDATA);
    CU_ASSERT_PTR_NOT_NULL(strstr(mfm_message(p.ctx), "it is no file of features"));
    write_file(&p.folder, "x.features", "", 0);
    CU_ASSERT_EQUAL(open_file(p.ctx, &p, &file), MFM_EDATA);
    unlink(p.path);
    CU_ASSERT_EQUAL_FATAL(mkdir(p.path, 0777), 0);
    CU_ASSERT_EQUAL(open_file(p.ctx, &p, &file), MFM_EDATA);
    CU_ASSERT_EQUAL(write_rows(p.ctx, &p, NULL, 0, ROWS), MFM_EIO);
    rmdir(p.path);
    place_clear(&p);
}

/* Of a file that was damaged at one place: refused, or right rows alone. */
static bool try_damaged(const place *p, const uint8_t *bytes, size_t size)
{
    mfm_feature_file *file;
    write_file(&p->folder, "x.features", bytes, size);
    const int status = open_file(p->ctx, p, &file);
    CU_ASSERT(status == MFM_OK || status == MFM_EDATA);
    const uint32_t right = status ? 0 : count_right(file, ROWS);
    mfm_feature_file_close(file);
    return right == ROWS;
}

static void test_damage(void)
{
    static uint8_t bytes[MOST];
    place p;
    place_init(&p);
    CU_ASSERT_EQUAL_FATAL(write_rows(p.ctx, &p, NULL, 0, ROWS), MFM_OK);
    const size_t size = read_whole(&p.folder, "x.features", bytes, sizeof bytes);
    CU_ASSERT_EQUAL(size, 64 + ROWS * (WIDTH * sizeof(real) + 32) + 24);
    CU_ASSERT(try_damaged(&p, bytes, size));
    for (size_t i = 0; i < size; i++) {
        bytes[i] ^= (uint8_t)(1u << i % 8);
        CU_ASSERT_FALSE(try_damaged(&p, bytes, size));
        bytes[i] ^= (uint8_t)(1u << i % 8);
        CU_ASSERT_FALSE(try_damaged(&p, bytes, i)); /* cut there */
    }
    CU_ASSERT_FALSE(try_damaged(&p, bytes, size + 1));
    CU_ASSERT(try_damaged(&p, bytes, size));
    /* A damaged row is not copied into another file. */
    mfm_feature_file *file;
    bytes[70] ^= 1;
    write_file(&p.folder, "x.features", bytes, size);
    CU_ASSERT_EQUAL_FATAL(open_file(p.ctx, &p, &file), MFM_OK);
    CU_ASSERT_EQUAL(count_right(file, ROWS), ROWS - 1);
    CU_ASSERT_EQUAL(write_rows(p.ctx, &p, file, ROWS, ROWS + 1), MFM_EDATA);
    mfm_feature_file_close(file);
    place_clear(&p);
}

/* A disk that is full: what was there stays. */
static void test_full(void)
{
    place p;
    mfm_feature_file *file;
    struct rlimit before, small;
    place_init(&p);
    CU_ASSERT_EQUAL_FATAL(write_rows(p.ctx, &p, NULL, 0, ROWS), MFM_OK);
    CU_ASSERT_EQUAL_FATAL(open_file(p.ctx, &p, &file), MFM_OK);
    getrlimit(RLIMIT_FSIZE, &before);
    small = before;
    small.rlim_cur = 200;
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &small);
    CU_ASSERT_EQUAL(write_rows(p.ctx, &p, file, ROWS, ROWS + 1), MFM_EIO);
    setrlimit(RLIMIT_FSIZE, &before);
    CU_ASSERT_PTR_NOT_NULL(strstr(mfm_message(p.ctx), strerror(EFBIG)));
    mfm_feature_file_close(file);
    CU_ASSERT_EQUAL_FATAL(open_file(p.ctx, &p, &file), MFM_OK);
    CU_ASSERT_EQUAL(count_right(file, ROWS), ROWS);
    mfm_feature_file_close(file);
    place_clear(&p);
}

static int write_and_read(mfm_ctx *ctx, void *self)
{
    const place *p = self;
    mfm_feature_file *file = NULL, *more = NULL;
    unlink(p->path);
    int status = write_rows(ctx, p, NULL, 0, 3);
    if (!status)
        status = open_file(ctx, p, &file);
    if (!status)
        status = write_rows(ctx, p, file, 3, ROWS);
    if (!status)
        status = open_file(ctx, p, &more);
    if (!status)
        CU_ASSERT_EQUAL(count_right(more, ROWS), ROWS);
    mfm_feature_file_close(file);
    mfm_feature_file_close(more);
    return status;
}

static void test_memory(void)
{
    place p;
    place_init(&p);
    check_failing_allocations(write_and_read, &p);
    place_clear(&p);
}

static const mfm_case cases[] = {
    {"rows come back by their names, and more may follow", test_rows},
    {"what is of another prefix, or no such file, is refused", test_foreign},
    {"a bit that is turned, and a file that is cut, at any place", test_damage},
    {"a disk that is full leaves what was there", test_full},
    {"every refused allocation is told", test_memory},
};

MFM_SUITE("core/train/feature_file", cases)
