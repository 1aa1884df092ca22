#!/usr/bin/env python3
"""Whole classifiers of others through every part of the program; zoo_page.py tells the results.

    python3 zoo.py BINARY WORK RESULTS.jsonl FILE.onnx...      tries files that have no result yet

A file's name is GROUP_NAME.onnx; zoo_files.py makes such files. Of each file:

    import      inspect says that it can be trained
    logits      of two images, as ONNX Runtime has them: LOGITS of the largest, and HALF where the
                file computes in float16
    inject      a modulator at the last feature layer, behind its activation or block where a node
                is fused of both; ONNX Runtime computes the same logits
    strip       and takes it out again: the bytes of the file before; where weights lie in files
                beside it, which may be cut otherwise, the same file but for where they lie
    derivative  J v along a random direction in the images and in tensors of the file, against
                central differences by ONNX Runtime, and <u, J v> = <J' u, v>: DERIVATIVE
    base, mfm   one step of each method on photographs, or on rows of numbers where the input is
                none of images
    written     what the base step wrote: ONNX Runtime's logits again, trained numbers differ

RESULTS has one JSON object a file: each check as true, or why not in a line. BINARY is run with one
thread. A file is tried again when its line is taken out. --checks LIST leaves the others out:
import is always among them, and logits before a derivative. Where float32's differences are too
far, --double BINARY, built for double, asks whether they are EXACT at one of its steps, or come
nearer as the step gets smaller: those over kinks (Relu, MaxPool) do so as its root, since the
number of kinks within the step falls with it; a wrong derivative stays away.
"""
import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, external_data_helper, numpy_helper

LOGITS, DERIVATIVE, EXACT, FALLS, HANG = 1e-4, 2e-2, 1e-4, 0.6, 3600
HALF = 5e-3
CHECKS = ["import", "logits", "inject", "strip", "derivative", "base", "mfm", "written"]


class Failed(Exception):
    pass


def need(truth, text):
    if not truth:
        raise Failed(text)


def last_line(text):
    lines = [line for line in text.splitlines() if line.strip() and "warning:" not in line]
    return lines[-1] if lines else ""


def session(model):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    try:
        return onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its own exceptions have no class in common
        why = last_line(str(error)).split("failed:")[-1]
        raise Failed("ONNX Runtime does not load it: %s" % why)


def end(graph):
    """The output of the logits: the first of floating-point numbers, as labels are not."""
    floats = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE)
    return next((o for o in graph.output if o.type.tensor_type.elem_type in floats),
                graph.output[0])


def one_number(graph):
    """Of two classes, then: the logits are 0 and what a Sigmoid at the end reads."""
    dims = end(graph).type.tensor_type.shape.dim
    return len(dims) > 1 and dims[1].dim_value == 1


def before_softmax(graph):
    """The name of the logits: the output, or what a Softmax at the end reads."""
    makers = {o: node for node in graph.node for o in node.output}
    name, last = end(graph).name, ("Sigmoid",) if one_number(graph) else ("Softmax", "LogSoftmax")
    for _ in range(4):
        node = makers.get(name)
        if node is None or node.op_type not in last + ("Reshape", "Flatten", "Identity", "Cast"):
            break
        name = node.input[0]
        if node.op_type in last:
            return name
    return end(graph).name


def opened(path):
    """The model; weights in files beside it stay there, as it may be too large for one."""
    return onnx.load(str(path), load_external_data=False)


def beside(proto):
    """{name: entries} of the tensors whose numbers lie in files beside the model."""
    return {t.name: {e.key: e.value for e in t.external_data} for t in proto.graph.initializer
            if external_data_helper.uses_external_data(t)}


def derived(proto, path, work, name):
    """Saves what was made of the file at `path`; beside it where its weights lie there, since they
    may have no other place."""
    place = path.parent / ("%s.trial.%s" % (path.stem, name)) if beside(proto) else work / name
    onnx.save(proto, str(place))
    return place


def without_places(path):
    """The bytes of a model but for where the weights beside it lie: these by their numbers."""
    proto = opened(path)
    for tensor in proto.graph.initializer:
        if external_data_helper.uses_external_data(tensor):
            numbers = numpy_helper.to_array(tensor, str(path.parent))
            del tensor.external_data[:]
            tensor.raw_data = hashlib.sha256(numbers.tobytes()).digest()
    return proto.SerializeToString(deterministic=True)


