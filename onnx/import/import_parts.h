/* What the files of the importer share: import.c walks the nodes, import_node.c makes
 * one of them, import_bind.c knows what each
 * name stands for, import_attr.c fills attribute structs, import_form.c finds the ends of the
 * network. */
#ifndef MFM_ONNX_IMPORT_PARTS_H
#define MFM_ONNX_IMPORT_PARTS_H

#include "core/engine/shapes.h"
#include "core/train/problem/network.h"
#include "onnx/fold/fold.h"
#include "onnx/import/import.h"
#include "onnx/surgery/inject_info.h"
#include "onnx/roles/roles.h"
#include "onnx/proto/strmap.h"

/* What a name of the model stands for. A tensor becomes a value of the graph when it is first used,
 * and which kind of value depends on that use. */
typedef struct mfm_binding {
    const char *name;
    int value;                        /* of the graph; -1 */
    const Onnx__TensorProto *tensor;  /* initialiser, or value of a Constant node; NULL */
    bool constant;                    /* of a Constant node: trained only where a weight stands */
    int param, state, fixed;          /* graph values made from it; -1 */
    mfm_folded *folded;               /* its numbers, once they were asked for; NULL */
    mfm_folded *at[MFM_FOLD_BATCHES]; /* or those at a few batch sizes (fold/batches.c); NULL */
    size_t last_use;                  /* the last node that reads it, by any of its names */
} mfm_binding;

typedef struct mfm_importer {
    mfm_ctx *ctx;
    const mfm_model *model;
    const Onnx__GraphProto *proto;
    mfm_inject_info *info; /* NULL: no modulator */
    mfm_roles *roles;      /* NULL: a graph by itself */
    mfm_network *network;  /* NULL: a graph by itself */
    mfm_graph *graph;
    mfm_folder folder;
    mfm_binding *bindings;
    size_t n_bindings, bindings_capacity;
    mfm_strmap names;   /* name -> binding */
    mfm_strmap needed;  /* values that the wanted outputs depend on -> the last node that reads */
    uint8_t *on_images; /* per graph value: depends on the images */
    size_t on_images_capacity;
    int64_t frozen_batch; /* the images' first dimension when the file fixes it; 0, -1 */
    /* At the batch sizes of fold.h, and those around the frozen one, as far as asked for. */
    mfm_graph_shapes_at shapes[MFM_FOLD_BATCHES + 2];
    bool only_form;            /* nothing is trained: a tensor may have several roles */
    const char *output;        /* the one that holds the logits; NULL: a graph by itself */
    const char *const *wanted; /* [n_wanted] names of values to keep beside the outputs */
    size_t n_wanted;
} mfm_importer;

/* import.c: every import begins, walks over the nodes that the first n_outputs outputs and the
 * wanted values need, and ends, whether it failed or not. inputs makes the graph's inputs. The
 * graph is the caller's. */
int mfm_import_begin(mfm_importer *im, mfm_ctx *ctx, const mfm_model *model);
int mfm_import_walk(mfm_importer *im, size_t n_outputs, int (*inputs)(mfm_importer *im));
void mfm_import_end(mfm_importer *im);
/* import_node.c: a node that is needed, and whose inputs are bound. */
int mfm_import_node(mfm_importer *im, const Onnx__NodeProto *node);
/* Whether it is a BatchNormalization whose statistics are its own batch's (links.h). */
bool mfm_import_own_statistics(const mfm_importer *im, const Onnx__NodeProto *node);
/* The operator that carries out a node, or NULL; and its port for an input, or NULL. */
const mfm_op *mfm_import_op(const mfm_model *model, const Onnx__NodeProto *node);
const mfm_port *mfm_import_port(const mfm_op *op, size_t input);
/* import_known.c: per node of the graph whether it can be carried out, or folded: the latter asks
 * that its inputs follow from constants and shapes. supported[n_node] */
int mfm_import_find_supported(const mfm_model *model, bool *supported);
/* import.c: per node whether the logits need it and nothing carries it out. gaps[n_node] */
int mfm_import_find_gaps(const mfm_model *model, bool *gaps);

