/* Layers of hand-made models: what there are, what selectors choose, and what is warned of. */
#ifndef MFM_TESTS_LOOKED_H
#define MFM_TESTS_LOOKED_H

#include <CUnit/Basic.h>
#include <stdio.h>
#include <string.h>

#include "onnx/layers/layers.h"
#include "tests/onnx/hand.h"

static mfm_ctx *ctx;
static char warning[512];

static inline void keep_warning(void *self, const char *line)
{
    (void)self;
    snprintf(warning, sizeof warning, "%s", line);
}

static inline mfm_layers *look(const mfm_model *model)
{
    mfm_layers *layers = NULL;
    CU_ASSERT_EQUAL_FATAL(mfm_layers_new(ctx, model, &layers), MFM_OK);
    return layers;
}

/* What the selectors choose, as "1 3", or the message. */
static inline const char *chosen(const mfm_layers *found, const char *const *selectors,
                                 size_t count)
{
    static char text[2048];
    size_t *picked = NULL, n = 0;
    if (mfm_layers_select(ctx, found, selectors, count, &picked, &n))
        return mfm_message(ctx);
    text[0] = '\0';
    for (size_t i = 0; i < n; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%zu", i ? " " : "", picked[i]);
    mfm_free(ctx, picked);
    return text;
}

#define CHOSEN(found, ...)                                                                         \
    chosen(found, (const char *const[]){__VA_ARGS__},                                              \
           sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *))

static inline bool is_part(const mfm_layers *found, size_t layer, mfm_layer_part part)
{
    return layer < found->n_layers && found->layers[layer].part == part;
}

/* x -> conv, Relu: r [n,4,8,8]. */
static inline mfm_model *begin_net(void)
{
    ctx = mfm_ctx_new(NULL);
    mfm_ctx_on_warning(ctx, keep_warning, NULL);
    warning[0] = '\0';
    mfm_model *m = hand_model(ctx, 8, 13);
    hand_input(m, "x", HAND_DIMS(-1, 3, 8, 8));
    hand_weight(m, "w0", HAND_DIMS(4, 3, 1, 1));
    hand_weight(m, "w", HAND_DIMS(4, 4, 1, 1));
    hand_weight(m, "g", HAND_DIMS(4, 5));
    hand_node(m, "Conv", "", "x w0", "c0");
    hand_node(m, "Relu", "", "c0", "r");
    return m;
}

static inline mfm_layers *end_net(mfm_model *m, const char *features)
{
    hand_node(m, "GlobalAveragePool", "", features, "pool");
    hand_node(m, "Flatten", "", "pool", "flat");
    hand_node(m, "MatMul", "", "flat g", "logits");
    hand_output(m, "logits", HAND_DIMS(-1, 5));
    return look(m);
}

static inline void free_net(mfm_model *m, mfm_layers *found)
{
    mfm_layers_free(found);
    mfm_model_free(m);
    mfm_ctx_free(ctx);
}

#endif
