"""The end of a file: the loss is the cross-entropy of what ONNX Runtime says it computes.

Each ending is put behind the same small network, trained a little, and the written file run.
"""
import json

import numpy as np

import small
from small import node

TRAIN = ("--method", "base", "--epochs", 3, "--batch", 15, "--lr", 0.1,
         "--mean", "data")
INTS = {name: np.array(value, np.int64) for name, value in {
    "rows": [-1, 3], "keep": [0, 3], "map": [0, 3, 1, 1], "wide": [0, 1, 3], "a1": [1],
    "a2": [2], "a3": [3], "a23": [2, 3]}.items()}
HALF = {"half": np.float32(0.5), "tiny": np.float32(1e-6), "one": np.float32(1)}

# (what, opset, nodes from s, the logits [n,3], to y, what y is): "p" probabilities, "log" their
# logarithm, "logits". A word instead: what the refusal or, after "!", the warning must have.
FLAT = [
    ("no Softmax", 17, [("Identity", "s", {})], "logits"),
    ("Softmax", 17, [("Softmax", "s", {"axis": 1})], "p"),
    ("Softmax over -1", 17, [("Softmax", "s", {})], "p"),
    ("Softmax at 9", 9, [("Softmax", "s", {})], "p"),
    ("Softmax over -1 at 11", 11, [("Softmax", "s", {"axis": -1})], "p"),
    ("LogSoftmax", 17, [("LogSoftmax", "s", {"axis": 1})], "log"),
    ("LogSoftmax at 11", 11, [("LogSoftmax", "s", {})], "log"),
    ("Softmax of LogSoftmax", 17, [("LogSoftmax", "s", {}), ("Softmax", "0", {})], "p"),
    ("Softmax, Flatten", 17, [("Softmax", "s", {"axis": 1}), ("Flatten", "0", {})], "p"),
    ("Softmax, Reshape", 17, [("Softmax", "s", {}), ("Reshape", "0 rows", {})], "p"),
    ("Softmax, Reshape that keeps", 17, [("Softmax", "s", {}), ("Reshape", "0 keep", {})], "p"),
    ("Softmax, Identity", 17, [("Softmax", "s", {}), ("Identity", "0", {})], "p"),
    ("Softmax, Dropout", 17, [("Softmax", "s", {}), ("Dropout", "0", {})], "p!Dropout"),
    ("Softmax, Dropout at 9", 9, [("Softmax", "s", {}), ("Dropout", "0", {})], "p!Dropout"),
    ("Softmax, Cast", 17, [("Softmax", "s", {}), ("Cast", "0", {"to": 1})], "p"),
    ("Softmax, Unsqueeze, Squeeze", 17, [("Softmax", "s", {}), ("Unsqueeze", "0 a2", {}),
                                         ("Squeeze", "1 a2", {})], "p"),
    ("Softmax, two Transpose", 17, [("Softmax", "s", {}), ("Transpose", "0", {"perm": [1, 0]}),
                                    ("Transpose", "1", {"perm": [1, 0]})], "p"),
    ("Log of Softmax", 17, [("Softmax", "s", {}), ("Log", "0", {})], "log"),
    ("Log of Flatten of Softmax at 11", 11, [("Reshape", "s map", {}), ("Softmax", "0", {}),
                                             ("Flatten", "1", {}), ("Log", "2", {})], "log"),
    ("Softmax of Log of Softmax", 17, [("Softmax", "s", {}), ("Log", "0", {}),
                                       ("Softmax", "1", {})], "p"),
    ("two Softmax", 17, [("Softmax", "s", {}), ("Softmax", "0", {})], "p!two Softmax"),
    ("LogSoftmax of Softmax", 17, [("Softmax", "s", {}), ("LogSoftmax", "0", {})], "log!two"),
    ("Softmax of a map, Flatten", 17, [("Reshape", "s map", {}), ("Softmax", "0", {"axis": 1}),
                                       ("Flatten", "1", {})], "p"),
    ("Softmax of a map at 11, Flatten", 11, [("Reshape", "s map", {}), ("Softmax", "0", {}),
                                             ("Flatten", "1", {})], "p"),
    ("Softmax of a map, Squeeze", 17, [("Reshape", "s map", {}), ("Softmax", "0", {"axis": 1}),
                                       ("Squeeze", "1 a23", {})], "p"),
    ("Softmax of a row, Transpose of unit axes, Squeeze", 17, [
        ("Reshape", "s wide", {}), ("Softmax", "0", {}), ("Transpose", "1", {"perm": [0, 2, 1]}),
        ("Squeeze", "2 a2", {})], "p"),
    ("a map that stays", 17, [("Reshape", "s map", {}), ("Softmax", "0", {"axis": 1})], "p"),
    ("a map that stays, at 11", 11, [("Reshape", "s map", {}), ("Softmax", "0", {})], "p"),
    ("a map without Softmax", 17, [("Reshape", "s map", {})], "logits"),
    ("Softmax over a unit axis", 17, [("Reshape", "s map", {}), ("Softmax", "0", {})],
     "does not sum over exactly the classes"),
    ("Softmax over a unit axis, Flatten", 17, [
        ("Reshape", "s map", {}), ("Softmax", "0", {"axis": 2}), ("Flatten", "1", {})],
     "does not sum over exactly the classes"),
    ("LogSoftmax over a unit axis at 11", 11, [
        ("Reshape", "s map", {}), ("LogSoftmax", "0", {"axis": 2}), ("Flatten", "1", {})],
     "does not sum over exactly the classes"),
    ("Softmax over the batch", 17, [("Softmax", "s", {"axis": 0})], "Softmax"),
    ("Softmax over everything at 11", 11, [("Softmax", "s", {"axis": 0})], "Softmax"),
    ("Sigmoid", 17, [("Sigmoid", "s", {})], "logits!probabilities"),
    ("Sigmoid, Flatten", 17, [("Sigmoid", "s", {}), ("Flatten", "0", {})], "logits!probabilities"),
    ("HardSigmoid", 17, [("HardSigmoid", "s", {})], "logits!probabilities"),
    ("Softmax, Mul", 17, [("Softmax", "s", {}), ("Mul", "0 half", {})], "logits!probabilities"),
    ("Softmax, Clip", 17, [("Softmax", "s", {}), ("Clip", "0 tiny one", {})],
     "logits!probabilities"),
    ("mean of two Softmax", 17, [("Softmax", "s", {}), ("Mul", "s half", {}), ("Softmax", "1", {}),
                                 ("Add", "0 2", {})], "logits!probabilities"),
    ("Tanh", 17, [("Tanh", "s", {})], "logits"),
]


