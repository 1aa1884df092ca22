"""Small classifiers written node by node, the program over them, and what ONNX Runtime says.

The images are 8x8 in three classes: bright rows tell the class, so that few steps learn something.
"""
import json
import shutil
import struct
import subprocess
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

onnxruntime.set_default_logger_severity(4)
CLASSES = 3


def weights(*shape, scale=0.3, seed=0):
    return (np.random.default_rng([seed, *shape]).standard_normal(shape) * scale).astype(np.float32)


def node(op, inputs, outputs, **attributes):
    """Names are separated by spaces; "-" is an empty one."""
    names = [["" if n == "-" else n for n in text.split()] for text in (inputs, outputs)]
    return helper.make_node(op, *names, **attributes)


def features(maps=4, size=6):
    """x -> r [n, maps, size, size]; and its weights."""
    pad = (size - 6) // 2
    return ([node("Conv", "x w", "c", kernel_shape=[3, 3], pads=[pad] * 4),
             node("Relu", "c", "r")], {"w": weights(maps, 1, 3, 3)})


def head(width, source="r", end="y"):
    """source [n, ...] of `width` numbers -> end [n, CLASSES]; and its weights."""
    return [node("Flatten", source, "flat"), node("Gemm", "flat g h", end)], {
        "g": weights(width, CLASSES, scale=0.1), "h": weights(CLASSES)}


def join(*parts):
    """Nodes and tensors of several parts as one."""
    nodes, tensors = [], {}
    for more_nodes, more_tensors in parts:
        nodes += more_nodes
        tensors.update(more_tensors)
    return nodes, tensors


def save(path, nodes, tensors, x=("n", 1, 8, 8), y=("n", CLASSES), opset=17, info=()):
    value = lambda name, shape: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
    graph = helper.make_graph(
        nodes, "small", [value("x", x)], [value("y", y)],
        [numpy_helper.from_array(np.asarray(v), k) for k, v in tensors.items()],
        value_info=[value(*i) for i in info])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)],
                                ir_version=8 if opset < 21 else 11), str(path))
    return path


def images(labels, seed):
    pixels = np.random.default_rng(seed).integers(0, 120, (len(labels), 8, 8))
    for i, label in enumerate(labels):
        pixels[i, 2 * label:2 * label + 2] += 40
    return pixels.astype(np.uint8)


class Data:
    """A folder of idx files, 30 images for training and 15 for tests, and what the program
    makes of them."""

    def __init__(self, folder, classes=CLASSES):
        self.folder = Path(folder)
        self.labels, self.train_labels = np.arange(15) % classes, np.arange(30) % classes
        train = images(self.train_labels, 1)
        test = images(self.labels, 2)
        shutil.rmtree(folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        for name, pixels, labels in (("train", train, self.train_labels),
                                     ("t10k", test, self.labels)):
            (self.folder / (name + "-images-idx3-ubyte")).write_bytes(
                struct.pack(">4I", 0x803, *pixels.shape) + pixels.tobytes())
            (self.folder / (name + "-labels-idx1-ubyte")).write_bytes(
                struct.pack(">2I", 0x801, len(labels)) + labels.astype(np.uint8).tobytes())
        scaled = train / 255
        self.train, self.test = [((pixels / 255 - scaled.mean()) / scaled.std()).astype(
            np.float32)[:, None] for pixels in (train, test)]


class Program:
    """The program in a folder of its own. Every call gives (exit status, output, messages)."""

    def __init__(self, binary, folder):
        self.binary, self.folder = binary, Path(folder)
        shutil.rmtree(folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        self.data = Data(self.folder / "data")

    def __call__(self, *arguments):
        done = subprocess.run([self.binary, *map(str, arguments)], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, timeout=600)
        return done.returncode, done.stdout, done.stderr

    def logits(self, model, batch):
        """What `run` gives for the images: [n, CLASSES], and its messages; None when refused."""
        source, target = self.folder / "images.f32", self.folder / "logits.f32"
        batch.astype("<f4").tofile(source)
        status, _, messages = self("run", model, "--input", source, "-o", target)
        if status:
            return None, messages
        return np.fromfile(target, "<f4").reshape(len(batch), -1), messages

    def train(self, model, *options):
        """(exit status, lines of metrics.jsonl, messages, the written model)."""
        out = model.with_name(model.stem + "_trained.onnx")
        run = out.with_suffix(".run")
        shutil.rmtree(run, ignore_errors=True)
        status, _, messages = self("train", model, "-o", out, "--data",
                                   "idx:%s" % self.data.folder, "--threads", 1, *options)
        metrics = run / "metrics.jsonl"
        lines = [json.loads(line) for line in open(metrics)] if metrics.exists() else []
        return status, lines, messages, out


def runtime(model, batch, **more):
    """The first output in ONNX Runtime."""
    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    return session.run(None, {"x": batch, **more})[0]


def cross_entropy(probabilities, labels):
    rows = probabilities.reshape(len(labels), -1).astype(np.float64)
    return float(-np.log(rows[np.arange(len(labels)), labels]).mean())
