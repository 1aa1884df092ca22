/* Imports of hand-made models: what came of it, and models to import. */
#ifndef MFM_TESTS_IMPORTED_H
#define MFM_TESTS_IMPORTED_H

#include <CUnit/Basic.h>
#include <stdio.h>
#include <string.h>

#include "onnx/import/import.h"
#include "tests/onnx/hand.h"

/* A model under test; the context is the test's own. */
typedef struct imported {
    mfm_ctx *ctx;
    mfm_model *model;
    mfm_network *network;
} imported;

static inline imported start(int64_t ir_version, int64_t opset)
{
    imported t = {.ctx = mfm_ctx_new(NULL)};
    CU_ASSERT_PTR_NOT_NULL_FATAL(t.ctx);
    t.model = hand_model(t.ctx, ir_version, opset);
    return t;
}

static inline void finish(imported *t)
{
    mfm_network_free(t->ctx, t->network);
    mfm_model_free(t->model);
    mfm_ctx_free(t->ctx);
}

static inline bool imports(imported *t)
{
    const int status = mfm_model_import(t->ctx, t->model, &t->network);
    if (status)
        printf("\n    %s\n", mfm_message(t->ctx));
    return !status;
}

/* The import fails with that code, and its message has every word of the list, ended by NULL. */
static inline bool is_refused(imported *t, int code, const char *const *words)
{
    const int status = mfm_model_import(t->ctx, t->model, &t->network);
    bool good = status == code && t->network == NULL && mfm_code(t->ctx) == code;
    for (; good && *words; words++)
        good = strstr(mfm_message(t->ctx), *words) != NULL;
    if (!good)
        printf("\n    %d: %s\n", status, status ? mfm_message(t->ctx) : "imported");
    return good;
}
#define REFUSED(t, code, ...) is_refused(t, code, (const char *const[]){__VA_ARGS__, NULL})

/* The value of that name when it is of that kind; NULL. */
static inline const mfm_value *value_of(const imported *t, const char *name,
                                        enum mfm_value_kind kind)
{
    for (size_t i = 0; i < t->network->graph->n_values; i++) {
        const mfm_value *value = &t->network->graph->values[i];
        if (value->kind == kind && strcmp(value->name, name) == 0)
            return value;
    }
    return NULL;
}

static inline size_t count_kind(const imported *t, enum mfm_value_kind kind)
{
    size_t count = 0;
    for (size_t i = 0; i < t->network->graph->n_values; i++)
        count += t->network->graph->values[i].kind == kind;
    return count;
}

/* Numbers of all values of a kind. */
static inline int64_t count_numbers(const mfm_graph *graph, enum mfm_value_kind kind)
{
    int64_t total = 0;
    for (size_t i = 0; i < graph->n_values; i++)
        if (graph->values[i].kind == kind)
            total += mfm_shape_count(&graph->values[i].shape);
    return total;
}

static inline bool logits_are(const imported *t, int64_t batch, int64_t classes)
{
    mfm_shape *shapes = mfm_alloc(t->ctx, t->network->graph->n_values, sizeof *shapes);
    if (!shapes || mfm_graph_shapes(t->network->graph, batch, false, shapes)) {
        mfm_free(t->ctx, shapes);
        return false;
    }
    const mfm_shape shape = shapes[t->network->logits];
    mfm_free(t->ctx, shapes);
    return shape.rank == 2 && shape.dim[0] == batch && shape.dim[1] == classes &&
           t->network->classes == classes;
}

/* x [-1,3,4,4] -> c, a 1x1 convolution to 4 channels. */
static inline void hand_conv(mfm_model *m)
{
    hand_input(m, "x", HAND_DIMS(-1, 3, 4, 4));
    hand_weight(m, "w", HAND_DIMS(4, 3, 1, 1));
    hand_node(m, "Conv", "conv", "x w", "c");
}

/* from [n,4,4,4] -> logits [n,5] */
static inline void hand_head(mfm_model *m, const char *from)
{
    hand_weight(m, "fc", HAND_DIMS(4, 5));
    hand_node(m, "GlobalAveragePool", "pool", from, "p");
    hand_node(m, "Flatten", "flat", "p", "f");
    hand_node(m, "MatMul", "matmul", "f fc", "logits");
    hand_output(m, "logits", HAND_DIMS(-1, 5));
}

#endif
