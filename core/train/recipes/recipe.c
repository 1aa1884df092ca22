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
#define WANG_MFM                                                                                   \
    "--method mfm --loss cross-entropy --modulator-optimizer sgd --modulator-lr 0.01 "             \
    "--meta-batch 100 "
#define WANG_MODULATOR                                                                             \
    "the modulator's optimiser and rate are this project's (docs/results.md): the paper's rate "   \
    "is 1e-3, its optimiser is not told"
#define SCENES                                                                                     \
    "--epochs 90 --batch 40 --lr 0.01 --momentum 0.9 --weight-decay 1e-4 --schedule steps "        \
    "--milestones 30,60 --lr-decay 0.1 --augment flip"
#define SCENES_META "--meta-from copy --meta-per-class 20 --meta-batch 40 "
#define SCENES_MFM                                                                                 \
    "--method mfm --loss cross-entropy --hidden 256 --modulator-optimizer sgd "                    \
    "--modulator-lr 0.01 " SCENES_META
#define KANG                                                                                       \
    "--sampler class-balanced --batch 512 --lr 0.2 --momentum 0.9 --weight-decay 5e-4 "            \
    "--schedule cosine --augment shift:4,flip"

#define MFM_RECIPE(name, options, source) {name, options, source},
const mfm_recipe mfm_recipes[] = {
#include "core/train/recipes/recipes.def"
#include "extra/recipes.def"
    {NULL, NULL, NULL}};
#undef MFM_RECIPE
