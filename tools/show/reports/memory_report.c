#include "tools/show/reports/memory_report.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "core/data/images/decoder.h"
#include "core/data/sources/files/file_images.h"
#include "tools/show/print_json.h"
#include "tools/show/text_table.h"

/* ---- memory that is only reserved ----------------------------------------------------------- */

/* Buffers of plans and vectors of parameters are never touched here, and may be larger than the
 * machine: large blocks are mapped without a claim on memory, zero until they are written. The head
 * of a block says how it was made. */
enum { HEAD = 64, MAPPED_FROM = 1 << 20 };

typedef struct head {
    size_t mapped; /* bytes, head included; 0: from calloc */
} head;

static void *reserve(void *self, size_t size)
{
    (void)self;
    if (size > SIZE_MAX - HEAD)
        return NULL;
    const size_t all = size + HEAD;
    head *block = all < MAPPED_FROM ? calloc(1, all)
                                    : mmap(NULL, all, PROT_READ | PROT_WRITE,
                                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (!block || block == MAP_FAILED)
        return NULL;
    block->mapped = all < MAPPED_FROM ? 0 : all;
    return (char *)block + HEAD;
}

static void give_back(void *self, void *pointer)
{
    (void)self;
    if (!pointer)
        return;
    head *block = (head *)(void *)((char *)pointer - HEAD);
    if (block->mapped)
        munmap(block, block->mapped);
    else
        free(block);
}

/* ---- gathering ------------------------------------------------------------------------------ */

static int predict(mfm_workload *w, mfm_memory_row *row)
{
    const int status = mfm_workload_make(w);
    if (!status)
        row->memory = mfm_workload_memory(w);
    mfm_workload_unmake(w);
    return status;
}

/* The workload's model serves as long as no method needs a modulator that it has not. */
static int fill_row(mfm_workload *w, const char *path, const mfm_inject_arguments *inject,
                    const mfm_method *method, mfm_memory_row *row)
{
    const bool inject_first = method && method->needs_modulator &&
                              (!w->session.network || w->session.network->soft_label < 0);
    const bool branch_first = method && method->branch_layer;
    *row = (mfm_memory_row){.step = method ? method->name : "forward"};
    w->method = method;
    if (inject_first || branch_first || w->branched)
        mfm_workload_clear(w);
    const int status =
        w->session.network ? mfm_workload_build(w) : mfm_workload_load(w, path, inject);
    return status ? status : predict(w, row);
}

/* A model without a layer to modulate has no step of such a method; nor has one without a layer
 * that a method wants to train. */
static int keep_obstacle(mfm_memory_report *r, const mfm_workload *w,
                         const mfm_inject_arguments *inject, int status)
{
    mfm_memory_row *row = &r->rows[r->n_rows];
    const mfm_method *method = w->method;
    const bool may_refuse =
        method && (method->needs_modulator ? inject->layers.count == 0 : method->build != NULL);
    if (status != MFM_OK && status != MFM_ENOMEM && may_refuse) {
        row->obstacle = mfm_strdup(r->ctx, mfm_message(w->ctx));
        return row->obstacle ? MFM_OK : MFM_ENOMEM;
    }
    return status ? mfm_fail(r->ctx, status, "%s", mfm_message(w->ctx)) : MFM_OK;
}

static int fill(mfm_memory_report *r, const char *path, const mfm_inject_arguments *inject,
                const mfm_role_choice *choice)
{
    const mfm_allocator allocator = {.alloc = reserve, .free = give_back, .zeroed = true};
    mfm_workload w = {.ctx = mfm_ctx_new(&allocator),
                      .choice = *choice,
                      .batch = r->batch,
                      .meta_batch = r->batch,
                      .ranks = r->ranks,
                      .form = true};
    if (!w.ctx)
        return mfm_fail(r->ctx, MFM_ENOMEM, "memory prediction: out of memory");
    int status = MFM_OK;
    for (int i = -1; (i < 0 || mfm_methods[i]) && !status; i++) {
        const mfm_method *method = i < 0 ? NULL : mfm_methods[i];
        status = fill_row(&w, path, inject, method, &r->rows[r->n_rows]);
        status = keep_obstacle(r, &w, inject, status);
        r->n_rows++;
    }
    mfm_workload_clear(&w);
    mfm_ctx_free(w.ctx);
    return status;
}

static size_t count_methods(void)
{
    size_t count = 0;
    while (mfm_methods[count])
        count++;
    return count;
}

int mfm_memory_report_new(mfm_ctx *ctx, const char *path, const mfm_inject_arguments *inject,
                          const mfm_role_choice *choice, uint64_t batch, int ranks,
                          mfm_memory_report **report)
{
    *report = NULL;
    if (!mfm_share_reaches_all((int64_t)batch, ranks))
        return mfm_fail(
            ctx, MFM_EINVAL,
            "--batch %llu --ranks %d: each rank needs an image, and a batch is cut into %d "
            "parts that ranks share",
            (unsigned long long)batch, ranks, MFM_CHUNKS);
    mfm_memory_report *r = mfm_alloc(ctx, 1, sizeof *r);
    if (!r)
        return MFM_ENOMEM;
    *r = (mfm_memory_report){.ctx = ctx, .batch = batch, .ranks = ranks};
    r->rows = mfm_alloc(ctx, 1 + count_methods(), sizeof *r->rows);
    const int status = r->rows ? fill(r, path, inject, choice) : MFM_ENOMEM;
    if (status) {
        mfm_memory_report_free(r);
        r = NULL;
    }
    *report = r;
    return status;
}

void mfm_memory_report_free(mfm_memory_report *r)
{
    if (!r)
        return;
    for (size_t i = 0; i < r->n_rows; i++)
        mfm_free(r->ctx, r->rows[i].obstacle);
    mfm_free(r->ctx, r->rows);
    mfm_free(r->ctx, r);
}

/* ---- printing ------------------------------------------------------------------------------- */

static void print_decoding(const mfm_memory_report *r)
{
    char most[64] = "no budget (--data-memory), ";
    if (r->decoding_memory)
        snprintf(most, sizeof most, "up to %llu MiB (--data-memory), ",
                 (unsigned long long)r->decoding_memory);
    if (r->decodes)
        printf("decoding of image files besides: %s%d bytes a pixel and the file for each of %d "
               "readers\n",
               most, MFM_IMAGE_PIXEL_BYTES, mfm_file_images_readers());
}

int mfm_memory_report_print(const mfm_memory_report *r)
{
    static const char *const titles[] = {"step", "MiB", "buffers", "parameters", "images"};
    mfm_text_table t;
    mfm_text_table_init(&t, r->ctx, "lrrrr");
    for (size_t i = 0; i < sizeof titles / sizeof titles[0]; i++)
        mfm_text_table_add(&t, "%s", titles[i]);
    for (size_t i = 0; i < r->n_rows; i++) {
        const mfm_memory *m = &r->rows[i].memory;
        const size_t bytes[] = {mfm_memory_sum(*m), m->buffers, m->parameters, m->images};
        if (r->rows[i].obstacle)
            continue;
        mfm_text_table_add(&t, "%s", r->rows[i].step);
        for (size_t k = 0; k < sizeof bytes / sizeof bytes[0]; k++)
            mfm_text_table_add(&t, "%.1f", (double)bytes[k] / (1 << 20));
    }
    char of_each[64] = "";
    if (r->ranks > 1)
        snprintf(of_each, sizeof of_each, " of each of %d processes", r->ranks);
    printf("\nmemory%s with batches of %llu, besides the program and the model:\n", of_each,
           (unsigned long long)r->batch);
    const int status = mfm_text_table_print(&t);
    print_decoding(r);
    for (size_t i = 0; i < r->n_rows; i++)
        if (r->rows[i].obstacle)
            printf("%s is not possible: %s\n", r->rows[i].step, r->rows[i].obstacle);
    return status;
}

static json_t *row_to_json(const mfm_memory_row *row)
{
    const mfm_memory *m = &row->memory;
    if (row->obstacle)
        return json_pack("{s:s, s:o}", "step", row->step, "obstacle", mfm_json_text(row->obstacle));
    return json_pack("{s:s, s:I, s:I, s:I, s:I}", "step", row->step, "planned_bytes",
                     (json_int_t)mfm_memory_sum(*m), "buffer_bytes", (json_int_t)m->buffers,
                     "parameter_bytes", (json_int_t)m->parameters, "image_bytes",
                     (json_int_t)m->images);
}

json_t *mfm_memory_report_json(const mfm_memory_report *r)
{
    json_t *rows = json_array();
    for (size_t i = 0; i < r->n_rows; i++)
        json_array_append_new(rows, row_to_json(&r->rows[i]));
    json_t *root = json_pack("{s:I, s:i, s:o}", "batch", (json_int_t)r->batch, "ranks", r->ranks,
                             "steps", rows);
    if (root && r->decodes)
        json_object_set_new(
            root, "decoding",
            json_pack("{s:o, s:i, s:i}", "budget_bytes",
                      r->decoding_memory ? json_integer((json_int_t)(r->decoding_memory << 20))
                                         : json_null(),
                      "readers", mfm_file_images_readers(), "pixel_bytes", MFM_IMAGE_PIXEL_BYTES));
    return root;
}
