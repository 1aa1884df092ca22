/* Parameters of a graph: where their numbers lie, with the graph or later. */
#include "core/engine/graph.h"

#include <string.h>

#include "tests/suite.h"

static mfm_ctx *ctx;
static mfm_graph *graph;

static void begin(void)
{
    ctx = mfm_ctx_new(NULL);
    CU_ASSERT_EQUAL_FATAL(mfm_graph_new(ctx, &graph), MFM_OK);
}

static void end(void)
{
    mfm_graph_free(graph);
    mfm_ctx_free(ctx);
}

static int add(const char *name, int count, const real *data)
{
    const mfm_shape shape = mfm_shape_of(1, count);
    int value;
    return mfm_graph_param(graph, name, &shape, data, &value);
}

static const real numbers[20] = {1,  2,  3,  4,  5,  6,  7,  8,  9,  10,
                                 11, 12, 13, 14, 15, 16, 17, 18, 19, 20};

/* 64-byte boundaries, zeros between. */
static void test_with_numbers(void)
{
    const size_t step = 64 / sizeof(real), second = (20 + step - 1) / step * step;
    begin();
    CU_ASSERT_EQUAL_FATAL(add("a", 20, numbers), MFM_OK);
    CU_ASSERT_EQUAL_FATAL(add("b", 3, numbers), MFM_OK);
    CU_ASSERT_EQUAL(graph->values[1].offset, second);
    CU_ASSERT_EQUAL(graph->params_size, second + step);
    CU_ASSERT_EQUAL(memcmp(graph->params, numbers, sizeof numbers), 0);
    for (size_t i = 20; i < second; i++)
        CU_ASSERT_EQUAL(graph->params[i], 0);
    CU_ASSERT_EQUAL(memcmp(graph->params + second, numbers, 3 * sizeof *numbers), 0);
    end();
}

static void test_without_numbers(void)
{
    const size_t step = 64 / sizeof(real), second = (20 + step - 1) / step * step;
    begin();
    CU_ASSERT_EQUAL_FATAL(add("a", 20, NULL), MFM_OK);
    CU_ASSERT_EQUAL_FATAL(add("b", 3, NULL), MFM_OK);
    CU_ASSERT_PTR_NULL(graph->params);
    CU_ASSERT_EQUAL(graph->values[1].offset, second);
    CU_ASSERT_EQUAL(graph->params_size, second + step);
    CU_ASSERT_EQUAL_FATAL(mfm_graph_alloc_params(graph), MFM_OK);
    CU_ASSERT_PTR_NOT_NULL_FATAL(graph->params);
    for (size_t i = 20; i < second; i++)
        CU_ASSERT_EQUAL(graph->params[i], 0);
    for (size_t i = second + 3; i < graph->params_size; i++)
        CU_ASSERT_EQUAL(graph->params[i], 0);
    end();
}

static void test_mixed(void)
{
    begin();
    CU_ASSERT_EQUAL_FATAL(add("a", 20, NULL), MFM_OK);
    CU_ASSERT_EQUAL(add("b", 3, numbers), MFM_EINVAL);
    CU_ASSERT_PTR_NOT_NULL(strstr(mfm_message(ctx), "parameter 'b'"));
    end();
    begin();
    CU_ASSERT_EQUAL_FATAL(add("a", 20, numbers), MFM_OK);
    CU_ASSERT_EQUAL(add("b", 3, NULL), MFM_EINVAL);
    end();
}

static const mfm_case cases[] = {
    {"parameters lie on boundaries, with zeros between", test_with_numbers},
    {"numbers that come later find the same places", test_without_numbers},
    {"one graph has numbers or has none", test_mixed},
};
MFM_SUITE("core/engine/graph", cases)
