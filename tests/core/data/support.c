#include "tests/core/data/support.h"

#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "tests/scratch.h"

static void *failing_alloc(void *self, size_t size)
{
    failing_memory *failing = self;
    if (++failing->requests == failing->fail_at)
        return NULL;
    void *pointer = malloc(size);
    failing->held += pointer != NULL;
    return pointer;
}

static void failing_free(void *self, void *pointer)
{
    failing_memory *failing = self;
    failing->held -= pointer != NULL;
    free(pointer);
}

mfm_allocator failing_allocator(failing_memory *failing)
{
    return (mfm_allocator){.alloc = failing_alloc, .free = failing_free, .self = failing};
}

void check_failing_allocations(allocating_action *action, void *self)
{
    bool failed = true;
    long fail_at = 1;
    for (; failed; fail_at++) {
        failing_memory memory = {0};
        const mfm_allocator allocator = failing_allocator(&memory);
        mfm_ctx *ctx = mfm_ctx_new(&allocator);
        memory.requests = 0;
        memory.fail_at = fail_at;
        const int status = action(ctx, self);
        failed = memory.requests >= fail_at;
        CU_ASSERT_EQUAL(status, failed ? MFM_ENOMEM : MFM_OK);
        CU_ASSERT_EQUAL(memory.held, 1); /* the context */
        mfm_ctx_free(ctx);
    }
    CU_ASSERT(fail_at > 2);
}

void keep_warning(void *self, const char *line)
{
    warning_log *warnings = self;
    warnings->count++;
    snprintf(warnings->last, sizeof warnings->last, "%s", line);
}

test_folder folder_new(void)
{
    test_folder folder;
    CU_ASSERT_PTR_NOT_NULL_FATAL(scratch_folder(folder.path, "data"));
    return folder;
}

/* What begins with a dot stays: a temporary file that a writer has forgotten fails the test. */
static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *place)
{
    (void)info;
    (void)kind;
    return path[place->base] == '.' ? 0 : remove(path);
}

void folder_remove(const test_folder *folder)
{
    CU_ASSERT_EQUAL(nftw(folder->path, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

const char *path_in(const test_folder *folder, const char *name)
{
    static char paths[4][2 * PATH_SIZE];
    static unsigned next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", folder->path, name);
    return path;
}

void write_file(const test_folder *folder, const char *name, const void *bytes, size_t size)
{
    FILE *file = fopen(path_in(folder, name), "wb");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    CU_ASSERT_EQUAL(fwrite(bytes, 1, size, file), size);
    CU_ASSERT_EQUAL(fclose(file), 0);
}

void write_gzip(const test_folder *folder, const char *name, const void *bytes, size_t size)
{
    gzFile file = gzopen(path_in(folder, name), "wb");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    CU_ASSERT_EQUAL(gzwrite(file, bytes, (unsigned)size), (int)size);
    CU_ASSERT_EQUAL(gzclose(file), Z_OK);
}

size_t read_whole(const test_folder *folder, const char *name, void *bytes, size_t room)
{
    FILE *file = fopen(path_in(folder, name), "rb");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    const size_t size = fread(bytes, 1, room, file);
    CU_ASSERT_EQUAL(fclose(file), 0);
    return size;
}
