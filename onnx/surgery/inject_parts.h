/* What the files of the injection share: adding parts under fresh names, and listing them. */
#ifndef MFM_ONNX_INJECT_PARTS_H
#define MFM_ONNX_INJECT_PARTS_H

#include "onnx/surgery/inject.h"
#include "onnx/proto/names.h"

typedef struct mfm_injector {
    mfm_ctx *ctx;
    mfm_model *model;
    const mfm_inject_options *options;
    mfm_names *names;
    mfm_inject_info *info; /* grows with what is added */
    int64_t opset;
    bool has_scale, has_shift;
    bool opened;
    struct mfm_network *network; /* what training makes of the model as it was; NULL */
    int32_t *types;              /* of the elements of each site's features */
    size_t at;                   /* where in the graph the next node goes */
    int status;                  /* the first failure; the calls below then do nothing */
} mfm_injector;

/* Each returns the name of the value it makes, NULL after a failure. Names live as long as
 * injector->names; an input that is NULL stands for an earlier failure. */

/* A float32 or int64 initializer, zeros when data is NULL. */
const char *mfm_inject_tensor(mfm_injector *in, const char *base, int32_t data_type,
                              const int64_t *dims, size_t rank, const void *data);
/* A float32 input of the graph with its default; dims[0] may be -1 for the soft label's batch. */
const char *mfm_inject_input(mfm_injector *in, const char *base, const int64_t *dims, size_t rank,
                             int64_t default_rows, const float *data);
/* A node with one output called `output`, or base.out when that is NULL. *node, unless it is NULL,
 * is for setting attributes and is NULL after a failure. */
const char *mfm_inject_node(mfm_injector *in, const char *op_type, const char *base,
                            const char *const *inputs, size_t n_inputs, const char *output,
                            Onnx__NodeProto **node);
/* A fresh name from a format. */
const char *mfm_inject_name(mfm_injector *in, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Keeps a failure; false when there is one, old or new. */
bool mfm_inject_keep(mfm_injector *in, int status);

/* The modulator network, from the soft label to gamma's and beta's numbers for all sites. */
typedef struct mfm_inject_net {
    const char *gamma, *beta;  /* [n, sum C_k], or the whole z when offset says where; NULL: none */
    int64_t gamma_at, beta_at; /* column of the first site */
    int64_t width;             /* columns of the values above */
} mfm_inject_net;

void mfm_inject_network(mfm_injector *in, int64_t channels, mfm_inject_net *net);
/* scale and shift of site k, whose first column is at `column`; "" for what it does not have. */
void mfm_inject_factors(mfm_injector *in, const mfm_inject_net *net, size_t site, int64_t column,
                        const char **scale, const char **shift);

/* output = value + switch * (scale * value + shift), without what is "". The modulator is float32:
 * features of another element type are cast for it, and what it adds is cast back, so that with the
 * switch at 0 they stay as they are to the last bit. NULL for scale or shift: a failure before. */
void mfm_inject_modulation(mfm_injector *in, mfm_inject_site *site, int32_t type, const char *scale,
                           const char *shift);

#endif
