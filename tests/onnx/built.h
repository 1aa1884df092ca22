/* Looks into models under test, and an allocator that counts and refuses. */
#ifndef MFM_TESTS_BUILT_H
#define MFM_TESTS_BUILT_H

#include <CUnit/Basic.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "onnx/proto/proto.h"

typedef struct counting {
    long requests, live;
    long refuse; /* the number of the request to refuse, from 1; 0 for none */
} counting;

static inline void *counting_alloc(void *self, size_t size)
{
    counting *c = self;
    if (++c->requests == c->refuse)
        return NULL;
    void *pointer = malloc(size);
    c->live += pointer != NULL;
    return pointer;
}

static inline void counting_free(void *self, void *pointer)
{
    counting *c = self;
    c->live -= pointer != NULL;
    free(pointer);
}

static inline bool ends_with(const char *text, const char *end)
{
    const size_t n = strlen(text), m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

/* The numbers that an optimiser would train: weights and biases. */
static inline int64_t count_parameters(const mfm_model *model)
{
    const Onnx__GraphProto *graph = model->proto->graph;
    int64_t total = 0;
    for (size_t i = 0; i < graph->n_initializer; i++) {
        const Onnx__TensorProto *t = graph->initializer[i];
        if (ends_with(t->name, ".weight") || ends_with(t->name, ".bias"))
            total += (int64_t)(t->raw_data.len / sizeof(float));
    }
    return total;
}

static inline const Onnx__NodeProto *node_named(const mfm_model *model, const char *name)
{
    const Onnx__GraphProto *graph = model->proto->graph;
    for (size_t i = 0; i < graph->n_node; i++)
        if (strcmp(graph->node[i]->name, name) == 0)
            return graph->node[i];
    return NULL;
}

static inline size_t count_nodes(const mfm_model *model, const char *op_type)
{
    const Onnx__GraphProto *graph = model->proto->graph;
    size_t count = 0;
    for (size_t i = 0; i < graph->n_node; i++)
        count += strcmp(graph->node[i]->op_type, op_type) == 0;
    return count;
}

/* Whether the float initialiser's standard deviation and mean are those of count independent draws,
 * within four standard errors: deviation / sqrt(2 count) and deviation / sqrt(count). */
static inline bool is_normal(const mfm_model *model, const char *name, double deviation)
{
    const Onnx__TensorProto *t = mfm_proto_initializer(model, name);
    if (!t)
        return false;
    const size_t count = t->raw_data.len / sizeof(float);
    double sum = 0, squares = 0;
    for (size_t i = 0; i < count; i++) {
        float w;
        memcpy(&w, t->raw_data.data + i * sizeof w, sizeof w);
        sum += w;
        squares += (double)w * w;
    }
    const double n = (double)count, mean = sum / n;
    const double measured = sqrt(squares / n - mean * mean);
    return fabs(measured - deviation) < 4 * deviation / sqrt(2 * n) &&
           fabs(mean) < 4 * deviation / sqrt(n);
}

/* Whether every element is `value`. */
static inline bool is_constant(const mfm_model *model, const char *name, float value)
{
    const Onnx__TensorProto *t = mfm_proto_initializer(model, name);
    if (!t || t->raw_data.len == 0)
        return false;
    for (size_t i = 0; i < t->raw_data.len; i += sizeof value)
        if (memcmp(t->raw_data.data + i, &value, sizeof value) != 0)
            return false;
    return true;
}

static inline bool has_ints(const mfm_model *model, const char *name, const int64_t *expected,
                            size_t count)
{
    const Onnx__TensorProto *t = mfm_proto_initializer(model, name);
    return t && t->data_type == ONNX__TENSOR_PROTO__DATA_TYPE__INT64 &&
           t->raw_data.len == count * sizeof *expected &&
           memcmp(t->raw_data.data, expected, t->raw_data.len) == 0;
}

#endif
