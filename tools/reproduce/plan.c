#include "tools/reproduce/plan.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/data/sources/dataset.h"
#include "onnx/proto/model.h"
#include "tools/commands/command.h"
#include "tools/files.h"

/* Whether a name stands in a list by commas. */
static bool is_listed(const char *list, const char *name)
{
    const size_t length = strlen(name);
    for (const char *at = list; *at; at += *at == ',') {
        const size_t word = strcspn(at, ",");
        if (word == length && strncmp(at, name, length) == 0)
            return true;
        at += word;
    }
    return false;
}

bool mfm_reproduce_wants(const mfm_reproduce *r, const mfm_paper_row *row)
{
    return !r->rows || is_listed(r->rows, row->name);
}

bool mfm_paper_first_of_key(const mfm_paper_table *table, int column)
{
    for (int c = 0; c < column; c++)
        if (strcmp(table->columns[c].key, table->columns[column].key) == 0)
            return false;
    return true;
}

bool mfm_reproduce_wants_column(const mfm_reproduce *r, const mfm_paper_column *column)
{
    return !r->columns || is_listed(r->columns, column->key);
}

int mfm_reproduce_epochs(const mfm_reproduce *r, const mfm_paper_row *row)
{
    return r->epochs ? r->epochs : row->epochs ? row->epochs : r->table->epochs;
}

enum { NAMES = 256 };

static void add_name(char names[NAMES], const char *name)
{
    const size_t used = strlen(names);
    snprintf(names + used, NAMES - used, "%s%s", used ? ", " : "", name);
}

/* Each name of the list must be one of those by commas. */
static int check_list(const mfm_reproduce *r, const char *option, const char *what,
                      const char *list, const char *names)
{
    for (const char *at = list ? list : ""; *at; at += *at == ',') {
        const size_t length = strcspn(at, ",");
        bool known = false;
        for (const char *name = names; *name && !known; name += strspn(name, ", ")) {
            const size_t end = strcspn(name, ",");
            known = end == length && strncmp(name, at, length) == 0;
            name += end;
        }
        if (!known)
            return mfm_fail(r->ctx, MFM_EUSAGE, "--%s: %.*s: %s has the %s %s", option, (int)length,
                            at, r->table->name, what, names);
        at += length;
    }
    return MFM_OK;
}

static int check_lists(const mfm_reproduce *r)
{
    const mfm_paper_table *t = r->table;
    char rows[NAMES] = "", columns[NAMES] = "";
    for (int i = 0; i < t->n_rows; i++)
        add_name(rows, t->rows[i].name);
    for (int c = 0; c < t->n_columns; c++)
        if (mfm_paper_first_of_key(t, c))
            add_name(columns, t->columns[c].key);
    const int status = check_list(r, "rows", "rows", r->rows, rows);
    return status ? status : check_list(r, "columns", "columns", r->columns, columns);
}

/* ---- data ---- */

typedef struct source {
    const char *name, *option, *where;
} source;

static const source sources[] = {
    {"cifar10", "--cifar10",
     "download the binary version of CIFAR-10 (cifar-10-binary.tar.gz, from the page of the "
     "University of Toronto on CIFAR), unpack it, and give --cifar10 cifar10:FOLDER with its "
     "data_batch_1.bin to 5 and test_batch.bin"},
    {"cifar100", "--cifar100",
     "download the binary version of CIFAR-100 (cifar-100-binary.tar.gz, from the same page as "
     "CIFAR-10), unpack it, and give --cifar100 cifar100:FOLDER with its train.bin and test.bin"},
    {"mit67", "--mit67",
     "download the images of Indoor Scene Recognition, CVPR 2009 (indoorCVPR_09.tar, from the "
     "page of MIT), unpack them, and give --mit67 folder:FOLDER with a folder for each of 67 "
     "classes"},
    {"fashion-mnist", "--fashion-mnist",
     "install dataset-fashion-mnist, or give --fashion-mnist idx:FOLDER"},
};

static const char *data_of(const mfm_reproduce *r, const char *name)
{
    const char *const given[] = {r->cifar10, r->cifar100, r->mit67, r->fashion};
    for (size_t i = 0; i < sizeof sources / sizeof sources[0]; i++)
        if (strcmp(sources[i].name, name) == 0)
            return given[i];
    return NULL;
}

/* Whether what was given is such a dataset, before the first run would fail for it. Photographs are
 * divided as table 4 does; their training images, which would all be decoded, are left alone. */
static int open_data(const mfm_reproduce *r, const source *from, const char *given)
{
    const bool photographs = strcmp(from->name, "mit67") == 0;
    const mfm_dataset_options options = {.test_part = photographs ? 0.4 : 0};
    mfm_dataset *dataset;
    const int status = mfm_dataset_open_with(
        r->ctx, given, &options, MFM_PART_TEST | (photographs ? 0 : MFM_PART_TRAIN), &dataset);
    if (status)
        return mfm_fail_in(r->ctx, status, "%s", from->option);
    mfm_dataset_free(r->ctx, dataset);
    return MFM_OK;
}

static int check_pretrained(const mfm_reproduce *r)
{
    mfm_model *model;
    if (!r->pretrained)
        return mfm_fail(r->ctx, MFM_EUSAGE,
                        "%s needs --pretrained FILE, a VGG-11 trained on ImageNet as ONNX: export "
                        "torchvision's vgg11 with its weights",
                        r->table->name);
    const int status = mfm_model_open(r->ctx, r->pretrained, &model);
    if (status)
        return mfm_fail_in(r->ctx, status, "--pretrained");
    mfm_model_free(model);
    return MFM_OK;
}

