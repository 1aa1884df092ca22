#include "core/data/file_reader.h"

#include <string.h>
#include <sys/stat.h>

#include "tests/core/data/support.h"

/* Larger than the reader's buffer, and not a multiple of it. */
enum { SIZE = 150001, SMALL = 300, ROOM = 4096 };

static unsigned char content[SIZE];

static void fill_content(void)
{
    for (uint32_t i = 0; i < SIZE; i++)
        content[i] = (unsigned char)((i * 2654435761u) >> 24);
}

/* Reads size bytes and the end; `to` has the room. */
static int read_all(mfm_ctx *ctx, const char *path, void *to, size_t size)
{
    mfm_file_reader *reader;
    int status = mfm_file_reader_open(ctx, path, &reader);
    if (status != MFM_OK)
        return status;
    status = mfm_file_reader_read(reader, to, size);
    if (status == MFM_OK)
        status = mfm_file_reader_end(reader);
    mfm_file_reader_close(reader);
    return status;
}

static void same_content_plain_or_compressed(void)
{
    static unsigned char got[SIZE];
    const test_folder folder = folder_new();
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    fill_content();
    write_file(&folder, "plain", content, SIZE);
    write_gzip(&folder, "packed", content, SIZE);
    const char *const names[] = {"plain", "packed"};
    for (int i = 0; i < 2; i++) {
        memset(got, 0, SIZE);
        CU_ASSERT_EQUAL(read_all(ctx, path_in(&folder, names[i]), got, SIZE), MFM_OK);
        CU_ASSERT_EQUAL(memcmp(got, content, SIZE), 0);
    }
    mfm_ctx_free(ctx);
    folder_remove(&folder);
}

static void pieces_come_in_order(void)
{
    const test_folder folder = folder_new();
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    fill_content();
    write_gzip(&folder, "packed", content, SIZE);
    mfm_file_reader *reader;
    CU_ASSERT_EQUAL_FATAL(mfm_file_reader_open(ctx, path_in(&folder, "packed"), &reader), MFM_OK);
    CU_ASSERT(mfm_file_reader_limit(reader) >= SIZE);
    size_t at = 0;
    for (size_t size = 1; at + size <= SIZE; at += size, size = 3 * size + 1) {
        static unsigned char piece[SIZE];
        CU_ASSERT_EQUAL(mfm_file_reader_read(reader, piece, size), MFM_OK);
        CU_ASSERT_EQUAL(memcmp(piece, content + at, size), 0);
    }
    CU_ASSERT(at > SIZE / 4);
    CU_ASSERT_EQUAL(mfm_file_reader_end(reader), MFM_EDATA);
    mfm_file_reader_close(reader);
    mfm_ctx_free(ctx);
    folder_remove(&folder);
}

static void members_follow_one_another(void)
{
    unsigned char packed[ROOM], got[2 * SMALL];
    const test_folder folder = folder_new();
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    fill_content();
    write_gzip(&folder, "first", content, SMALL);
    write_gzip(&folder, "second", content + SMALL, SMALL);
    size_t size = read_whole(&folder, "first", packed, ROOM);
    size += read_whole(&folder, "second", packed + size, ROOM - size);
    write_file(&folder, "both", packed, size);
    CU_ASSERT_EQUAL(read_all(ctx, path_in(&folder, "both"), got, 2 * SMALL), MFM_OK);
    CU_ASSERT_EQUAL(memcmp(got, content, 2 * SMALL), 0);
    mfm_ctx_free(ctx);
    folder_remove(&folder);
}

static void too_short_and_too_long_are_told(void)
{
    unsigned char got[SMALL + 1];
    const test_folder folder = folder_new();
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    fill_content();
    write_file(&folder, "plain", content, SMALL);
    write_gzip(&folder, "packed", content, SMALL);
    const char *const names[] = {"plain", "packed"};
    for (int i = 0; i < 2; i++) {
        const char *path = path_in(&folder, names[i]);
        CU_ASSERT_EQUAL(read_all(ctx, path, got, SMALL + 1), MFM_EDATA);
        CHECK_MESSAGE(ctx, path);
        CHECK_MESSAGE(ctx, "truncated");
        CU_ASSERT_EQUAL(read_all(ctx, path, got, SMALL - 1), MFM_EDATA);
        CHECK_MESSAGE(ctx, path);
        CHECK_MESSAGE(ctx, "too long");
    }
    mfm_ctx_free(ctx);
    folder_remove(&folder);
}

