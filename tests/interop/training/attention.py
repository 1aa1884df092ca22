#!/usr/bin/env python3
"""Attention as PyTorch exports it: values, `grad` and `hvp` beside PyTorch's, in double precision.

    python3 attention.py BINARY FOLDER

One network over all tokens of an image, scaled on both sides as scaled_dot_product_attention is,
one with tokens before samples, as MultiheadAttention has them, one over windows, with a learned
bias by relative position and the mask of shifted windows, as Swin has them, and one whose products
are sums over named axes, as MaxViT writes them, with such a bias and a mask of truth values. Exits
with 77 when torch or onnx are missing.
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

N, CLASSES, TOLERANCE = 3, 3, 2e-5
SIDE, HEADS, WIDTH, WINDOW = 4, 2, 5, 2 # of tokens, and in a window's side
FEATURES, TOKENS, PLACES = HEADS * WIDTH, SIDE * SIDE, WINDOW * WINDOW
WINDOWS = TOKENS // PLACES
SHAPES = {"patch": (FEATURES, 2, 2, 2), "qkv": (FEATURES, 3 * FEATURES), "table": (9, HEADS),
          "out": (FEATURES, FEATURES), "fc": (FEATURES, CLASSES)}


def numbers(seed, shape, scale=0.5):
    return (np.random.default_rng(seed).standard_normal(shape) * scale).astype(np.float32)


def places():
    """[PLACES PLACES]: the row of the table for each pair of places in a window."""
    at = np.stack(np.meshgrid(range(WINDOW), range(WINDOW), indexing="ij"), -1).reshape(-1, 2)
    apart = at[:, None] - at[None] + WINDOW - 1
    return (apart[..., 0] * (2 * WINDOW - 1) + apart[..., 1]).reshape(-1)


def shifted_mask():
    """[WINDOWS, PLACES, PLACES]: -100 between what the shift has brought together."""
    part = np.zeros((SIDE, SIDE), np.float32)
    for i in range(SIDE):
        for j in range(SIDE):
            part[i, j] = 3 * max(0, i - 1) + max(0, j - 1)
    part = part.reshape(2, WINDOW, 2, WINDOW).transpose(0, 2, 1, 3).reshape(WINDOWS, PLACES)
    return np.where(part[:, None] == part[:, :, None], 0, -100).astype(np.float32)


class Network:
    """Both as nodes, and in torch."""

    def __init__(self, windows, sums, tokens_first):
        self.windows, self.sums, self.tokens_first = windows, sums, tokens_first
        self.names = [k for k in SHAPES if windows or k != "table"]
        self.made = {k: numbers(i, SHAPES[k]) for i, k in enumerate(self.names)}
        self.scale = float(np.float32(WIDTH ** -0.5))
        self.nodes, self.constants = [], {}

    def add(self, op, inputs, output, **attributes):
        names = []
        for i, value in enumerate(inputs):
            if not isinstance(value, str):
                name = "%s_%d" % (output, i)
                self.constants[name] = np.asarray(value)
                value = name
            names.append(value)
        self.nodes.append(helper.make_node(op, names, [output], **attributes))
        return output

    def tokens(self):
        self.add("Conv", ["x", "patch"], "image", strides=[2, 2])
        if not self.windows:
            self.add("Reshape", ["image", [-1, FEATURES, TOKENS]], "columns")
            return self.add("Transpose", ["columns"], "tokens", perm=[0, 2, 1])
        self.add("Reshape", ["image", [-1, FEATURES, 2, WINDOW, 2, WINDOW]], "cut")
        self.add("Transpose", ["cut"], "turned", perm=[0, 2, 4, 3, 5, 1])
        return self.add("Reshape", ["turned", [-1, PLACES, FEATURES]], "tokens")

    def bias(self):
        self.add("Gather", ["table", places()], "rows")
        self.add("Reshape", ["rows", [PLACES, PLACES, HEADS]], "square")
        self.add("Transpose", ["square"], "of_heads", perm=[2, 0, 1])
        return self.add("Unsqueeze", ["of_heads", [0]], "bias")

    def scores(self):
        one = np.float32(self.scale)
        if self.sums:
            self.add("Mul", ["k", one], "ks")
            self.add("Einsum", ["q", "ks"], "product",
                     equation="B G H I D, B G H J D -> B G H I J")
            self.add("Add", ["product", self.bias()], "biased")
            apart = shifted_mask()[None, :, None] < 0
            return self.add("Where", [apart, np.float32(-np.inf), "biased"], "scores")
        if not self.windows:
            root = np.float32(self.scale ** 0.5)
            self.add("Transpose", ["k"], "kt", perm=[0, 1, 3, 2])
            self.add("Mul", ["q", root], "qs")
            self.add("Mul", ["kt", root], "ks")
            return self.add("MatMul", ["qs", "ks"], "scores")
        self.add("Mul", ["q", one], "qs")
        self.add("Transpose", ["k"], "kt", perm=[0, 1, 3, 2])
        self.add("MatMul", ["qs", "kt"], "product")
        self.add("Add", ["product", self.bias()], "biased")
        self.add("Reshape", ["biased", [-1, WINDOWS, HEADS, PLACES, PLACES]], "by_window")
        self.add("Add", ["by_window", shifted_mask()[None, :, None]], "masked")
        return self.add("Reshape", ["masked", [-1, HEADS, PLACES, PLACES]], "scores")

    def parts(self, length):
        """q, k and v, of all heads; how many axes are in front of those of one head."""
        if self.tokens_first:
            self.add("Transpose", [self.tokens()], "by_token", perm=[1, 0, 2])
            self.add("MatMul", ["by_token", "qkv"], "all")
            self.add("Reshape", ["all", [TOKENS, -1, 3, FEATURES]], "three")
            self.add("Unsqueeze", ["three", [0]], "longer")
            self.add("Transpose", ["longer"], "moved", perm=[3, 1, 2, 0, 4])
            self.add("Squeeze", ["moved", [3]], "parts")
            for i, name in enumerate("qkv"):
                self.add("Gather", ["parts", np.int64(i)], name + "0", axis=0)
                self.add("Reshape", [name + "0", [TOKENS, -1, WIDTH]], name + "1")
                self.add("Transpose", [name + "1"], name + "2", perm=[1, 0, 2])
                self.add("Reshape", [name + "2", [-1, HEADS, TOKENS, WIDTH]], name)
            return 1
        self.add("MatMul", [self.tokens(), "qkv"], "all")
        outer = [-1, WINDOWS] if self.sums else [-1]
        at = len(outer)
        self.add("Reshape", ["all", [*outer, length, 3, HEADS, WIDTH]], "three")
        self.add("Transpose", ["three"], "parts",
                 perm=[at + 1, *range(at), at + 2, at, at + 3])
        for i, name in enumerate("qkv"):
            self.add("Gather", ["parts", np.int64(i)], name, axis=0)
        return at

    def save(self, path):
        length = PLACES if self.windows else TOKENS
        at = self.parts(length)
        self.add("Softmax", [self.scores()], "p", axis=-1)
        if self.sums:
            self.add("Einsum", ["p", "v"], "weighted",
                     equation="B G H I J, B G H J D -> B G H I D")
        else:
            self.add("MatMul", ["p", "v"], "weighted")
        if self.tokens_first:
            self.add("Transpose", ["weighted"], "back", perm=[2, 0, 1, 3])
            self.add("Reshape", ["back", [-1, FEATURES]], "joined")
            self.add("MatMul", ["joined", "out"], "rows")
            self.add("Reshape", ["rows", [TOKENS, -1, FEATURES]], "of_tokens")
            self.add("Transpose", ["of_tokens"], "projected", perm=[1, 0, 2])
        else:
            self.add("Transpose", ["weighted"], "back", perm=[*range(at), at + 1, at, at + 2])
            self.add("Reshape", ["back", [-1, length, FEATURES]], "joined")
            self.add("MatMul", ["joined", "out"], "projected")
        self.add("Add", ["projected", "tokens"], "sum")
        self.add("Tanh", ["sum"], "bent")
        self.add("Reshape", ["bent", [-1, TOKENS, FEATURES]], "of_images")
        self.add("ReduceMean", ["of_images"], "mean", axes=[1], keepdims=0)
        self.add("MatMul", ["mean", "fc"], "y")
        value = lambda name, shape: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        tensors = [numpy_helper.from_array(v, k)
                   for k, v in {**self.made, **self.constants}.items()]
        graph = helper.make_graph(self.nodes, "g", [value("x", ("n", 2, 8, 8))],
                                  [value("y", ("n", CLASSES))], tensors)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
        onnx.save(model, str(path))

    def logits(self, p, x):
        image = torch.nn.functional.conv2d(x, p["patch"], stride=2)
        if self.windows:
            cut = image.reshape(-1, FEATURES, 2, WINDOW, 2, WINDOW)
            tokens = cut.permute(0, 2, 4, 3, 5, 1).reshape(-1, PLACES, FEATURES)
        else:
            tokens = image.flatten(2).transpose(1, 2)
        length = tokens.shape[1]
        q, k, v = (tokens @ p["qkv"]).reshape(-1, length, 3, HEADS, WIDTH).permute(2, 0, 3, 1, 4)
        scores = self.scale * q @ k.transpose(-1, -2)
        if self.windows:
            bias = p["table"][torch.tensor(places())].reshape(PLACES, PLACES, HEADS)
            mask = torch.tensor(shifted_mask(), dtype=x.dtype).repeat(N, 1, 1)[:, None]
            scores = scores + bias.permute(2, 0, 1)
            scores = scores.masked_fill(mask < 0, -np.inf) if self.sums else scores + mask
        y = torch.softmax(scores, -1) @ v
        y = y.transpose(1, 2).reshape(-1, length, FEATURES) @ p["out"] + tokens
        return torch.tanh(y).reshape(-1, TOKENS, FEATURES).mean(1) @ p["fc"]


def derivatives(network, x, labels, along):
    """Logits, gradient and H v, by torch in double."""
    p = {k: torch.tensor(t, dtype=torch.double, requires_grad=True)
         for k, t in {"x": x, **network.made}.items()}
    z = network.logits(p, p["x"])
    f = torch.nn.functional.cross_entropy(z, torch.tensor(labels))
    gradient = dict(zip(p, torch.autograd.grad(f, p.values(), create_graph=True)))
    slope = sum((gradient[k] * torch.tensor(v, dtype=torch.double)).sum()
                for k, v in along.items())
    second = dict(zip(p, torch.autograd.grad(slope, p.values())))
    plain = lambda tensors: {k: t.detach().numpy() for k, t in tensors.items()}
    return z.detach().numpy(), plain(gradient), plain(second)


class Check:
    def __init__(self, binary, folder):
        self.binary, self.folder, self.failed = binary, folder, False
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)

    def say(self, good, what):
        print("%s: %s" % ("good" if good else "WRONG", what), flush=True)
        self.failed |= not good

    def run(self, *arguments):
        done = subprocess.run([self.binary, *map(str, arguments)], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True)
        if done.returncode:
            self.say(False, "%s: %s" % (" ".join(map(str, arguments)), done.stderr))
        return done.stdout

    def compare(self, what, path, want):
        got = np.load(path) if path.exists() else None
        far = np.inf if got is None or got.shape != want.shape else \
            float(np.abs(got - want).max() / max(1e-3, np.abs(want).max()))
        self.say(far < TOLERANCE, "%s: %.2g from PyTorch" % (what, far))

    def network(self, name, windows, sums=False, tokens_first=False):
        network, folder = Network(windows, sums, tokens_first), self.folder / name
        folder.mkdir()
        model = folder / "net.onnx"
        network.save(model)
        x, labels = numbers(30, (N, 2, 8, 8), 1), np.arange(N) % CLASSES
        np.save(folder / "x.npy", x)
        np.save(folder / "labels.npy", labels)
        along = {k: numbers(40 + i, SHAPES[k]) for i, k in enumerate(network.names)}
        logits, gradient, second = derivatives(network, x, labels, along)
        options = ["--input", folder / "x.npy", "--labels", folder / "labels.npy"]
        for k, v in along.items():
            v.tofile(folder / ("v_" + k))
            options += ["--direction", "%s=%s" % (k, folder / ("v_" + k))]
        self.run("run", model, "--input", folder / "x.npy", "-o", folder / "y.npy")
        self.compare(name + ": values", folder / "y.npy", logits)
        for threads in (1, 2):
            for command, wanted in (("grad", gradient), ("hvp", second)):
                out = folder / ("%s_%d" % (command, threads))
                self.run(command, model, "-o", out, "--threads", threads, *options)
                for k, want in wanted.items():
                    self.compare("%s: %s of %s" % (name, command, k), out / (k + ".npy"), want)
        self.same_bits(name, folder, list(gradient))
        self.one_node(name, model, windows)

    def same_bits(self, name, folder, names):
        same = all((folder / (c + "_1") / (k + ".npy")).read_bytes() ==
                   (folder / (c + "_2") / (k + ".npy")).read_bytes()
                   for c in ("grad", "hvp") for k in names)
        self.say(same, name + ": the same bits with one thread and with two")

    def one_node(self, name, model, windows):
        """Else all of the above says nothing of the operator."""
        text = self.run("bench", model, "--method", "forward", "--batch", N, "--repeat", 1,
                        "--profile", 1, "--threads", 1)
        operators = {line.split()[0] for line in text.splitlines() if line}
        self.say("Attention" in operators and "Softmax" not in operators,
                 name + ": is one node")
        self.say(windows or "Gather" not in operators, name + ": reads its parts where they lie")


def main(binary, folder):
    check = Check(str(Path(binary).resolve()), Path(folder).resolve())
    check.network("all tokens", False)
    check.network("tokens first", False, tokens_first=True)
    check.network("windows", True)
    check.network("sums", True, True)
    return 1 if check.failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
