#!/usr/bin/env python3
"""What finishing and LDAM's classifier make of a file, in ONNX Runtime.

    python3 finishing.py BINARY FOLDER

Runs that differ in nothing but --finish train the same weights: their logits must differ as the
formula says. What LDAM writes must be a plain classifier with the logits that were trained. A
line for each check; exits with 1 when one failed, with 77 when onnx or ONNX Runtime are missing.
"""
import shutil
import sys
from pathlib import Path

try:
    import numpy as np
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    import oracle
    from roles import CLASSES, Trials, node, normal
except ImportError as error:
    print("skipped: %s" % error)
    sys.exit(77)

WIDTH = 144
COUNTS = np.array([10, 3, 1])  # 30 training images in 3 classes at imbalance 10
OPTIONS = ["--method", "base", "--imbalance", 10, "--epochs", 4, "--batch", 5, "--lr", 0.05,
           "--threads", 1]


def gemm_by_class():
    return [node("Gemm", "flat w b", "y", transB=1)], {"w": normal(CLASSES, WIDTH, scale=0.1)}


def gemm_by_feature():
    return [node("Gemm", "flat w b", "y")], {"w": normal(WIDTH, CLASSES, scale=0.1)}


def matmul():
    return ([node("MatMul", "flat w", "product"), node("Add", "b product", "y")],
            {"w": normal(WIDTH, CLASSES, scale=0.1)})


def model(path, head, tensors, bias=True, opset=17):
    """A convolution, a Relu and the head; the head's input is an output too where it is asked."""
    nodes = [node("Conv", "x k kb", "c"), node("Relu", "c", "r"), node("Flatten", "r", "flat"),
             *head]
    tensors = {"k": normal(4, 1, 3, 3), "kb": normal(4), "b": normal(CLASSES), **tensors}
    if not bias:
        del tensors["b"]
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes, "g", [info("x", TensorProto.FLOAT, ["n", 1, 8, 8])],
        [info("y", TensorProto.FLOAT, ["n", CLASSES])],
        [numpy_helper.from_array(value, name) for name, value in tensors.items()])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)],
                                ir_version=8), path)


def parts(path, images, by_class):
    """The features, W [classes, width] and b of a written file."""
    proto = onnx.load(path)
    values = {t.name: numpy_helper.to_array(t) for t in proto.graph.initializer}
    proto.graph.output[0].CopyFrom(helper.make_tensor_value_info("flat", TensorProto.FLOAT, None))
    features = oracle.logits(proto, images).astype(np.float64)
    weight = values["w"].astype(np.float64)
    return features, weight if by_class else weight.T, values["b"].astype(np.float64)


def apart(wanted, got):
    difference = oracle.difference(got.astype(np.float64), wanted)
    return "" if difference < oracle.TOLERANCE else "apart by %g" % difference


def finish(t, name, head, by_class):
    path = t.folder / (name + ".onnx")
    model(path, *head)
    _, base = t.train(path, *OPTIONS)
    plain = oracle.logits(base, t.images).astype(np.float64)
    features, weight, _ = parts(base, t.images, by_class)
    kept = t.folder / (name + ".base.onnx")
    shutil.copy(base, kept)

    last, out = t.train(path, *OPTIONS, "--finish", "logit-adjustment", "--finish-tau", 1.5)
    oracle.check(out)
    logits = oracle.logits(out, t.images)
    prior = np.log(COUNTS / COUNTS.sum())
    t.say(name + ": logit adjustment takes tau log pi off the logits",
          apart(plain - 1.5 * prior, logits))
    error = 100 * np.mean(logits.argmax(1) != t.labels)
    t.say(name + ": the error that is told is that of the finished file",
          "" if abs(error - last["test_error"]) < 1e-3 else "%g, not %g" % (last["test_error"],
                                                                           error))
    _, out = t.train(path, *OPTIONS, "--finish", "tau-normalisation", "--norm-tau", 0.7)
    oracle.check(out)
    norms = np.linalg.norm(weight, axis=1, keepdims=True)
    t.say(name + ": tau-normalisation divides weights by their length to the tau, without a bias",
          apart(features @ (weight / norms ** 0.7).T, oracle.logits(out, t.images)))


