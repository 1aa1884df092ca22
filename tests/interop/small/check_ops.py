"""Operators in their ONNX forms, by opset: a file gives for a batch what ONNX Runtime gives, and
trains a step. ONNX's own vectors (node_vectors.py) are of the newest forms only.
"""
import numpy as np
import onnx

import small
from small import node

TRUTH = onnx.helper.make_tensor("value", onnx.TensorProto.BOOL, [1], [False])
CONSTANTS = {name: np.array(value, np.int64) for name, value in {
    "maps": [-1, 4, 6, 6], "groups": [0, 2, -1], "line": [0, 4, 36],
    "box": [-1, 4, 3, 6, 2],
    "i0": [0], "i2": [2], "i4": [4], "hw": [9, 4], "nchw": [3, 4, 9, 4],
    "row": [1, 4, -1], "onerow": [0, 1, -1], "column": [0, -1, 1, 1]}.items()}
EVERY = np.random.default_rng(0).integers(-4, 4, (1, 2, 6, 6))
LISTS = np.array([[3, 0], [-1, 5], [0, 2]])
CONSTANTS.update({
    "every": EVERY, "each": np.repeat(EVERY, 3, 0), "two_of_six": np.array([2, 6, 6]),
    "lists": np.repeat(LISTS[None], 3, 0),
    "numbered": np.array([[[k, *at] for at in LISTS] for k in range(3)])})
CONSTANTS.update({
    "up": np.array([1, 1, 1.5, 2], np.float32), "two": np.array(2, np.float32),
    "half": np.array(0.5, np.float32),
    "nought": np.array(0, np.float32), "itwo": np.array([2], np.int64),
    "i1": np.array(1, np.int64), "i3": np.array([3], np.int64),
    "repeats": np.array([1, 2, 1, 3]), "stretched": np.array([1, 1, 5, 2]),
    "b41": small.weights(4, 1, 1, seed=1),
    "mask": np.arange(36).reshape(6, 6) % 5 < 2,
    "masked": np.arange(6).reshape(1, 1, 6, 1) < 4,
    "w1": small.weights(1, 1, 3), "w2": small.weights(4, 4, 3, 3, seed=2),
    "aq": small.weights(36, 16), "ak": small.weights(36, 8), "av": small.weights(36, 8, seed=1),
    "bias66": small.weights(4, 6, 6), "first": np.array([0]), "six": np.array([6]),
    "six_": np.array(6, np.float32),
    "one": np.array([1]), "i1_": np.array([1]), "w3": small.weights(4, 1, 1, 1),
    "map": small.weights(1, 4, 6, 6, seed=3), "two_maps": np.array([[2], [0]]),
    "other_maps": np.array([[3], [0]]),
    "one_map": np.array([[1], [1]]), "e1": small.weights(5, 4), "e2": small.weights(7, 4, 6),
    "nowhere": np.zeros(4, np.float32),
    "depth": np.array(5.7, np.float32), "hot": np.array([0.25, 1.5], np.float32),
    "ring": np.array([0, 0, 1, 8, 0, 1, 13, 2]),
    "idepth": np.array([3]), "ihot": np.array([3, -2]),
    "s4": small.weights(4) + 1, "b4": small.weights(4, seed=1),
    "s2": small.weights(2) + 1, "b2": small.weights(2, seed=1)})

