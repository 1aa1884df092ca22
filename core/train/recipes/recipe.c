#include "core/train/recipes/recipe.h"

#include <stddef.h>

/* Protocols that several recipes share. */
#define CAO                                                                                        \
    "--method base --epochs 200 --batch 128 --lr 0.1 --momentum 0.9 --weight-decay 2e-4 "          \
    "--warmup 5 --schedule steps --milestones 160,180 --lr-decay 0.01 --augment shift:4,flip"
#define WANG "--weight-decay 5e-4 " WANG_STEPS
#define WANG_STEPS                                                                                 \
    "--epochs 200 --batch 100 --lr 0.1 --momentum 0.9 --schedule steps --milestones 160,180 "      \
    "--lr-decay 0.1 --augment shift:4,flip"
#define KANG                                                                                       \
    "--sampler class-balanced --batch 512 --lr 0.2 --momentum 0.9 --weight-decay 5e-4 "            \
    "--schedule cosine --augment shift:4,flip"

#define MFM_RECIPE(name, options, source) {name, options, source},
const mfm_recipe mfm_recipes[] = {
#include "core/train/recipes/recipes.def"
#include "extra/recipes.def"
    {NULL, NULL, NULL}};
#undef MFM_RECIPE
