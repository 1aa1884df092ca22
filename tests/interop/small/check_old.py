"""Files of opset 6, which ONNX Runtime has no operators for: two operands are broadcast by
attributes. A file is compared with what it is in opset 7.
"""
import numpy as np

import small
from small import node

B = {"b": (4,), "row": (6,), "map": (4, 6), "one": (1,), "square": (6, 6)}
CONSTANTS = {name: small.weights(*shape) + np.float32(0.9) for name, shape in B.items()}
CONSTANTS.update({name + "7": CONSTANTS[name].reshape(shape) for name, shape in {
    "b": (4, 1, 1), "row": (6,), "map": (4, 6, 1), "one": (1,), "square": (6, 6)}.items()})
CONSTANTS.update({"mean": small.weights(4), "var": small.weights(4, seed=1) ** 2 + 1,
                  "s": small.weights(4) + 1})
FORMS = [("b", {"axis": 1}), ("b", {"axis": -3}), ("row", {}), ("map", {"axis": 1}), ("one", {}),
         ("square", {}), ("square", {"axis": 2})]


def nets():
    """(what, nodes from r [n,4,6,6] to z of opset 6, the same of opset 7)."""
    for op in ("Add", "Sub", "Mul", "Div"):
        for name, more in FORMS:
            yield "%s %s %s" % (op, name, more), [
                node(op, "r " + name, "z", broadcast=1, **more)], [node(op, "r %s7" % name, "z")]
        yield op, [node("Exp", "r", "t"), node(op, "r t", "z")], None
    yield "Pow", [node("Exp", "r", "t"), node("Pow", "t b", "z", broadcast=1, axis=1)], [
        node("Exp", "r", "t"), node("Pow", "t b7", "z")]
    for op in ("Greater", "Less"):
        yield op, [node(op, "r b", "t", broadcast=1, axis=1), node("Cast", "t", "u", to=1),
                   node("Mul", "u r", "z")], [
            node(op, "r b7", "t"), node("Cast", "t", "u", to=1), node("Mul", "u r", "z")]
    yield "BatchNormalization", [node("BatchNormalization", "r s b mean var", "z", is_test=1)], [
        node("BatchNormalization", "r s b mean var", "z")]
    yield "Dropout", [node("Dropout", "r", "z", is_test=1)], [node("Dropout", "r", "z")]


def build(path, nodes, opset):
    first, made = small.features()
    used = {n for one in nodes for n in one.input}
    made.update({k: v for k, v in CONSTANTS.items() if k in used})
    broadcast = {} if opset > 6 else {"broadcast": 1}
    end = [node("Flatten", "z", "flat"), node("Gemm", "flat g h", "y", **broadcast)]
    made.update(g=small.weights(144, small.CLASSES, scale=0.1), h=small.weights(small.CLASSES))
    return small.save(path, first + nodes + end, made, opset=opset)


def trained(program, path):
    status, lines, messages, written = program.train(path, "--method", "base", "--epochs", 1,
                                                     "--batch", 15, "--lr", 0.01)
    return (written, "") if status == 0 and lines else (None, messages or "no metrics")


def check(program, old, new):
    images = program.data.test[:6]
    for steps in range(2):
        got, messages = program.logits(old, images)
        if got is None:
            return messages
        worst = float(np.abs(got - small.runtime(new, images)).max())
        if worst > 1e-5:
            return "after %d steps the logits differ by %g" % (steps, worst)
        (old, fault), (new, _) = trained(program, old), trained(program, new)
        if fault:
            return fault
    return ""


def checks(program):
    for what, old, new in nets():
        stem = "".join(c if c.isalnum() or c == "-" else "_" for c in what)
        yield what, check(program, build(program.folder / (stem + "_6.onnx"), old, 6),
                          build(program.folder / (stem + "_7.onnx"), new or old, 7))
