#include "tools/show/reports/bench_report.h"

#include <math.h>
#include <stdio.h>

#include "core/base/words.h"
#include "tools/show/print_json.h"
#include "tools/show/reports/profile_rows.h"
#include "tools/show/text_table.h"

static double percentile(const mfm_bench_result *r, double share)
{
    return r->seconds[(uint64_t)(share * (double)(r->steps - 1) + 0.5)];
}

/* Operations of one step; 0 when none was profiled. */
static double flop_of_step(const mfm_bench_result *r, const mfm_profile_row *passes, size_t count)
{
    double flop = 0;
    for (size_t i = 0; i < count; i++)
        flop += passes[i].flop;
    return r->profiled ? flop / (double)r->profiled : 0;
}

/* ---- text ---- */

static void print_head(const mfm_bench_result *r, double flop)
{
    const double median = percentile(r, 0.5), mib = 1 << 20;
    const mfm_memory *m = &r->memory;
    printf("%s: %s, batch %llu, %d %s, %llu %s\n", r->path, r->step, (unsigned long long)r->batch,
           r->threads, mfm_plural((uint64_t)r->threads, "thread", "threads"),
           (unsigned long long)r->steps, mfm_plural(r->steps, "step", "steps"));
    printf("  step        %10.3f ms median, %.3f fastest, %.3f at the 95th percentile\n",
           1e3 * median, 1e3 * r->seconds[0], 1e3 * percentile(r, 0.95));
    printf("  rate        %10.1f images per second\n", (double)r->batch / median);
    if (flop > 0)
        printf("  arithmetic  %10.1f GFLOP/s, %.3f GFLOP per step\n", 1e-9 * flop / median,
               1e-9 * flop);
    printf("  time to first step: %.1f ms (import %.1f ms)\n", 1e3 * r->first_step_at,
           1e3 * r->import_seconds);
    printf("  layouts     %10zu %s\n", r->conversions,
           mfm_plural(r->conversions, "conversion", "conversions"));
    printf("  planned     %10.1f MiB: %.1f buffers, %.1f parameters and optimiser, %.1f images\n",
           (double)mfm_memory_sum(*m) / mib, (double)m->buffers / mib, (double)m->parameters / mib,
           (double)m->images / mib);
    printf("  peak memory %.1f MiB (predicted %.1f, before training %.1f)\n", r->rss_peak / mib,
           (r->rss_before + (double)mfm_memory_sum(*m)) / mib, r->rss_before / mib);
}

static void add_titles(mfm_text_table *t, const char *const *titles)
{
    for (; *titles; titles++)
        mfm_text_table_add(t, "%s", *titles);
}

static void add_time(mfm_text_table *t, const mfm_bench_result *r, double seconds, double flop)
{
    mfm_text_table_add(t, "%.3f", 1e3 * seconds / (double)r->profiled);
    mfm_text_table_add(t, "%.1f %%", 100 * seconds / r->profiled_seconds);
    if (flop > 0)
        mfm_text_table_add(t, "%.1f", 1e-9 * flop / seconds);
    else
        mfm_text_table_add(t, "%s", "");
}

static void add_calls(mfm_text_table *t, const mfm_bench_result *r, uint64_t calls)
{
    mfm_text_table_add(t, "%llu", (unsigned long long)(calls / r->profiled));
}

static int print_passes(const mfm_bench_result *r, const mfm_profile_row *rows, size_t count)
{
    static const char *const titles[] = {"pass", "calls", "ms", "share", "GFLOP/s", NULL};
    double rest = r->profiled_seconds;
    mfm_text_table t;
    mfm_text_table_init(&t, r->ctx, "lrrrr");
    add_titles(&t, titles);
    for (size_t i = 0; i < count; i++) {
        mfm_text_table_add(&t, "%s", rows[i].pass);
        add_calls(&t, r, rows[i].calls);
        add_time(&t, r, rows[i].seconds, rows[i].flop);
        rest -= rows[i].seconds;
    }
    mfm_text_table_add(&t, "outside the passes");
    mfm_text_table_add(&t, "%s", "");
    add_time(&t, r, rest, 0);
    printf("\n");
    return mfm_text_table_print(&t);
}

static int print_operators(const mfm_bench_result *r)
{
    static const char *const titles[] = {"operator", "calls", "ms", "share", "GFLOP/s", NULL};
    mfm_profile_row *rows;
    size_t count;
    int status = mfm_profile_rows(&r->profile, MFM_BY_OPERATOR, &rows, &count);
    if (status)
        return status;
    mfm_text_table t;
    mfm_text_table_init(&t, r->ctx, "lrrrr");
    add_titles(&t, titles);
    for (size_t i = 0; i < count; i++) {
        mfm_text_table_add(&t, "%s", rows[i].op);
        add_calls(&t, r, rows[i].calls);
        add_time(&t, r, rows[i].seconds, rows[i].flop);
    }
    printf("\n");
    status = mfm_text_table_print(&t);
    mfm_free(r->ctx, rows);
    return status;
}