def ldam(t, name, head, by_class, opset=17):
    path = t.folder / (name + ".ldam.onnx")
    model(path, *head, opset=opset)
    last, out = t.train(path, *OPTIONS, "--loss", "ldam", "--ldam-scale", 20)
    oracle.check(out)
    features, weight, bias = parts(out, t.images, by_class)
    lengths = np.linalg.norm(weight, axis=1)
    t.say(name + ": LDAM writes weights of length 20 / sqrt(width) and no bias",
          "" if np.allclose(lengths, 20 / WIDTH ** 0.5, atol=1e-6) and not bias.any() else
          "lengths %s, bias %s" % (lengths, bias))
    logits = oracle.logits(out, t.images).astype(np.float64)
    cosines = features @ weight.T / lengths / np.linalg.norm(features, axis=1, keepdims=True)
    t.say(name + ": its logits are 20 cosines", apart(20 * cosines, logits))
    error = 100 * np.mean(logits.argmax(1) != t.labels)
    t.say(name + ": the error that is told is that of the plain file",
          "" if abs(error - last["test_error"]) < 1e-3 else "%g, not %g" % (last["test_error"],
                                                                           error))
    again = t.folder / (name + ".again.onnx")
    shutil.copy(out, again)
    logits = logits - logits.max(1, keepdims=True)
    loss = np.mean(np.log(np.exp(logits).sum(1)) - logits[np.arange(len(t.labels)), t.labels])
    t.say(name + ": the test loss that is told is that of the plain file",
          "" if abs(loss - last["test_loss"]) < 2e-5 else "%g, not %g" % (last["test_loss"], loss))
    _, out = t.train(again, *OPTIONS, "--loss", "ldam", "--ldam-scale", 20)
    nodes = [len(onnx.load(path).graph.node) for path in (again, out)]
    t.say(name + ": trained on with LDAM it has no node more",
          "" if nodes[0] == nodes[1] else "%d nodes, then %d" % tuple(nodes))


def refusals(t):
    path = t.folder / "no_bias.onnx"
    model(path, [node("MatMul", "flat w", "y")], {"w": normal(WIDTH, CLASSES)}, bias=False)
    data = "idx:%s" % (t.folder / "data")
    done = t.run("train", path, "-o", t.folder / "no.onnx", "--data", data, *OPTIONS, "--finish",
                 "logit-adjustment")
    t.say("without a bias logit adjustment after training is refused",
          "" if done.returncode == 3 and "no bias" in done.stderr else done.stderr)
    model(path, [node("Gemm", "flat w b", "z"), node("Tanh", "z", "y")],
          {"w": normal(WIDTH, CLASSES)})
    old = t.folder / "old.onnx"
    model(old, [node("Gemm", "flat w b", "y", transB=1, broadcast=1)],
          {"w": normal(CLASSES, WIDTH)}, opset=6)
    done = t.run("train", old, "-o", t.folder / "no.onnx", "--data", data, *OPTIONS, "--loss",
                 "ldam")
    t.say("LDAM is refused before the first step where its file could not be written",
          "" if done.returncode == 3 and "from opset 7 on" in done.stderr and
          "epoch" not in done.stderr else done.stderr)
    for option in ("--finish", "tau-normalisation"), ("--loss", "ldam"):
        done = t.run("train", path, "-o", t.folder / "no.onnx", "--data", data, *OPTIONS, *option)
        t.say("logits that are no layer's are refused by " + option[1],
              "" if done.returncode == 3 and "fully connected" in done.stderr else done.stderr)


def main():
    folder = Path(sys.argv[2])
    shutil.rmtree(folder, ignore_errors=True)
    t = Trials(sys.argv[1], folder)
    for name, head, by_class in (("gemm_by_class", gemm_by_class(), True),
                                 ("gemm_by_feature", gemm_by_feature(), False),
                                 ("matmul", matmul(), False)):
        finish(t, name, head, by_class)
        ldam(t, name, head, by_class)
    ldam(t, "gemm_opset_18", gemm_by_class(), True, 18)
    ldam(t, "gemm_opset_9", gemm_by_class(), True, 9)
    refusals(t)
    return 1 if t.failed else 0


if __name__ == "__main__":
    sys.exit(main())
