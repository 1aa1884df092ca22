#include "fuse_check.h"

#include <string.h>

#include "core/base/random.h"
#include "tests/suite.h"

mfm_ctx *fuse_ctx(void)
{
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(ctx);
    return ctx;
}

void fuse_add_inputs(mfm_net *net, int side, uint64_t seed, fuse_inputs *inputs)
{
    inputs->images = mfm_net_input(net, MFM_DATA, mfm_shape_of(4, -1, 3, side, side));
    inputs->labels = mfm_net_input(net, MFM_INDEX, mfm_shape_of(1, -1));
    const mfm_key key = {.seed = seed, .stream = MFM_STREAM_TEST};
    for (int i = 0; i < FUSE_BATCH * 3 * side * side; i++)
        inputs->image[i] = (real)mfm_random_normal(&key, (uint64_t)i);
    inputs->classes[0] = 1;
    inputs->classes[1] = 3;
}

int fuse_count(const mfm_graph *graph, const char *op)
{
    int found = 0;
    for (size_t i = 0; i < graph->n_nodes; i++)
        found += strcmp(graph->nodes[i].op->name, op) == 0;
    return found;
}

mfm_bench fuse_run(mfm_net net, const mfm_plan_spec *spec, fuse_inputs *inputs)
{
    mfm_bench b;
    CU_ASSERT_EQUAL_FATAL(mfm_bench_init(net, spec, &b), MFM_OK);
    mfm_plan_bind_input(b.plan, inputs->images, MFM_X, inputs->image);
    mfm_plan_bind_input(b.plan, inputs->labels, MFM_X, inputs->classes);
    mfm_vector_draw(b.graph, 5, b.lane[MFM_DX]);
    *mfm_plan_lane(b.plan, inputs->loss, MFM_G) = 1;
    mfm_bench_run(&b);
    return b;
}

void fuse_finish(mfm_bench *b)
{
    mfm_ctx *ctx = b->ctx;
    mfm_bench_clear(b);
    mfm_ctx_free(ctx);
}

void fuse_expect_same(const mfm_bench *fused, const mfm_bench *plain, double tolerance)
{
    for (int lane = MFM_G; lane <= MFM_DG; lane++) {
        CU_ASSERT(mfm_vector_dot(plain->graph, plain->lane[lane], plain->lane[lane]) > 1e-4);
        CU_ASSERT(mfm_vector_difference(plain->graph, fused->lane[lane], plain->lane[lane]) <=
                  tolerance);
    }
}