def softmax(logits):
    e = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def build(path, opset, steps):
    nodes, tensors = small.join(small.features(), small.head(144, end="s"))
    for i, (op, inputs, attributes) in enumerate(steps):
        inputs = " ".join("v%s" % n if n.isdigit() else n for n in inputs.split())
        if op in ("Squeeze", "Unsqueeze") and opset < 13:
            raise ValueError("axes are inputs here")
        output = "y" if i == len(steps) - 1 else "v%d" % i
        nodes.append(node(op, inputs, output, **attributes))
    used = {n for made in nodes for n in made.input}
    tensors.update({k: v for k, v in {**INTS, **HALF}.items() if k in used})
    last = ("n", 3, 1, 1) if steps[-1][0] in ("Reshape", "Softmax") and "a map" in path.stem \
        else ("n", 3)
    return small.save(path, nodes, tensors, opset=opset, y=last)


def check(program, path, kind, options=TRAIN):
    kind, _, warning = kind.partition("!")
    status, lines, messages, trained = program.train(path, *options)
    if status:
        return messages
    told = [line for line in messages.splitlines() if "warning: " in line]
    if len(told) != bool(warning) or any(
            warning not in line or "warning: %s: " % path not in line for line in told):
        return "not one warning, by the file's name: %s" % messages if warning else messages
    output = small.runtime(trained, program.data.test).reshape(15, -1)
    rows = {"p": lambda: output, "log": lambda: np.exp(output),
            "logits": lambda: softmax(output)}[kind]()
    want = small.cross_entropy(rows, program.data.labels)
    got = lines[-1]["test_loss"]
    if not abs(got - want) < 1e-4 * max(1, want):
        return "test_loss %g: ONNX Runtime says %g" % (got, want)
    status, text, messages = program("eval", trained, "--data", "idx:%s" % program.data.folder,
                                     "--json")
    error = 100 * float((output.argmax(axis=1) != program.data.labels).mean())
    if status or abs(json.loads(text)["error"] - error) > 1e-6:
        return "eval: %s%s, not %g" % (text[:80], messages, error)
    return ""


MODULATED = ("Softmax, Flatten", "two Softmax", "Softmax of a map, Squeeze", "Log of Softmax")
MFM = ("--layer", "conv:1", "--hidden", 4, "--meta-per-class", 3, "--meta-batch", 9, *TRAIN[2:])


def checks(program):
    for what, opset, steps, kind in FLAT:
        path = build(program.folder / (what.replace(" ", "_").replace("a_map", "a map") + ".onnx"),
                     opset, steps)
        if kind.split("!")[0] in ("p", "log", "logits"):
            yield what, check(program, path, kind)
            if what in MODULATED:
                yield what + ", modulated", check(program, path, kind, MFM)
            continue
        status, _, messages, _ = program.train(path, *TRAIN)
        yield what + " is refused", "" if status == 3 and kind in messages else \
            "exit %d: %s" % (status, messages)
