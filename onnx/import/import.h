/*
 * From an ONNX model to a network that the engine trains.
 *
 * What training does with an initialiser, or the value of a Constant node, is read off its use:
 * onnx/roles/roles.h has the rules. `Identity(initialiser)` is a tensor of its own, named by the
 * Identity's output; one initialiser used directly by two nodes is one shared parameter. A tensor
 * in two roles of which training changes one is MFM_ENOTSUP: mfm_model_untie gives each its own.
 * Casts between floating-point types are left out. Shape sub-graphs are folded, and a batch that is
 * frozen into a Reshape is freed. A Softmax over the classes at the end is left out, also behind
 * nodes that only lay out anew: the loss has its own. An end that the loss would misread is
 * MFM_ENOTSUP (a Softmax over something else, a single output) or warned of (a Sigmoid).
 */
#ifndef MFM_ONNX_IMPORT_H
#define MFM_ONNX_IMPORT_H

#include "core/base/linkage.h"
#include "core/train/problem/network.h"
#include "onnx/proto/model.h"

MFM_C_BEGIN

/* MFM_ENOTSUP lists every operator that is not supported, MFM_EDATA names the node and the rule.
 * The caller frees *network with mfm_network_free; it keeps nothing of the model. */
int mfm_model_import(mfm_ctx *ctx, const mfm_model *model, mfm_network **network);
/* The same, with values of the file by name: outputs of the graph, or what any node gives, also
 * when the logits do not depend on it. values[i] becomes that of names[i] (NULL: the logits); its
 * rows are the images of the batch, or a fixed number of rows for each. MFM_EINVAL for a name that
 * the file does not have, with the nearest; MFM_ENOTSUP for a value whose rows are not the images.
 */
int mfm_model_import_values(mfm_ctx *ctx, const mfm_model *model, const char *const *names,
                            size_t count, mfm_network **network, int *values);
/* The same without reading the parameters' numbers: the graph has none (graph->params is NULL)
 * until they are read, into it or into the graphs made from it. For who asks for shapes: a tensor
 * may have several roles here. */
int mfm_model_import_form(mfm_ctx *ctx, const mfm_model *model, mfm_network **network);

/* How a file is looked at where it leaves a choice. */
typedef struct mfm_view {
    /* Of the images, where the file leaves them open; 0: as mfm.preprocess in its metadata tells */
    int64_t height, width;
    /* The output that holds the logits; NULL: as mfm.output in the metadata tells, else the first
     * of floating-point numbers */
    const char *output;
    /* Images are given as [n, channels, height, width] also to a file that reads them as [n,
     * height, width, channels]: the network begins with a Transpose then. */
    bool planes;
} mfm_view;
#define MFM_OUTPUT_KEY "mfm.output"

/* For all later imports of the model. MFM_EINVAL: no output is called so, with the nearest. */
int mfm_model_set_view(mfm_model *model, const mfm_view *view);
/* The number and the name of the output that holds the logits; 0 and "" where there is none. */
size_t mfm_model_logits_output(const mfm_model *model);
const char *mfm_model_logits_name(const mfm_model *model);
/* Whether the image input is [n, height, width, channels], by its channels: 1 or 3 in the last
 * place and not in the second. */
bool mfm_model_reads_rows(const mfm_model *model);

/* What the user says of tensors. A name is that of a tensor, a glob over those, or what
 * onnx/layers/layers.h takes as the selector of layers: the tensors of a layer are its own and
 * those of its normalisation. They are applied in this order, so that `free` has the last word. */
typedef struct mfm_role_choice {
    const char *const *train_only; /* names; all else that would be trained is frozen */
    const char *const *freeze;     /* names: not trained */
    const char *freeze_before;     /* a layer: what its input is made from is not trained; NULL */
    const char *const *free;  /* names: trained though the rules fix it, or one of those above */
    const char *const *rates; /* "NAME=X": trained at X times the learning rate */
    size_t n_train_only, n_freeze, n_free, n_rates;
} mfm_role_choice;

/* As mfm_model_import_form, to be trained with such a choice; NULL: none. MFM_EINVAL for a name
 * that no tensor has, with the nearest, or one of which the choice cannot be. */
int mfm_model_import_chosen(mfm_ctx *ctx, const mfm_model *model, const mfm_role_choice *choice,
                            mfm_network **network);

/* Gives every role of a tensor an initialiser of its own, appended to the model, where training
 * one would change another. Everything else stays as it is, byte for byte. *copies, unless NULL,
 * is their number. MFM_ENOMEM, MFM_EIO leave some done and some not; what the model computes is the
 * same in any case. */
int mfm_model_untie(mfm_ctx *ctx, mfm_model *model, size_t *copies);

/* The numbers of a graph's parameters, by their names in the model: once for a graph without any.
 * MFM_EINVAL for a parameter that the model has no tensor for; MFM_EIO, MFM_ENOMEM. */
int mfm_model_read_values(mfm_ctx *ctx, const mfm_model *model, mfm_graph *graph);

/* A graph by itself, without the rules for classifiers: every input without an initialiser is an
 * input of the graph, with the shape that the file gives it. outputs[i] becomes the value of the
 * i-th of the first n_outputs outputs. The caller frees *graph. */
int mfm_graph_import(mfm_ctx *ctx, const mfm_model *model, size_t n_outputs, mfm_graph **graph,
                     int *outputs);
/* The shape of the first output, for one image where the file leaves the batch open. Reads no
 * numbers of parameters. */
int mfm_output_shape(mfm_ctx *ctx, const mfm_model *model, mfm_shape *shape);

MFM_C_END

#endif
