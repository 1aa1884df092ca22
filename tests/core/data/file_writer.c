#include "core/data/file_writer.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/core/data/support.h"

/* Larger than the writer's buffer, and not a multiple of it. */
enum { SIZE = 150001 };

static unsigned char content[SIZE];

static int write_pieces(mfm_ctx *ctx, const char *path, size_t piece, const char *keep)
{
    mfm_file_writer *writer;
    int status = mfm_file_writer_open(ctx, path, &writer);
    if (status)
        return status;
    for (size_t at = 0; at < SIZE; at += piece)
        mfm_file_writer_put(writer, content + at, SIZE - at < piece ? SIZE - at : piece);
    status = mfm_file_writer_commit(writer, keep);
    mfm_file_writer_close(writer);
    return status;
}

static int write_text(mfm_ctx *ctx, const char *path, const char *text, const char *keep)
{
    mfm_file_writer *writer;
    int status = mfm_file_writer_open(ctx, path, &writer);
    if (status)
        return status;
    mfm_file_writer_put(writer, text, strlen(text));
    status = mfm_file_writer_commit(writer, keep);
    mfm_file_writer_close(writer);
    return status;
}

static bool holds(const test_folder *folder, const char *name, const char *text)
{
    char got[64] = "";
    const size_t size = read_whole(folder, name, got, sizeof got);
    return size == strlen(text) && memcmp(got, text, size) == 0;
}

static bool exists(const test_folder *folder, const char *name)
{
    struct stat st;
    return lstat(path_in(folder, name), &st) == 0;
}

static void pieces_arrive(void)
{
    static unsigned char got[SIZE + 1];
    static const size_t pieces[] = {1000, 65536, 65537, SIZE};
    const test_folder folder = folder_new();
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    for (uint32_t i = 0; i < SIZE; i++)
        content[i] = (unsigned char)((i * 2654435761u) >> 24);
    for (int i = 0; i < 4; i++) {
        memset(got, 0, SIZE);
        CU_ASSERT_EQUAL(write_pieces(ctx, path_in(&folder, "file"), pieces[i], NULL), MFM_OK);
        CU_ASSERT_EQUAL(read_whole(&folder, "file", got, sizeof got), SIZE);
        CU_ASSERT_EQUAL(memcmp(got, content, SIZE), 0);
    }
    mfm_ctx_free(ctx);
    folder_remove(&folder);
}

static void without_a_commit_nothing_happens(void)
{
    const test_folder folder = folder_new();
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    write_file(&folder, "file", "old", 3);
    CU_ASSERT_EQUAL(chmod(path_in(&folder, "file"), 0640), 0);
    mfm_file_writer *writer;
    CU_ASSERT_EQUAL_FATAL(mfm_file_writer_open(ctx, path_in(&folder, "file"), &writer), MFM_OK);
    CU_ASSERT(exists(&folder, ".file.mfm-tmp"));
    mfm_file_writer_put(writer, "new content", 11);
    CU_ASSERT(holds(&folder, "file", "old"));
    mfm_file_writer_close(writer);
    CU_ASSERT(holds(&folder, "file", "old"));
    CU_ASSERT(!exists(&folder, ".file.mfm-tmp"));
    CU_ASSERT_EQUAL_FATAL(mfm_file_writer_open(ctx, path_in(&folder, "file"), &writer), MFM_OK);
    mfm_file_writer_put(writer, "new", 3);
    CU_ASSERT(!mfm_file_writer_replaced(writer));
    CU_ASSERT_EQUAL(mfm_file_writer_commit(writer, NULL), MFM_OK);
    CU_ASSERT(mfm_file_writer_replaced(writer));
    CU_ASSERT(holds(&folder, "file", "new"));
    mfm_file_writer_close(writer);
    struct stat st;
    CU_ASSERT(stat(path_in(&folder, "file"), &st) == 0 && (st.st_mode & 0777) == 0640);
    mfm_file_writer_close(NULL);
    mfm_ctx_free(ctx);
    folder_remove(&folder);
}

