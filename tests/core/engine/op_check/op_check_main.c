/* op_check NAME|all [SEED]: the generic checks of one operator (a name of ops.def) or of every one;
 * "op_check --list" prints the names. */
#include <stdlib.h>
#include <string.h>

#include "op_check.h"

enum { DEFAULT_SEED = 1 };

typedef struct listed_op {
    const char *name; /* as in ops.def */
    const mfm_op *op;
} listed_op;

#define MFM_OP(name) extern const mfm_op mfm_op_##name;
#include "core/engine/ops/ops.def"
#undef MFM_OP

#define MFM_OP(name) {#name, &mfm_op_##name},
static const listed_op list[] = {
#include "core/engine/ops/ops.def"
    {NULL, NULL}};
#undef MFM_OP

static void print_report(const char *name, const mfm_op_report *report)
{
    printf("%s: %d samples, %d failures\n", name, report->samples, report->failures);
    for (int i = 0; i < MFM_CHECKS; i++)
        if (report->worst[i] >= 0)
            printf("    %-12s worst %.2e, at most %.0e\n", mfm_check_name((enum mfm_check)i),
                   report->worst[i], mfm_check_limit((enum mfm_check)i));
}

/* The number of failures; at least 1 when the checks could not run. */
static int check(mfm_ctx *ctx, const listed_op *entry, uint64_t seed)
{
    mfm_op_report report;
    mfm_op_report_init(&report, stderr);
    const int status = mfm_op_check(ctx, entry->op, seed, &report);
    if (status)
        fprintf(stderr, "%s: %s\n", entry->name, mfm_message(ctx));
    print_report(entry->name, &report);
    return report.failures + (status != MFM_OK);
}

static int print_list(void)
{
    for (const listed_op *entry = list; entry->name; entry++)
        puts(entry->name);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--list") == 0)
        return print_list();
    if (argc < 2 || argc > 3) {
        fputs("usage: op_check NAME|all [SEED]\n", stderr);
        return 2;
    }
    const uint64_t seed = argc == 3 ? strtoull(argv[2], NULL, 10) : DEFAULT_SEED;
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    if (!ctx)
        return 4;
    printf("seed %llu\n", (unsigned long long)seed);
    const bool all = strcmp(argv[1], "all") == 0;
    int checked = 0, failures = 0;
    for (const listed_op *entry = list; entry->name; entry++)
        if (all || strcmp(argv[1], entry->name) == 0) {
            failures += check(ctx, entry, seed);
            checked++;
        }
    mfm_ctx_free(ctx);
    if (!checked)
        fprintf(stderr, "op_check: '%s': no operator of that name in ops.def\n", argv[1]);
    return !checked || failures;
}
