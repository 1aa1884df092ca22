/*
 * The model's insides, for the files of this folder only: protobuf-c's structures and the few
 * edits made to them. Everything hung into the tree is allocated with the model's own allocator, so
 * that one call frees the whole tree.
 */
#ifndef MFM_ONNX_PROTO_H
#define MFM_ONNX_PROTO_H

#include <stdbool.h>
#include <stdint.h>

#include "onnx.pb-c.h"
#include "onnx/proto/model.h"

/* A tensor whose raw_data is still in a file, at byte `offset` (onnx/storage/remote.h). */
typedef struct mfm_remote {
    Onnx__TensorProto *tensor;
    uint64_t offset;
    int fd;
} mfm_remote;

/* A file beside the model that weights lie in (onnx/storage/external.h). */
typedef struct mfm_beside {
    char *location; /* as the model has it */
    int fd;         /* -1 once nothing is in it any more */
} mfm_beside;

/* How imports look at a model (onnx/import/import.h: mfm_view); the text is owned. */
typedef struct mfm_model_view {
    int64_t height, width;
    char *output;
    bool planes;
} mfm_model_view;

struct mfm_model {
    mfm_ctx *ctx;
    char *path;
    ProtobufCAllocator allocator;
    Onnx__ModelProto *proto; /* graph is never NULL */
    int fd;                  /* of its own file, that remotes lie in; -1 */
    mfm_beside *beside;      /* other files that remotes lie in */
    size_t n_beside, beside_capacity;
    char **outside; /* names of tensors that saving puts into a file beside, too */
    size_t n_outside, outside_capacity;
    mfm_remote *remotes; /* ascending by address */
    size_t n_remotes, remotes_capacity;
    mfm_model_view view;
    /* Of a flat view: the opsets of nodes of functions (onnx/functions/flat.h); else NULL */
    const struct mfm_strmap *opsets;
};

/* A model without a tree yet, for whoever fills proto. */
int mfm_model_wrap(mfm_ctx *ctx, const char *path, mfm_model **model);
/* An empty model of the given IR version and opset of the default domain. */
int mfm_model_new(mfm_ctx *ctx, const char *graph_name, int64_t ir_version, int64_t opset,
                  mfm_model **model);
/* The opset version imported for domain ("" and "ai.onnx" are one); 0 when none is. */
int64_t mfm_model_opset(const mfm_model *model, const char *domain);

/* protobuf-c leaves a string that the file does not have at NULL: reads it as "". */
static inline const char *mfm_proto_text(const char *text)
{
    return text ? text : "";
}

/* Room in the model's memory for a message, not initialised; NULL with MFM_ENOMEM recorded. */
void *mfm_proto_new(mfm_model *model, size_t size);
/* Frees a message that hangs nowhere; NULL is allowed. */
void mfm_proto_discard(mfm_model *model, void *message);

/* Appends to any of protobuf-c's (count, array of pointers) pairs. `array` is the address of the
 * pointer array. MFM_ENOMEM leaves the pair unchanged. */
int mfm_proto_append(mfm_model *model, void *array, size_t *count, void *message);
/* Inserts before position `at`. */
int mfm_proto_insert(mfm_model *model, void *array, size_t *count, size_t at, void *message);
/* Takes element `at` out and frees it. */
void mfm_proto_remove(mfm_model *model, void *array, size_t *count, size_t at);
/* A copy of text in the model's memory; NULL with MFM_ENOMEM recorded. */
char *mfm_proto_string(mfm_model *model, const char *text);
/* Replaces a string field; the old one is freed unless it is protobuf-c's shared empty string. */
int mfm_proto_set_string(mfm_model *model, char **field, const char *text);

/* A node with the given names; not yet hung anywhere. names are copied. */
Onnx__NodeProto *mfm_proto_node(mfm_model *model, const char *op_type, const char *name,
                                const char *const *inputs, size_t n_inputs,
                                const char *const *outputs, size_t n_outputs);
int mfm_proto_attr_int(mfm_model *model, Onnx__NodeProto *node, const char *name, int64_t value);
int mfm_proto_attr_float(mfm_model *model, Onnx__NodeProto *node, const char *name, float value);
int mfm_proto_attr_ints(mfm_model *model, Onnx__NodeProto *node, const char *name,
                        const int64_t *values, size_t count);
/* Whether a word is one of a list's, each of which stands between spaces: " alpha beta ". */
bool mfm_proto_lists(const char *list, const char *word);
/* What a node is called in messages: its name, else its first output; "" where it has neither. */
const char *mfm_proto_title(const Onnx__NodeProto *node);
/* Whether a node is of that operator of ONNX's own domain. */
bool mfm_proto_is(const Onnx__NodeProto *node, const char *op_type);
/* The attribute of that name, or NULL. */
const Onnx__AttributeProto *mfm_proto_attr(const Onnx__NodeProto *node, const char *name);
/* Its whole number; fallback where the node has none of that name. */
int64_t mfm_proto_int(const Onnx__NodeProto *node, const char *name, int64_t fallback);
/* Whether a name is an output of the main graph. */
bool mfm_proto_is_output(const mfm_model *model, const char *name);

/* A tensor of a four-byte type (float32) or int64 in raw_data, row-major little-endian as ONNX
 * wants; not yet hung anywhere. data NULL gives zeros. NULL with MFM_EINVAL for dimensions out of
 * range, or MFM_ENOMEM. */
Onnx__TensorProto *mfm_proto_tensor(mfm_model *model, const char *name, int32_t data_type,
                                    const int64_t *dims, size_t rank, const void *data);
/* A graph input or output of float32; a dimension < 0 becomes dim_param `batch`. */
Onnx__ValueInfoProto *mfm_proto_value_info(mfm_model *model, const char *name, const int64_t *dims,
                                           size_t rank, const char *batch);
Onnx__TensorProto *mfm_proto_initializer(const mfm_model *model, const char *name);
/* Hangs a tensor in as an initialiser, before version 4 of the format as an input, too. After a
 * failure it is still the caller's. */
int mfm_proto_add_initializer(mfm_model *model, Onnx__TensorProto *tensor);
/* metadata_props[key], or NULL; set creates, replaces, and with value NULL removes. */
const char *mfm_proto_metadata(const mfm_model *model, const char *key);
int mfm_proto_set_metadata(mfm_model *model, const char *key, const char *value);

#endif