static int print_nodes(const mfm_bench_result *r, size_t most)
{
    static const char *const titles[] = {"node", "operator", "output",  "calls",
                                         "ms",   "share",    "GFLOP/s", NULL};
    mfm_profile_row *rows;
    size_t count;
    int status = mfm_profile_rows(&r->profile, MFM_BY_NODE, &rows, &count);
    if (status)
        return status;
    mfm_text_table t;
    mfm_text_table_init(&t, r->ctx, "lllrrrr");
    add_titles(&t, titles);
    for (size_t i = 0; i < count && i < most; i++) {
        char shape[MFM_SHAPE_TEXT];
        mfm_text_table_add(&t, "%s", rows[i].node);
        mfm_text_table_add(&t, "%s", rows[i].op);
        mfm_text_table_add(&t, "%s", mfm_shape_text(rows[i].shape, shape));
        add_calls(&t, r, rows[i].calls);
        add_time(&t, r, rows[i].seconds, rows[i].flop);
    }
    printf("\n");
    status = mfm_text_table_print(&t);
    if (!status && count > most)
        printf("and %zu %s that take less: --all-nodes\n", count - most,
               mfm_plural(count - most, "node", "nodes"));
    mfm_free(r->ctx, rows);
    return status;
}

int mfm_bench_print(const mfm_bench_result *r, size_t most)
{
    mfm_profile_row *passes;
    size_t count;
    int status = mfm_profile_rows(&r->profile, MFM_BY_PASS, &passes, &count);
    if (status)
        return status;
    print_head(r, flop_of_step(r, passes, count));
    if (r->profiled)
        status = print_passes(r, passes, count);
    if (r->profiled && !status)
        status = print_operators(r);
    if (r->profiled && !status)
        status = print_nodes(r, most);
    mfm_free(r->ctx, passes);
    return status;
}

/* ---- JSON ---- */

/* Numbers are of one step. */
static json_t *row_to_json(const mfm_bench_result *r, enum mfm_profile_key key,
                           const mfm_profile_row *row)
{
    const double steps = (double)r->profiled;
    json_t *object = json_object();
    if (key == MFM_BY_PASS || key == MFM_BY_CALL)
        json_object_set_new(object, "pass", mfm_json_text(row->pass));
    if (key == MFM_BY_CALL) {
        char shape[MFM_SHAPE_TEXT];
        json_object_set_new(object, "node", mfm_json_text(row->node));
        json_object_set_new(object, "shape", json_string(mfm_shape_text(row->shape, shape)));
    }
    if (key != MFM_BY_PASS)
        json_object_set_new(object, "operator", mfm_json_text(row->op));
    json_object_set_new(object, "calls", json_real((double)row->calls / steps));
    json_object_set_new(object, "seconds", json_real(row->seconds / steps));
    json_object_set_new(object, "share", json_real(row->seconds / r->profiled_seconds));
    json_object_set_new(object, "gflop", json_real(1e-9 * row->flop / steps));
    return object;
}

static int set_rows(const mfm_bench_result *r, enum mfm_profile_key key, const char *name,
                    json_t *profile)
{
    mfm_profile_row *rows;
    size_t count;
    const int status = mfm_profile_rows(&r->profile, key, &rows, &count);
    if (status)
        return status;
    json_t *array = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(array, row_to_json(r, key, &rows[i]));
    json_object_set_new(profile, name, array);
    mfm_free(r->ctx, rows);
    return MFM_OK;
}

static int set_profile(const mfm_bench_result *r, json_t *root)
{
    mfm_profile_row *passes;
    size_t count;
    int status = mfm_profile_rows(&r->profile, MFM_BY_PASS, &passes, &count);
    if (status)
        return status;
    const double flop = flop_of_step(r, passes, count);
    mfm_free(r->ctx, passes);
    json_object_set_new(root, "gflop", json_real(1e-9 * flop));
    json_object_set_new(root, "gflop_per_second", json_real(1e-9 * flop / percentile(r, 0.5)));
    json_t *profile = json_pack("{s:I, s:f}", "steps", (json_int_t)r->profiled, "seconds",
                                r->profiled_seconds / (double)r->profiled);
    status = set_rows(r, MFM_BY_PASS, "passes", profile);
    if (!status)
        status = set_rows(r, MFM_BY_OPERATOR, "operators", profile);
    if (!status)
        status = set_rows(r, MFM_BY_CALL, "nodes", profile);
    json_object_set_new(root, "profile", profile);
    return status;
}

static json_t *measured(const mfm_bench_result *r)
{
    const double median = percentile(r, 0.5);
    return json_pack("{s:o, s:s, s:I, s:i, s:I, s:f, s:f, s:f, s:f, s:f, s:f}", "file",
                     mfm_json_text(r->path), "method", r->step, "batch", (json_int_t)r->batch,
                     "threads", r->threads, "steps", (json_int_t)r->steps, "seconds", median,
                     "fastest", r->seconds[0], "p95", percentile(r, 0.95), "images_per_second",
                     (double)r->batch / median, "import_seconds", r->import_seconds,
                     "first_step_seconds", r->first_step_at);
}

static void set_memory(const mfm_bench_result *r, json_t *root)
{
    const mfm_memory *m = &r->memory;
    const struct {
        const char *name;
        double bytes;
    } numbers[] = {{"buffer_bytes", (double)m->buffers},
                   {"parameter_bytes", (double)m->parameters},
                   {"image_bytes", (double)m->images},
                   {"planned_bytes", (double)mfm_memory_sum(*m)},
                   {"import_peak_rss_bytes", r->rss_import_peak},
                   {"rss_before_bytes", r->rss_before},
                   {"peak_rss_bytes", r->rss_peak}};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        json_object_set_new(root, numbers[i].name, json_integer((json_int_t)numbers[i].bytes));
}

int mfm_bench_print_json(const mfm_bench_result *r)
{
    json_t *root = measured(r);
    if (root)
        set_memory(r, root);
    if (root)
        json_object_set_new(root, "layout_conversions", json_integer((json_int_t)r->conversions));
    const int status = root && r->profiled ? set_profile(r, root) : MFM_OK;
    if (status) {
        json_decref(root);
        return status;
    }
    return mfm_print_json(r->ctx, root);
}
