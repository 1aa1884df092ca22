/* A recipe's options, where the command line does not give them. */
#include <string.h>

#include "core/train/recipes/recipe.h"
#include "onnx/proto/nearest.h"
#include "tools/options/option_parts.h"
#include "tools/train/job/train_options.h"

enum { MOST_RECIPES = 256 };

static int take_option(mfm_ctx *ctx, const mfm_form *form, const char *recipe, const char *name,
                       const char *value, mfm_train_arguments *a, mfm_arguments *given)
{
    mfm_option_entry entry;
    for (size_t i = 0; mfm_option_at(&form->table, i, &entry); i++) {
        if (strcmp(entry.option->name, name) != 0)
            continue;
        char *copy = mfm_arguments_own(ctx, given, value);
        if (!copy)
            return MFM_ENOMEM;
        return given->given[i]
                   ? MFM_OK
                   : mfm_option_set(ctx, entry.option, copy, true, (char *)a + entry.offset);
    }
    return mfm_fail(ctx, MFM_EUSAGE, "--recipe %s: it names the option --%s: train has none",
                    recipe, name);
}

/* "--name value --name value" */
static int take_options(mfm_ctx *ctx, const mfm_form *form, const mfm_recipe *recipe,
                        mfm_train_arguments *a, mfm_arguments *given)
{
    char *text = mfm_strdup(ctx, recipe->options), *at = NULL;
    int status = text ? MFM_OK : MFM_ENOMEM;
    char *name = text ? strtok_r(text, " ", &at) : NULL;
    while (name && !status) {
        const char *value = strtok_r(NULL, " ", &at);
        status = take_option(ctx, form, recipe->name, name + strspn(name, "-"), value ? value : "",
                             a, given);
        name = strtok_r(NULL, " ", &at);
    }
    mfm_free(ctx, text);
    return status;
}

int mfm_train_take_recipe(mfm_ctx *ctx, const mfm_form *form, mfm_train_arguments *a,
                          mfm_arguments *given)
{
    const char *names[MOST_RECIPES];
    size_t count = 0;
    if (!a->recipe)
        return MFM_OK;
    for (const mfm_recipe *r = mfm_recipes; r->name; r++) {
        if (strcmp(r->name, a->recipe) == 0)
            return take_options(ctx, form, r, a, given);
        if (count < MOST_RECIPES)
            names[count++] = r->name;
    }
    char near[MFM_SUGGEST_TEXT];
    return mfm_fail(ctx, MFM_EUSAGE, "--recipe: unknown recipe %.80s%s", a->recipe,
                    mfm_suggest(a->recipe, names, count, near));
}
