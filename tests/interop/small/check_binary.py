"""One number for each image: a classifier of two classes, whose loss is the binary cross-entropy
of what ONNX Runtime says the file computes.
"""
import json

import numpy as np
import onnx
from onnx import numpy_helper

import small
from small import node, weights

TRAIN = ("--method", "base", "--epochs", 3, "--batch", 15, "--lr", 0.1, "--mean", "data")
MFM = ("--layer", "conv:1", "--hidden", 4, "--meta-per-class", 3, "--meta-batch", 6, *TRAIN[2:])
LINEAR = [node("Flatten", "r", "flat"), node("Gemm", "flat g h", "z")]
GEMM = (LINEAR, {"g": weights(144, 1, scale=0.1), "h": weights(1)})
MAP = ([node("GlobalAveragePool", "r", "a"), node("Conv", "a k", "z")],
       {"k": weights(1, 4, 1, 1)})
MATMUL = ([LINEAR[0], node("MatMul", "flat g", "m"), node("Add", "m h", "z")], GEMM[1])
INTS = {"row": np.array([-1, 1]), "all": np.array([-1]), "last": np.array([1])}

# (what, z and its weights, nodes from z to y, shape of y, kind: "p" or "z", "!" what is warned of)
ENDINGS = [
    ("Gemm, Sigmoid", GEMM, [node("Sigmoid", "z", "y")], ("n", 1), "p"),
    ("MatMul, Add, Sigmoid", MATMUL, [node("Sigmoid", "z", "y")], ("n", 1), "p"),
    ("Sigmoid, Reshape", GEMM, [node("Sigmoid", "z", "s"), node("Reshape", "s row", "y")],
     ("n", 1), "p"),
    ("a map, Sigmoid", MAP, [node("Sigmoid", "z", "y")], ("n", 1, 1, 1), "p"),
    ("a map, Sigmoid, Flatten", MAP, [node("Sigmoid", "z", "s"), node("Flatten", "s", "y")],
     ("n", 1), "p"),
    ("Sigmoid, Squeeze", GEMM, [node("Sigmoid", "z", "s"), node("Squeeze", "s last", "y")],
     ("n",), "p"),
    ("Reshape, Sigmoid", GEMM, [node("Reshape", "z all", "s"), node("Sigmoid", "s", "y")],
     ("n",), "p"),
    ("Squeeze, no Sigmoid", GEMM, [node("Squeeze", "z last", "y")], ("n",), "z!no Sigmoid"),
    ("no Sigmoid", GEMM, [node("Identity", "z", "y")], ("n", 1), "z!no Sigmoid"),
]


def build(program, what, z, end, shape):
    nodes, tensors = small.join(small.features(), z, (end, {}))
    tensors.update({k: v for k, v in INTS.items() if any(k in n.input for n in nodes)})
    path = program.folder / (what.replace(", ", "_").replace(" ", "_") + ".onnx")
    return small.save(path, nodes, tensors, y=shape)


def probabilities(path, images, kind):
    y = small.runtime(path, images).reshape(len(images)).astype(np.float64)
    p = y if kind[0] == "p" else 1 / (1 + np.exp(-y))
    return np.stack([1 - p, p], 1)


def gives_logits(program, path, kind):
    """0 and the number, of which the probability of class 1 is the Sigmoid."""
    images = program.data.test
    z, messages = program.logits(path, images)
    if z is None or z.shape != (len(images), 2) or np.any(z[:, 0] != 0):
        return "%s %s" % (messages, z)
    worst = np.abs(1 / (1 + np.exp(-z[:, 1])) - probabilities(path, images, kind)[:, 1]).max()
    return "" if worst < 1e-5 else "the probabilities differ by %g" % worst


