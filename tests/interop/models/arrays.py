#!/usr/bin/env python3
"""Classifiers of tables, signals and images of numbers, trained on arrays, in ONNX Runtime.

    python3 arrays.py BINARY FOLDER

Each is trained plainly, with a modulator and with another loss on a long tail. ONNX Runtime, given
the test rows standardised as the written file tells, must find the logits of `run --stored` and the
error of `eval`. A line for each check; exits with 1 when one failed, with 77 when onnx or ONNX
Runtime are missing.
"""
import json
import shutil
import subprocess
import sys
from pathlib import Path

try:
    import numpy as np
    import onnx
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper
except ImportError as error:
    print("skipped: %s" % error)
    sys.exit(77)

onnxruntime.set_default_logger_severity(4)
CLASSES = 3
METHODS = {"base": ["--method", "base"],
           "mfm": ["--method", "mfm"],
           "logit adjustment": ["--method", "base", "--loss", "logit-adjustment"]}
OPTIONS = ["--imbalance", 4, "--meta-per-class", 4, "--batch", 20, "--meta-batch", 12, "--epochs",
           40, "--lr", 0.05, "--milestones", "none", "--threads", 1]


def normal(*shape, scale=0.3):
    return (np.random.default_rng(list(shape)).standard_normal(shape) * scale).astype(np.float32)


def node(op, inputs, output, **attributes):
    return helper.make_node(op, inputs.split(), [output], **attributes)


def save(path, shape, nodes, tensors):
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes, "g", [info("x", TensorProto.FLOAT, ["n", *shape])],
        [info("y", TensorProto.FLOAT, ["n", CLASSES])],
        [numpy_helper.from_array(value, name) for name, value in tensors.items()])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8),
              path)


def table(path):
    save(path, [5], [node("Gemm", "x w b", "h", transB=1), node("Relu", "h", "r"),
                     node("Gemm", "r v c", "y", transB=1)],
         {"w": normal(16, 5), "b": normal(16), "v": normal(CLASSES, 16), "c": normal(CLASSES)})


def signal(path):
    save(path, [2, 12], [node("Conv", "x w b", "h", pads=[1, 1]), node("Relu", "h", "r"),
                         node("ReduceMean", "r", "m", axes=[2], keepdims=0),
                         node("Gemm", "m v c", "y", transB=1)],
         {"w": normal(8, 2, 3), "b": normal(8), "v": normal(CLASSES, 8), "c": normal(CLASSES)})


def points(path):
    """Channels last, as files of Keras have them."""
    save(path, [12, 2], [node("Transpose", "x", "t", perm=[0, 2, 1]),
                         node("Conv", "t w b", "h", pads=[1, 1]), node("Relu", "h", "r"),
                         node("Flatten", "r", "f"), node("Gemm", "f v c", "y", transB=1)],
         {"w": normal(4, 2, 3), "b": normal(4), "v": normal(CLASSES, 48, scale=0.1),
          "c": normal(CLASSES)})


def image(path):
    save(path, [2, 6, 4], [node("Conv", "x w b", "h"), node("Relu", "h", "r"),
                           node("Flatten", "r", "f"), node("Gemm", "f v c", "y", transB=1)],
         {"w": normal(4, 2, 3, 3), "b": normal(4), "v": normal(CLASSES, 32, scale=0.1),
          "c": normal(CLASSES)})


def rows(path):
    """Channels last, as files of Keras have them."""
    save(path, [6, 4, 1], [node("Transpose", "x", "t", perm=[0, 3, 1, 2]),
                           node("Conv", "t w b", "h"), node("Relu", "h", "r"),
                           node("Flatten", "r", "f"), node("Gemm", "f v c", "y", transB=1)],
         {"w": normal(4, 1, 3, 3), "b": normal(4), "v": normal(CLASSES, 32, scale=0.1),
          "c": normal(CLASSES)})


