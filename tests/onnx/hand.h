/* Models written by hand, a node a line; names are separated by spaces. */
#ifndef MFM_TESTS_HAND_H
#define MFM_TESTS_HAND_H

#include "onnx/proto/proto.h"

/* Each ends the program when memory runs out: tests of failing allocations make their models from
 * bytes. */
mfm_model *hand_model(mfm_ctx *ctx, int64_t ir_version, int64_t opset);
/* name "" leaves the field out, "-" stands for an empty input. */
Onnx__NodeProto *hand_node(mfm_model *model, const char *op_type, const char *name,
                           const char *inputs, const char *outputs);
/* A float32 initializer; its numbers are 0.5, -0.25, 0.5, ... */
void hand_weight(mfm_model *model, const char *name, size_t rank, const int64_t *dims);
void hand_ints(mfm_model *model, const char *name, size_t count, const int64_t *ints);
/* A Constant node that holds a tensor, out of the model's initialisers. */
void hand_constant(mfm_model *model, const char *initializer, const char *output);
/* A float32 input or output of the graph; dimensions below 0 are symbolic. */
void hand_input(mfm_model *model, const char *name, size_t rank, const int64_t *dims);
void hand_output(mfm_model *model, const char *name, size_t rank, const int64_t *dims);

#define HAND_DIMS(...)                                                                             \
    sizeof((const int64_t[]){__VA_ARGS__}) / sizeof(int64_t), (const int64_t[])                    \
    {                                                                                              \
        __VA_ARGS__                                                                                \
    }

/* conv 1x1 (3 to 4 channels), BatchNormalization, Relu, conv 3x3 (4 to 4), BatchNormalization, Add
 * to the first Relu, Relu, GlobalAveragePool, Flatten, Gemm to 5 logits. No node has a name. The
 * values: x c1 n1 a1 c2 n2 sum a2 pool flat logits. */
mfm_model *hand_residual(mfm_ctx *ctx, int64_t ir_version, int64_t opset);

/* The packed bytes; fails the running test when there are none. Released with mfm_free. */
void *hand_pack(mfm_ctx *ctx, const mfm_model *model, size_t *size);

#endif
