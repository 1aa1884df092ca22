#!/usr/bin/env python3
"""What the methods of two stages and of two branches write, against ONNX Runtime.

    python3 stages.py BINARY FOLDER

The second stage may change the last layer alone: of the classifier that is trained anew nothing
else differs from the first stage's file, and the logits that are scaled differ from that file's by
one factor for each class, the same for every image. Two branches that have not been trained compute
what the one did of which they are made, and what training makes of them the engine evaluates as
ONNX Runtime does. Exits with 77 when onnx or ONNX Runtime are
missing.
"""
import struct
import subprocess
import sys
from pathlib import Path

try:
    import numpy as np
    import onnx
    from onnx import numpy_helper

    import oracle
except ImportError as error:
    print("skipped: %s" % error)
    sys.exit(77)

CLASSES, SIZE = 4, 20


def write_idx(path, array):
    header = struct.pack(">BBBB", 0, 0, 8, array.ndim) + struct.pack(">%dI" % array.ndim,
                                                                     *array.shape)
    path.write_bytes(header + array.tobytes())


def write_data(folder):
    """Noise around a brightness of the class's own."""
    rng = np.random.default_rng(1)
    for name, per_class in (("train", 40), ("t10k", 10)):
        labels = np.tile(np.arange(CLASSES, dtype=np.uint8), per_class)
        noise = rng.integers(0, 120, (len(labels), SIZE, SIZE))
        images = (noise + 30 * labels[:, None, None]).astype(np.uint8)
        write_idx(folder / ("%s-images-idx3-ubyte" % name), images)
        write_idx(folder / ("%s-labels-idx1-ubyte" % name), labels)


def weights(path):
    return {t.name: numpy_helper.to_array(t) for t in onnx.load(str(path)).graph.initializer}


class Stages:
    def __init__(self, binary, folder):
        self.binary, self.folder = binary, folder
        rng = np.random.default_rng(2)
        self.images = rng.normal(size=(9, 1, SIZE, SIZE)).astype(np.float32)
        (folder / "images").write_bytes(self.images.tobytes())

    def run(self, *words):
        done = subprocess.run([self.binary] + [str(w) for w in words], capture_output=True,
                              text=True)
        if done.returncode:
            raise RuntimeError("%s: %s" % (" ".join(map(str, words)), done.stderr))

    def train(self, model, name, *words):
        out = self.folder / (name + ".onnx")
        for old in sorted((self.folder / (name + ".run")).glob("*")):
            old.unlink()
        self.run("train", model, "-o", out, "--data", "idx:%s" % self.folder, "--imbalance", 10,
                 "--meta-per-class", 4, "--batch", 16, "--epochs", 2, "--threads", 1, *words,
                 *(() if "--lr" in words else ("--lr", 0.05)))
        return out

    def logits(self, path):
        """ONNX Runtime's, which the engine's must equal."""
        oracle.check(path)
        expected = oracle.logits(path, self.images)
        self.run("run", path, "--input", self.folder / "images", "-o", self.folder / "logits")
        found = oracle.read_logits(self.folder / "logits", len(self.images))
        difference = oracle.difference(found, expected)
        if difference > oracle.TOLERANCE:
            raise RuntimeError("%s: logits differ by %.3g" % (path, difference))
        return expected

    def check_crt(self, first):
        again = self.train(first, "crt", "--method", "crt")
        self.logits(again)
        before, after = weights(first), weights(again)
        changed = {name for name in before if not np.array_equal(before[name], after[name])}
        layer = onnx.load(str(first)).graph.node[-1]
        if before.keys() != after.keys() or changed != set(layer.input[1:]):
            raise RuntimeError("crt: changed: %s: the last layer has %s" %
                               (sorted(changed), list(layer.input[1:])))

    def check_lws(self, first):
        scaled = self.train(first, "lws", "--method", "lws")
        after, before = self.logits(scaled).astype(float), self.logits(first).astype(float)
        # By least squares: a logit near 0 is a difference of large numbers, and its ratio rounding.
        factors = (after * before).sum(0) / (before ** 2).sum(0)
        apart = np.abs(after - factors * before).max() / np.abs(after).max()
        print("factors %s, the logits to %.2g" % (factors, apart))
        if apart > 1e-5 or np.abs(factors - 1).min() < 1e-3:
            raise RuntimeError("lws: factors are not one for each class, or did not learn")

    def check_mislas(self, first):
        """The factors are in the file: it is the classifier alone that differs."""
        again = self.train(first, "mislas", "--method", "mislas")
        self.logits(again)
        before, after = weights(first), weights(again)
        changed = {name for name in before if not np.array_equal(before[name], after[name])}
        layer = onnx.load(str(first)).graph.node[-1]
        if before.keys() != after.keys() or changed != set(layer.input[1:]):
            raise RuntimeError("mislas: changed: %s" % sorted(changed))

    def check_bbn(self, first, *branch):
        """A rate of 0 leaves the weights alone; running statistics are LeNet's none."""
        one = self.logits(first)
        if branch:
            fresh = self.train(first, "fresh", "--method", "bbn", *branch, "--lr", 0)
            difference = oracle.difference(self.logits(fresh), one)
            if difference > oracle.TOLERANCE:
                raise RuntimeError("bbn: logits differ from those of one branch by %.3g" %
                                   difference)
        trained = self.train(first, "bbn", "--method", "bbn", *branch)
        two = self.logits(trained)
        operators = {n.op_type for n in onnx.load(str(trained)).graph.node}
        domains = {n.domain for n in onnx.load(str(trained)).graph.node}
        if oracle.difference(two, one) < 1e-3 or "Concat" not in operators or domains != {""}:
            raise RuntimeError("bbn: did not learn, or is no plain classifier")


def main():
    binary, folder = sys.argv[1], Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    write_data(folder)
    stages = Stages(binary, folder)
    for architecture in ("lenet", "resnet20"):
        new = folder / "new.onnx"
        stages.run("new", architecture, "-o", new, "--classes", CLASSES, "--input",
                   "1,%d,%d" % (SIZE, SIZE))
        first = stages.train(new, "first", "--method", "base")
        stages.check_crt(first)
        stages.check_lws(first)
        stages.check_mislas(first)
        stages.check_bbn(first, *(("--branch", "conv:2") if architecture == "lenet" else ()))
        print("ok - %s" % architecture)
    return 0


sys.exit(main())