NORMALISATION = [
    ("InstanceNormalization", 7, [node("InstanceNormalization", "r s4 b4", "z", epsilon=0.1)]),
    ("InstanceNormalization", 22, [node("InstanceNormalization", "r s4 b4", "z")]),
    ("InstanceNormalization of lines", 17, [node("Reshape", "r line", "t"),
                                            node("InstanceNormalization", "t s4 b4", "z")]),
    ("InstanceNormalization of boxes", 17, [node("Reshape", "r box", "t"),
                                            node("InstanceNormalization", "t s4 b4", "z")]),
    ("groups by Reshape", 17, [node("Reshape", "r groups", "t"),
                               node("InstanceNormalization", "t s2 b2", "u"),
                               node("Reshape", "u maps", "z")]),
    ("GroupNormalization", 18, [node("GroupNormalization", "r s2 b2", "z", num_groups=2)]),
    ("GroupNormalization", 21, [node("GroupNormalization", "r s4 b4", "z", num_groups=2)]),
    ("LRN", 7, [node("LRN", "r", "z", size=3, alpha=0.5)]),
    ("LRN", 13, [node("LRN", "r", "z", size=5, alpha=0.5, beta=0.6, bias=2.0)]),
    ("LpNormalization", 9, [node("LpNormalization", "r", "z", axis=1, p=2)]),
    ("LpNormalization with p = 1", 22, [node("LpNormalization", "r", "z", axis=-1, p=1)]),
]
# The last: batches at which the file means anything.
RESIZING = [
    ("Resize by scales", 13, [node("Resize", "r - up", "z", mode="linear")]),
    ("Resize to lengths of the input's shape", 13, [
        node("Shape", "r", "t"), node("Slice", "t i0 i2", "u"), node("Concat", "u hw", "v", axis=0),
        node("Resize", "r - - v", "z")]),
    ("Resize of an axis to twice the input's", 18, [
        node("Shape", "r", "t"), node("Slice", "t i2 i4", "u"), node("Add", "u u", "v"),
        node("Resize", "r - - v", "z", axes=[2, 3])]),
    ("Resize to the fixed batch's lengths", 13, [node("Resize", "r - - nchw", "z")], [3]),
    ("SpaceToDepth, DepthToSpace", 13, [
        node("SpaceToDepth", "r", "t", blocksize=2), node("Relu", "t", "u"),
        node("DepthToSpace", "u", "z", blocksize=2, mode="CRD")]),
]
# Of r [n, 4, 6, 6]; "c" is Conv's result, before Relu.
UNARY = [
    (op, opset, [node(op, "c", "z", **attributes)]) for op, opset, attributes in [
        ("Abs", 7, {}), ("Neg", 7, {}), ("Sign", 9, {}), ("Floor", 13, {}), ("Ceil", 13, {}),
        ("Round", 11, {}), ("Sin", 7, {}), ("Cos", 7, {}), ("Atan", 7, {}),
        ("Sinh", 9, {}), ("Cosh", 9, {}), ("Asinh", 9, {}), ("Elu", 7, {"alpha": 0.5}),
        ("Selu", 7, {}), ("Celu", 12, {"alpha": 0.5}), ("Softplus", 7, {}), ("Softsign", 7, {}),
        ("Mish", 18, {}), ("ThresholdedRelu", 10, {"alpha": 0.2}), ("Shrink", 9, {})]]
