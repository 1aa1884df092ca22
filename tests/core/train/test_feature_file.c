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
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/train/features/feature_file.h"
#include "tests/core/data/support.h"

enum { WIDTH = 5, ROWS = 9, MOST = 4096 };

/* Bytes of the file's head, and of a record: its entry, and a row of the build's numbers. */
enum { HEAD = 64, ENTRY = 48, RECORD = ENTRY + WIDTH * sizeof(real) };

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

static int open_file(mfm_ctx *ctx, const place *p, mfm_feature_file **file)
{
    return mfm_feature_file_open(ctx, p->path, &p->key, WIDTH, file);
}

static int put_rows(mfm_feature_file *file, uint32_t first, uint32_t end)
{
    int status = MFM_OK;
    for (uint32_t i = first; i < end && !status; i++) {
        real row[WIDTH];
        uint32_t number;
        const mfm_digest name = name_of(i);
        row_of(i, row);
        status = mfm_feature_file_add(file, &name, row, &number);
        if (!status)
            CU_ASSERT_EQUAL(number, i);
    }
    return status;
}

static int add_rows(mfm_feature_file *file, uint32_t first, uint32_t end)
{
    const int status = put_rows(file, first, end);
    return status ? status : mfm_feature_file_sync(file);
}

/* A new file with the first rows. */
static int write_rows(mfm_ctx *ctx, const place *p, uint32_t end)
{
    mfm_feature_file *file;
    int status = mfm_feature_file_new(ctx, p->path, &p->key, WIDTH, &file);
    if (!status)
        status = add_rows(file, 0, end);
    mfm_feature_file_close(file);
    return status;
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
    mfm_feature_file *file, *reader;
    place_init(&p);
    CU_ASSERT_EQUAL(open_file(p.ctx, &p, &file), MFM_OK); /* none is there */
    CU_ASSERT_PTR_NULL(file);
    CU_ASSERT_EQUAL(mfm_feature_file_count(file), 0);
    CU_ASSERT_EQUAL(mfm_feature_file_find(file, &p.key), MFM_NO_FEATURES);
    CU_ASSERT_EQUAL_FATAL(write_rows(p.ctx, &p, ROWS), MFM_OK);
    CU_ASSERT_EQUAL_FATAL(open_file(p.ctx, &p, &file), MFM_OK);
    CU_ASSERT_EQUAL_FATAL(open_file(p.ctx, &p, &reader), MFM_OK);
    CU_ASSERT_EQUAL(mfm_feature_file_count(file), ROWS);
    CU_ASSERT_EQUAL(count_right(file, ROWS + 3), ROWS);
    /* More behind them; who has opened it before keeps what was there. */
    CU_ASSERT_EQUAL_FATAL(add_rows(file, ROWS, ROWS + 3), MFM_OK);
    CU_ASSERT_EQUAL(mfm_feature_file_count(file), ROWS + 3);
    CU_ASSERT_EQUAL(count_right(reader, ROWS + 3), ROWS);
    /* And who then adds does so behind what others have added. */
    CU_ASSERT_EQUAL_FATAL(add_rows(reader, ROWS + 3, ROWS + 4), MFM_OK);
    mfm_feature_file_close(reader);
    mfm_feature_file_close(file);
    CU_ASSERT_EQUAL_FATAL(open_file(p.ctx, &p, &file), MFM_OK);
    CU_ASSERT_EQUAL(count_right(file, ROWS + 5), ROWS + 4);
    /* A new one in its place: the old one stays with who has it. */
    CU_ASSERT_EQUAL_FATAL(write_rows(p.ctx, &p, 0), MFM_OK);
    CU_ASSERT_EQUAL(count_right(file, ROWS + 5), ROWS + 4);
    CU_ASSERT_EQUAL(add_rows(file, ROWS + 4, ROWS + 5), MFM_EIO);
    mfm_feature_file_close(file);
    CU_ASSERT_EQUAL_FATAL(open_file(p.ctx, &p, &file), MFM_OK);
    CU_ASSERT_EQUAL(count_right(file, ROWS), 0);
    mfm_feature_file_close(file);
    place_clear(&p);
}

