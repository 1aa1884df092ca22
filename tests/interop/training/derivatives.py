#!/usr/bin/env python3
"""`grad` and `hvp` beside PyTorch's double backward, in double precision.

    python3 derivatives.py BINARY FOLDER

A small network with convolutions, BatchNormalization, a gate, a sum and pooling, in inference and
in training form, f by labels and by a cotangent, along directions in some parameters and the
images.
Exits with 77 when torch or onnx are missing.
"""
import shutil
import subprocess
import sys
from pathlib import Path

try:
    import numpy as np
    import onnx
    import torch
    from onnx import TensorProto, helper, numpy_helper
except ImportError as error:
    print("skipped: %s" % error)
    sys.exit(77)

N, CLASSES, TOLERANCE = 5, 3, 2e-5
SHAPES = {"w": (4, 2, 3, 3), "scale": (4,), "shift": (4,), "gate/w": (4, 4, 1, 1), "fc": (3, 4),
          "b": (3,)}
STATE = {"mean": (4,), "var": (4,)}


def numbers(seed, shape, scale=0.5):
    return (np.random.default_rng(seed).standard_normal(shape) * scale).astype(np.float32)


def tensors():
    made = {name: numbers(i, shape) for i, (name, shape) in enumerate(SHAPES.items())}
    made["scale"] = np.abs(made["scale"]) + np.float32(0.5)
    made["mean"] = numbers(20, STATE["mean"])
    made["var"] = np.abs(numbers(21, STATE["var"])) + np.float32(0.5)
    return made


def save(path, made):
    node = helper.make_node
    nodes = [node("Conv", ["x", "w"], ["c"], pads=[1] * 4),
             node("BatchNormalization", ["c", "scale", "shift", "mean", "var"], ["n"]),
             node("Relu", ["n"], ["r"]), node("Conv", ["r", "gate/w"], ["g"]),
             node("Sigmoid", ["g"], ["s"]), node("Mul", ["r", "s"], ["m"]),
             node("Add", ["m", "n"], ["a"]),
             node("MaxPool", ["a"], ["p"], kernel_shape=[2, 2], strides=[2, 2]),
             node("GlobalAveragePool", ["p"], ["q"]), node("Flatten", ["q"], ["f"]),
             node("Gemm", ["f", "fc", "b"], ["y"], transB=1)]
    value = lambda name, shape: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
    graph = helper.make_graph(nodes, "g", [value("x", ("n", 2, 6, 6))],
                              [value("y", ("n", CLASSES))],
                              [numpy_helper.from_array(v, k) for k, v in made.items()])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8),
              str(path))


def logits(p, x, training):
    f = torch.nn.functional
    c = f.conv2d(x, p["w"], padding=1)
    n = f.batch_norm(c, None if training else p["mean"], None if training else p["var"],
                     p["scale"], p["shift"], training=training)
    r = torch.relu(n)
    a = r * torch.sigmoid(f.conv2d(r, p["gate/w"])) + n
    return f.max_pool2d(a, 2).mean((2, 3)) @ p["fc"].T + p["b"]


class Oracle:
    """All derivatives of one setting, by torch in double."""

    def __init__(self, made, x, labels, cotangent, training, v):
        self.p = {k: torch.tensor(t, dtype=torch.double, requires_grad=k in SHAPES)
                  for k, t in made.items()}
        x = torch.tensor(x, dtype=torch.double, requires_grad=True)
        inputs = {"x": x, **{k: self.p[k] for k in SHAPES}}
        z = logits(self.p, x, training)
        f = torch.nn.functional.cross_entropy(z, torch.tensor(labels)) if cotangent is None else \
            (z * torch.tensor(cotangent, dtype=torch.double)).sum()
        grads = torch.autograd.grad(f, inputs.values(), create_graph=True)
        along = sum((g * torch.tensor(v[k], dtype=torch.double)).sum()
                    for k, g in zip(inputs, grads) if k in v)
        second = torch.autograd.grad(along, inputs.values(), allow_unused=True, retain_graph=True)
        zero = lambda k: torch.zeros_like(inputs[k])
        self.grad = {k: g.detach().numpy() for k, g in zip(inputs, grads)}
        self.hvp = {k: (zero(k) if h is None else h).detach().numpy()
                    for k, h in zip(inputs, second)}
        self.value, self.along = float(f), float(along)
        self.jvp = self.forward_tangent(inputs, z, v)

    @staticmethod
    def forward_tangent(inputs, z, v):
        """J v as the derivative by u of <J^T u, v>."""
        u = torch.zeros_like(z, requires_grad=True)
        back = torch.autograd.grad(z, inputs.values(), u, create_graph=True)
        along = sum((g * torch.tensor(v[k], dtype=torch.double)).sum()
                    for k, g in zip(inputs, back) if k in v)
        return torch.autograd.grad(along, u)[0].numpy()


def apart(got, want):
    return float(np.abs(got - want).max() / max(1e-3, np.abs(want).max()))


