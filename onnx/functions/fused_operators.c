/*
 * What ONNX Runtime's fused operators are, in ONNX's own:
 *
 *     Gelu, BiasGelu       x Phi(x) of x, of a + b
 *     FastGelu             the same by tanh, of x or x + bias
 *     QuickGelu            x sigmoid(alpha x), alpha = 1.702
 *     SkipLayerNormalization  LayerNormalization of input + skip + bias; the sum is output 3
 *     FusedConv            act(Conv + Z)
 *     FusedGemm            act(Gemm)
 *     FusedMatMul          alpha A B, the last two axes of A or B in turn
 *     Attention            softmax(scale Q K^T) V by heads, Q, K, V = x W + b in thirds
 *     MultiHeadAttention   of Q, K, V that are given, plus a bias each
 *
 * An epsilon that is not told is 1e-12 where input and skip are added, and 1e-5 elsewhere.
 */
#include <string.h>

#include "onnx/functions/fused_parts.h"

static const char *sum(mfm_fused_maker *m, const char *a, const char *b)
{
    return b ? mfm_fused_node(m, "Add", a, b, NULL) : a;
}

/* ---- activations ---------------------------------------------------------------------------- */

static void gelu(mfm_fused_maker *m)
{
    const char *x = sum(m, mfm_fused_input(m, 0), mfm_fused_input(m, 1));
    mfm_fused_give(m, 0, mfm_fused_node(m, "Gelu", x, NULL, NULL));
}

static void fast_gelu(mfm_fused_maker *m)
{
    gelu(m);
    mfm_fused_set_text(m, "approximate", "tanh");
}

static void quick_gelu(mfm_fused_maker *m)
{
    mfm_fused_give(m, 0, mfm_fused_node(m, "Swish", mfm_fused_input(m, 0), NULL, NULL));
    mfm_fused_set_float(m, "alpha", mfm_fused_float(m, "alpha", 1.702F));
}

static bool is_text(const Onnx__AttributeProto *attribute, const char *text)
{
    return attribute->s.len == strlen(text) && memcmp(attribute->s.data, text, strlen(text)) == 0;
}

/* What follows a product in one node: an operator, and which of ONNX's attributes it has. */
typedef struct activation {
    const char *name, *first, *second;
} activation;

static const activation activations[] = {{"Relu", NULL, NULL},
                                         {"Sigmoid", NULL, NULL},
                                         {"Tanh", NULL, NULL},
                                         {"Softplus", NULL, NULL},
                                         {"Softsign", NULL, NULL},
                                         {"LeakyRelu", "alpha", NULL},
                                         {"Elu", "alpha", NULL},
                                         {"ThresholdedRelu", "alpha", NULL},
                                         {"HardSigmoid", "alpha", "beta"},
                                         {"Selu", "alpha", "gamma"},
                                         {"Clip", "min", "max"},
                                         {NULL, NULL, NULL}};

/* Of the call; *found has no name where it has none. */
static void find_activation(mfm_fused_maker *m, activation *found)
{
    const Onnx__AttributeProto *told = mfm_proto_attr(m->call, "activation");
    *found = (activation){NULL, NULL, NULL};
    for (const activation *a = activations; told && told->s.len && a->name; a++)
        if (is_text(told, a->name))
            *found = *a;
    m->refused |= told && told->s.len && !found->name;
}

/* With the numbers of activation_params, in their order. */
static const char *activate_by_list(mfm_fused_maker *m, const char *x)
{
    const Onnx__AttributeProto *list = mfm_proto_attr(m->call, "activation_params");
    activation a;
    find_activation(m, &a);
    const size_t wanted = a.second ? 2 : a.first ? 1 : 0;
    if (!a.name || (wanted && (!list || list->n_floats != wanted))) {
        m->refused |= a.name != NULL;
        return x;
    }
    if (strcmp(a.name, "Clip") == 0) {
        const char *least = mfm_fused_number(m, (double)list->floats[0]);
        return mfm_fused_node(m, a.name, x, least, mfm_fused_number(m, (double)list->floats[1]));
    }
    const char *y = mfm_fused_node(m, a.name, x, NULL, NULL);
    if (a.first)
        mfm_fused_set_float(m, a.first, (double)list->floats[0]);
    if (a.second)
        mfm_fused_set_float(m, a.second, (double)list->floats[1]);
    return y;
}

