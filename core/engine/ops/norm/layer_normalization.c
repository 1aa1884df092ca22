/* LayerNormalization (ONNX 17): each sample's last axes, from `axis` on, to mean 0 and variance 1.
 * stash_type is the type of the statistics, which files have as float. The second and third output,
 * mean and 1 / deviation, are not supported. */
#include "core/engine/ops/norm/layer_norm.h"

const mfm_attr_def mfm_layer_norm_attrs[] = {{.name = "axis",
                                              .type = MFM_INT,
                                              .offset = offsetof(mfm_layer_norm_attr, axis),
                                              .fallback = -1},
                                             {.name = "epsilon",
                                              .type = MFM_FLOAT,
                                              .offset = offsetof(mfm_layer_norm_attr, epsilon),
                                              .fallback = 1e-5},
                                             {.name = "stash_type",
                                              .type = MFM_INT,
                                              .offset = offsetof(mfm_layer_norm_attr, stash_type),
                                              .fallback = 1},
                                             {0}};

static const mfm_layer_norm_form form = {.centred = true};
static const mfm_port inputs[] = {{"X", MFM_DATA, false, false},
                                  {"Scale", MFM_PARAM, false, false},
                                  {"B", MFM_PARAM, true, false},
                                  {0}};
static const mfm_port outputs[] = {{"Y", MFM_DATA, false, false},
                                   {"Mean", MFM_DATA, true, false},
                                   {"InvStdDev", MFM_DATA, true, false},
                                   {0}};
static const char *const samples[] = {"[4,6] [6] [6]",
                                      "[2,5,8] [8]",
                                      "[2,3,4] [3,4] [3,4] axis=1",
                                      "[3,4] [3,4] [3,4] axis=0 epsilon=0.3",
                                      "[2,3,4,5] [5] [5]",
                                      "[2,3,4,5] [4,5] [4,5] axis=2",
                                      "[2,3,4,5] [3,4,5] [3,4,5] axis=-3",
                                      "[2,3,2,3] [2,3,2,3] [2,3,2,3] axis=0",
                                      "[2,3,4] [1,4] [3,1] axis=1",
                                      "[2,3,4,2] [3,1,1] [2] axis=1 stash_type=1",
                                      "[9,2,5] [5] [5]",
                                      NULL};

/* As exporters write it before there was one. */
static const char *const fuses[] = {
    "m = ReduceMean X; d = Sub X m; p = Pow d two; v = ReduceMean p; e = Add v epsilon; "
    "q = Sqrt e; n = Div d q; s = Mul n Scale; Y = Add s B",
    "m = ReduceMean X; d = Sub X m; p = Mul d d; v = ReduceMean p; e = Add v epsilon; "
    "q = Sqrt e; n = Div d q; s = Mul n Scale; Y = Add s B",
    "m = ReduceMean X; d = Sub X m; p = Pow d two; v = ReduceMean p; e = Add v epsilon; "
    "q = Sqrt e; n = Div d q; Y = Mul n Scale",
    "m = ReduceMean X; d = Sub X m; p = Mul d d; v = ReduceMean p; e = Add v epsilon; "
    "q = Sqrt e; n = Div d q; Y = Mul n Scale",
    NULL};

/* The first of the last axes over which a statement takes means that keep them; -1: others. */
static int first_axis(const mfm_fusion *chain, const char *statement, int rank)
{
    const mfm_ints *axes = mfm_fusion_ints(chain, statement, "axes");
    unsigned set = 0;
    if (axes->count < 1 || mfm_fusion_attr_number(chain, statement, "keepdims") != 1)
        return -1;
    for (int i = 0; i < axes->count; i++)
        set |= 1u << (axes->v[i] < 0 ? axes->v[i] + rank : axes->v[i]);
    const int first = rank - axes->count;
    return first >= 0 && set == (1u << rank) - (1u << first) ? first : -1;
}

static bool fused(const mfm_fusion *chain, void *attr)
{
    mfm_layer_norm_attr *to = attr;
    const mfm_shape *x = mfm_fusion_shape(chain, "X"), *bias = mfm_fusion_shape(chain, "B");
    double exponent = 2;
    const int axis = first_axis(chain, "m", x->rank);
    if (axis < 0 || first_axis(chain, "v", x->rank) != axis ||
        !mfm_fusion_number(chain, "epsilon", &to->epsilon) || !(to->epsilon >= 0) ||
        (mfm_fusion_is(chain, "p", "Pow") && !mfm_fusion_number(chain, "two", &exponent)))
        return false;
    to->axis = axis;
    return exponent == 2 && mfm_layer_norm_takes(x, axis, mfm_fusion_shape(chain, "Scale")) &&
           (!bias || mfm_layer_norm_takes(x, axis, bias));
}

const mfm_op mfm_op_layer_normalization = {
    .name = "LayerNormalization",
    .domain = "",
    .since = 17,
    .inputs = inputs,
    .outputs = outputs,
    .attrs = mfm_layer_norm_attrs,
    .attr_size = sizeof(mfm_layer_norm_attr),
    .shape = mfm_layer_norm_infer,
    .traits = MFM_ALONG_LAST,
    .layout = MFM_LAYOUT_ROWS,
    .fuses = fuses,
    .fused = fused,
    .summary = "normalises the last axes to mean 0 and variance 1, then scales and shifts them",
    .samples = samples,
};

const mfm_impl mfm_cpu_layer_normalization = {
    .op = &mfm_op_layer_normalization,
    .backend = MFM_CPU,
    .setup = mfm_layer_norm_setup,
    .release = mfm_layer_norm_release,
    .rule = &mfm_rule_layer_norm,
    .parts = &form,
    .reads = MFM_READS_IN,
};