/* One at a time; the other may read, and sees no damage in what is being written. */
static void test_two(void)
{
    place p;
    mfm_feature_file *first, *second;
    real row[WIDTH];
    uint32_t number;
    place_init(&p);
    const mfm_digest name = name_of(0);
    row_of(0, row);
    CU_ASSERT_EQUAL_FATAL(mfm_feature_file_new(p.ctx, p.path, &p.key, WIDTH, &first), MFM_OK);
    CU_ASSERT_EQUAL_FATAL(mfm_feature_file_add(first, &name, row, &number), MFM_OK);
    FILE *part = fopen(p.path, "ab");
    CU_ASSERT_PTR_NOT_NULL_FATAL(part);
    CU_ASSERT_EQUAL(fwrite(row, 1, 7, part), 7);
    fclose(part);
    CU_ASSERT_EQUAL_FATAL(open_file(p.ctx, &p, &second), MFM_OK);
    CU_ASSERT_EQUAL(count_right(second, 3), 1);
    CU_ASSERT_EQUAL(mfm_feature_file_dropped(second), 0);
    CU_ASSERT_EQUAL(add_rows(second, 1, 2), MFM_EIO);
    CU_ASSERT_PTR_NOT_NULL(strstr(mfm_message(p.ctx), "another run writes it"));
    mfm_feature_file_close(first);
    CU_ASSERT_EQUAL(add_rows(second, 1, 2), MFM_OK); /* in the place of the part */
    mfm_feature_file_close(second);
    CU_ASSERT_EQUAL_FATAL(open_file(p.ctx, &p, &second), MFM_OK);
    CU_ASSERT_EQUAL(count_right(second, 3), 2);
    mfm_feature_file_close(second);
    place_clear(&p);
}

static void test_foreign(void)
{
    place p;
    mfm_feature_file *file;
    place_init(&p);
    CU_ASSERT_EQUAL_FATAL(write_rows(p.ctx, &p, ROWS), MFM_OK);
    const mfm_digest other = key_of("another prefix");
    CU_ASSERT_EQUAL(mfm_feature_file_open(p.ctx, p.path, &other, WIDTH, &file), MFM_EDATA);
    CU_ASSERT_PTR_NULL(file);
    CU_ASSERT_EQUAL(mfm_feature_file_open(p.ctx, p.path, &p.key, WIDTH + 1, &file), MFM_EDATA);
    /* The layout before: rows, then entries of 32 bytes, then an end. */
    static uint8_t bytes[MOST];
    const size_t size = read_whole(&p.folder, "x.features", bytes, sizeof bytes);
    bytes[12] = 1; /* its version */
    write_file(&p.folder, "x.features", bytes, size);
    CU_ASSERT_EQUAL(open_file(p.ctx, &p, &file), MFM_EDATA);
    CU_ASSERT_PTR_NOT_NULL(strstr(mfm_message(p.ctx), "an earlier version of this program"));
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
    CU_ASSERT_EQUAL(write_rows(p.ctx, &p, ROWS), MFM_EIO);
    rmdir(p.path);
    place_clear(&p);
}

/* Of a file that was damaged at one place: how many rows it gives, all of them right; and once
 * rows are added again, it has all. */
static uint32_t try_damaged(const place *p, const uint8_t *bytes, size_t size, bool *told)
{
    mfm_feature_file *file;
    write_file(&p->folder, "x.features", bytes, size);
    const int status = open_file(p->ctx, p, &file);
    CU_ASSERT(status == MFM_OK || status == MFM_EDATA);
    const uint32_t right = count_right(file, ROWS), count = mfm_feature_file_count(file);
    *told = status || mfm_feature_file_dropped(file) || right < count;
    if (!status)
        CU_ASSERT_EQUAL_FATAL(put_rows(file, count, ROWS + 1), MFM_OK);
    mfm_feature_file_close(file);
    if (status)
        return 0;
    CU_ASSERT_EQUAL_FATAL(open_file(p->ctx, p, &file), MFM_OK);
    CU_ASSERT_EQUAL(mfm_feature_file_dropped(file), 0);
    CU_ASSERT_EQUAL(count_right(file, ROWS + 1), ROWS + 1 - (count - right));
    mfm_feature_file_close(file);
    return right;
}

static void test_damage(void)
{
    static uint8_t bytes[MOST];
    place p;
    bool told;
    place_init(&p);
    CU_ASSERT_EQUAL_FATAL(write_rows(p.ctx, &p, ROWS), MFM_OK);
    const size_t size = read_whole(&p.folder, "x.features", bytes, sizeof bytes);
    CU_ASSERT_EQUAL(size, HEAD + ROWS * RECORD);
    CU_ASSERT_EQUAL(try_damaged(&p, bytes, size, &told), ROWS);
    CU_ASSERT_FALSE(told);
    for (size_t i = 0; i < size; i++) {
        const size_t record = i < HEAD ? 0 : (i - HEAD) / RECORD;
        const bool in_row = i >= HEAD && (i - HEAD) % RECORD >= ENTRY;
        bytes[i] ^= (uint8_t)(1u << i % 8);
        const uint32_t right = try_damaged(&p, bytes, size, &told);
        CU_ASSERT_EQUAL(right, in_row ? ROWS - 1 : record); /* a row is damaged by itself */
        CU_ASSERT(told);
        bytes[i] ^= (uint8_t)(1u << i % 8);
        CU_ASSERT_EQUAL(try_damaged(&p, bytes, i, &told), record); /* cut there */
        CU_ASSERT_EQUAL(told, i < HEAD || (i - HEAD) % RECORD != 0);
    }
    /* A record in another's place. */
    memmove(bytes + HEAD + RECORD, bytes + HEAD, RECORD);
    CU_ASSERT_EQUAL(try_damaged(&p, bytes, size, &told), 1);
    CU_ASSERT(told);
    place_clear(&p);
}