def leave_training(graph):
    """Nodes of images in training form, as in inference; whether there were any."""
    found, known = False, {t.name for t in graph.initializer}
    for node in graph.node:
        if known.issuperset(n for n in node.input if n):
            known.update(node.output)
        elif node.op_type == "BatchNormalization":
            mode = [a for a in node.attribute if a.name == "training_mode" and a.i]
            found |= bool(mode) or len(node.output) > 1
            for attribute in mode:
                attribute.i = 0
            del node.output[1:]
        elif node.op_type == "Dropout" and len(node.input) > 2:
            found = True
            del node.input[2:]
    return found


def with_logits(path, work):
    """A file in inference form whose outputs have the logits among them, and their name."""
    proto = opened(path)
    name = before_softmax(proto.graph)
    changed = leave_training(proto.graph)
    if name == end(proto.graph).name and not changed:
        return path, name
    if name != end(proto.graph).name:
        proto.graph.output.append(onnx.ValueInfoProto(name=name))
    return derived(proto, path, work, "logits.onnx"), name


def tied(graph):
    """Tensors that stand for several: the program trains each Identity of one for itself."""
    readers = {}
    for node in graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node.op_type)
    return {n for n, types in readers.items() if len(types) > 1 or "Identity" in types}


def apart(got, want):
    need(got.shape == want.shape, "shape %s, ONNX Runtime %s" % (got.shape, want.shape))
    need(np.isfinite(got).all(), "not finite")
    return float(np.abs(got - want).max() / max(np.abs(want).max(), 1e-30))


def holds_in_double(fine):
    """Of differences by step: exact at one, or nearer with each, by FALLS a step."""
    falls = all(b < a for a, b in zip(fine, fine[1:]))
    return min(fine) < EXACT or (falls and fine[-1] < FALLS ** (len(fine) - 1) * fine[0])


