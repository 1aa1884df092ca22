/* What the tests of core/data share: an allocator that fails on request, warnings, small files. */
#ifndef MFM_TESTS_DATA_SUPPORT_H
#define MFM_TESTS_DATA_SUPPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/context.h"
#include "tests/suite.h"

/* Fails at request number fail_at (from 1; 0: never) and counts what is not yet freed. */
typedef struct failing_memory {
    long requests, fail_at, held;
} failing_memory;

mfm_allocator failing_allocator(failing_memory *failing);

/* Runs action with an allocator that fails at the first, second, ... request until nothing fails:
 * each time action must return MFM_ENOMEM and leave nothing behind. */
typedef int allocating_action(mfm_ctx *ctx, void *self);
void check_failing_allocations(allocating_action *action, void *self);

/* Collects warnings. */
typedef struct warning_log {
    int count;
    char last[256];
} warning_log;

void keep_warning(void *warnings, const char *line);

/* A fresh folder for files, and its removal with everything in it but what begins with a dot, which
 * fails. */
enum { PATH_SIZE = 256 };
typedef struct test_folder {
    char path[PATH_SIZE];
} test_folder;

test_folder folder_new(void);
void folder_remove(const test_folder *folder);
/* "folder/name"; valid until the fourth next call. */
const char *path_in(const test_folder *folder, const char *name);
void write_file(const test_folder *folder, const char *name, const void *bytes, size_t size);
void write_gzip(const test_folder *folder, const char *name, const void *bytes, size_t size);
size_t read_whole(const test_folder *folder, const char *name, void *bytes, size_t room);

#define CHECK_MESSAGE(ctx, part) CU_ASSERT_PTR_NOT_NULL(strstr(mfm_message(ctx), part))

#endif
