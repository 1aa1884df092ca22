/* A table of texts, printed with its columns aligned. */
#ifndef MFM_TEXT_TABLE_H
#define MFM_TEXT_TABLE_H

#include <stddef.h>

#include "core/base/context.h"

typedef struct mfm_text_table {
    mfm_ctx *ctx;
    const char *alignment; /* a letter for each column: 'l' or 'r' */
    char **cells;          /* row by row */
    size_t count, capacity;
    int status; /* of the first failure; later cells are dropped */
} mfm_text_table;

void mfm_text_table_init(mfm_text_table *table, mfm_ctx *ctx, const char *alignment);
/* The next cell, in the order of reading. */
void mfm_text_table_add(mfm_text_table *table, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Prints to standard output and frees; returns the first failure of the whole table. */
int mfm_text_table_print(mfm_text_table *table);

#endif
