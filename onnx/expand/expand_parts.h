/* What expansions share: nodes of the graph, one after the other. */
#ifndef MFM_ONNX_EXPAND_PARTS_H
#define MFM_ONNX_EXPAND_PARTS_H

#include "onnx/expand/expand.h"
#include "onnx/import/import_parts.h"

/* A failure stays: whatever is made after it is -1, and nothing. */
typedef struct mfm_parts {
    mfm_importer *im;
    const Onnx__NodeProto *node; /* that gives way to them */
    int status;
} mfm_parts;

enum { MFM_NO_VALUE = -1 };

/* The value of a new node. what: "Reshape shape=0,0,-1", an operator of opset 13 or later and its
 * attributes; up to three inputs, MFM_NO_VALUE where there is none. */
int mfm_parts_add(mfm_parts *p, const char *what, int a, int b, int c);
/* The same, the last attribute being a list of up to MFM_MAX_RANK numbers: "Reshape shape=". */
int mfm_parts_add_list(mfm_parts *p, const char *what, const int64_t *list, int count, int a,
                       int b);
/* "0,2,3"; returns text. */
enum { MFM_LIST_TEXT = 21 * MFM_MAX_RANK + 1 };
char *mfm_parts_list(char text[MFM_LIST_TEXT], const int64_t *list, int count);
/* A constant of that shape, from row-major numbers; one number. */
int mfm_parts_const(mfm_parts *p, const mfm_shape *shape, const real *row_major);
int mfm_parts_number(mfm_parts *p, double number);
/* Input `input` of the node in a role; MFM_NO_VALUE where it is absent. */
int mfm_parts_input(mfm_parts *p, size_t input, enum mfm_role role);
/* At any batch size, which is in axis 0 alone. */
mfm_shape mfm_parts_shape(mfm_parts *p, int value);
/* Whether output `output` of the node is read; and what it is. */
bool mfm_parts_wants(const mfm_parts *p, size_t output);
void mfm_parts_output(mfm_parts *p, size_t output, int value);

int mfm_expand_attention(mfm_importer *im, const Onnx__NodeProto *node);
int mfm_expand_broadcast(mfm_importer *im, const Onnx__NodeProto *node);
int mfm_expand_cast(mfm_importer *im, const Onnx__NodeProto *node);
int mfm_expand_columns(mfm_importer *im, const Onnx__NodeProto *node);
int mfm_expand_fill(mfm_importer *im, const Onnx__NodeProto *node);
int mfm_expand_gather(mfm_importer *im, const Onnx__NodeProto *node);
bool mfm_gather_is_by_batch(const mfm_importer *im, const Onnx__NodeProto *node);
int mfm_expand_gather_images(mfm_importer *im, const Onnx__NodeProto *node);
bool mfm_gather_lists_images(const mfm_importer *im, const Onnx__NodeProto *node);
int mfm_expand_layer_norm(mfm_importer *im, const Onnx__NodeProto *node);
int mfm_expand_mean_variance(mfm_importer *im, const Onnx__NodeProto *node);
int mfm_expand_normalizer(mfm_importer *im, const Onnx__NodeProto *node);
int mfm_expand_one_hot(mfm_importer *im, const Onnx__NodeProto *node);
int mfm_expand_scaler(mfm_importer *im, const Onnx__NodeProto *node);
int mfm_expand_scatter_product(mfm_importer *im, const Onnx__NodeProto *node);
bool mfm_scatter_multiplies(const mfm_importer *im, const Onnx__NodeProto *node);
int mfm_expand_squeeze(mfm_importer *im, const Onnx__NodeProto *node);
bool mfm_squeeze_names_none(const mfm_importer *im, const Onnx__NodeProto *node);
bool mfm_layer_norm_shows(const mfm_importer *im, const Onnx__NodeProto *node);

#endif