OPERANDS = [
    ("Tan", 7, [node("Sin", "c", "t"), node("Tan", "t", "z")]),
    ("Reciprocal", 13, [node("Sigmoid", "c", "t"), node("Reciprocal", "t", "z")]),
    ("PRelu", 7, [node("PRelu", "c b41", "z")]),
    ("PRelu", 16, [node("PRelu", "c b41", "z")]),
    ("Pow", 12, [node("Pow", "c two", "z")]),
    ("Pow by a whole number", 13, [node("Pow", "c itwo", "z")]),
    ("Pow by a root", 15, [node("Sigmoid", "c", "t"), node("Pow", "t half", "z")]),
    ("Pow by features", 15, [node("Sigmoid", "c", "t"), node("Pow", "t r", "z")]),
    ("Max", 8, [node("Max", "c b41 half", "z")]),
    ("Min", 13, [node("Min", "c b41", "z")]),
    ("Mean", 13, [node("Mean", "c r b41", "z")]),
    ("Where by a constant", 9, [node("Where", "mask c b41", "z")]),
    ("Where by a comparison", 16, [node("Greater", "c half", "t"), node("Not", "t", "u"),
                                   node("Less", "c r", "v"), node("Or", "u v", "a"),
                                   node("And", "a mask", "b"), node("Where", "b r c", "z")]),
    ("Where a softmax is a number, as scaled_dot_product_attention asks", 20, [
        node("Softmax", "c", "s"), node("IsNaN", "s", "t"), node("Where", "t nought s", "u"),
        node("Add", "u c", "z")]),
    ("Cast of a comparison", 16, [node("GreaterOrEqual", "c half", "t"),
                                  node("LessOrEqual", "c b41", "u"), node("Xor", "t u", "v"),
                                  node("Cast", "v", "a", to=1), node("Mul", "a c", "z")]),
]
REDUCTIONS = [
    ("%s %s" % (op, how), opset, [node("Sigmoid", "c", "t"), node(op, inputs, "z", **attributes)])
    for op, since in [("ReduceSum", 13), ("ReduceMax", 18), ("ReduceMin", 18), ("ReduceProd", 18),
                      ("ReduceL1", 18), ("ReduceL2", 18), ("ReduceSumSquare", 18),
                      ("ReduceLogSum", 18), ("ReduceLogSumExp", 18)]
    for how, opset, inputs, attributes in [
        ("by attribute", 11, "t", {"axes": [2, 3], "keepdims": 0}),
        ("by a negative attribute", 12, "t", {"axes": [-3]}),
        ("by input", since, "t i3", {})]]
MOVES = [
    ("Tile", 7, [node("Tile", "r repeats", "z")]),
    ("Tile of a column", 13, [node("ReduceMean", "r", "t", axes=[2], keepdims=1),
                              node("Tile", "t stretched", "z")]),
    ("Trilu", 14, [node("Trilu", "r", "z")]),
    ("Trilu below a diagonal", 14, [node("Trilu", "r i1", "z", upper=0)]),
    ("ScatterND", 11, [node("Transpose", "r", "t", perm=[1, 0, 2, 3]), node("Relu", "t", "u"),
                       node("GatherND", "u two_maps", "v"), node("Exp", "v", "w_"),
                       node("ScatterND", "t other_maps w_", "a"),
                       node("Transpose", "a", "z", perm=[1, 0, 2, 3])]),
    ("ScatterND that adds", 18, [
        node("Transpose", "r", "t", perm=[1, 0, 2, 3]), node("GatherND", "t two_maps", "v"),
        node("ScatterND", "t one_map v", "a", reduction="add"),
        node("Transpose", "a", "z", perm=[1, 0, 2, 3])]),
    ("ScatterND that multiplies", 18, [
        node("Transpose", "r", "t", perm=[1, 0, 2, 3]), node("GatherND", "t two_maps", "v"),
        node("ScatterND", "t one_map v", "a", reduction="mul"),
        node("Transpose", "a", "z", perm=[1, 0, 2, 3])]),
    ("GatherElements of each image", 13, [node("GatherElements", "r each", "z", axis=1)], [3]),
    ("GatherElements of as many images as there are", 13, [
        node("Shape", "r", "t"), node("Gather", "t first", "u"),
        node("Concat", "u two_of_six", "v", axis=0), node("Expand", "every v", "a"),
        node("GatherElements", "r a", "z", axis=-3)]),
    ("GatherND of each image", 12, [node("GatherND", "r lists", "z", batch_dims=1)], [3]),
    ("GatherND with the image's number", 13, [node("GatherND", "r numbered", "z")], [3]),
    ("OneHot", 11, [node("Mul", "c six_", "t"), node("OneHot", "t depth hot", "u", axis=1),
                    node("ReduceMean", "u", "v", axes=[1]), node("Squeeze", "v", "a", axes=[1]),
                    node("Add", "a c", "z")]),
    ("OneHot of whole numbers", 13, [
        node("Mul", "c six_", "t"), node("OneHot", "t idepth ihot", "u"),
        node("Cast", "u", "v", to=1), node("Gather", "v i1", "a", axis=4),
        node("Mul", "a c", "z")]),
    ("OneHot before the batch", 9, [
        node("Mul", "c six_", "t"), node("OneHot", "t depth hot", "u", axis=0),
        node("ReduceMean", "u", "v", axes=[0], keepdims=0), node("Add", "v c", "z")]),
    ("Pad around the other end", 19, [node("Pad", "r ring", "z", mode="wrap")]),
    ("MeanVarianceNormalization", 9, [node("MeanVarianceNormalization", "c", "z", axes=[2, 3])]),
    ("MeanVarianceNormalization of images", 13, [
        node("MeanVarianceNormalization", "c", "z", axes=[1, -2, -1])]),
    ("CumSum", 11, [node("CumSum", "r i1", "z")]),
    ("CumSum from the other end", 14, [node("CumSum", "r i3", "z", exclusive=1, reverse=1)])]
