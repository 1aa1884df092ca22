#include "tools/show/reports/profile_rows.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

typedef struct row_list {
    mfm_ctx *ctx;
    enum mfm_profile_key key;
    mfm_profile_row *rows;
    size_t count, capacity;
} row_list;

static bool same(enum mfm_profile_key key, const mfm_profile_row *a, const mfm_profile_row *b)
{
    if ((key == MFM_BY_PASS || key == MFM_BY_CALL) && strcmp(a->pass, b->pass) != 0)
        return false;
    if (key != MFM_BY_PASS && strcmp(a->op, b->op) != 0)
        return false;
    return key == MFM_BY_PASS || key == MFM_BY_OPERATOR || strcmp(a->node, b->node) == 0;
}

static int add(row_list *list, const mfm_profile_row *call)
{
    for (size_t i = 0; i < list->count; i++) {
        mfm_profile_row *row = &list->rows[i];
        if (!same(list->key, row, call))
            continue;
        row->calls += call->calls;
        row->seconds += call->seconds;
        row->flop += call->flop;
        return MFM_OK;
    }
    if (mfm_grow(list->ctx, &list->rows, list->count, &list->capacity, sizeof *list->rows))
        return MFM_ENOMEM;
    list->rows[list->count++] = *call;
    return MFM_OK;
}

/* In a table by pass the nodes give calls and operations, the time is that of the whole. */
static int add_pass(row_list *list, const mfm_profile_pass *pass)
{
    const char *name = mfm_plan_pass_name(pass->plan, pass->pass);
    const bool whole = list->key == MFM_BY_PASS;
    const mfm_profile_row head = {
        .pass = name, .op = "", .node = "", .seconds = 1e-9 * (double)pass->whole.nanoseconds};
    int status = whole ? add(list, &head) : MFM_OK;
    for (size_t i = 0; i < mfm_plan_nodes(pass->plan) && !status; i++) {
        const mfm_profile_sum *sum = &pass->nodes[i];
        if (sum->calls == 0)
            continue;
        const mfm_call call = mfm_plan_call(pass->plan, pass->pass, (int)i);
        const mfm_profile_row row = {.pass = name,
                                     .op = call.op,
                                     .node = call.name,
                                     .shape = call.shape,
                                     .calls = sum->calls,
                                     .seconds = whole ? 0 : 1e-9 * (double)sum->nanoseconds,
                                     .flop = call.flop * (double)sum->calls};
        status = add(list, &row);
    }
    return status;
}

static int longest_first(const void *a, const void *b)
{
    const double x = ((const mfm_profile_row *)a)->seconds;
    const double y = ((const mfm_profile_row *)b)->seconds;
    return x > y ? -1 : x < y;
}

int mfm_profile_rows(const mfm_profile *profile, enum mfm_profile_key key, mfm_profile_row **rows,
                     size_t *count)
{
    row_list list = {.ctx = profile->ctx, .key = key};
    int status = MFM_OK;
    for (size_t i = 0; i < profile->n_passes && !status; i++)
        status = add_pass(&list, &profile->passes[i]);
    if (status) {
        mfm_free(list.ctx, list.rows);
        list = (row_list){.ctx = NULL};
    } else if (key != MFM_BY_PASS && list.count) {
        qsort(list.rows, list.count, sizeof *list.rows, longest_first);
    }
    *rows = list.rows;
    *count = list.count;
    return status;
}
