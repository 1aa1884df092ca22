/* reproduce: the paper's tables and figures, trained anew. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/data/sources/dataset.h"
#include "tools/options/options.h"
#include "tools/reproduce/plan.h"
#include "tools/show/printable.h"

typedef struct options {
    const char *rows, *columns, *seeds, *folder, *fashion, *cifar10, *cifar100, *mit67, *pretrained;
    uint64_t epochs, jobs, threads;
} options;

static const mfm_option table[] = {
    {.name = "rows",
     .kind = MFM_OPTION_STRING,
     .value = "ROW,...",
     .offset = offsetof(options, rows),
     .help = "rows by name, listed below (default: all)"},
    {.name = "columns",
     .kind = MFM_OPTION_STRING,
     .value = "COLUMN,...",
     .offset = offsetof(options, columns),
     .help = "columns by name, listed below (default: all)"},
    {.name = "seeds",
     .kind = MFM_OPTION_STRING,
     .value = "LIST",
     .offset = offsetof(options, seeds),
     .help = "seeds, such as 1-3 or 1,5; each has its own split"},
    {.name = "epochs",
     .kind = MFM_OPTION_UINT,
     .value = "N",
     .min = 1,
     .max = 100000,
     .offset = offsetof(options, epochs),
     .silent_default = true,
     .help = "epochs of each run, with milestones at the same shares (default: the paper's)"},
    {.name = "jobs",
     .kind = MFM_OPTION_UINT,
     .value = "N",
     .min = 1,
     .max = 256,
     .offset = offsetof(options, jobs),
     .help = "runs at a time"},
    {.name = "threads",
     .kind = MFM_OPTION_UINT,
     .value = "N",
     .max = 1024,
     .offset = offsetof(options, threads),
     .silent_default = true,
     .help = "processors for each run (default: all)"},
    {.name = "run",
     .kind = MFM_OPTION_STRING,
     .value = "DIR",
     .offset = offsetof(options, folder),
     .help = "folder of all runs: finished runs are kept, unfinished ones go on"},
    {.name = "fashion-mnist",
     .kind = MFM_OPTION_STRING,
     .value = "DATA",
     .offset = offsetof(options, fashion),
     .help = "where Fashion-MNIST is"},
    {.name = "cifar10",
     .kind = MFM_OPTION_STRING,
     .value = "DATA",
     .offset = offsetof(options, cifar10),
     .help = "where CIFAR-10 is: cifar10:DIR"},
    {.name = "cifar100",
     .kind = MFM_OPTION_STRING,
     .value = "DATA",
     .offset = offsetof(options, cifar100),
     .help = "where CIFAR-100 is: cifar100:DIR"},
    {.name = "mit67",
     .kind = MFM_OPTION_STRING,
     .value = "DATA",
     .offset = offsetof(options, mit67),
     .help = "where MIT-67 is: folder:DIR"},
    {.name = "pretrained",
     .kind = MFM_OPTION_STRING,
     .value = "MODEL",
     .offset = offsetof(options, pretrained),
     .help = "for table4: a VGG-11 trained on ImageNet"},
};

static void print_targets(void)
{
    printf("Tables and their rows:\n");
    for (int i = 0; i < mfm_paper_n_tables; i++) {
        const mfm_paper_table *t = &mfm_paper_tables[i];
        printf("  %-8s", t->name);
        for (int k = 0; k < t->n_rows; k++)
            printf("%s%s", k ? ", " : " ", t->rows[k].name);
        printf("\n          of columns");
        for (int c = 0; c < t->n_columns; c++)
            if (mfm_paper_first_of_key(t, c))
                printf("%s%s", c ? ", " : " ", t->columns[c].key);
        printf("\n");
    }
    printf("Figures, each in the report of these rows:\n");
    for (int i = 0; i < mfm_paper_n_figures; i++) {
        const mfm_paper_figure *f = &mfm_paper_figures[i];
        printf("  %-8s %s of %s: %s\n", f->name, f->rows, f->table, f->where);
    }
    printf(
        "Figures 2 and 6 are drawings, of the method and of the modulator: no run shows them.\n");
}

static const mfm_option_group groups[] = {
    {.title = "Options:", .options = table, .count = sizeof table / sizeof table[0]},
    {.title = NULL}};

static const mfm_option_table reproduce_options = {
    .positional = "TARGET",
    .purpose =
        "Trains what a table or figure of the paper shows (Wang et al., arXiv 2008.03428), and\n"
        "prints the table as Markdown with the published figures beside these; a report of the\n"
        "runs of each column is written. The same command goes on where an earlier one was\n"
        "interrupted; another one, of other epochs or data, wants another --run.",
    .more = print_targets,
    .groups = groups};

static const mfm_paper_table *table_named(const char *name)
{
    for (int i = 0; i < mfm_paper_n_tables; i++)
        if (strcmp(mfm_paper_tables[i].name, name) == 0)
            return &mfm_paper_tables[i];
    return NULL;
}

static int find_target(const char *name, mfm_reproduce *r)
{
    r->target = name;
    r->table = table_named(name);
    for (int i = 0; i < mfm_paper_n_figures && !r->table; i++) {
        const mfm_paper_figure *f = &mfm_paper_figures[i];
        if (strcmp(f->name, name) != 0)
            continue;
        r->table = table_named(f->table);
        r->rows = r->rows ? r->rows : f->rows;
        r->columns = r->columns ? r->columns : f->keys;
        r->prior = f->prior;
    }
    return r->table ? MFM_OK
                    : mfm_fail(r->ctx, MFM_EUSAGE,
                               "unknown target: %.40s: table1 to table6, and the figures that "
                               "'onnx-mfm help reproduce' lists (figures 2 and 6 are drawings)",
                               name);
}

/* "1-3,7". */
static int read_seeds(const char *text, mfm_reproduce *r)
{
    const char *at = text;
    bool good = *at != '\0';
    while (*at && good) {
        char *end;
        const unsigned long long first = strtoull(at, &end, 10);
        unsigned long long last = first;
        good = *at >= '0' && *at <= '9';
        if (good && *end == '-') {
            at = end + 1;
            good = *at >= '0' && *at <= '9';
            last = strtoull(at, &end, 10);
        }
        good &= last >= first && last < INT64_MAX && last - first < MFM_MOST_SEEDS;
        for (unsigned long long seed = first; seed <= last && good; seed++) {
            for (int i = 0; i < r->n_seeds; i++)
                good &= r->seeds[i] != seed;
            good &= r->n_seeds < MFM_MOST_SEEDS;
            if (good)
                r->seeds[r->n_seeds++] = seed;
        }
        good &= *end == '\0' || (*end == ',' && end[1]);
        at = end + (*end == ',');
    }
    return good ? MFM_OK
                : mfm_fail(r->ctx, MFM_EUSAGE,
                           "--seeds: %.80s: expected up to %d different seeds such as 1-5 or 1,3,7",
                           text, MFM_MOST_SEEDS);
}

