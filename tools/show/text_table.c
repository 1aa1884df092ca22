#include "tools/show/text_table.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "tools/show/printable.h"

void mfm_text_table_init(mfm_text_table *table, mfm_ctx *ctx, const char *alignment)
{
    *table = (mfm_text_table){.ctx = ctx, .alignment = alignment};
}

void mfm_text_table_add(mfm_text_table *t, const char *format, ...)
{
    if (!t->status)
        t->status = mfm_grow(t->ctx, &t->cells, t->count, &t->capacity, sizeof *t->cells);
    if (t->status)
        return;
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    const int length = vsnprintf(NULL, 0, format, args);
    const size_t size = length < 0 ? 0 : (size_t)length + 1;
    char *text = mfm_alloc(t->ctx, size, 1);
    char *cell = mfm_alloc(t->ctx, size, MFM_PRINTABLE_GROWTH);
    if (size && text && cell) {
        vsnprintf(text, size, format, again);
        mfm_printable(text, cell);
        t->cells[t->count++] = cell;
    } else {
        mfm_free(t->ctx, cell);
        t->status = MFM_ENOMEM;
    }
    mfm_free(t->ctx, text);
    va_end(again);
    va_end(args);
}

static int column_width(const mfm_text_table *t, size_t column, size_t columns)
{
    int width = 0;
    for (size_t i = column; i < t->count; i += columns) {
        const int cell = mfm_columns(t->cells[i]);
        width = cell > width ? cell : width;
    }
    return width;
}

/* The last column is not filled up when it is aligned left. */
static void print_rows(const mfm_text_table *t)
{
    const size_t columns = strlen(t->alignment);
    for (size_t i = 0; i < t->count; i++) {
        const size_t column = i % columns;
        const int last = column + 1 == columns, right = t->alignment[column] == 'r';
        const int width = last && !right ? 0 : column_width(t, column, columns);
        const int left = width - mfm_columns(t->cells[i]), blanks = left > 0 ? left : 0;
        printf("%*s%s%*s%s", right ? blanks : 0, "", t->cells[i], right ? 0 : blanks, "",
               last ? "\n" : "  ");
    }
}

int mfm_text_table_print(mfm_text_table *table)
{
    if (!table->status)
        print_rows(table);
    for (size_t i = 0; i < table->count; i++)
        mfm_free(table->ctx, table->cells[i]);
    mfm_free(table->ctx, table->cells);
    return table->status;
}
