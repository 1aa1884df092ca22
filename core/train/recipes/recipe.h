/*
 * Published settings as options of `onnx-mfm train`: what a paper or its code says, to be printed,
 * changed option by option and cited. Adding one: a line in recipes/recipes.def.
 */
#ifndef MFM_RECIPE_H
#define MFM_RECIPE_H

typedef struct mfm_recipe {
    const char *name;
    const char *options; /* "--loss ldam --batch 128": words apart by one space */
    const char *source;
} mfm_recipe;

/* Ended by one without name. */
extern const mfm_recipe mfm_recipes[];

#endif