# Model, shape of a row, type of the file, its order, options, layer.
CASES = {"table": (table, [5], ">f8", "F", ["--mean", "data"], "fc:1"),
         "table as stored": (table, [5], "<f4", "C", [], "fc:1"),
         "signal": (signal, [2, 12], "<f4", "F", ["--mean", "0.5,-1", "--std", "2,3"], "conv:1"),
         "points": (points, [12, 2], "<f8", "C", ["--mean", "data"], "conv:1"),
         "image": (image, [2, 6, 4], "<f8", "C", ["--normalise", "data"], "conv:1"),
         "rows": (rows, [6, 4, 1], "u1", "C", ["--mean", "data"], "conv:1")}


def write_data(folder, shape, kind, order):
    """A pattern of its own for each class, in noise; bytes of 0 to 255, or numbers around 1."""
    pattern = np.random.default_rng(1).standard_normal([CLASSES, *shape])
    folder.mkdir()
    for part, count, seed in ("train", 40, 2), ("test", 20, 3):
        random = np.random.default_rng(seed)
        labels = np.arange(count * CLASSES) % CLASSES
        x = pattern[labels] + 0.5 * random.standard_normal([len(labels), *shape])
        x = np.clip(100 + 40 * x, 0, 255) if kind == "u1" else 1 + x
        np.save(folder / (part + "_x.npy"), np.asarray(x.astype(kind), order=order))
        np.save(folder / (part + "_y.npy"), labels.astype("<i4"))


def standardised(session, x):
    told = json.loads(session.get_modelmeta().custom_metadata_map["mfm.preprocess"])
    assert told["version"] == 2 and told["numbers"] == list(x.shape[1:]), told
    x = x.astype(np.float32)
    if "axis" not in told:
        return x
    shape = [1] * x.ndim
    shape[told["axis"]] = -1
    mean, deviation = (np.array(told[key]).reshape(shape) for key in ("mean", "deviation"))
    return ((x - mean) / deviation).astype(np.float32)


def call(binary, *arguments):
    done = subprocess.run([binary, *map(str, arguments)], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError("%s: %s" % (" ".join(map(str, arguments)), done.stderr))
    return done


def compare(binary, folder, data, start, options):
    out, logits = folder / "out.onnx", folder / "logits.npy"
    trained = call(binary, "train", start, "-o", out, "--data", "arrays:%s" % data, "--run",
                   folder / "run", *OPTIONS, *options)
    shutil.rmtree(folder / "run")
    onnx.checker.check_model(str(out), full_check=True)
    session = onnxruntime.InferenceSession(str(out), providers=["CPUExecutionProvider"])
    x, labels = np.load(data / "test_x.npy"), np.load(data / "test_y.npy")
    due = session.run(None, {session.get_inputs()[0].name: standardised(session, x)})[0]
    call(binary, "run", out, "--input", data / "test_x.npy", "--stored", "-o", logits)
    found = np.load(logits)
    error = json.loads(call(binary, "eval", out, "--data", "arrays:%s" % data,
                            "--json").stdout)["error"]
    expected = 100 * np.mean(due.argmax(1) != labels)
    if ("points in time" in trained.stderr) != (data.name == "points"):
        return "standard error: " + trained.stderr
    if not np.allclose(found, due, rtol=1e-4, atol=1e-4):
        return "logits differ by %g" % np.abs(found - due).max()
    if round(error * len(labels) / 100) != np.sum(due.argmax(1) != labels) or expected > 50:
        return "error %g, in ONNX Runtime %g" % (error, expected)
    return None


def main():
    binary, folder = sys.argv[1], Path(sys.argv[2])
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    failed = 0
    for name, (build, shape, kind, order, options, layer) in CASES.items():
        data, start = folder / name, folder / (name + ".onnx")
        write_data(data, shape, kind, order)
        build(start)
        for method, chosen in METHODS.items():
            modulated = ["--layer", layer] if method == "mfm" else []
            wrong = compare(binary, folder, data, start, [*options, *chosen, *modulated])
            print("%s: %s, %s%s" % ("failed" if wrong else "passed", name, method,
                                    ": " + wrong if wrong else ""))
            failed += wrong is not None
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