static void links_are_followed(void)
{
    const test_folder folder = folder_new();
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    CU_ASSERT_EQUAL(mkdir(path_in(&folder, "sub"), 0700), 0);
    write_file(&folder, "sub/real", "old", 3);
    CU_ASSERT_EQUAL(symlink("sub/middle", path_in(&folder, "first")), 0);
    CU_ASSERT_EQUAL(symlink("real", path_in(&folder, "sub/middle")), 0);
    CU_ASSERT_EQUAL(symlink("sub/fresh", path_in(&folder, "dangling")), 0);
    CU_ASSERT_EQUAL(symlink("loop", path_in(&folder, "loop")), 0);
    CU_ASSERT_EQUAL(write_text(ctx, path_in(&folder, "first"), "new", NULL), MFM_OK);
    CU_ASSERT(holds(&folder, "sub/real", "new"));
    CU_ASSERT_EQUAL(write_text(ctx, path_in(&folder, "dangling"), "made", NULL), MFM_OK);
    CU_ASSERT(holds(&folder, "sub/fresh", "made"));
    CU_ASSERT_EQUAL(write_text(ctx, path_in(&folder, "loop"), "x", NULL), MFM_EIO);
    CHECK_MESSAGE(ctx, strerror(ELOOP));
    static const char *const links[] = {"first", "sub/middle", "dangling", "loop"};
    for (int i = 0; i < 4; i++) {
        struct stat st;
        CU_ASSERT(lstat(path_in(&folder, links[i]), &st) == 0 && S_ISLNK(st.st_mode));
    }
    static const char *const below[] = {"sub/real", "sub/middle", "sub/fresh"};
    for (int i = 0; i < 3; i++)
        CU_ASSERT_EQUAL(unlink(path_in(&folder, below[i])), 0);
    mfm_ctx_free(ctx);
    folder_remove(&folder);
}

/* A link to a device is what root's /dev/stdout is. */
static void devices_and_pipes_are_written_in_place(void)
{
    const test_folder folder = folder_new();
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    struct stat st;
    CU_ASSERT_EQUAL(symlink("/dev/null", path_in(&folder, "null")), 0);
    CU_ASSERT_EQUAL(write_text(ctx, path_in(&folder, "null"), "gone", NULL), MFM_OK);
    CU_ASSERT(lstat(path_in(&folder, "null"), &st) == 0 && S_ISLNK(st.st_mode));
    CU_ASSERT(stat("/dev/null", &st) == 0 && S_ISCHR(st.st_mode));
    CU_ASSERT_EQUAL(write_text(ctx, "/dev/full", "no room", NULL), MFM_EIO);
    CHECK_MESSAGE(ctx, strerror(ENOSPC));
    CU_ASSERT_EQUAL(mkfifo(path_in(&folder, "pipe"), 0600), 0);
    const int reader = open(path_in(&folder, "pipe"), O_RDONLY | O_NONBLOCK);
    CU_ASSERT_EQUAL(write_text(ctx, path_in(&folder, "pipe"), "through", NULL), MFM_OK);
    char got[16];
    CU_ASSERT(read(reader, got, sizeof got) == 7 && memcmp(got, "through", 7) == 0);
    close(reader);
    CU_ASSERT_EQUAL(write_text(ctx, folder.path, "x", NULL), MFM_EIO);
    CHECK_MESSAGE(ctx, strerror(EISDIR));
    mfm_ctx_free(ctx);
    folder_remove(&folder);
}

/* By their names in /proc and /dev they are written where they stand, and keep what they have. */
static void descriptors_are_written_in_place(void)
{
    const test_folder folder = folder_new();
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    char name[64];
    static const char *const folders[] = {"/dev/fd", "/proc/self/fd"};
    const int file = open(path_in(&folder, "file"), O_RDWR | O_CREAT, 0600);
    CU_ASSERT_FATAL(file >= 0 && write(file, "head ", 5) == 5);
    for (int i = 0; i < 2; i++) {
        snprintf(name, sizeof name, "%s/%d", folders[i], file);
        CU_ASSERT_EQUAL(write_text(ctx, name, "part ", NULL), MFM_OK);
    }
    mfm_file_writer *writer;
    CU_ASSERT_EQUAL_FATAL(mfm_file_writer_open_descriptor(ctx, file, "f", &writer), MFM_OK);
    mfm_file_writer_put(writer, "tail", 4);
    CU_ASSERT_EQUAL(mfm_file_writer_commit(writer, NULL), MFM_OK);
    mfm_file_writer_close(writer);
    CU_ASSERT_EQUAL(write(file, ".", 1), 1);
    close(file);
    CU_ASSERT(holds(&folder, "file", "head part part tail."));
    mfm_ctx_free(ctx);
    folder_remove(&folder);
}