static void every_cut_of_compressed_data_is_noticed(void)
{
    unsigned char packed[ROOM], got[SMALL];
    const test_folder folder = folder_new();
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    fill_content();
    write_gzip(&folder, "whole", content, SMALL);
    const size_t size = read_whole(&folder, "whole", packed, ROOM);
    for (size_t kept = 0; kept < size; kept++) {
        write_file(&folder, "cut", packed, kept);
        CU_ASSERT_EQUAL(read_all(ctx, path_in(&folder, "cut"), got, SMALL), MFM_EDATA);
    }
    mfm_ctx_free(ctx);
    folder_remove(&folder);
}

/* Bytes of the gzip header that mean nothing here (the time, the system) may change unnoticed. */
static void no_damaged_byte_changes_what_is_read(void)
{
    unsigned char packed[ROOM], got[SMALL];
    const test_folder folder = folder_new();
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    fill_content();
    write_gzip(&folder, "whole", content, SMALL);
    const size_t size = read_whole(&folder, "whole", packed, ROOM);
    size_t noticed = 0;
    for (size_t i = 0; i < size; i++) {
        packed[i] ^= 0x55;
        write_file(&folder, "damaged", packed, size);
        packed[i] ^= 0x55;
        const int status = read_all(ctx, path_in(&folder, "damaged"), got, SMALL);
        noticed += status != MFM_OK;
        CU_ASSERT(status == MFM_EDATA || (status == MFM_OK && !memcmp(got, content, SMALL)));
    }
    CU_ASSERT(noticed >= size - 10);
    mfm_ctx_free(ctx);
    folder_remove(&folder);
}

static void only_regular_files_are_read(void)
{
    unsigned char got[1];
    const test_folder folder = folder_new();
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    CU_ASSERT_EQUAL(read_all(ctx, folder.path, got, 1), MFM_EIO);
    CU_ASSERT_EQUAL(mkfifo(path_in(&folder, "fifo"), 0600), 0);
    CU_ASSERT_EQUAL(read_all(ctx, path_in(&folder, "fifo"), got, 1), MFM_EIO);
    CHECK_MESSAGE(ctx, "not a regular file");
    CU_ASSERT_EQUAL(read_all(ctx, path_in(&folder, "absent"), got, 1), MFM_EIO);
    CHECK_MESSAGE(ctx, path_in(&folder, "absent"));
    mfm_ctx_free(ctx);
    folder_remove(&folder);
}

static int read_packed(mfm_ctx *ctx, void *path)
{
    unsigned char got[SMALL];
    return read_all(ctx, path, got, SMALL);
}

static void failing_allocations_are_reported(void)
{
    const test_folder folder = folder_new();
    char path[2 * PATH_SIZE];
    fill_content();
    write_gzip(&folder, "packed", content, SMALL);
    snprintf(path, sizeof path, "%s", path_in(&folder, "packed"));
    check_failing_allocations(read_packed, path);
    folder_remove(&folder);
}

static const mfm_case cases[] = {
    {"the content is the same plain or compressed", same_content_plain_or_compressed},
    {"pieces come in order", pieces_come_in_order},
    {"members follow one another", members_follow_one_another},
    {"too short and too long are told", too_short_and_too_long_are_told},
    {"every cut of compressed data is noticed", every_cut_of_compressed_data_is_noticed},
    {"no damaged byte changes what is read", no_damaged_byte_changes_what_is_read},
    {"only regular files are read", only_regular_files_are_read},
    {"failing allocations are reported", failing_allocations_are_reported},
};

MFM_SUITE("core/data/file_reader", cases)
