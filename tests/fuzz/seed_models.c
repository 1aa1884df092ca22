#include "tests/fuzz/seed_models.h"

#include "onnx/surgery/inject.h"
#include "tests/onnx/hand.h"

bool fuzz_take_model(mfm_ctx *ctx, mfm_model *model, fuzz_take *take, void *self)
{
    void *bytes;
    size_t size;
    const bool packed = mfm_model_pack(ctx, model, &bytes, &size) == MFM_OK;
    if (packed) {
        take(self, bytes, size);
        mfm_free(ctx, bytes);
    }
    mfm_model_free(model);
    return packed;
}

bool fuzz_seed_residuals(fuzz_take *take, void *self)
{
    static const int64_t versions[][2] = {{3, 8}, {4, 9}, {8, 17}};
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    bool made = ctx != NULL;
    for (size_t i = 0; i < 2 * sizeof versions / sizeof versions[0] && made; i++) {
        mfm_model *model = hand_residual(ctx, versions[i / 2][0], versions[i / 2][1]);
        if (i % 2)
            made = mfm_model_inject(ctx, model, &(mfm_inject_options){.hidden = 2}) == MFM_OK;
        made = fuzz_take_model(ctx, model, take, self) && made;
    }
    if (ctx)
        mfm_ctx_free(ctx);
    return made;
}

/* x [n, 4, 6, 6] and logits [n, 5], from "features" [n, 4]. */
static mfm_model *begin(mfm_ctx *ctx)
{
    mfm_model *m = hand_model(ctx, 8, 14);
    hand_input(m, "x", HAND_DIMS(-1, 4, 6, 6));
    hand_weight(m, "fc", HAND_DIMS(4, 5));
    hand_weight(m, "bias", HAND_DIMS(5));
    hand_output(m, "logits", HAND_DIMS(-1, 5));
    return m;
}

static void end(mfm_model *m)
{
    hand_node(m, "MatMul", "", "features fc", "product");
    hand_node(m, "Add", "", "product bias", "logits");
}

static void ints(mfm_model *m, Onnx__NodeProto *node, const char *name, size_t count,
                 const int64_t *values)
{
    (void)mfm_proto_attr_ints(m, node, name, values, count);
}

/* Pools, Pad, Slice, Concat and Transpose. */
static mfm_model *moving(mfm_ctx *ctx)
{
    mfm_model *m = begin(ctx);
    const int64_t two[] = {2, 2}, around[] = {0, 0, 1, 1, 0, 0, 1, 1};
    hand_ints(m, "around", 8, around);
    hand_ints(m, "from", 2, (const int64_t[]){0, 1});
    hand_ints(m, "to", 2, (const int64_t[]){2, 5});
    hand_ints(m, "axes", 2, (const int64_t[]){1, 2});
    hand_node(m, "Pad", "", "x around", "padded");
    Onnx__NodeProto *pool = hand_node(m, "MaxPool", "", "padded", "most");
    ints(m, pool, "kernel_shape", 2, two);
    ints(m, pool, "strides", 2, two);
    pool = hand_node(m, "AveragePool", "", "padded", "mean");
    ints(m, pool, "kernel_shape", 2, two);
    ints(m, pool, "strides", 2, two);
    Onnx__NodeProto *join = hand_node(m, "Concat", "", "most mean", "joined");
    (void)mfm_proto_attr_int(m, join, "axis", 1);
    hand_node(m, "Slice", "", "joined from to axes", "cut");
    hand_node(m, "Sigmoid", "", "cut", "gate");
    hand_node(m, "Mul", "", "gate cut", "gated");
    Onnx__NodeProto *turned = hand_node(m, "Transpose", "", "gated", "turned");
    ints(m, turned, "perm", 4, (const int64_t[]){0, 2, 3, 1});
    hand_ints(m, "flat", 2, (const int64_t[]){0, -1});
    hand_node(m, "Reshape", "", "turned flat", "row");
    hand_weight(m, "narrow", HAND_DIMS(24, 4));
    hand_node(m, "Gemm", "", "row narrow", "features");
    end(m);
    return m;
}

/* Groups, dilation, squeeze and excitation, and pointwise operators. */
static mfm_model *gated(mfm_ctx *ctx)
{
    mfm_model *m = begin(ctx);
    hand_weight(m, "w1", HAND_DIMS(4, 1, 3, 3));
    hand_weight(m, "w2", HAND_DIMS(4, 4, 1, 1));
    Onnx__NodeProto *conv = hand_node(m, "Conv", "", "x w1", "c1");
    (void)mfm_proto_attr_int(m, conv, "group", 4);
    ints(m, conv, "pads", 4, (const int64_t[]){2, 2, 2, 2});
    ints(m, conv, "dilations", 2, (const int64_t[]){2, 2});
    hand_node(m, "HardSwish", "", "c1", "h1");
    hand_node(m, "GlobalAveragePool", "", "h1", "squeezed");
    hand_node(m, "Conv", "", "squeezed w2", "excited");
    hand_node(m, "HardSigmoid", "", "excited", "gate");
    hand_node(m, "Mul", "", "h1 gate", "weighted");
    hand_node(m, "LeakyRelu", "", "weighted", "leaky");
    hand_node(m, "Dropout", "", "leaky", "dropped");
    hand_node(m, "GlobalMaxPool", "", "dropped", "pooled");
    hand_node(m, "Flatten", "", "pooled", "flat");
    hand_node(m, "Tanh", "", "flat", "features");
    end(m);
    return m;
}

static Onnx__NodeProto *fused_node(mfm_model *m, const char *op, const char *in, const char *out)
{
    Onnx__NodeProto *node = hand_node(m, op, "", in, out);
    (void)mfm_proto_set_string(m, &node->domain, "com.microsoft");
    return node;
}

/* Nodes that ONNX Runtime fused: channels are the tokens that attention sees. */
static mfm_model *fused(mfm_ctx *ctx)
{
    mfm_model *m = begin(ctx);
    hand_weight(m, "w", HAND_DIMS(4, 4, 3, 3));
    hand_weight(m, "scale", HAND_DIMS(36));
    hand_weight(m, "narrow", HAND_DIMS(16, 4));
    hand_ints(m, "rows", 3, (const int64_t[]){0, 4, 36});
    ints(m, fused_node(m, "FusedConv", "x w", "maps"), "pads", 4, (const int64_t[]){1, 1, 1, 1});
    hand_node(m, "Reshape", "", "maps rows", "tokens");
    fused_node(m, "SkipLayerNormalization", "tokens tokens scale", "normal");
    Onnx__NodeProto *heads = fused_node(m, "MultiHeadAttention", "normal normal tokens", "seen");
    (void)mfm_proto_attr_int(m, heads, "num_heads", 3);
    Onnx__NodeProto *turned = fused_node(m, "FusedMatMul", "seen tokens", "products");
    (void)mfm_proto_attr_int(m, turned, "transB", 1);
    fused_node(m, "QuickGelu", "products", "bent");
    hand_node(m, "Flatten", "", "bent", "flat");
    hand_node(m, "Gemm", "", "flat narrow", "features");
    end(m);
    return m;
}

bool fuzz_seed_operators(fuzz_take *take, void *self)
{
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    if (!ctx)
        return false;
    const bool made = fuzz_take_model(ctx, moving(ctx), take, self) &&
                      fuzz_take_model(ctx, gated(ctx), take, self) &&
                      fuzz_take_model(ctx, fused(ctx), take, self);
    mfm_ctx_free(ctx);
    return made;
}
