#include "onnx/info/advice.h"

#include <string.h>

/* Every operator that ONNX has, or had, in its own domain (1.23). */
static const char *const standard =
    " Abs Acos Acosh Add AffineGrid And ArgMax ArgMin Asin Asinh Atan Atanh Attention "
    "AveragePool BatchNormalization Bernoulli BitCast BitShift BitwiseAnd BitwiseNot BitwiseOr "
    "BitwiseXor BlackmanWindow Cast CastLike CausalConvWithState Ceil Celu CenterCropPad Clip "
    "Col2Im Compress Concat ConcatFromSequence Constant ConstantOfShape Conv ConvInteger "
    "ConvTranspose Cos Cosh CumProd CumSum DFT DeformConv DepthToSpace DequantizeLinear Det Div "
    "Dropout DynamicQuantizeLinear Einsum Elu Equal Erf Exp Expand EyeLike Flatten Floor GRU "
    "Gather GatherElements GatherND Gelu Gemm GlobalAveragePool GlobalLpPool GlobalMaxPool "
    "Greater GreaterOrEqual GridSample GroupNormalization HammingWindow HannWindow HardSigmoid "
    "HardSwish Hardmax Identity If ImageDecoder InstanceNormalization IsInf IsNaN LRN LSTM "
    "LayerNormalization LeakyRelu Less LessOrEqual LinearAttention Log LogSoftmax Loop "
    "LpNormalization LpPool MatMul MatMulInteger Max MaxPool MaxRoiPool MaxUnpool Mean "
    "MeanVarianceNormalization MelWeightMatrix Min Mish Mod Mul Multinomial Neg "
    "NegativeLogLikelihoodLoss NonMaxSuppression NonZero Not OneHot Optional OptionalGetElement "
    "OptionalHasElement Or PRelu Pad Pow QLinearConv QLinearMatMul QuantizeLinear "
    "RMSNormalization RNN RandomNormal RandomNormalLike RandomUniform RandomUniformLike Range "
    "Reciprocal ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin "
    "ReduceProd ReduceSum ReduceSumSquare RegexFullMatch Relu Reshape Resize ReverseSequence "
    "RoiAlign RotaryEmbedding Round STFT Scan Scatter ScatterElements ScatterND Selu SequenceAt "
    "SequenceConstruct SequenceEmpty SequenceErase SequenceInsert SequenceLength SequenceMap "
    "Shape Shrink Sigmoid Sign Sin Sinh Size Slice Softmax SoftmaxCrossEntropyLoss Softplus "
    "Softsign SpaceToDepth Split SplitToSequence Sqrt Squeeze StringConcat StringNormalizer "
    "StringSplit Sub Sum SwiGLU Swish Tan Tanh TensorScatter TfIdfVectorizer ThresholdedRelu "
    "Tile TopK Transpose Trilu Unique Unsqueeze Upsample Where Xor ";

/* What rounds numbers to few bits, in ONNX and in ONNX Runtime's domain. */
static const char *const quantised =
    " QuantizeLinear DequantizeLinear DynamicQuantizeLinear ConvInteger MatMulInteger "
    "MatMulIntegerToFloat DynamicQuantizeMatMul MatMulNBits MatMulBnb4 GatherBlockQuantized QGemm "
    "QAttention QEmbedLayerNormalization QMoE ";

static bool begins(const char *text, const char *with)
{
    while (*with && *text == *with) {
        text++;
        with++;
    }
    return !*with;
}

bool mfm_is_no_network(const Onnx__NodeProto *node)
{
    const char *type = mfm_proto_text(node->op_type);
    return strcmp(mfm_proto_text(node->domain), "ai.onnx.ml") == 0 &&
           (begins(type, "TreeEnsemble") || begins(type, "SVM"));
}

static const char *advice_of_ml(const Onnx__NodeProto *node)
{
    const char *type = mfm_proto_text(node->op_type);
    if (mfm_is_no_network(node))
        return ": trees and support vectors have no derivative: only networks can be trained";
    if (strcmp(type, "LinearClassifier") == 0)
        return ": its weights are attributes, which cannot be trained: convert with "
               "black_op={'LinearClassifier'} (skl2onnx), which writes a product";
    if (strcmp(type, "ZipMap") == 0)
        return ": a list of maps: convert with zipmap=False";
    return ": operators of ai.onnx.ml have no derivative, but for scaling columns";
}

const char *mfm_advice(const Onnx__NodeProto *node)
{
    const char *domain = mfm_proto_text(node->domain), *type = mfm_proto_text(node->op_type);
    const bool own = !domain[0] || strcmp(domain, "ai.onnx") == 0;
    const bool runtime = begins(domain, "com.microsoft");
    if ((own || runtime) && (mfm_proto_lists(quantised, type) || begins(type, "QLinear")))
        return ": quantised, and what is rounded has no derivative: take the file from before "
               "quantisation";
    if (strcmp(domain, "ai.onnx.ml") == 0)
        return advice_of_ml(node);
    if (runtime)
        return ": fused by ONNX Runtime: take the file from before, or optimised at level basic";
    return own && !mfm_proto_lists(standard, type)
               ? ": ONNX has no such operator: an exporter left what it could not convert"
               : "";
}
