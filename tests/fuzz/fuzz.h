/*
 * A fuzz target is one file: what it does with any bytes, and seeds that are well formed. The same
 * file is built for libFuzzer and for the driver in fuzz_main.c, which needs no clang.
 */
#ifndef MFM_FUZZ_H
#define MFM_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/context.h"

/* libFuzzer's entry point: takes any bytes, and ends the program where something does not hold. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

typedef void fuzz_take(void *self, const void *bytes, size_t size);
/* Makes the target's seeds with the project's own writers; false when one could not be made. */
bool fuzz_seeds(fuzz_take *take, void *self);

/* ---- what targets share ---- */

/* Inputs that got through to the last thing that the target does: every seed must. */
extern unsigned long fuzz_whole;

/* A context that refuses requests beyond so many bytes in all: what is large is no fault. */
typedef struct fuzz_memory {
    size_t left;
} fuzz_memory;
mfm_ctx *fuzz_ctx(fuzz_memory *memory);

/* Ends the program, with the context's message, unless it holds. */
void fuzz_need(bool holds, const mfm_ctx *ctx, const char *what);
/* A failure has a code and tells a reason. */
void fuzz_need_reason(int status, const mfm_ctx *ctx);

#endif
