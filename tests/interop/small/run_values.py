#!/usr/bin/env python3
"""`run` beside ONNX Runtime: .npy in and out, every output and any value by name.

    python3 run_values.py BINARY FOLDER

The network has two outputs, a Softmax at the end of the first, a BatchNormalization and a branch
that the logits do not depend on. Exits with 77 when onnx, numpy or ONNX Runtime are missing.
"""
import io
import sys

try:
    import numpy as np
    import onnx
    import onnxruntime
    from onnx import TensorProto, helper
    from small import Program, head, join, node, save, weights
except ImportError as error:
    print("skipped: %s" % error)
    sys.exit(77)

IMAGES = 103  # more than one batch, and not a whole number of them


def network(path):
    body = ([node("Conv", "x w b", "conv/1", kernel_shape=[3, 3], pads=[1] * 4),
             node("BatchNormalization", "conv/1 s t m v", "norm"), node("Relu", "norm", "r"),
             node("MaxPool", "r", "pooled", kernel_shape=[2, 2], strides=[2, 2]),
             node("GlobalAveragePool", "r", "mean"), node("Flatten", "mean", "features"),
             node("Gemm", "features u", "other/out"), node("Transpose", "features", "turned",
                                                           perm=[1, 0])],
            {"w": weights(6, 1, 3, 3), "b": weights(6), "s": 1 + weights(6),
             "t": weights(6, seed=1), "m": weights(6, seed=2), "v": 1 + weights(6, seed=3)**2,
             "u": weights(6, 2)})
    end = ([node("Softmax", "logits", "y", axis=1)], {})
    save(path, *join(body, head(6 * 4 * 4, "pooled", "logits"), end))
    model = onnx.load(str(path))
    model.graph.output.append(helper.make_tensor_value_info("other/out", TensorProto.FLOAT,
                                                            ["n", 2]))
    onnx.save(model, str(path))


def all_values(path, images):
    """Every value that a node gives, by ONNX Runtime."""
    model = onnx.load(str(path))
    known = [value.name for value in model.graph.output]
    for inner in model.graph.node:
        for name in inner.output:
            if name not in known:
                model.graph.output.append(helper.make_empty_tensor_value_info(name))
    session = onnxruntime.InferenceSession(model.SerializeToString(),
                                           providers=["CPUExecutionProvider"])
    names = [value.name for value in session.get_outputs()]
    return dict(zip(names, session.run(names, {"x": images})))


class Check:
    def __init__(self, program):
        self.program, self.folder, self.failed = program, program.folder, False
        self.model = self.folder / "two.onnx"
        network(self.model)
        rng = np.random.default_rng(1)
        self.images = rng.standard_normal((IMAGES, 1, 8, 8)).astype(np.float32)
        self.right = all_values(self.model, self.images)

    def say(self, good, what):
        print("%s: %s" % ("good" if good else "WRONG", what))
        self.failed |= not good

    def run(self, source, *more):
        return self.program("run", self.model, "--input", source, *more)

    def near(self, array, name):
        right = self.right[name]
        return (array.dtype == np.float32 and array.shape == right.shape and
                float(np.abs(array - right).max()) < 1e-4)

    def values(self):
        """Each by itself, so that fusion meets each choice, and all together."""
        source = self.folder / "x.npy"
        np.save(source, self.images)
        names = [name for name in self.right if name != "turned"]
        every = []
        for i, name in enumerate(names):
            target = self.folder / ("v%d.npy" % i)
            every += ["--value", "%s=%s" % (name, self.folder / ("all%d.npy" % i))]
            status, _, messages = self.run(source, "--value", "%s=%s" % (name, target))
            self.say(status == 0 and self.near(np.load(target), name), "%s %s" % (name, messages))
        status, out, messages = self.run(source, *every, "-o", self.folder / "logits.npy",
                                         "--outputs", self.folder / "out")
        self.say(status == 0 and all(self.near(np.load(self.folder / ("all%d.npy" % i)), name)
                                     for i, name in enumerate(names)), "all at once " + messages)
        self.say(self.near(np.load(self.folder / "logits.npy"), "logits"), "the logits")
        for name in ("y", "other/out"):
            path = self.folder / "out" / (name.replace("/", "_") + ".npy")
            self.say(self.near(np.load(path), name), "output %s" % name)
            self.say("wrote %s: %s [%d," % (path, name, IMAGES) in out, "it is told")

    def forms(self):
        """Whatever NumPy writes of the same numbers gives the same logits."""
        plain, target = self.folder / "x.raw", self.folder / "f.raw"
        self.images.tofile(plain)
        wide = self.images.astype(np.float64)
        written = {"float64": wide, "big-endian": self.images.astype(">f4"),
                   "wide-big-endian": wide.astype(">f8"),
                   "column-major": np.asfortranarray(self.images)}
        for version in ((1, 0), (2, 0), (3, 0)):
            text = io.BytesIO()
            np.lib.format.write_array(text, self.images, version=version)
            written["version %d" % version[0]] = text.getvalue()
        self.run(plain, "-o", target)
        right = np.fromfile(target, "<f4")
        self.say(right.size == IMAGES * 3, "numbers without a header")
        for name, array in written.items():
            path = self.folder / (name.replace(" ", "-") + ".npy")
            path.write_bytes(array) if isinstance(array, bytes) else np.save(path, array)
            status, _, messages = self.run(path, "-o", target)
            self.say(status == 0 and np.array_equal(np.fromfile(target, "<f4"), right),
                     "%s %s" % (name, messages))

    def refuse(self, array, *words, more=("-o", "no.npy")):
        path = self.folder / "refused.npy"
        path.write_bytes(array) if isinstance(array, bytes) else np.save(path, array)
        more = [self.folder / word if word == "no.npy" else word for word in more]
        status, _, messages = self.run(path, *more)
        self.say(status in (2, 3) and all(word in messages for word in words) and
                 not (self.folder / "no.npy").exists(), "%d %s" % (status, messages.strip()))

    def refusals(self):
        x = self.images
        self.refuse(x.astype(np.float16), "<f2", "float32")
        self.refuse(x.astype(np.int64), "<i8", "float32")
        self.refuse(x.astype(np.uint8), "--bytes")
        self.refuse(x, "tells no normalisation", more=("-o", "no.npy", "--bytes"))
        self.refuse(x[0], "shape [1,8,8]", "[n,1,8,8]")
        self.refuse(x[:0], "[n,1,8,8]")
        self.refuse(x[:, :, :7], "[103,1,7,8]")
        self.refuse(np.zeros(3, [("a", "<f4")]), "structured")
        text = io.BytesIO()
        np.save(text, x)
        good = text.getvalue()
        self.refuse(good[:-1], "after the header")
        self.refuse(good + b"x", "after the header")
        self.refuse(good[:40], "ends within it")
        self.refuse(good.replace(b"NUMPY\x01", b"NUMPY\x04"), "version 4")
        self.refuse(good.replace(b"False", b"Maybe"), "fortran_order")
        self.refuse(good.replace(b"'shape'", b"'descr'"), "each once")
        self.refuse(b"no header at all", "does not begin")
        self.refuse(x, "did you mean pooled?", more=("--value", "poled=no.npy"))
        self.refuse(x, "turned", "not the images", more=("--value", "turned=no.npy"))
        self.refuse(x, "NAME=FILE", more=("--value", "pooled"))
        self.refuse(x, "missing required option -o FILE", more=())


def main():
    check = Check(Program(sys.argv[1], sys.argv[2]))
    check.values()
    check.forms()
    check.refusals()
    return 1 if check.failed else 0


sys.exit(main())
