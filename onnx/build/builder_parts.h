/*
 * What the builder's own files share: its state, and the calls that add a parameter or a node to
 * the model under construction.
 */
#ifndef MFM_ONNX_BUILDER_PARTS_H
#define MFM_ONNX_BUILDER_PARTS_H

#include "onnx/build/builder.h"
#include "onnx/proto/proto.h"

enum { MFM_BUILDER_NAME = 128 }; /* bytes of the longest name, its end included */

typedef struct mfm_built {
    char *name;
    mfm_shape shape; /* dimension 0 is -1, the batch */
} mfm_built;

struct mfm_builder {
    mfm_ctx *ctx;
    mfm_model *model;
    int status; /* of the first failure */
    uint64_t seed;
    uint32_t parameters; /* how many were made: the next one's number */
    int64_t bytes;       /* of all initialisers */
    enum mfm_init convolution, linear;
    char scope[MFM_BUILDER_NAME];
    mfm_built *values;
    size_t n_values, capacity;
};

/* Keeps a failure that is already in the context; false when there is one, old or new. */
bool mfm_builder_keep(mfm_builder *b, int status);
/* Records MFM_EINVAL for the layer `name`: "cannot build scope.name: ". */
void mfm_builder_refuse(mfm_builder *b, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The value x as an operand of `name`; NULL after a failure, or when its rank is not `rank`
 * (0 for any). Valid until the next value is made. */
const mfm_built *mfm_builder_operand(mfm_builder *b, const char *name, mfm_value x, int rank);
/* A float32 initialiser "scope.name.part". Returns its name, or NULL after a failure. */
const char *mfm_builder_parameter(mfm_builder *b, const char *name, const char *part,
                                  mfm_shape shape, enum mfm_init init);
/* The same for numbers given: int64 or float32, of count elements, or a scalar when count is 0. */
const char *mfm_builder_constant(mfm_builder *b, const char *name, const char *part,
                                 int32_t data_type, size_t count, const void *data);
/* A node that reads those names and writes one new value of shape `out`. An input that is NULL
 * stands for an earlier failure. *node, unless node is NULL, is NULL after a failure; so are the
 * attribute calls' nodes allowed to be. */
mfm_value mfm_builder_node(mfm_builder *b, const char *op_type, const char *name,
                           const char *const *inputs, size_t n_inputs, mfm_shape out,
                           Onnx__NodeProto **node);
/* Fills a weight of that shape with the draws of parameter `number`. */
void mfm_builder_draw(uint64_t seed, uint32_t number, enum mfm_init init, const mfm_shape *shape,
                      float *weight);

#endif
