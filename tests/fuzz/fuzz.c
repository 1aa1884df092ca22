#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

unsigned long fuzz_whole;

/* In front of each block stands its size. */
enum { HEADER = 64 };

static void *grant(void *self, size_t size)
{
    fuzz_memory *memory = self;
    char *block =
        size <= memory->left && memory->left - size >= HEADER ? malloc(HEADER + size) : NULL;
    if (!block)
        return NULL;
    memory->left -= HEADER + size;
    memcpy(block, &size, sizeof size);
    return block + HEADER;
}

static void take_back(void *self, void *pointer)
{
    fuzz_memory *memory = self;
    if (!pointer)
        return;
    char *block = (char *)pointer - HEADER;
    size_t size;
    memcpy(&size, block, sizeof size);
    memory->left += HEADER + size;
    free(block);
}

mfm_ctx *fuzz_ctx(fuzz_memory *memory)
{
    return mfm_ctx_new(&(mfm_allocator){.alloc = grant, .free = take_back, .self = memory});
}

void fuzz_need(bool holds, const mfm_ctx *ctx, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "%s: %s\n", what, mfm_message(ctx));
    abort();
}

void fuzz_need_reason(int status, const mfm_ctx *ctx)
{
    fuzz_need(!status || (mfm_code(ctx) == status && mfm_message(ctx)[0]), ctx,
              "a refusal has a reason");
}