/* Fashion-MNIST may be where the distribution's package has it. */
static bool has_fashion(const mfm_reproduce *r)
{
    mfm_dataset *dataset;
    const bool there = mfm_dataset_open(r->ctx, "fashion-mnist", MFM_PART_TEST, &dataset) == MFM_OK;
    if (there)
        mfm_dataset_free(r->ctx, dataset);
    return there;
}

static int carry_out(const mfm_reproduce *r, mfm_plan_of_runs *plan)
{
    int status = mfm_reproduce_run(r, plan);
    if (!status)
        status = mfm_reproduce_print(r, plan);
    fflush(stdout);
    if (!status)
        status = mfm_reproduce_report(r, plan);
    for (size_t i = 0; i < plan->count && !status; i++)
        if (plan->item[i].failed)
            status = mfm_fail(r->ctx, MFM_ECHECK, "some runs failed: their logs tell why");
    return status;
}

int mfm_cmd_reproduce(mfm_ctx *ctx, int argc, const char **argv)
{
    options o = {.seeds = "1-3", .folder = "reproduce", .jobs = 1};
    mfm_arguments arguments;
    mfm_plan_of_runs plan = {.item = NULL};
    int status = mfm_options_parse(ctx, &reproduce_options, argc, argv, &o, &arguments);
    mfm_reproduce r = {.ctx = ctx,
                       .rows = o.rows,
                       .columns = o.columns,
                       .epochs = (int)o.epochs,
                       .jobs = (int)o.jobs,
                       .threads = (int)o.threads,
                       .folder = o.folder,
                       .fashion = o.fashion,
                       .cifar10 = o.cifar10,
                       .cifar100 = o.cifar100,
                       .mit67 = o.mit67,
                       .pretrained = o.pretrained};
    if (!status)
        status = find_target(arguments.positional, &r);
    if (!status)
        status = read_seeds(o.seeds, &r);
    if (!status && !r.fashion && has_fashion(&r))
        r.fashion = "fashion-mnist";
    if (!status)
        status = mfm_reproduce_plan(&r, &plan);
    if (!status && !r.table->architecture)
        status = mfm_reproduce_hash_pretrained(&r);
    if (!status)
        status = mfm_reproduce_check_earlier(&r, &plan);
    if (!status)
        status = carry_out(&r, &plan);
    mfm_reproduce_clear(&r, &plan);
    mfm_arguments_free(ctx, &arguments);
    return status;
}