def learns(program, path, kind, options):
    kind, _, warning = kind.partition("!")
    status, lines, messages, trained = program.train(path, *options)
    if status:
        return messages
    told = [line for line in messages.splitlines() if "warning: " in line]
    if len(told) != bool(warning) or any(warning not in line for line in told):
        return "not one warning" if warning else messages
    p = probabilities(trained, program.data.test, kind)
    want, got = small.cross_entropy(p, program.data.labels), lines[-1]["test_loss"]
    if not abs(got - want) < 1e-4 * max(1, want):
        return "test_loss %g: ONNX Runtime says %g" % (got, want)
    status, text, messages = program("eval", trained, "--data", "idx:%s" % program.data.folder,
                                     "--json")
    error = 100 * float(((p[:, 1] > 0.5) != program.data.labels).mean())
    if status or abs(json.loads(text)["error"] - error) > 1e-6:
        return "eval: %s%s, not %g" % (text[:80], messages, error)
    shapes = [[[d.dim_param or d.dim_value for d in v.type.tensor_type.shape.dim]
               for v in onnx.load(str(f)).graph.output] for f in (path, trained)]
    return "" if shapes[0] == shapes[1] else "an output of another shape: %s" % shapes


def strips_as_it_was(program, path):
    injected, plain = path.with_suffix(".injected.onnx"), path.with_suffix(".plain.onnx")
    for arguments in (("inject", path, "-o", injected, "--layer", "conv:1"),
                      ("strip", injected, "-o", plain)):
        status, _, messages = program(*arguments)
        if status:
            return messages
    label = onnx.load(str(injected)).graph.input[1].type.tensor_type.shape.dim[1].dim_value
    if label != 2:
        return "a soft label of %d classes" % label
    return "" if plain.read_bytes() == path.read_bytes() else "strip gives other bytes"


def steps_as_by_hand(program):
    """w -= rate X^T (sigmoid(X w + b) - t) / n, and so for b."""
    tensors = {"w": weights(64, 1, scale=0.1), "b": weights(1)}
    path = small.save(program.folder / "linear.onnx",
                      [node("Flatten", "x", "f"), node("Gemm", "f w b", "z"),
                       node("Sigmoid", "z", "y")], tensors, y=("n", 1))
    status, _, messages, trained = program.train(
        path, "--method", "base", "--epochs", 1, "--batch", 30, "--lr", 0.5, "--momentum", 0,
        "--weight-decay", 0, "--mean", "data", "--augment", "none")
    if status:
        return messages
    x = program.data.train.reshape(30, 64).astype(np.float64)
    z = x @ tensors["w"] + tensors["b"]
    wrong = (1 / (1 + np.exp(-z)) - program.data.train_labels[:, None]) / 30
    want = {"w": tensors["w"] - 0.5 * x.T @ wrong, "b": tensors["b"] - 0.5 * wrong.sum(0)}
    for t in onnx.load(str(trained)).graph.initializer:
        worst = np.abs(numpy_helper.to_array(t) - want[t.name]).max()
        if worst > 1e-6:
            return "%s differs by %g" % (t.name, worst)
    return ""


def refuses(program, end, text):
    path = build(program, "refused " + end[0].op_type, GEMM, end, ("n", 1))
    status, _, messages, _ = program.train(path, *TRAIN)
    return "" if status == 3 and text in messages else "exit %d: %s" % (status, messages)


def says_what_to_do(program):
    """What changes the weights of each class asks for a layer of two, and head makes one."""
    path = program.folder / "Gemm_Sigmoid.onnx"
    wanted = ("--finish", "tau-normalisation", *TRAIN)
    status, _, messages, _ = program.train(path, *wanted)
    if status != 3 or "head --classes 2" not in messages:
        return "exit %d: %s" % (status, messages)
    two = path.with_suffix(".head.onnx")
    status, _, messages = program("head", path, "-o", two, "--classes", 2)
    if not status:
        status, _, messages, _ = program.train(two, *wanted)
    return messages if status else ""


def checks(program):
    program.data = small.Data(program.folder / "two", classes=2)
    for what, z, end, shape, kind in ENDINGS:
        path = build(program, what, z, end, shape)
        yield what + ": the logits", gives_logits(program, path, kind)
        yield what + ": trained", learns(program, path, kind, TRAIN)
        yield what + ": trained with a modulator", learns(program, path, kind, MFM)
        yield what + ": stripped", strips_as_it_was(program, path)
    yield "a step is that of the binary cross-entropy", steps_as_by_hand(program)
    yield "what changes the weights of each class is refused", says_what_to_do(program)
    for op in ("Softmax", "LogSoftmax"):
        yield op + " of one number is refused", refuses(program, [node(op, "z", "y", axis=1)],
                                                        "it always gives the same")