/* ---- products ------------------------------------------------------------------------------- */

static void conv(mfm_fused_maker *m)
{
    static const char *const passed[] = {"auto_pad", "dilations",    "group",
                                         "pads",     "kernel_shape", "strides"};
    const char *y = mfm_fused_node(m, "Conv", mfm_fused_input(m, 0), mfm_fused_input(m, 1),
                                   mfm_fused_input(m, 2));
    for (size_t i = 0; i < sizeof passed / sizeof passed[0]; i++)
        mfm_fused_pass(m, passed[i], passed[i]);
    mfm_fused_give(m, 0, activate_by_list(m, sum(m, y, mfm_fused_input(m, 3))));
}

static void gemm(mfm_fused_maker *m)
{
    static const char *const passed[] = {"alpha", "beta", "transA", "transB"};
    activation a;
    const char *y = mfm_fused_node(m, "Gemm", mfm_fused_input(m, 0), mfm_fused_input(m, 1),
                                   mfm_fused_input(m, 2));
    for (size_t i = 0; i < sizeof passed / sizeof passed[0]; i++)
        mfm_fused_pass(m, passed[i], passed[i]);
    find_activation(m, &a);
    m->refused |= a.name && strcmp(a.name, "Clip") == 0;
    if (a.name) {
        y = mfm_fused_node(m, a.name, y, NULL, NULL);
        mfm_fused_pass(m, "activation_alpha", "alpha");
        mfm_fused_pass(m, "activation_beta", "beta");
        mfm_fused_pass(m, "activation_gamma", "gamma");
    }
    mfm_fused_give(m, 0, y);
}

/* Whether input `at` is a matrix of the file: its product is then a layer, as any other is. */
static bool is_matrix(const mfm_fused_maker *m, size_t at)
{
    const Onnx__TensorProto *tensor = mfm_proto_initializer(m->f->model, m->call->input[at]);
    return tensor && tensor->n_dims == 2;
}

/* A B with the last two axes of either swapped. */
static const char *product(mfm_fused_maker *m, bool turns_a, bool turns_b)
{
    static const char *const equations[2][2] = {{"...mk,...kn->...mn", "...mk,...nk->...mn"},
                                                {"...km,...kn->...mn", "...km,...nk->...mn"}};
    const char *a = mfm_fused_input(m, 0), *b = mfm_fused_input(m, 1);
    if (turns_b && is_matrix(m, 1)) {
        b = mfm_fused_node(m, "Transpose", b, NULL, NULL);
        turns_b = false;
    }
    if (!turns_a && !turns_b)
        return mfm_fused_node(m, "MatMul", a, b, NULL);
    const char *y = mfm_fused_node(m, "Einsum", a, b, NULL);
    mfm_fused_set_text(m, "equation", equations[turns_a][turns_b]);
    return y;
}

static void matmul(mfm_fused_maker *m)
{
    const double alpha = mfm_fused_float(m, "alpha", 1);
    const char *y = product(m, mfm_proto_int(m->call, "transA", 0) != 0,
                            mfm_proto_int(m->call, "transB", 0) != 0);
    if (alpha != 1)
        y = mfm_fused_node(m, "Mul", y, mfm_fused_number(m, alpha), NULL);
    m->refused |= mfm_proto_int(m->call, "transBatchA", 0) != 0 ||
                  mfm_proto_int(m->call, "transBatchB", 0) != 0;
    mfm_fused_give(m, 0, y);
}

/* ---- normalisation -------------------------------------------------------------------------- */