# Weights that are computed, and what is computed of a line.
WEIGHTS = [
    ("standardised weights", 17, [
        node("Reshape", "w2 row", "t"),
        node("BatchNormalization", "t s4 b4 nowhere nowhere", "u m v", training_mode=1),
        node("Shape", "w2", "n"), node("Reshape", "u n", "k"), node("Conv", "r k", "z")]),
    ("standardised weights by their parts", 17, [
        node("ReduceMean", "w2", "m", axes=[1, 2, 3]), node("Sub", "w2 m", "d"),
        node("Mul", "d d", "q"), node("ReduceMean", "q", "v", axes=[1, 2, 3]),
        node("Sqrt", "v", "e"), node("Div", "d e", "k"), node("Conv", "r k b4", "z")]),
    ("a convolution by Einsum", 12, [node("Einsum", "r e1", "z", equation="nchw,dc->ndhw")]),
    ("positions by Einsum", 13, [node("Einsum", "r e2", "z", equation="nchw,xcw->nchx")]),
    ("attention by Einsum", 17, [
        node("Reshape", "r line", "t"), node("Einsum", "t t", "u", equation="bci,bcj->bij"),
        node("Softmax", "u", "v"), node("Einsum", "v t", "z", equation="bij,bcj->bci")]),
    ("Attention of lines", 23, [
        node("Reshape", "r line", "t"), node("MatMul", "t aq", "a"), node("MatMul", "t ak", "b"),
        node("MatMul", "t av", "c_"), node("Attention", "a b c_", "z", q_num_heads=4,
                                           kv_num_heads=2, softcap=2.0, is_causal=1)]),
    ("Attention by heads with a bias", 24, [
        node("Attention", "r r r bias66", "z", scale=0.7)]),
    ("Attention with a mask of truth values", 23, [node("Attention", "r r r mask", "z")]),
    ("positions in a batch of zeros", 17, [
        node("Shape", "r", "n"), node("Gather", "n first", "m"), node("Concat", "m six six", "s",
                                                                       axis=0),
        node("ConstantOfShape", "s", "f", value=TRUTH), node("Cast", "f", "f_", to=9),
        node("Not", "f_", "g_"),
        node("Cast", "g_", "h_", to=1), node("CumSum", "h_ i1", "u"),
        node("Unsqueeze", "u i1_", "v"), node("Conv", "v w3", "p"), node("Add", "r p", "z")]),
    ("a mask of truth values that is stretched to the batch", 17, [
        node("Shape", "r", "n"), node("Gather", "n first", "m"),
        node("Concat", "m one six one", "s", axis=0), node("Expand", "masked s", "t"),
        node("Where", "t r nought", "z")]),
    ("positions in a batch of numbers", 17, [
        node("Shape", "r", "n"), node("Gather", "n first", "m"), node("Concat", "m six six", "s",
                                                                       axis=0),
        node("ConstantOfShape", "s", "f"), node("Cast", "f", "b_", to=9), node("Not", "b_", "g_"),
        node("Cast", "g_", "h_", to=1), node("Unsqueeze", "h_ i1_", "v"), node("Add", "r v", "z")]),
    ("a map tiled to the batch", 13, [
        node("Shape", "r", "n"), node("Gather", "n first", "m"), node("Concat", "m one one one",
                                                                      "s", axis=0),
        node("Tile", "map s", "t"), node("Add", "r t", "z")]),
    ("efficient channel attention", 13, [
        node("GlobalAveragePool", "r", "t"), node("Reshape", "t onerow", "u"),
        node("Conv", "u w1", "v", pads=[1, 1]), node("Sigmoid", "v", "s"),
        node("Reshape", "s column", "p"), node("Shape", "r", "n"), node("Expand", "p n", "e"),
        node("Mul", "r e", "z")]),
]
# One window over maps that are smaller than it: EfficientNet's pooling in transformers.
POOLING = [
    ("%s of a window larger than the maps" % op, opset, [
        node(op, "r", "t", kernel_shape=[7, 9], strides=[7, 9], ceil_mode=1, **more),
        node("Add", "t c", "z")])
    for op, opset, more in [("AveragePool", 10, {}), ("AveragePool", 19, {}), ("MaxPool", 12, {}),
                            ("AveragePool", 13, {"count_include_pad": 1})]]