class Trial:
    def __init__(self, binary, work, path, double=None):
        self.binary, self.work, self.path, self.double = binary, work, path, double
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        self.draw = np.random.default_rng(0)
        self.more = {}

    def run(self, *arguments):
        try:
            done = subprocess.run([self.binary, *map(str, arguments)], stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, text=True, timeout=HANG)
        except subprocess.TimeoutExpired:
            raise Failed("%s: an hour was not enough" % arguments[0])
        need(done.returncode == 0, last_line(done.stderr).replace(str(self.path), self.path.name)
             .replace(str(self.work) + "/", "")[:300] or "exit %d" % done.returncode)
        return done.stdout

    def oracle(self, path, images):
        """Logits [n, classes], image by image where the file fixes a batch of one."""
        path, output = with_logits(path, self.work)
        known = session(path)
        feed = lambda x: known.run([output], {self.input_name: x.astype(self.type)})[0]
        rows = [feed(images)] if not self.fixed else [feed(images[i:i + 1])
                                                      for i in range(len(images))]
        z = np.concatenate(rows).astype(np.float32).reshape(len(images), -1)
        return np.pad(z, [(0, 0), (1, 0)]) if z.shape[1] == 1 else z

    def ask(self):
        told = json.loads(self.run("inspect", self.path, "--json"))
        if "leaves the size of images open" in str(told["obstacle"]):
            told = json.loads(self.run("inspect", self.path, "--json", "--input-size", "224"))
        self.more["parameters"], self.more["opset"] = told["parameters"], told["opset"]
        self.more["producer"] = told["producer"]
        entry = told["input"][0] if isinstance(told["input"], list) else told["input"]
        proto = opened(self.path)
        self.input_name = entry["name"]
        info = next(v for v in proto.graph.input if v.name == self.input_name)
        dims = [d.dim_value for d in info.type.tensor_type.shape.dim]
        self.type = onnx.helper.tensor_dtype_to_np_dtype(info.type.tensor_type.elem_type)
        self.fixed = dims[0] == 1
        half = any(t.data_type == TensorProto.FLOAT16 for t in proto.graph.initializer)
        self.most = HALF if half else LOGITS
        self.size = [] if all(dims[1:]) else ["--input-size", "224"]
        shape = [d or (3 if i == 0 else 224) for i, d in enumerate(dims[1:])]
        self.images = self.draw.standard_normal([2] + shape).astype(np.float32)
        if np.issubdtype(self.type, np.integer):
            self.images = np.floor(self.draw.uniform(0, 256, [2] + shape)).astype(np.float32)
        np.save(self.work / "x.npy", self.images)
        need(told["trainable"], self.shortened(str(told["obstacle"])))

    def shortened(self, why):
        why = why.replace(str(self.path), self.path.name)
        return why if len(why) < 400 else why[:200] + " ... " + why[-200:]

    def compute(self, path):
        self.run("run", path, "--input", self.work / "x.npy", "-o", self.work / "y.npy",
                 "--threads", 1)
        return np.load(self.work / "y.npy")

    def logits(self):
        self.want = self.oracle(self.path, self.images)
        need(self.want.any(), "they are all zero, which shows nothing")
        found = apart(self.compute(self.path), self.want)
        self.more["logits_apart"] = found
        need(found <= self.most, "%.2g of the largest logit" % found)

    def inject_somewhere(self):
        """A node that is fused of a layer and more has a place behind these alone."""
        for self.position in ("norm", "act", "block"):
            try:
                self.run("inject", self.path, "-o", self.injected, "--layer", "last_features",
                         "--position", self.position)
                return
            except Failed as failed:
                first = failed if self.position == "norm" else first
                need("fused node" in str(first), str(first))
        raise first

    def inject(self):
        self.injected = self.work / "injected.onnx"
        self.inject_somewhere()
        found = apart(self.oracle(self.injected, self.images), self.oracle(self.path, self.images))
        need(found <= self.most, "injected: %.2g of the largest logit" % found)

    def strip(self):
        need((self.work / "injected.onnx").exists(), "not tried: no injected file")
        plain = self.work / "stripped.onnx"
        self.run("strip", self.injected, "-o", plain)
        same = without_places if beside(opened(self.path)) else Path.read_bytes
        need(same(plain) == same(self.path), "other bytes than before")

    # ---- derivatives ----

    def numbers(self, tensor):
        return numpy_helper.to_array(tensor, str(self.path.parent))

    def direction(self, gradients):
        """Numbers of six trained tensors of the file, of matrices of zeros, and the images."""
        proto = opened(self.path)
        tensors = {t.name: t for t in proto.graph.initializer}
        several = tied(proto.graph)
        names = [n for n in gradients if n in tensors and n not in several]
        chosen = [names[i] for i in
                  sorted({round(i * (len(names) - 1) / 5) for i in range(6)})] if names else []
        chosen += [n for n in names if n not in chosen and tensors[n].dims[1:] and
                   not self.numbers(tensors[n]).any()]
        v = {}
        for name in chosen:
            w = self.numbers(tensors[name]).astype(np.float32)
            # A bias of zeros would outweigh all else; a last layer of zeros hides all else.
            size = np.sqrt(np.mean(w ** 2)) or 0.02 * (w.ndim > 1)
            v[name] = (self.draw.standard_normal(w.shape) * size).astype(np.float32)
        v[self.input_name] = self.draw.standard_normal(self.images.shape).astype(np.float32)
        return proto, tensors, v

    def moved(self, proto, tensors, v, step):
        """ONNX Runtime's logits at x + step v, w + step v."""
        before = {name: tensors[name].SerializeToString() for name in v if name in tensors}
        for name in before:
            w = self.numbers(tensors[name])
            tensors[name].CopyFrom(numpy_helper.from_array(
                (w + step * v[name]).astype(w.dtype), name))
        path = derived(proto, self.path, self.work, "moved.onnx")
        for name, old in before.items():
            tensors[name].ParseFromString(old)
        z = self.oracle(path, self.images + np.float32(step) * v[self.input_name])
        path.unlink()
        return z.astype(np.float64)

    def gradients(self, u):
        """J' u: {name: numbers}. Names are those of the files that grad writes."""
        np.save(self.work / "u.npy", u)
        folder = self.work / "gradients"
        self.run("grad", self.path, "--input", self.work / "x.npy", "--cotangent",
                 self.work / "u.npy", "-o", folder, "--threads", 1)
        initializers = opened(self.path).graph.initializer
        known = [t.name for t in initializers] + [self.input_name]
        written = {f.name[:-4]: f for f in folder.glob("*.npy")}
        flat = {n: n.replace("/", "_") for n in known}
        return {n: np.load(written[flat[n]]) for n in known if flat[n] in written}

    def derivative(self):
        need(not np.issubdtype(self.type, np.integer), "images are whole numbers")
        need(hasattr(self, "want"), "not tried: no logits")
        u = self.draw.standard_normal(self.want.shape).astype(np.float32)
        gradients = self.gradients(u)
        proto, tensors, v = self.direction(gradients)
        options = []
        for i, (name, numbers) in enumerate(v.items()):
            np.save(self.work / ("v%d.npy" % i), numbers)
            options += ["--direction", "%s=%s" % (name, self.work / ("v%d.npy" % i))]
        self.run("grad", self.path, "--input", self.work / "x.npy", *options, "--jvp",
                 self.work / "jv.npy", "--threads", 1)
        along = np.load(self.work / "jv.npy").astype(np.float64)
        if not all(n in gradients for n in v):
            raise Failed("no gradient of %s" % [n for n in v if n not in gradients])
        inner = sum((gradients[n].astype(np.float64) * v[n]).sum() for n in v)
        scale = np.linalg.norm(u) * np.linalg.norm(along)
        adjoint = abs((u * along).sum() - inner) / max(scale, 1e-30)
        need(adjoint < 1e-3, "<u, J v> and <J' u, v> are %.2g apart" % adjoint)
        best = np.inf
        for step in (1e-2, 1e-3, 3e-3, 3e-4, 1e-4):
            centre = (self.moved(proto, tensors, v, step) - self.moved(proto, tensors, v, -step))
            best = min(best, np.linalg.norm(centre / (2 * step) - along) / np.linalg.norm(along))
            if best < DERIVATIVE / 2:
                break
        self.more["derivative_apart"] = float(best)
        if best >= DERIVATIVE and self.double:
            single = self.binary
            try:
                fine = self.in_double(proto, tensors, v)
            finally:
                self.binary = single
            self.more["in_double"] = fine
            need(holds_in_double(fine), "%.2g from differences in float32; in double, by step: %s" %
                 (best, " ".join("%.2g" % f for f in fine)))
            return
        need(best < DERIVATIVE, "%.2g from differences" % best)

    def in_double(self, proto, tensors, v):
        """How far J v is from differences of the logits of one image, both by the program built
        for double, by step. It reads images and writes logits as float32: images and steps are on
        a grid that float32 has, and the logits in the middle are taken off within the file."""
        self.binary = self.double
        x, name = np.round(self.images[:1] * 256) / 256, before_softmax(proto.graph)
        dx = np.round(v[self.input_name][:1] * 16) / 16
        at = {n: self.numbers(tensors[n]).astype(np.float64) for n in v if n in tensors}

        def moved(step, middle):
            made = onnx.ModelProto.FromString(proto.SerializeToString())
            for tensor in made.graph.initializer:
                if tensor.name in at:
                    w = at[tensor.name] + step * v[tensor.name].astype(np.float64)
                    tensor.CopyFrom(numpy_helper.from_array(w, tensor.name))
            made.graph.node.append(onnx.helper.make_node("Sub", [name, "middle"], ["apart"]))
            made.graph.initializer.append(numpy_helper.from_array(middle, "middle"))
            end(made.graph).CopyFrom(onnx.helper.make_empty_tensor_value_info("apart"))
            np.save(self.work / "x.npy", (x + step * dx).astype(np.float32))
            return derived(made, self.path, self.work, "double.onnx")

        at_zero = self.compute(moved(0, np.zeros(1)))[0].astype(np.float64)
        middle = at_zero[1:] if one_number(proto.graph) else at_zero
        options = []
        for i, (tensor, numbers) in enumerate(v.items()):
            np.save(self.work / ("v%d.npy" % i), dx if tensor == self.input_name else numbers)
            options += ["--direction", "%s=%s" % (tensor, self.work / ("v%d.npy" % i))]
        self.run("grad", moved(0, middle), "--input", self.work / "x.npy", *options, "--jvp",
                 self.work / "jv.npy", "--threads", 1)
        along = np.load(self.work / "jv.npy").astype(np.float64)
        apart_by = []
        for power in (12, 15, 18):
            step = 2.0 ** -power
            z = [self.compute(moved(s, middle)).astype(np.float64) for s in (step, -step)]
            apart_by.append(float(np.linalg.norm((z[0] - z[1]) / (2 * step) - along) /
                                  np.linalg.norm(along)))
        np.save(self.work / "x.npy", self.images)
        return apart_by

    # ---- steps ----

    def photographs(self):
        from PIL import Image
        grey = 1 in (self.images.shape[1], self.images.shape[-1])
        for split, count in (("train", 2), ("test", 1)):
            for c in range(2):
                folder = self.work / "photos" / split / ("c%d" % c)
                folder.mkdir(parents=True)
                for i in range(count):
                    pixels = self.draw.integers(0, 256, (8, 8, 3), dtype=np.uint8)
                    image = Image.fromarray(pixels).resize((96, 80))
                    (image.convert("L") if grey else image).save(folder / ("%d.png" % i))

    def rows(self):
        folder = self.work / "arrays"
        folder.mkdir()
        for split, count in (("train", 4), ("test", 2)):
            shape = [count] + list(self.images.shape[1:])
            np.save(folder / (split + "_x.npy"), self.draw.standard_normal(shape, np.float32))
            np.save(folder / (split + "_y.npy"), np.arange(count) % 2)

    def train(self, method, *options):
        """A step on photographs, or on rows of numbers where the input is none of images."""
        images = self.images.ndim == 4
        kind, make = ("photos", self.photographs) if images else ("arrays", self.rows)
        if not (self.work / kind).exists():
            make()
        if images:
            options += ("--data", "folder:%s" % (self.work / kind), "--augment", "none", "--mean",
                        "0.5", *self.size)
        else:
            options += ("--data", "arrays:%s" % (self.work / kind))
        out = self.work / (method + ".onnx")
        self.run("train", self.path, "-o", out, "--method", method, "--epochs", 1, "--batch", 4,
                 "--lr", 1e-3, "--threads", 1, *options)
        shutil.rmtree(out.with_suffix(".run"), ignore_errors=True)
        return out

    def base(self):
        self.trained = self.train("base")

    def mfm(self):
        self.train("mfm", "--layer", "last_features", "--meta-per-class", 1,
                   "--meta-batch", 2, "--position", getattr(self, "position", "norm")).unlink()

    def written(self):
        need(hasattr(self, "trained"), "nothing was trained")
        want = self.oracle(self.trained, self.images)
        found = apart(self.compute(self.trained), want)
        need(found <= self.most, "%.2g of the largest logit" % found)
        if hasattr(self, "want"):
            need(apart(want, self.want) > 0, "training changed nothing")

    def all(self, checks):
        result, stopped = {"file": self.path.stem}, None
        for check in [c for c in CHECKS if c in checks]:
            try:
                need(not stopped, "not tried: %s" % stopped)
                getattr(self, "ask" if check == "import" else check)()
                result[check] = True
            except Failed as error:
                result[check] = str(error)
            except Exception as error:  # of ONNX Runtime, onnx or numpy: the line is the result
                result[check] = "%s: %s" % (type(error).__name__, str(error)[:300])
            if check == "import" and result[check] is not True:
                stopped = "does not import"
        shutil.rmtree(self.work, ignore_errors=True)
        for left in self.path.parent.glob(self.path.stem + ".trial.*"):
            left.unlink()
        return {**result, **self.more}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("binary")
    parser.add_argument("work", type=Path)
    parser.add_argument("results", type=Path)
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--checks", default=",".join(CHECKS))
    parser.add_argument("--double", help="the program, built for double")
    options = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    done = set()
    if options.results.exists():
        done = {json.loads(line)["file"] for line in options.results.read_text().splitlines()}
    for path in options.files:
        if path.stem in done:
            continue
        trial = Trial(options.binary, options.work, path, options.double)
        result = trial.all(options.checks.split(","))
        with open(options.results, "a", encoding="utf-8") as file:
            file.write(json.dumps(result) + "\n")
        bad = {c: result[c] for c in CHECKS if result.get(c, True) is not True}
        print(path.stem, bad or "all", flush=True)


if __name__ == "__main__":
    main()