static void the_old_content_is_kept(void)
{
    const test_folder folder = folder_new();
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    const char *path = path_in(&folder, "file");
    CU_ASSERT_EQUAL(write_text(ctx, path, "one", "before"), MFM_OK);
    CU_ASSERT(!exists(&folder, "before"));
    CU_ASSERT_EQUAL(write_text(ctx, path, "two", "before"), MFM_OK);
    CU_ASSERT(holds(&folder, "before", "one") && holds(&folder, "file", "two"));
    /* As after a kill between the link and the new file: both names are one file's. */
    unlink(path_in(&folder, "before"));
    CU_ASSERT_EQUAL(link(path_in(&folder, "file"), path_in(&folder, "before")), 0);
    CU_ASSERT_EQUAL(write_text(ctx, path_in(&folder, "file"), "three", "before"), MFM_OK);
    CU_ASSERT(holds(&folder, "before", "two") && holds(&folder, "file", "three"));
    CU_ASSERT(!exists(&folder, ".file.link.mfm-tmp") && !exists(&folder, ".file.mfm-tmp"));
    mfm_ctx_free(ctx);
    folder_remove(&folder);
}

/* A killed process's file is taken over; a living one's is let alone. */
static void leftovers_are_taken_over(void)
{
    const test_folder folder = folder_new();
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    write_file(&folder, ".file.mfm-tmp", "left by a kill", 14);
    CU_ASSERT_EQUAL(write_text(ctx, path_in(&folder, "file"), "new", NULL), MFM_OK);
    CU_ASSERT(!exists(&folder, ".file.mfm-tmp") && holds(&folder, "file", "new"));
    mfm_file_writer *a, *b;
    CU_ASSERT_EQUAL_FATAL(mfm_file_writer_open(ctx, path_in(&folder, "file"), &a), MFM_OK);
    CU_ASSERT_EQUAL_FATAL(mfm_file_writer_open(ctx, path_in(&folder, "file"), &b), MFM_OK);
    mfm_file_writer_put(a, "of a", 4);
    mfm_file_writer_put(b, "of b", 4);
    CU_ASSERT_EQUAL(mfm_file_writer_commit(a, NULL), MFM_OK);
    CU_ASSERT(holds(&folder, "file", "of a"));
    CU_ASSERT_EQUAL(mfm_file_writer_commit(b, NULL), MFM_OK);
    CU_ASSERT(holds(&folder, "file", "of b"));
    mfm_file_writer_close(a);
    mfm_file_writer_close(b);
    CU_ASSERT(!exists(&folder, ".file.mfm-tmp") && !exists(&folder, ".file.1.mfm-tmp"));
    mfm_ctx_free(ctx);
    folder_remove(&folder);
}

static int attempt(mfm_ctx *ctx, void *self)
{
    return write_text(ctx, path_in(self, "link"), "content", "before");
}

static void a_refused_allocation_is_told(void)
{
    test_folder folder = folder_new();
    CU_ASSERT_EQUAL(symlink("file", path_in(&folder, "link")), 0);
    check_failing_allocations(attempt, &folder);
    CU_ASSERT(holds(&folder, "file", "content"));
    folder_remove(&folder);
}

static const mfm_case cases[] = {
    {"pieces of every size arrive", pieces_arrive},
    {"without a commit nothing happens; permissions stay", without_a_commit_nothing_happens},
    {"links are followed, and stay", links_are_followed},
    {"devices and pipes are written in place", devices_and_pipes_are_written_in_place},
    {"descriptors are written in place", descriptors_are_written_in_place},
    {"the old content is kept under its name", the_old_content_is_kept},
    {"temporary files of killed processes are taken over", leftovers_are_taken_over},
    {"a refused allocation is told, and leaks nothing", a_refused_allocation_is_told},
};
MFM_SUITE("core/data/file_writer", cases)
