#include "tools/edit/edit.h"

#include <inttypes.h>
#include <stdio.h>

#include "tools/commands/command.h"
#include "tools/infer/model_values.h"
#include "tools/show/printable.h"
#include "tools/show/text_table.h"

/* Sums in another order may differ in the last digits; what is left out, or changed, is far off. */
static const double MOST_APART = 1e-5;

int mfm_edit_begin(mfm_ctx *ctx, const mfm_model *model, uint64_t verify, mfm_edit *edit)
{
    *edit = (mfm_edit){.ctx = ctx, .verify = (size_t)verify};
    edit->path = mfm_strdup(ctx, mfm_model_path(model));
    int status = edit->path ? mfm_model_facts_new(ctx, model, &edit->before) : MFM_ENOMEM;
    if (!status && verify)
        status = mfm_model_copy(ctx, model, &edit->original);
    /* Names and ports are borrowed from the model, which is about to change: counts are kept. */
    if (edit->before)
        edit->before->graph = edit->before->producer = edit->before->producer_version = "";
    return status;
}

/* The model is one that may change. */
static int values_of(const mfm_edit *edit, mfm_model *model, const char *value,
                     mfm_model_value *found)
{
    const int status = mfm_model_values(edit->ctx, model, edit->verify, &value, 1, found);
    return status ? mfm_fail_in(edit->ctx, status, "--verify") : MFM_OK;
}

static int verify(mfm_edit *edit, const mfm_model *model, const char *value)
{
    mfm_model_value before = {.numbers = NULL}, after = {.numbers = NULL};
    mfm_model *copy = NULL;
    int status = values_of(edit, edit->original, value, &before);
    if (!status)
        status = mfm_model_copy(edit->ctx, model, &copy);
    if (!status)
        status = values_of(edit, copy, value, &after);
    if (!status)
        edit->apart = mfm_model_value_apart(&after, &before);
    mfm_model_values_free(edit->ctx, &before, 1);
    mfm_model_values_free(edit->ctx, &after, 1);
    mfm_model_free(copy);
    return status;
}

int mfm_edit_judge(mfm_edit *edit, const mfm_model *model, const char *what)
{
    if (edit->verify && !(edit->apart <= MOST_APART))
        return mfm_fail(edit->ctx, MFM_ECHECK,
                        "--verify: %s: %s differ by %.3g of the largest number over %zu images, "
                        "more than %g: nothing was written",
                        edit->path, what, edit->apart, edit->verify, MOST_APART);
    return mfm_model_facts_new(edit->ctx, model, &edit->after);
}

int mfm_edit_end(mfm_edit *edit, const mfm_model *model, const char *value)
{
    const int status = edit->verify ? verify(edit, model, value) : MFM_OK;
    return status ? status : mfm_edit_judge(edit, model, value ? value : "the logits");
}

static void add_row(mfm_text_table *t, const char *what, uint64_t before, uint64_t after)
{
    mfm_text_table_add(t, "%s", what);
    mfm_text_table_add(t, "%" PRIu64, before);
    mfm_text_table_add(t, "%" PRIu64, after);
    mfm_text_table_add(t, "%+" PRId64, (int64_t)after - (int64_t)before);
}

int mfm_edit_print(const mfm_edit *edit)
{
    const mfm_model_facts *b = edit->before, *a = edit->after;
    mfm_text_table t;
    mfm_text_table_init(&t, edit->ctx, "lrrr");
    mfm_text_table_add(&t, "%s", "");
    mfm_text_table_add(&t, "before");
    mfm_text_table_add(&t, "after");
    mfm_text_table_add(&t, "%s", "");
    add_row(&t, "nodes", b->n_nodes, a->n_nodes);
    add_row(&t, "initialisers", b->n_initializers, a->n_initializers);
    add_row(&t, "elements", b->elements, a->elements);
    add_row(&t, "inputs", b->n_inputs, a->n_inputs);
    add_row(&t, "outputs", b->n_outputs, a->n_outputs);
    printf("\n");
    const int status = mfm_text_table_print(&t);
    if (!status && edit->verify)
        printf("verified over %zu random images: differ by %.3g of the largest number\n",
               edit->verify, edit->apart);
    return status;
}

void mfm_edit_clear(mfm_edit *edit)
{
    if (!edit->ctx)
        return;
    mfm_model_facts_free(edit->ctx, edit->before);
    mfm_model_facts_free(edit->ctx, edit->after);
    mfm_model_free(edit->original);
    mfm_free(edit->ctx, edit->path);
    edit->ctx = NULL;
}
