/*
 * What a bound removes from a cache of features.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/train/features/feature_prune.h"
#include "tests/core/data/support.h"

enum { BIG = 1 << 16 };

static const char *const keys[] = {"0123456789abcdef0123456789abcdef.features",
                                   "1123456789abcdef0123456789abcdef.features",
                                   ".2123456789abcdef0123456789abcdef.features.mfm-tmp",
                                   "3123456789abcdef0123456789abcdef.features"};

static void put_file(const test_folder *folder, const char *name, const char *head, size_t size,
                     time_t used)
{
    static char bytes[1 << 16];
    const struct timespec times[2] = {{.tv_sec = used}, {.tv_sec = used}};
    memset(bytes, 0, sizeof bytes);
    memcpy(bytes, head, strlen(head));
    write_file(folder, name, bytes, size);
    CU_ASSERT_EQUAL(utimensat(AT_FDCWD, path_in(folder, name), times, 0), 0);
}

static bool there(const test_folder *folder, const char *name)
{
    return access(path_in(folder, name), F_OK) == 0;
}

static test_folder folder_with_files(void)
{
    const test_folder folder = folder_new();
    put_file(&folder, keys[0], "mfm.feat", BIG, 4000);
    put_file(&folder, keys[1], "mfm.feat", BIG, 2000);
    put_file(&folder, keys[2], "mfm.feat", BIG, 1000);
    put_file(&folder, keys[3], "mfm.feat", BIG, 3000);
    return folder;
}

static mfm_feature_pruned prune(const test_folder *folder, const char *keep, double size)
{
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(ctx);
    mfm_feature_pruned pruned;
    CU_ASSERT_EQUAL(mfm_feature_prune(ctx, folder->path, keep, size, &pruned), MFM_OK);
    mfm_ctx_free(ctx);
    return pruned;
}

/* In the order 2, 1, 3, 0, and no more than is needed. */
static void test_order(void)
{
    const int order[] = {2, 1, 3, 0};
    const test_folder folder = folder_with_files();
    CU_ASSERT_EQUAL(prune(&folder, "", 4. * BIG).files, 0);
    for (int gone = 1; gone <= 4; gone++) {
        const mfm_feature_pruned pruned = prune(&folder, "", (4.5 - gone) * BIG);
        CU_ASSERT_EQUAL(pruned.files, 1);
        CU_ASSERT_EQUAL(pruned.bytes, BIG);
        CU_ASSERT_EQUAL(pruned.left, (4. - gone) * BIG);
        for (int i = 0; i < 4; i++)
            CU_ASSERT_EQUAL(there(&folder, keys[order[i]]), i >= gone);
    }
    folder_remove(&folder);
}

/* The run's own, one that somebody writes, a link, and what is no file of features. */
static void test_stays(void)
{
    const char *others[] = {"notes.txt", "0123.features",
                            "4123456789abcdef0123456789abcdef.features"};
    const char *link = "5123456789abcdef0123456789abcdef.features";
    const test_folder folder = folder_with_files();
    put_file(&folder, others[0], "mfm.feat", BIG, 10);
    put_file(&folder, others[1], "mfm.feat", BIG, 10);
    put_file(&folder, others[2], "something else", 100, 10);
    CU_ASSERT_EQUAL(symlink(others[0], path_in(&folder, link)), 0);
    const int lock = open(path_in(&folder, keys[1]), O_RDONLY);
    CU_ASSERT_EQUAL(flock(lock, LOCK_EX), 0);
    const mfm_feature_pruned pruned = prune(&folder, keys[3], 1);
    CU_ASSERT_EQUAL(pruned.files, 2);
    CU_ASSERT_EQUAL(pruned.left, 2. * BIG + 100);
    CU_ASSERT(there(&folder, keys[1]) && there(&folder, keys[3]) && there(&folder, link));
    CU_ASSERT_FALSE(there(&folder, keys[0]) || there(&folder, keys[2]));
    for (int i = 0; i < 3; i++)
        CU_ASSERT(there(&folder, others[i]));
    close(lock);
    folder_remove(&folder);
}

static void test_no_folder(void)
{
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    mfm_feature_pruned pruned;
    CU_ASSERT_EQUAL(mfm_feature_prune(ctx, "/no/such/folder", "", 1, &pruned), MFM_EIO);
    CU_ASSERT_PTR_NOT_NULL(strstr(mfm_message(ctx), "cannot read /no/such/folder"));
    mfm_ctx_free(ctx);
}

static int prune_again(mfm_ctx *ctx, void *self)
{
    mfm_feature_pruned pruned;
    return mfm_feature_prune(ctx, ((const test_folder *)self)->path, "", 3. * BIG, &pruned);
}

static void test_memory(void)
{
    test_folder folder = folder_with_files();
    unlink(path_in(&folder, keys[2]));
    check_failing_allocations(prune_again, &folder);
    folder_remove(&folder);
}

static const mfm_case cases[] = {
    {"what was used longest ago goes first, and no more than is needed", test_order},
    {"the run's own file, one under way, and all that is none stay", test_stays},
    {"a folder that cannot be read is told", test_no_folder},
    {"every refused allocation is told", test_memory},
};

MFM_SUITE("core/train/feature_prune", cases)
