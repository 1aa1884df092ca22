"""Nodes that ONNX Runtime's optimiser fuses, taken as what they were made of, and written back."""
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

import small
from small import CLASSES, node, weights

OWN = "com.microsoft"
BASE = ("--method", "base", "--epochs", 2, "--batch", 15, "--lr", .05, "--milestones", "none")


def fused(op, inputs, outputs, domain=OWN, **attributes):
    return node(op, inputs, outputs, domain=domain, name="of_" + op, **attributes)


def save(path, nodes, tensors, opset):
    value = lambda name, shape: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
    graph = helper.make_graph(
        nodes, "fused", [value("x", ("n", 1, 8, 8))], [value("y", ("n", CLASSES))],
        [numpy_helper.from_array(np.asarray(v), k) for k, v in tensors.items()])
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid(OWN, 1)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), str(path))
    return path


def tokens(*nodes, **tensors):
    """t [n, 8, 8], the rows of the image, through nodes to r [n, 8, 8]."""
    return ([node("Reshape", "x rows", "t")] + list(nodes) +
            [node("Flatten", "r", "f"), node("Gemm", "f g h", "y")],
            {"rows": np.array([0, 8, 8]), "g": weights(64, CLASSES), "h": weights(CLASSES),
             **tensors})


def maps(*nodes, **tensors):
    """x through nodes to r [n, 4, 8, 8]."""
    return (list(nodes) + [node("Flatten", "r", "f"), node("Gemm", "f g h", "y")],
            {"w": weights(4, 1, 3, 3), "b": weights(4), "g": weights(256, CLASSES, scale=.1),
             "h": weights(CLASSES), **tensors})


def convolutions():
    more = {"Relu": [], "Sigmoid": [], "Tanh": [], "LeakyRelu": [0.2], "Clip": [-0.3, 0.4],
            "HardSigmoid": [0.3, 0.4]}
    for act, params in more.items():
        given = {"activation_params": params} if params else {}
        yield "FusedConv, " + act, maps(
            fused("FusedConv", "x w b", "r", pads=[1] * 4, activation=act, **given)), ["w", "b"]
    yield "FusedConv and a sum", maps(
        node("Conv", "x k", "z", pads=[1] * 4),
        fused("FusedConv", "x w - z", "r", auto_pad="SAME_UPPER", activation="Relu"),
        k=weights(4, 1, 3, 3, seed=1)), ["w", "k"]
    yield "FusedGemm", ([node("Flatten", "x", "f"),
                         fused("FusedGemm", "f w b", "r", transB=1, alpha=0.5, beta=2.0,
                               activation="LeakyRelu", activation_alpha=0.3),
                         node("Gemm", "r g h", "y")],
                        {"w": weights(6, 64), "b": weights(6), "g": weights(6, CLASSES),
                         "h": weights(CLASSES)}), ["w", "b"]


def norms():
    gamma, beta = 1 + weights(8, seed=2), weights(8, seed=3)
    yield "SkipLayerNormalization", tokens(
        node("MatMul", "t w", "m"), fused("SkipLayerNormalization", "m t s o b", "r"),
        w=weights(8, 8), s=gamma, o=beta, b=weights(8, seed=4)), ["w", "s", "o", "b"]
    yield "SkipLayerNormalization, its sum read, and a skip for all images", tokens(
        node("MatMul", "t w", "m"),
        fused("SkipLayerNormalization", "m p s o", "k - - u", epsilon=0.1),
        node("Add", "k u", "r"), w=weights(8, 8), s=gamma, o=beta, p=weights(8, 8, seed=5)), [
            "w", "s", "o", "p"]
    yield "SkipSimplifiedLayerNormalization", tokens(
        node("MatMul", "t w", "m"), fused("SkipSimplifiedLayerNormalization", "m t s", "r",
                                          epsilon=1e-3), w=weights(8, 8), s=gamma), ["w", "s"]
    yield "LayerNormalization before ONNX's", tokens(
        node("MatMul", "t w", "m"),
        fused("LayerNormalization", "m s o", "r", domain="", axis=-1), w=weights(8, 8), s=gamma,
        o=beta), ["w", "s", "o"]
    yield "SimplifiedLayerNormalization", tokens(
        node("MatMul", "t w", "m"),
        fused("SimplifiedLayerNormalization", "m s", "r", domain="", axis=-1, epsilon=0.01),
        w=weights(8, 8), s=gamma), ["w", "s"]


def pointwise():
    for op, bias, more in (("Gelu", "", {}), ("QuickGelu", "", {"alpha": 1.5}),
                           ("QuickGelu", "", {}), ("FastGelu", "", {}), ("FastGelu", " b", {}),
                           ("BiasGelu", " b", {})):
        given = {"b": weights(8)} if bias else {}
        yield "%s%s %s" % (op, bias, more), tokens(
            node("MatMul", "t w", "m"), fused(op, "m" + bias, "r", **more), w=weights(8, 8),
            **given), ["w"] + list(given)


