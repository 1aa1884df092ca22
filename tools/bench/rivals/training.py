"""What the rivals have in common: the command line, the batch, and what is measured of one.

    python3 peer_NAME.py MODEL REFERENCE [--batch N] [--threads T] [--iterations N] [--rate X]

MODEL is an ONNX file. REFERENCE is a folder with images.raw and labels.raw, one batch as float32,
and in NAME.npy the gradient of the mean cross-entropy by each trained parameter (onnx-mfm grad).
Each peer trains on that batch by SGD, with momentum 0.9 where it has that, and prints one JSON
line: the median of the steps after two to warm up, the peak resident memory of the process, the
loss of the first step and of the last, and how far its gradient is from the reference, as the norm
of the difference over the norm, of all parameters together and of the worst.
"""
import argparse
import json
import os
import resource
import statistics
import sys
import time

MOMENTUM, WARM_UP = 0.9, 2


def options(text):
    parser = argparse.ArgumentParser(description=text.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("reference")
    parser.add_argument("--batch", type=int, default=100)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--iterations", type=int, default=5)
    parser.add_argument("--rate", type=float, default=0.01)
    return parser.parse_args()


def trained(model):
    """What SGD moves: weights and biases of these three, as a rival's files name them."""
    kinds = ("Conv", "Gemm", "BatchNormalization")
    return list(dict.fromkeys(name for node in model.graph.node if node.op_type in kinds
                              for name in node.input[1:3]))


def floats(model):
    return [value.name for value in model.graph.initializer if value.data_type == 1]


class Rewriting:
    """Of operators that a rival cannot differentiate, by those that it can."""

    def __init__(self, model):
        import numpy
        import onnx
        self.model, self.numpy, self.onnx = model, numpy, onnx

    def constant(self, name, value):
        self.model.graph.initializer.append(self.onnx.numpy_helper.from_array(value, name))
        return name

    def node(self, kind, inputs, name, **attributes):
        self.added.append(self.onnx.helper.make_node(kind, inputs, [name], name, **attributes))
        return name

    def apply(self):
        """BatchNormalization over the batch, and Flatten."""
        self.shape = self.constant("spelled.channels", self.numpy.array([1, -1, 1, 1]))
        self.flat = self.constant("spelled.flat", self.numpy.array([0, -1]))
        nodes = list(self.model.graph.node)
        del self.model.graph.node[:]
        for node in nodes:
            self.added = []
            {"BatchNormalization": self.normalisation, "Flatten": self.flatten}.get(
                node.op_type, self.added.append)(node)
            self.model.graph.node.extend(self.added)

    def flatten(self, node):
        self.node("Reshape", [node.input[0], self.flat], node.output[0])

    def normalisation(self, node):
        epsilon = next((a.f for a in node.attribute if a.name == "epsilon"), 1e-5)
        at = lambda part: node.output[0] + ".spelled." + part
        mean = lambda x, name: self.node("ReduceMean", [x], name, axes=[0, 2, 3], keepdims=1)
        x, scale, shift = node.input[:3]
        centred = self.node("Sub", [x, mean(x, at("mean"))], at("centred"))
        squares = self.node("Mul", [centred, centred], at("squares"))
        eps = self.constant(at("epsilon"), self.numpy.float32(epsilon))
        variance = self.node("Add", [mean(squares, at("variance")), eps], at("variance.eps"))
        normal = self.node("Div", [centred, self.node("Sqrt", [variance], at("deviation"))],
                           at("normal"))
        scale = self.node("Reshape", [scale, self.shape], at("scale"))
        scaled = self.node("Mul", [normal, scale], at("scaled"))
        shift = self.node("Reshape", [shift, self.shape], at("shift"))
        self.node("Add", [scaled, shift], node.output[0])


class Batch:
    def __init__(self, option, model):
        import numpy
        shape = [axis.dim_value for axis in model.graph.input[0].type.tensor_type.shape.dim][1:]
        read = lambda name: numpy.fromfile(os.path.join(option.reference, name + ".raw"), "<f4")
        self.images = read("images").reshape(option.batch, *shape)
        self.labels = read("labels").astype(numpy.int64)
        self.classes = model.graph.output[0].type.tensor_type.shape.dim[1].dim_value
        self.one_hot = numpy.eye(self.classes, dtype=numpy.float32)[self.labels]


def difference(option, gradients):
    """gradients: arrays by the names of the file."""
    import numpy
    norm = lambda array: float(numpy.linalg.norm(array.astype(numpy.float64)))
    error, size, worst = 0.0, 0.0, (0.0, "")
    for name, got in gradients.items():
        wanted = numpy.load(os.path.join(option.reference, name + ".npy"))
        off, length = norm(numpy.asarray(got).reshape(wanted.shape) - wanted), norm(wanted)
        error, size = error + off**2, size + length**2
        worst = max(worst, (off / length, name))
    wanted = {name[:-4] for name in os.listdir(option.reference) if name.endswith(".npy")}
    missing = wanted - set(gradients) - {"input"}
    if missing:
        sys.exit("no gradient of " + ", ".join(sorted(missing)))
    return {"gradient_error": (error / size) ** 0.5, "worst": worst}


def quietly(descriptor, call):
    """What a library tells of each layer stays out of the output: 1 or 2."""
    kept, silent = os.dup(descriptor), os.open(os.devnull, os.O_WRONLY)
    os.dup2(silent, descriptor)
    try:
        return call()
    finally:
        os.dup2(kept, descriptor)
        os.close(kept)
        os.close(silent)


def measure(option, rival):
    """rival: gradients() before any step, step() returns the loss, version, and notes for the
    reader."""
    figures = difference(option, rival.gradients())
    seconds, losses = [], []
    for _ in range(WARM_UP + option.iterations):
        start = time.perf_counter()
        losses.append(float(rival.step()))
        seconds.append(time.perf_counter() - start)
    if not losses[-1] < losses[0]:
        sys.exit("the loss does not fall: %s" % losses)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    figures.update(seconds=statistics.median(seconds[WARM_UP:]), fastest=min(seconds[WARM_UP:]),
                   losses=[losses[0], losses[-1]], peak_rss_bytes=peak, version=rival.version,
                   notes=getattr(rival, "notes", ""))
    print(json.dumps(figures))