class Check:
    def __init__(self, binary, folder):
        self.binary, self.folder, self.failed = binary, folder, False
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        self.made = tensors()
        self.model = folder / "net.onnx"
        save(self.model, self.made)
        self.x = numbers(30, (N, 2, 6, 6), 1)
        self.labels = np.arange(N) % CLASSES
        self.cotangent = numbers(31, (N, CLASSES))
        np.save(folder / "x.npy", self.x)
        np.save(folder / "labels.npy", self.labels)
        self.cotangent.tofile(folder / "u")

    def say(self, good, what):
        print("%s: %s" % ("good" if good else "WRONG", what), flush=True)
        self.failed |= not good

    def run(self, command, *options):
        done = subprocess.run([self.binary, command, self.model, "--input", self.folder / "x.npy",
                               "--threads", "1", *map(str, options)], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True)
        if done.returncode:
            self.say(False, "%s %s: %s" % (command, " ".join(map(str, options)), done.stderr))
        return done.stdout

    def compare(self, what, out, wanted):
        for name, want in wanted.items():
            path = out / (name.replace("/", "_") + ".npy")
            got = np.load(path) if path.exists() else None
            far = np.inf if got is None or got.shape != want.shape else apart(got, want)
            self.say(far < TOLERANCE, "%s of %s: %.2g from PyTorch" % (what, name, far))

    def told(self, text, what, want):
        lines = [line for line in text.splitlines() if line.startswith(what + " = ")]
        got = float(lines[0].split()[2]) if lines else np.nan
        self.say(abs(got - want) < TOLERANCE * max(1, abs(want)), "%s is told: %g" % (what, got))

    def setting(self, training, by_labels, parts):
        v = {k: numbers(40 + i, self.x.shape if k == "x" else SHAPES[k])
             for i, k in enumerate(parts)}
        options = ["--labels", self.folder / "labels.npy"] if by_labels else \
            ["--cotangent", self.folder / "u"]
        options += ["--training"] if training else []
        for k, t in v.items():
            path = self.folder / ("v_" + k.replace("/", "_"))
            t.tofile(path)
            options += ["--direction", "%s=%s" % (k, path)]
        want = Oracle(self.made, self.x, self.labels, None if by_labels else self.cotangent,
                      training, v)
        name = "%s, %s, along %s: " % ("training" if training else "inference",
                                       "labels" if by_labels else "cotangent", " ".join(parts))
        out = self.folder / "out"
        shutil.rmtree(out, ignore_errors=True)
        text = self.run("grad", "-o", out, "--jvp", self.folder / "jvp.npy", *options)
        self.compare(name + "gradient", out, want.grad)
        self.told(text, "f", want.value)
        self.told(text, "f'", want.along)
        far = apart(np.load(self.folder / "jvp.npy"), want.jvp)
        self.say(far < TOLERANCE, "%sJ v: %.2g from PyTorch" % (name, far))
        shutil.rmtree(out)
        self.run("hvp", "-o", out, *options)
        self.compare(name + "H v", out, want.hvp)

    def some(self):
        out = self.folder / "some"
        self.run("grad", "-o", out, "--labels", self.folder / "labels.npy", "--wrt", "gate*",
                 "--wrt", "x")
        self.say(sorted(p.name for p in out.iterdir()) == ["gate_w.npy", "x.npy"],
                 "--wrt chooses what is written")

    def refusals(self):
        labels = ["--labels", self.folder / "labels.npy"]
        np.save(self.folder / "bad.npy", np.full(N, CLASSES))
        for words, command, options in (
                ("label 0 is 3", "grad", ["-o", "o", "--labels", self.folder / "bad.npy"]),
                ("missing --labels", "grad", ["-o", "o"]),
                ("missing --direction", "hvp", ["-o", "o", *labels]),
                ("missing -o FOLDER", "grad", labels),
                ("expected NAME=FILE", "hvp", ["-o", "o", *labels, "--direction", "w"]),
                ("neither a trained parameter", "hvp", ["-o", "o", *labels, "--direction",
                                                        "mean=f"]),
                ("neither a trained parameter", "grad", ["-o", "o", *labels, "--wrt", "nothing"]),
                ("expected 288, float32", "hvp", ["-o", "o", *labels, "--direction",
                                                  "w=%s" % (self.folder / "u")])):
            done = subprocess.run([self.binary, command, self.model, "--input",
                                   self.folder / "x.npy", *map(str, options)], cwd=self.folder,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            self.say(done.returncode in (2, 3) and words in done.stderr,
                     "refused: %s" % done.stderr.strip())


def main(binary, folder):
    check = Check(str(Path(binary).resolve()), Path(folder).resolve())
    check.setting(False, True, ["w", "x", "fc"])
    check.setting(True, True, ["w", "scale", "gate/w", "b"])
    check.setting(False, False, ["x"])
    check.setting(True, False, list(SHAPES))
    check.some()
    check.refusals()
    return 1 if check.failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
