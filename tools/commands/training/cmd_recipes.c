/* recipes: published settings, as options of train with their source. */
#include <stdio.h>
#include <string.h>

#include "core/train/recipes/recipe.h"
#include "onnx/proto/nearest.h"
#include "tools/options/options.h"
#include "tools/show/print_json.h"

enum { MOST_RECIPES = 256 };

typedef struct options {
    const char *name;
    bool json;
} options;

static const mfm_option table[] = {
    {.name = "name",
     .kind = MFM_OPTION_STRING,
     .value = "RECIPE",
     .offset = offsetof(options, name),
     .help = "only this recipe"},
    MFM_JSON_OPTION(options, json),
};

static const mfm_option_table recipes_options = {
    .purpose =
        "Lists recipes: named options of train, with their source. --recipe NAME takes them;\n"
        "options that are given besides take precedence. The model, the data and its imbalance "
        "are\n"
        "always your own: published numbers are of ResNet-32 on long-tailed CIFAR.",
    .groups = (const mfm_option_group[]){
        {.title = "Options:", .options = table, .count = sizeof table / sizeof table[0]},
        {.title = NULL}}};

static bool wanted(const options *o, const mfm_recipe *r)
{
    return !o->name || strcmp(o->name, r->name) == 0;
}

static int check_name(mfm_ctx *ctx, const options *o)
{
    const char *names[MOST_RECIPES];
    size_t count = 0;
    for (const mfm_recipe *r = mfm_recipes; r->name && count < MOST_RECIPES; r++) {
        if (o->name && wanted(o, r))
            return MFM_OK;
        names[count++] = r->name;
    }
    char near[MFM_SUGGEST_TEXT];
    return o->name ? mfm_fail(ctx, MFM_EUSAGE, "--name: unknown recipe %.80s%s", o->name,
                              mfm_suggest(o->name, names, count, near))
                   : MFM_OK;
}

static int print_recipes_json(mfm_ctx *ctx, const options *o)
{
    json_t *all = json_array();
    for (const mfm_recipe *r = mfm_recipes; r->name; r++)
        if (wanted(o, r))
            json_array_append_new(all, json_pack("{s:s, s:s, s:s}", "name", r->name, "options",
                                                 r->options, "source", r->source));
    return mfm_print_json(ctx, all);
}

static void print_recipes(const options *o)
{
    for (const mfm_recipe *r = mfm_recipes; r->name; r++)
        if (wanted(o, r))
            printf("%s%s\n  %s\n  %s\n", r == mfm_recipes || o->name ? "" : "\n", r->name,
                   r->options, r->source);
}

int mfm_cmd_recipes(mfm_ctx *ctx, int argc, const char **argv)
{
    options o = {.name = NULL};
    mfm_arguments arguments;
    int status = mfm_options_parse(ctx, &recipes_options, argc, argv, &o, &arguments);
    if (!status)
        status = check_name(ctx, &o);
    if (!status && o.json)
        status = print_recipes_json(ctx, &o);
    else if (!status)
        print_recipes(&o);
    mfm_arguments_free(ctx, &arguments);
    return status;
}