NETS = POOLING + MOVES + NORMALISATION + RESIZING + UNARY + OPERANDS + REDUCTIONS + WEIGHTS


def width(nodes, made, opset, batch):
    """Numbers of z for one image."""
    value = lambda name, shape: onnx.helper.make_tensor_value_info(name, 1, shape)
    graph = onnx.helper.make_graph(
        nodes, "part", [value("x", [batch, 1, 8, 8])], [value("z", None)],
        [onnx.numpy_helper.from_array(v, k) for k, v in made.items()])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", opset)],
                                   ir_version=8 if opset < 21 else 11)
    session = small.onnxruntime.InferenceSession(model.SerializeToString(),
                                                 providers=["CPUExecutionProvider"])
    return session.run(None, {"x": np.zeros((batch, 1, 8, 8), np.float32)})[0].size // batch


def build(path, opset, nodes, batch):
    first, made = small.features()
    used = {n for one in nodes for n in one.input}
    made.update({k: v for k, v in CONSTANTS.items() if k in used})
    head = small.head(width(first + nodes, made, opset, 1 if batch == "n" else batch), "z")
    return small.save(path, *small.join((first + nodes, made), head), opset=opset,
                      x=(batch, 1, 8, 8), y=(batch, 3))


def differ(program, path, size):
    """What is wrong with the program's logits of a file; "" when ONNX Runtime has the same."""
    images = program.data.test[:6]
    got, messages = program.logits(path, images)
    if got is None:
        return messages
    want = np.concatenate([small.runtime(path, images[i:i + size]) for i in range(0, 6, size)])
    worst = float(np.abs(got - want).max() / max(1, np.abs(want).max()))
    return "" if worst < 1e-5 else "the logits differ by %g of the largest" % worst


def check(program, path, batch):
    fault = differ(program, path, 6 if batch == "n" else batch)
    if fault or batch != "n":
        return fault
    status, lines, messages, written = program.train(path, "--method", "base", "--epochs", 1,
                                                     "--batch", 15, "--lr", 0.01)
    if status or not lines:
        return messages
    return differ(program, written, 6)


def checks(program):
    for what, opset, nodes, *batches in NETS:
        for batch in batches[0] if batches else (3, "n"):
            name = "%s of opset %d, batch %s" % (what, opset, batch)
            path = program.folder / (name.replace(" ", "_").replace("=", "is") + ".onnx")
            yield name, check(program, build(path, opset, nodes, batch), batch)