static int check_data(const mfm_reproduce *r, const mfm_plan_of_runs *plan)
{
    bool wanted[sizeof sources / sizeof sources[0]] = {false};
    for (size_t i = 0; i < plan->count; i++) {
        const mfm_paper_run *run = &plan->item[i];
        const char *name = run->row->data ? run->row->data : run->column->data;
        for (size_t k = 0; k < sizeof sources / sizeof sources[0]; k++)
            if (strcmp(sources[k].name, name) == 0) {
                wanted[k] = true;
                if (!data_of(r, name))
                    return mfm_fail(r->ctx, MFM_EUSAGE, "%s needs %s: %s", r->table->name, name,
                                    sources[k].where);
            }
    }
    int status = r->table->architecture ? MFM_OK : check_pretrained(r);
    for (size_t k = 0; k < sizeof sources / sizeof sources[0] && !status; k++)
        if (wanted[k])
            status = open_data(r, &sources[k], data_of(r, sources[k].name));
    return status;
}

/* ---- runs ---- */

static bool is_planned(const mfm_plan_of_runs *plan, const char *place)
{
    for (size_t i = 0; i < plan->count; i++)
        if (strcmp(plan->item[i].place, place) == 0)
            return true;
    return false;
}

static int add_run(const mfm_reproduce *r, const mfm_paper_row *row, const mfm_paper_column *column,
                   uint64_t seed, bool shown, mfm_plan_of_runs *plan)
{
    char *place = mfm_format(r->ctx, "%s/%s/%s/%s/seed-%llu", r->folder, r->table->name, row->name,
                             column->key, (unsigned long long)seed);
    if (!place)
        return MFM_ENOMEM;
    if (is_planned(plan, place)) {
        for (size_t i = 0; i < plan->count; i++)
            plan->item[i].shown |= shown && strcmp(plan->item[i].place, place) == 0;
        mfm_free(r->ctx, place);
        return MFM_OK;
    }
    if (mfm_grow(r->ctx, &plan->item, plan->count, &plan->capacity, sizeof *plan->item)) {
        mfm_free(r->ctx, place);
        return MFM_ENOMEM;
    }
    plan->item[plan->count++] = (mfm_paper_run){
        .row = row, .column = column, .seed = seed, .shown = shown, .place = place, .error = NAN};
    return MFM_OK;
}

/* The runs of a row, or of one key those whose modulator another takes. */
static int add_row(const mfm_reproduce *r, const mfm_paper_row *row, const char *key, bool shown,
                   mfm_plan_of_runs *plan)
{
    int status = MFM_OK;
    for (int c = 0; c < r->table->n_columns && !status; c++) {
        const mfm_paper_column *column = &r->table->columns[c];
        if (key ? strcmp(column->key, key) != 0 : !mfm_reproduce_wants_column(r, column))
            continue;
        for (int s = 0; s < r->n_seeds && !status; s++)
            status = add_run(r, row, column, r->seeds[s], shown, plan);
    }
    return status;
}

static const mfm_paper_row *row_named(const mfm_paper_table *table, const char *name)
{
    for (int i = 0; i < table->n_rows; i++)
        if (strcmp(table->rows[i].name, name) == 0)
            return &table->rows[i];
    return NULL;
}

int mfm_reproduce_plan(const mfm_reproduce *r, mfm_plan_of_runs *plan)
{
    const mfm_paper_table *t = r->table;
    *plan = (mfm_plan_of_runs){.item = NULL};
    int status = check_lists(r);
    for (int i = 0; i < t->n_rows && !status; i++)
        if (t->rows[i].from_row && mfm_reproduce_wants(r, &t->rows[i]))
            status =
                add_row(r, row_named(t, t->rows[i].from_row), t->rows[i].from_key, false, plan);
    for (int from = 0; from < 2 && !status; from++)
        for (int i = 0; i < t->n_rows && !status; i++)
            if (mfm_reproduce_wants(r, &t->rows[i]) && (t->rows[i].from_row != NULL) == from)
                status = add_row(r, &t->rows[i], NULL, true, plan);
    return status ? status : check_data(r, plan);
}

void mfm_reproduce_clear(const mfm_reproduce *r, mfm_plan_of_runs *plan)
{
    for (size_t i = 0; i < plan->count; i++)
        mfm_free(r->ctx, plan->item[i].place);
    mfm_free(r->ctx, plan->item);
}

/* Only a run folder that is being written has half a line at its end. */
bool mfm_paper_run_last(mfm_ctx *ctx, const mfm_paper_run *run, int *epoch, double *error)
{
    char *path = mfm_format(ctx, "%s/metrics.jsonl", run->place), *text = NULL;
    size_t size;
    bool known = false;
    if (path && !mfm_read_file(ctx, path, &text, &size)) {
        for (const char *at = text; *at;) {
            const size_t length = strcspn(at, "\n");
            json_t *line = json_loadb(at, length, 0, NULL);
            const json_t *number = json_object_get(line, "test_error");
            if (json_is_number(number)) {
                *epoch = (int)json_integer_value(json_object_get(line, "epoch"));
                *error = json_number_value(number);
                known = true;
            }
            json_decref(line);
            at += length + (at[length] == '\n');
        }
    }
    mfm_free(ctx, text);
    mfm_free(ctx, path);
    return known;
}
