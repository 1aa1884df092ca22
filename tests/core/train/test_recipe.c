/* Recipes as texts: that train takes each is shown by tests/cli/axes.sh. */
#include "core/train/recipes/recipe.h"

#include <stdio.h>
#include <string.h>

#include "tests/suite.h"

enum { MOST_WORDS = 128, TEXT = 2048 };

/* The words of a recipe's options; returns their number. */
static int words_of(const mfm_recipe *recipe, char text[TEXT], char *words[MOST_WORDS])
{
    int count = 0;
    char *at = NULL;
    CU_ASSERT_FATAL(snprintf(text, TEXT, "%s", recipe->options) < TEXT);
    for (char *word = strtok_r(text, " ", &at); word; word = strtok_r(NULL, " ", &at)) {
        CU_ASSERT_FATAL(count < MOST_WORDS);
        words[count++] = word;
    }
    return count;
}

static void every_recipe_names_options_and_values_in_turn(void)
{
    for (const mfm_recipe *r = mfm_recipes; r->name; r++) {
        char text[TEXT], *words[MOST_WORDS];
        const int count = words_of(r, text, words);
        CU_ASSERT_EQUAL(count % 2, 0);
        for (int i = 0; i < count; i++) /* "-1" is a value: "--" begins a name */
            CU_ASSERT_EQUAL(strncmp(words[i], "--", 2) == 0, i % 2 == 0);
        CU_ASSERT_PTR_NULL(strstr(r->options, "  "));
        CU_ASSERT(strlen(r->source) > 0);
    }
}

static void no_recipe_names_an_option_twice(void)
{
    for (const mfm_recipe *r = mfm_recipes; r->name; r++) {
        char text[TEXT], *words[MOST_WORDS];
        const int count = words_of(r, text, words);
        for (int i = 0; i < count; i += 2)
            for (int k = 0; k < i; k += 2)
                if (strcmp(words[i], words[k]) == 0) {
                    fprintf(stderr, "recipe %s: %s twice\n", r->name, words[i]);
                    CU_FAIL("an option twice");
                }
    }
}

static void recipes_have_names_of_their_own(void)
{
    for (const mfm_recipe *r = mfm_recipes; r->name; r++)
        for (const mfm_recipe *s = mfm_recipes; s != r; s++)
            CU_ASSERT_STRING_NOT_EQUAL(r->name, s->name);
}

static const mfm_case cases[] = {
    {"every recipe names options and values in turn",
     every_recipe_names_options_and_values_in_turn},
    {"no recipe names an option twice", no_recipe_names_an_option_twice},
    {"recipes have names of their own", recipes_have_names_of_their_own},
};
MFM_SUITE("core/train/recipe", cases)