def products():
    for a, b in ((0, 0), (0, 1), (1, 0), (1, 1)):
        yield "FusedMatMul of two, %d%d" % (a, b), tokens(
            node("MatMul", "t w", "m"),
            fused("FusedMatMul", "t m", "r", alpha=0.4, transA=a, transB=b), w=weights(8, 8)), ["w"]
        yield "FusedMatMul by weights, %d%d" % (a, b), tokens(
            node("MatMul", "t v", "m"),
            fused("FusedMatMul", "m w", "r", alpha=0.4, transA=a, transB=b), w=weights(8, 8),
            v=weights(8, 8, seed=1)), ["w", "v"]
    yield "TransposeMatMul", tokens(
        node("MatMul", "t w", "m"), fused("TransposeMatMul", "m t", "r", transB=1),
        w=weights(8, 8)), ["w"]


def attention():
    rows = dict(w=weights(8, 24, scale=.5), b=weights(24))
    three = [node("MatMul", "t p%d" % i, "m%d" % i) for i in range(3)]
    parts = {"p%d" % i: weights(8, 8, seed=i, scale=.5) for i in range(3)}
    yield "Attention", tokens(fused("Attention", "t w b", "r", num_heads=2), **rows), ["w", "b"]
    yield "Attention, causal, with a scale", tokens(
        fused("Attention", "t w b", "r", num_heads=4, unidirectional=1, scale=0.9), **rows), [
            "w", "b"]
    yield "Attention, lengths told", tokens(
        fused("Attention", "t w b", "r", num_heads=2, qkv_hidden_sizes=[8, 8, 8]), **rows), [
            "w", "b"]
    yield "MultiHeadAttention", tokens(
        *three, fused("MultiHeadAttention", "m0 m1 m2", "r", num_heads=2), **parts), list(parts)
    yield "MultiHeadAttention, biases", tokens(
        *three, fused("MultiHeadAttention", "m0 m1 m2 b - a", "r", num_heads=2), **parts,
        b=weights(24), a=weights(1, 2, 8, 8)), list(parts) + ["b"]


def computes(program, path):
    images = program.data.test[:6]
    got, messages = program.logits(path, images)
    if got is None:
        return messages
    want = small.runtime(path, images)
    worst = float(np.abs(got - want).max() / np.abs(want).max())
    return "" if worst < 1e-5 else "the logits differ by %g" % worst


def trains(program, path, names):
    status, _, messages, written = program.train(path, *BASE)
    if status:
        return messages
    before, after = onnx.load(str(path)), onnx.load(str(written))
    if [n.SerializeToString() for n in before.graph.node] != [
            n.SerializeToString() for n in after.graph.node]:
        return "the written file has other nodes"
    moved = {t.name for t, s in zip(after.graph.initializer, before.graph.initializer)
             if t.SerializeToString() != s.SerializeToString()}
    if set(names) - moved:
        return "not trained: %s" % (set(names) - moved)
    return computes(program, written)


def modulates(program, path):
    """At the last layer, behind what is fused to it; and byte for byte the file before."""
    injected, plain = path.with_suffix(".injected.onnx"), path.with_suffix(".plain.onnx")
    where = ("inject", path, "-o", injected, "--layer", "last_features")
    status, _, messages = program(*where)
    if status and "--position act or block may be" in messages:
        status, _, messages = program(*where, "--position", "act")
        if "no activation follows it directly" in messages:
            return ""
    if not status:
        status, _, messages = program("strip", injected, "-o", plain)
    if status:
        return messages
    if plain.read_bytes() != path.read_bytes():
        return "strip gives other bytes"
    worst = np.abs(small.runtime(injected, program.data.test[:5]) -
                   small.runtime(path, program.data.test[:5])).max()
    return "" if worst < 1e-5 else "the logits differ by %g" % worst


def refused(program):
    """What no body has is refused, and says what to do."""
    cases = {
        "a padding mask": tokens(fused("Attention", "t w b k", "r", num_heads=2),
                                 w=weights(8, 24), b=weights(24), k=np.ones(1, np.int32)),
        "batches swapped": tokens(fused("FusedMatMul", "t t", "r", transBatchA=1)),
        "an unknown attribute": tokens(fused("Gelu", "t", "r", turbo=1)),
        "an unknown activation": maps(fused("FusedConv", "x w b", "r", pads=[1] * 4,
                                            activation="Cosine")),
        "no number for the activation": maps(fused("FusedConv", "x w b", "r", pads=[1] * 4,
                                                   activation="LeakyRelu"))}
    for what, (nodes, tensors) in cases.items():
        path = save(program.folder / (what.replace(" ", "_") + ".onnx"), nodes, tensors, 17)
        got, messages = program.logits(path, program.data.test[:2])
        good = got is None and "level basic" in messages
        yield "refused: %s" % what, "" if good else messages or "taken"


def checks(program):
    every = [c for part in (convolutions, norms, pointwise, products, attention) for c in part()]
    for number, (what, (nodes, tensors), names) in enumerate(every):
        path = save(program.folder / ("fused%d.onnx" % number), nodes, tensors, 13)
        fault = computes(program, path) or trains(program, path, names)
        if not fault:
            fault = modulates(program, path)
        yield what, fault
    yield from refused(program)