static size_t outputs_of(const mfm_fused_maker *m, size_t most)
{
    return m->call->n_output < most ? m->call->n_output : most;
}

static void skip_layer_norm(mfm_fused_maker *m)
{
    const char *x = sum(m, mfm_fused_input(m, 0), mfm_fused_input(m, 1));
    x = sum(m, x, mfm_fused_input(m, 4));
    mfm_fused_give(m, 3, x);
    const size_t n_outputs = outputs_of(m, 3);
    mfm_fused_step(m, "LayerNormalization",
                   (mfm_fused_inputs){{x, mfm_fused_input(m, 2), mfm_fused_input(m, 3)}},
                   n_outputs);
    mfm_fused_set_float(m, "epsilon", mfm_fused_float(m, "epsilon", 1e-12F));
    for (size_t i = 0; i < n_outputs; i++)
        mfm_fused_give(m, i, mfm_fused_output(m, i));
}

static void skip_rms_norm(mfm_fused_maker *m)
{
    const char *x = sum(m, mfm_fused_input(m, 0), mfm_fused_input(m, 1));
    x = sum(m, x, mfm_fused_input(m, 3));
    mfm_fused_give(m, 3, x);
    mfm_fused_give(m, 0, mfm_fused_node(m, "RMSNormalization", x, mfm_fused_input(m, 2), NULL));
    mfm_fused_set_float(m, "epsilon", mfm_fused_float(m, "epsilon", 1e-12F));
}

static void norm(mfm_fused_maker *m, const char *op)
{
    const size_t n_outputs = outputs_of(m, 3);
    mfm_fused_step(
        m, op,
        (mfm_fused_inputs){{mfm_fused_input(m, 0), mfm_fused_input(m, 1), mfm_fused_input(m, 2)}},
        n_outputs);
    mfm_fused_pass(m, "axis", "axis");
    mfm_fused_pass(m, "epsilon", "epsilon");
    for (size_t i = 0; i < n_outputs; i++)
        mfm_fused_give(m, i, mfm_fused_output(m, i));
}

static void layer_norm(mfm_fused_maker *m)
{
    norm(m, "LayerNormalization");
}

static void rms_norm(mfm_fused_maker *m)
{
    norm(m, "RMSNormalization");
}

/* ---- attention ------------------------------------------------------------------------------ */

enum { ATTENTION_BIAS = 5 };

static void attend(mfm_fused_maker *m, const char *q, const char *k, const char *v)
{
    const int64_t heads = mfm_proto_int(m->call, "num_heads", 0);
    const bool causal = mfm_proto_int(m->call, "unidirectional", 0) != 0;
    const double scale = mfm_fused_float(m, "scale", 0);
    mfm_fused_give(m, 0,
                   mfm_fused_step(m, "Attention",
                                  (mfm_fused_inputs){{q, k, v, mfm_fused_input(m, ATTENTION_BIAS)}},
                                  1));
    mfm_fused_set_int(m, "q_num_heads", heads);
    mfm_fused_set_int(m, "kv_num_heads", heads);
    if (causal)
        mfm_fused_set_int(m, "is_causal", 1);
    if (scale != 0)
        mfm_fused_set_float(m, "scale", scale);
    m->refused |= heads < 1 || mfm_proto_int(m->call, "do_rotary", 0) != 0 ||
                  (causal && mfm_fused_float(m, "mask_filter_value", -1e4) > -1e3);
}

/* Along the last axis, in thirds or by lengths. */
static void split(mfm_fused_maker *m, const char *x, const Onnx__AttributeProto *lengths)
{
    const char *list =
        lengths && lengths->n_ints ? mfm_fused_ints(m, lengths->ints, lengths->n_ints) : NULL;
    m->refused |= list && lengths->n_ints != 3;
    mfm_fused_step(m, "Split", (mfm_fused_inputs){{x, list}}, 3);
    mfm_fused_set_int(m, "axis", -1);
    if (!list)
        mfm_fused_set_int(m, "num_outputs", 3);
}