/* import_bind.c. Names are borrowed from the model. */
int mfm_import_bind(mfm_importer *im, const mfm_binding *binding);
/* Another name for what is bound. */
int mfm_import_alias(mfm_importer *im, const char *name, size_t binding);
/* Gives up the numbers that node number i was the last to read. */
void mfm_import_release(mfm_importer *im, const Onnx__NodeProto *node, size_t i);
mfm_binding *mfm_import_find(const mfm_importer *im, const char *name);
int mfm_import_bind_value(mfm_importer *im, const char *name, int value, bool on_images);
/* An output of a node, which "" leaves without a name. */
int mfm_import_bind_output(mfm_importer *im, const char *name, int value, bool on_images);
/* Takes *folded over, also after a failure. */
int mfm_import_bind_folded(mfm_importer *im, const char *name, mfm_folded *folded);
int mfm_import_bind_batches(mfm_importer *im, const char *name, mfm_folded *at[MFM_FOLD_BATCHES]);
/* Gives up the numbers of a binding. */
void mfm_import_forget(mfm_importer *im, mfm_binding *binding);
/* Whether numbers behind a name are known that training leaves as they are, by the look of it, and
 * how many; foldable: not too many to compute with. */
bool mfm_import_known(const mfm_importer *im, const char *name, size_t *count);
bool mfm_import_foldable(const mfm_importer *im, const char *name);
/* These numbers; *folded is NULL when there are none. */
int mfm_import_folded(mfm_importer *im, const char *name, const mfm_folded **folded);
/* import_fold.c: carries a node out whose inputs are known; *done tells whether it was. */
int mfm_import_fold(mfm_importer *im, const Onnx__NodeProto *node, int opset, bool *done);
/* MFM_ENOTSUP for a node that only folding carries out: which input it does not know. */
int mfm_import_not_known(mfm_importer *im, const Onnx__NodeProto *node);
/* The graph value for an input in a role. */
int mfm_import_argument(mfm_importer *im, const Onnx__NodeProto *node, size_t input,
                        enum mfm_role role, int *value);
/* What a name stands for in the end: computed, or numbers that are known; *value -1: neither. */
int mfm_import_result(mfm_importer *im, const char *name, int *value);
int mfm_import_initializers(mfm_importer *im);
int mfm_import_constant(mfm_importer *im, const Onnx__NodeProto *node);

/* import_values.c: MFM_EDATA when a number is infinite or none. */
int mfm_tensor_check_finite(const mfm_model *model, const char *name, const real *numbers,
                            size_t count);

/* import_reshape.c: the list of a Reshape where it depends on the batch. */
int mfm_import_reshape_list(mfm_importer *im, const Onnx__NodeProto *node,
                            const mfm_folded *numbers, mfm_ints *list);
int mfm_import_free_batch(mfm_importer *im, const Onnx__NodeProto *node, mfm_ints *list);
/* A list of lengths by axis: that of the batch becomes 0. */
int mfm_import_axis_list(mfm_importer *im, const Onnx__NodeProto *node, const mfm_folded *numbers,
                         mfm_ints *list);

/* import_attr.c: attributes of the node, and those that its operator takes from inputs. */
int mfm_import_attrs(mfm_importer *im, const Onnx__NodeProto *node, const mfm_op *op, int opset,
                     void *attr);
/* The numbers that an input gives, in whatever role its tensor has elsewhere; NULL: not known. *own
 * is the caller's to free. */
int mfm_import_numbers(mfm_importer *im, const char *name, mfm_folded **own,
                       const mfm_folded **numbers);
bool mfm_import_is_attr_input(const mfm_op *op, int opset, size_t input);

/* view.c: MFM_ENOTSUP where no output holds logits; the size of images that is left open. */
int mfm_import_check_output(const mfm_importer *im);
int mfm_import_open_size(mfm_importer *im, int64_t *height, int64_t *width);
bool mfm_import_is_rows(const Onnx__ValueInfoProto *info);

/* import_form.c */
int mfm_import_inputs(mfm_importer *im);
/* import_batch.c: MFM_ENOTSUP, naming the node, where one image's result depends on another. */
int mfm_import_check_batch(mfm_importer *im);
/* import_output.c: the logits and the classes. */
int mfm_import_outputs(mfm_importer *im);
/* import_wanted.c: the values that are wanted by name, whose rows must be the images. */
int mfm_import_wanted(mfm_importer *im, int *values);
/* Why a name stands for no value that is made of the images: MFM_EINVAL, with the nearest. */
int mfm_import_check_wanted(mfm_importer *im);
int mfm_import_sites(mfm_importer *im);
/* An input as a graph value: floating-point numbers or bytes, its shape known but for the first
 * dimension, which stays -1 when it is open in the file; open_batch opens it in any case. */
int mfm_import_input(mfm_importer *im, const Onnx__ValueInfoProto *info, bool open_batch,
                     int *value);
/* The shape of a graph value at a batch size, in inference: one of fold.h, or frozen_batch or one
 * more. */
int mfm_import_shape(mfm_importer *im, int value, int64_t batch, mfm_shape *shape);
int mfm_import_fail(mfm_importer *im, const Onnx__NodeProto *node, int code, const char *format,
                    ...) __attribute__((format(printf, 4, 5)));

#endif
