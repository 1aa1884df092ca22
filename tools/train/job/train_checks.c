/* What goes together in a run, and what does not. */
#include <stdio.h>

#include "core/train/bilevel/meta_step.h"
#include "core/train/problem/class_weights.h"
#include "tools/train/job/train_options.h"

enum { TRANSFER = 2 };
static const char *const transfer[TRANSFER] = {"modulator", "map"};

/* A network to start from, for a method whose modulators have none. */
static int refuse_transfer(mfm_ctx *ctx, const mfm_form *form, const mfm_method *method,
                           const mfm_arguments *given)
{
    for (size_t i = 0; i < TRANSFER && method->free_modulation; i++)
        if (mfm_option_given(&form->table, given, transfer[i]))
            return mfm_fail(ctx, MFM_EUSAGE,
                            "--%s: the method %s trains parameters of each image, no network that "
                            "could start from a file",
                            transfer[i], method->name);
    return MFM_OK;
}

/* Options of a modulator, for a method that trains none. */
static int refuse_modulator(mfm_ctx *ctx, const mfm_form *form, const mfm_method *method,
                            const mfm_arguments *given)
{
    const char *option = NULL;
    for (size_t i = 0; i < MFM_INJECT_OPTIONS && !option; i++)
        if (mfm_option_given(&form->table, given, mfm_inject_table[i].name))
            option = mfm_inject_table[i].name;
    for (size_t i = 0; i < TRANSFER && !option; i++)
        if (mfm_option_given(&form->table, given, transfer[i]))
            option = transfer[i];
    if (method->needs_modulator || !option)
        return MFM_OK;
    char names[MFM_GROUP_TITLE] = "";
    for (size_t i = 0, used = 0; mfm_methods[i] && used < sizeof names; i++)
        if (mfm_methods[i]->needs_modulator)
            used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", used ? ", " : "",
                                     mfm_methods[i]->name);
    return mfm_fail(ctx, MFM_EUSAGE, "--%s: the method %s trains no modulator: these do: %s",
                    option, method->name, names);
}

int mfm_train_check_modulator(mfm_ctx *ctx, const mfm_form *form, const mfm_method *method,
                              const mfm_arguments *given)
{
    const int status = refuse_modulator(ctx, form, method, given);
    return status ? status : refuse_transfer(ctx, form, method, given);
}

int mfm_train_check_arrays(mfm_ctx *ctx, const mfm_train_options *options,
                           const mfm_preprocess *preprocess)
{
    const mfm_array_form *array = preprocess->array;
    if (!array || array->row.rank == 3 || !options->mixing || !options->mixing->pastes)
        return MFM_OK;
    return mfm_fail(ctx, MFM_EUSAGE,
                    "--mix %s: it pastes areas of images, which these rows have not: mixup and "
                    "remix mix any numbers",
                    options->mixing->name);
}

void mfm_train_warn_twice(mfm_ctx *ctx, const mfm_train_options *o)
{
    const mfm_class_weights *w = mfm_values_of(o->chosen, &mfm_class_weights_settings);
    const char *by[8];
    int count = 0;
    if (o->method->rebalances)
        by[count++] = o->method->name;
    if (o->loss->rebalances)
        by[count++] = o->loss->name;
    if (w->form != MFM_WEIGHTS_NONE)
        by[count++] = "class weights";
    if (o->sampler->rebalances)
        by[count++] = o->sampler->name;
    if (o->finishing && o->finishing->rebalances)
        by[count++] = o->finishing->name;
    if (count > 1 && (o->method->rebalances || o->sampler->rebalances ||
                      (o->finishing && o->finishing->rebalances)))
        mfm_warn(ctx, "rare classes are favoured %s, by %s and %s%s%s: one of these is usual",
                 count > 2 ? "several times" : "twice", by[0], by[1], count > 2 ? " and " : "",
                 count > 2 ? by[2] : "");
}

void mfm_train_warn_of_no_meta_step(mfm_ctx *ctx, const mfm_run_facts *run)
{
    const mfm_method *method = run->options->method;
    bool steps = false;
    for (int i = 0; method->settings && method->settings[i]; i++)
        steps |= method->settings[i] == &mfm_meta_steps_settings;
    if (steps && mfm_method_reads_meta(run->options) && mfm_no_meta_steps(run))
        mfm_warn(ctx,
                 "no epoch of this run has meta steps: what the method %s learns by them stays as "
                 "it starts: --meta-from-epoch tells the first",
                 method->name);
}

static bool is_changed(const mfm_problem *problem, int param)
{
    const mfm_value *v = param < 0 ? NULL : &problem->main->values[param];
    return v && (!v->trainable || v->rate != 1);
}

void mfm_train_warn_of_roles(mfm_ctx *ctx, const mfm_form *form, const mfm_method *method,
                             const mfm_problem *problem, const mfm_arguments *given)
{
    static const char *const choices[] = {"freeze-before", "freeze",   "train-only",
                                          "free",          "lr-scale", NULL};
    const mfm_classifier *c = &problem->classifier;
    const bool features_fixed = problem->images < 0; /* statistics included */
    const mfm_option_table *table = &form->table;
    const bool undone =
        mfm_option_given(table, given, "free") && /* what another has frozen */
        (mfm_option_given(table, given, "freeze") || mfm_option_given(table, given, "train-only"));
    if (method->last_layer_alone && features_fixed && !undone && !is_changed(problem, c->weight) &&
        !is_changed(problem, c->bias))
        mfm_options_no_effect(ctx, table, given, choices,
                              "the method trains the last layer alone, and that anyway");
}