static void attention(mfm_fused_maker *m)
{
    const char *x = mfm_fused_node(m, "MatMul", mfm_fused_input(m, 0), mfm_fused_input(m, 1), NULL);
    split(m, sum(m, x, mfm_fused_input(m, 2)), mfm_proto_attr(m->call, "qkv_hidden_sizes"));
    attend(m, mfm_fused_output(m, 0), mfm_fused_output(m, 1), mfm_fused_output(m, 2));
}

static void multi_head_attention(mfm_fused_maker *m)
{
    const char *bias = mfm_fused_input(m, 3), *x[3];
    for (size_t i = 0; i < 3; i++)
        x[i] = mfm_fused_input(m, i);
    if (bias) {
        const char *parts[3];
        split(m, bias, NULL);
        for (size_t i = 0; i < 3; i++)
            parts[i] = mfm_fused_output(m, i);
        for (size_t i = 0; i < 3; i++)
            x[i] = sum(m, x[i], parts[i]);
    }
    attend(m, x[0], x[1], x[2]);
}

/* ---- the list ------------------------------------------------------------------------------- */

const mfm_fused mfm_fused_operators[] = {
    {"", "LayerNormalization", 16, 0x7, 0x7, 2, " axis epsilon stash_type ",
     "before ONNX had one, as ONNX Runtime writes it", layer_norm},
    {"", "SimplifiedLayerNormalization", 0, 0x3, 0x1, 2, " axis epsilon stash_type ",
     "RMSNormalization", rms_norm},
    {"com.microsoft", "Attention", 0, 0x27, 0x1, 2,
     " num_heads scale unidirectional qkv_hidden_sizes mask_filter_value do_rotary "
     "past_present_share_buffer ",
     "softmax(scale Q K^T + bias) V by heads, Q, K, V = x W + b; without mask or past", attention},
    {"com.microsoft", "BiasGelu", 0, 0x3, 0x1, 2, " ", "Gelu of a sum", gelu},
    {"com.microsoft", "FastGelu", 0, 0x3, 0x1, 1, " ", "Gelu by tanh, of X + bias", fast_gelu},
    {"com.microsoft", "FusedConv", 0, 0xf, 0x1, 2,
     " auto_pad dilations group pads kernel_shape strides activation activation_params ",
     "a convolution, plus Z, and an activation", conv},
    {"com.microsoft", "FusedGemm", 0, 0x7, 0x1, 2,
     " alpha beta transA transB activation activation_alpha activation_beta activation_gamma ",
     "Gemm and an activation", gemm},
    {"com.microsoft", "FusedMatMul", 0, 0x3, 0x1, 2,
     " alpha transA transB transBatchA transBatchB ",
     "alpha A B, the last two axes of each as they are or swapped", matmul},
    {"com.microsoft", "Gelu", 0, 0x1, 0x1, 1, " ", "Gelu", gelu},
    {"com.microsoft", "MultiHeadAttention", 0, 0x2f, 0x1, 3,
     " num_heads scale unidirectional mask_filter_value ",
     "softmax(scale Q K^T + attention_bias) V by heads; without mask or past",
     multi_head_attention},
    {"com.microsoft", "QuickGelu", 0, 0x1, 0x1, 1, " alpha ", "x sigmoid(alpha x)", quick_gelu},
    {"com.microsoft", "SkipLayerNormalization", 0, 0x1f, 0xf, 3, " epsilon ",
     "LayerNormalization of input + skip + bias", skip_layer_norm},
    {"com.microsoft", "SkipSimplifiedLayerNormalization", 0, 0xf, 0x9, 3, " epsilon ",
     "RMSNormalization of input + skip + bias", skip_rms_norm},
    {"com.microsoft", "TransposeMatMul", 0, 0x3, 0x1, 2, " alpha transA transB ",
     "alpha A B, the last two axes of each as they are or swapped", matmul},
    {NULL, NULL, 0, 0, 0, 0, NULL, NULL, NULL}};