enum { HANGS = 120 }; /* seconds */

/* The child adds rows, and is killed meanwhile or then; or by itself, where nobody does so. */
static void add_until_killed(const place *p)
{
    alarm(HANGS);
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    mfm_feature_file *file = NULL;
    if (ctx && !mfm_feature_file_new(ctx, p->path, &p->key, WIDTH, &file))
        put_rows(file, 0, 1 << 16);
    pause();
    _exit(1);
}

static void test_killed(void)
{
    enum { ENOUGH = HEAD + 50 * RECORD };
    place p;
    int how;
    struct stat st = {.st_size = 0};
    mfm_feature_file *file;
    place_init(&p);
    const pid_t child = fork();
    CU_ASSERT_FATAL(child >= 0);
    if (child == 0)
        add_until_killed(&p);
    const time_t start = time(NULL);
    while (st.st_size < ENOUGH && time(NULL) - start < HANGS)
        if (stat(p.path, &st))
            st.st_size = 0;
    kill(child, SIGKILL);
    CU_ASSERT_EQUAL_FATAL(waitpid(child, &how, 0), child);
    CU_ASSERT_FATAL(st.st_size >= ENOUGH);
    CU_ASSERT_FATAL(WIFSIGNALED(how) && WTERMSIG(how) == SIGKILL);
    CU_ASSERT_EQUAL_FATAL(open_file(p.ctx, &p, &file), MFM_OK);
    const uint32_t count = mfm_feature_file_count(file);
    CU_ASSERT(count >= 50);
    CU_ASSERT(mfm_feature_file_dropped(file) < RECORD); /* at most a part of one */
    CU_ASSERT_EQUAL(count_right(file, count), count);
    CU_ASSERT_EQUAL(add_rows(file, count, count + 2), MFM_OK); /* nobody has it any more */
    mfm_feature_file_close(file);
    CU_ASSERT_EQUAL_FATAL(open_file(p.ctx, &p, &file), MFM_OK);
    CU_ASSERT_EQUAL(count_right(file, count + 3), count + 2);
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
    CU_ASSERT_EQUAL_FATAL(write_rows(p.ctx, &p, ROWS), MFM_OK);
    CU_ASSERT_EQUAL_FATAL(open_file(p.ctx, &p, &file), MFM_OK);
    getrlimit(RLIMIT_FSIZE, &before);
    small = before;
    small.rlim_cur = HEAD + (ROWS + 1) * RECORD + 32; /* one row more, and a part of the next */
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &small);
    CU_ASSERT_EQUAL(add_rows(file, ROWS, ROWS + 5), MFM_EIO);
    setrlimit(RLIMIT_FSIZE, &before);
    CU_ASSERT_PTR_NOT_NULL(strstr(mfm_message(p.ctx), strerror(EFBIG)));
    CU_ASSERT_EQUAL(mfm_feature_file_count(file), ROWS + 1);
    mfm_feature_file_take_back(file);
    CU_ASSERT_EQUAL(mfm_feature_file_count(file), ROWS);
    mfm_feature_file_close(file);
    CU_ASSERT_EQUAL_FATAL(open_file(p.ctx, &p, &file), MFM_OK);
    CU_ASSERT_EQUAL(mfm_feature_file_dropped(file), 0);
    CU_ASSERT_EQUAL(count_right(file, ROWS), ROWS);
    mfm_feature_file_close(file);
    /* One that had no rows goes. */
    CU_ASSERT_EQUAL_FATAL(mfm_feature_file_new(p.ctx, p.path, &p.key, WIDTH, &file), MFM_OK);
    setrlimit(RLIMIT_FSIZE, &small);
    CU_ASSERT_EQUAL(add_rows(file, 0, ROWS + 5), MFM_EIO);
    setrlimit(RLIMIT_FSIZE, &before);
    mfm_feature_file_take_back(file);
    mfm_feature_file_close(file);
    CU_ASSERT_EQUAL(access(p.path, F_OK), -1);
    place_clear(&p);
}

static int write_and_read(mfm_ctx *ctx, void *self)
{
    const place *p = self;
    mfm_feature_file *file = NULL;
    unlink(p->path);
    int status = write_rows(ctx, p, 3);
    if (!status)
        status = open_file(ctx, p, &file);
    if (!status)
        status = add_rows(file, 3, ROWS);
    mfm_feature_file_close(file);
    file = NULL;
    if (!status)
        status = open_file(ctx, p, &file);
    if (!status)
        CU_ASSERT_EQUAL(count_right(file, ROWS), ROWS);
    mfm_feature_file_close(file);
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
    {"one process adds at a time, and others read", test_two},
    {"what a killed process has added is there", test_killed},
    {"a disk that is full leaves what was there", test_full},
    {"every refused allocation is told", test_memory},
};

MFM_SUITE("core/train/feature_file", cases)
