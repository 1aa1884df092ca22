/* A table as Markdown: the paper's figures, and beside them what has been trained. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tools/reproduce/plan.h"

typedef struct cell {
    double mean, deviation;
    int runs, failed;
} cell;

static int find_cell(const mfm_reproduce *r, const mfm_plan_of_runs *plan, const mfm_paper_row *row,
                     const mfm_paper_column *column, cell *c)
{
    double errors[MFM_MOST_SEEDS], squares = 0;
    *c = (cell){.mean = 0};
    for (size_t i = 0; i < plan->count; i++) {
        const mfm_paper_run *run = &plan->item[i];
        if (run->row != row || strcmp(run->column->key, column->key) != 0)
            continue;
        double error = run->error;
        if (!run->failed && column->prior) {
            const int status = mfm_reproduce_test(r, run, column->prior, &error);
            if (status)
                return status;
        }
        if (run->failed || isnan(error))
            c->failed++;
        else
            errors[c->runs++] = error;
    }
    for (int i = 0; i < c->runs; i++)
        c->mean += errors[i] / c->runs;
    for (int i = 0; i < c->runs; i++)
        squares += (errors[i] - c->mean) * (errors[i] - c->mean);
    c->deviation = c->runs > 1 ? sqrt(squares / (c->runs - 1)) : NAN;
    return MFM_OK;
}

static void print_cell(const cell *c)
{
    if (c->runs > 0)
        printf(" %.2f", c->mean);
    if (!isnan(c->deviation))
        printf(" ± %.2f", c->deviation);
    if (c->failed > 0)
        printf(" (%d failed)", c->failed);
    printf(" |");
}

static void print_head(const mfm_reproduce *r)
{
    printf("%s\n\n| |", r->table->title);
    for (int c = 0; c < r->table->n_columns; c++)
        if (mfm_reproduce_wants_column(r, &r->table->columns[c]))
            printf(" %s, paper | here |", r->table->columns[c].name);
    printf(" epochs |\n|---|");
    for (int c = 0; c < r->table->n_columns; c++)
        if (mfm_reproduce_wants_column(r, &r->table->columns[c]))
            printf("---|---|");
    printf("---|\n");
}

static int print_row(const mfm_reproduce *r, const mfm_plan_of_runs *plan, const mfm_paper_row *row,
                     int note)
{
    const int of = row->epochs ? row->epochs : r->table->epochs;
    const int epochs = mfm_reproduce_epochs(r, row);
    printf("| %s", row->label);
    if (note)
        printf(" [%d]", note);
    printf(" |");
    for (int c = 0; c < r->table->n_columns; c++) {
        cell found;
        if (!mfm_reproduce_wants_column(r, &r->table->columns[c]))
            continue;
        const int status = find_cell(r, plan, row, &r->table->columns[c], &found);
        if (status)
            return status;
        printf(" %s |", row->paper[c] ? row->paper[c] : "");
        print_cell(&found);
    }
    if (epochs == of)
        printf(" %d |\n", epochs);
    else
        printf(" %d of %d |\n", epochs, of);
    return MFM_OK;
}

int mfm_reproduce_print(const mfm_reproduce *r, const mfm_plan_of_runs *plan)
{
    const mfm_paper_table *t = r->table;
    int notes = 0, status = MFM_OK;
    print_head(r);
    for (int i = 0; i < t->n_rows && !status; i++)
        if (mfm_reproduce_wants(r, &t->rows[i])) {
            notes += t->rows[i].note != NULL;
            status = print_row(r, plan, &t->rows[i], t->rows[i].note ? notes : 0);
        }
    printf("\nError of the last epoch in percent; %d %s.\n", r->n_seeds,
           r->n_seeds > 1
               ? "seeds, each with its own split, mean and standard deviation of a sample"
               : "seed");
    if (t->note)
        printf("%s\n", t->note);
    notes = 0;
    for (int i = 0; i < t->n_rows; i++)
        if (mfm_reproduce_wants(r, &t->rows[i]) && t->rows[i].note)
            printf("\n[%d] %s.\n", ++notes, t->rows[i].note);
    return status;
}
