#!/usr/bin/env python3
"""Trains files in which tensors have several roles, and compares what is told with ONNX Runtime.

    python3 roles.py BINARY FOLDER

The loss on the test images that a run tells for its last epoch must be the cross-entropy of the
written file in ONNX Runtime, and what the rules fix must be in the file as it was. A line for each
check; exits with 1 when one failed, with 77 when onnx or ONNX Runtime are missing.
"""
import json
import shutil
import struct
import subprocess
import sys
from pathlib import Path

try:
    import numpy as np
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    import oracle
except ImportError as error:
    print("skipped: %s" % error)
    sys.exit(77)

CLASSES, SIDE = 3, 8
TRAIN = ["--method", "base", "--epochs", 4, "--batch", 15, "--lr", 0.05, "--threads", 1]
# Of a loss near 1, summed in different orders.
TOLERANCE = 2e-6
random = np.random.default_rng(0)


def node(op_type, inputs, outputs, **attributes):
    names = ["" if name == "-" else name for name in inputs.split()]
    return helper.make_node(op_type, names, outputs.split(), **attributes)


def normal(*shape, scale=0.3):
    return (random.standard_normal(shape) * scale).astype(np.float32)


def model(path, nodes, tensors, width):
    """x [n,1,8,8] -> nodes -> r -> Flatten, Gemm from `width` features -> y"""
    nodes = [*nodes, node("Flatten", "r", "flat"), node("Gemm", "flat head head_bias", "y")]
    tensors = {**tensors, "head": normal(width, CLASSES, scale=0.1), "head_bias": normal(CLASSES)}
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes, "g", [info("x", TensorProto.FLOAT, ["n", 1, SIDE, SIDE])],
        [info("y", TensorProto.FLOAT, ["n", CLASSES])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in tensors.items()])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)],
                                ir_version=8), path)


def write_part(folder, part, images, labels):
    (folder / (part + "-images-idx3-ubyte")).write_bytes(
        struct.pack(">4I", 0x803, *images.shape) + images.astype(np.uint8).tobytes())
    (folder / (part + "-labels-idx1-ubyte")).write_bytes(
        struct.pack(">2I", 0x801, len(labels)) + labels.astype(np.uint8).tobytes())


def make_data(folder):
    """The folder's test images as eval normalises them, their labels, and training images."""
    folder.mkdir(parents=True, exist_ok=True)
    parts = {}
    for part, count in (("train", 30), ("t10k", 15)):
        labels = np.arange(count) % CLASSES
        images = random.integers(0, 120, (count, SIDE, SIDE))
        for i, label in enumerate(labels):
            images[i, 2 * label:2 * label + 2] += 40
        write_part(folder, part, images, labels)
        parts[part] = images / 255, labels
    train = parts["train"][0]
    images = (parts["t10k"][0] - train.mean()) / train.std()
    return images.astype(np.float32)[:, None], parts["t10k"][1], train


def cross_entropy(path, images, labels):
    logits = oracle.logits(path, images).astype(np.float64)
    logits -= logits.max(1, keepdims=True)
    return float(np.mean(np.log(np.exp(logits).sum(1)) - logits[np.arange(len(labels)), labels]))


def tensors_of(path):
    return {t.name: numpy_helper.to_array(t) for t in onnx.load(path).graph.initializer}


class Trials:
    def __init__(self, binary, folder):
        self.binary, self.folder, self.failed = binary, folder, 0
        self.images, self.labels, train = make_data(folder / "data")
        self.mean, self.deviation = train.mean(), train.std()

    def run(self, *arguments):
        return subprocess.run([self.binary, *map(str, arguments)], capture_output=True, text=True,
                              timeout=600)

    def train(self, path, *more):
        """The last line of the metrics, and the written file."""
        out, run = path.with_suffix(".trained.onnx"), path.with_suffix(".trained.run")
        if "--resume" not in more:
            shutil.rmtree(run, ignore_errors=True)
        done = self.run("train", path, "-o", out, "--data", "idx:%s" % (self.folder / "data"),
                        *more)
        if done.returncode:
            raise RuntimeError(done.stderr.strip())
        return json.loads((run / "metrics.jsonl").read_text().splitlines()[-1]), out

    def say(self, name, wrong):
        print("%s - %s%s" % ("FAILED" if wrong else "ok", name, ": " + wrong if wrong else ""),
              flush=True)
        self.failed += bool(wrong)

    def trains(self, name, nodes, tensors, width, fixed=(), moved=(), more=(), tolerance=TOLERANCE):
        """Trains, and compares the loss; `fixed` tensors stay, `moved` ones do not."""
        path = self.folder / (name.replace(" ", "_") + ".onnx")
        model(path, nodes, tensors, width)
        try:
            line, out = self.train(path, *TRAIN, *more)
            oracle.check(out)
            loss = cross_entropy(out, self.images, self.labels)
            before, after = tensors_of(path), tensors_of(out)
            wrong = ["the run tells %.7f, the file %.7f" % (line["test_loss"], loss)] * (
                abs(line["test_loss"] - loss) > tolerance)
            wrong += ["%s changed" % t for t in fixed if not np.array_equal(before[t], after[t])]
            wrong += ["%s did not change" % t for t in moved if np.array_equal(before[t], after[t])]
            self.say(name, "; ".join(wrong))
        except Exception as error:
            self.say(name, "%s: %s" % (type(error).__name__, error))
        return path


def one_tensor_two_roles(t):
    conv, w = node("Conv", "x w", "c"), {"w": normal(4, 1, 3, 3)}
    one, zero = np.ones(4, np.float32), np.zeros(4, np.float32)
    t.trains("a factor that is also Clip's bound",
             [conv, node("Mul", "c z", "c1"), node("Clip", "c1 - z", "r")],
             {**w, "z": np.float32(1)}, 144, fixed=["z"], moved=["w"])
    t.trains("hard-swish with one 6.0",
             [conv, node("Add", "c three", "c1"), node("Clip", "c1 zero six", "c2"),
              node("Mul", "c c2", "c3"), node("Div", "c3 six", "r")],
             {**w, "three": np.float32(3), "zero": np.float32(0), "six": np.float32(6)}, 144,
             fixed=["three", "zero", "six"], moved=["w"])
    t.trains("a factor that is also Pad's value",
             [conv, node("Mul", "c z", "c1"), node("Pad", "c1 pads z", "r")],
             {**w, "z": np.float32(0.5), "pads": np.array([0, 0, 1, 1, 0, 0, 1, 1])}, 256,
             fixed=["z"])
    t.trains("a bias that is also Clip's bound",
             [node("Conv", "x w z", "c"), node("Clip", "c z", "r")],
             {"w": normal(1, 1, 3, 3), "z": np.zeros(1, np.float32)}, 36, fixed=["z"],
             moved=["w"])
    t.trains("a factor that is also Dropout's ratio",
             [conv, node("Mul", "c z", "c1"), node("Dropout", "c1 z", "r")],
             {**w, "z": np.float32(0.25)}, 144, fixed=["z"])
    t.trains("a statistic that is also an operand",
             [conv, node("BatchNormalization", "c s b m v", "n"), node("Unsqueeze", "m axes", "mu"),
              node("Add", "n mu", "r")],
             {**w, "s": one, "b": zero, "m": normal(4), "v": 2 * one, "axes": np.array([1, 2])},
             144, moved=["v", "s"])
    t.trains("a trained operand that is also a statistic",
             [conv, node("BatchNormalization", "c s b m v", "n"), node("Unsqueeze", "v axes", "u"),
              node("Mul", "n u", "r")],
             {**w, "s": one, "b": zero, "m": normal(4), "v": 2 + normal(4),
              "axes": np.array([1, 2])}, 144)


def merged_tensors(t):
    """What OnnxSlim and onnxsim make of a fresh network: equal tensors are one."""
    two = [node("Conv", "x w b", "c"), node("BatchNormalization", "c s b b s", "n"),
           node("Relu", "n", "a"), node("Conv", "a w2 b", "c2"),
           node("BatchNormalization", "c2 s b b s", "n2"), node("Relu", "n2", "r")]
    tensors = {"w": normal(4, 1, 3, 3), "w2": normal(4, 4, 1, 1), "s": np.ones(4, np.float32),
               "b": np.zeros(4, np.float32)}
    merged = t.trains("merged BatchNormalization tensors", two, tensors, 144)
    apart = [node("Conv", "x w b0", "c"), node("BatchNormalization", "c s1 b1 m1 v1", "n"),
             node("Relu", "n", "a"), node("Conv", "a w2 b2", "c2"),
             node("BatchNormalization", "c2 s3 b3 m3 v3", "n2"), node("Relu", "n2", "r")]
    own = {name: tensors["s" if name[0] in "sv" else "b"]
           for name in "b0 s1 b1 m1 v1 b2 s3 b3 m3 v3".split()}
    path = t.folder / "apart.onnx"
    model(path, apart, {"w": tensors["w"], "w2": tensors["w2"], **own}, 144)
    again = onnx.load(path)
    for tensor in again.graph.initializer:
        if tensor.name.startswith("head"):
            tensor.CopyFrom(next(i for i in onnx.load(merged).graph.initializer
                                 if i.name == tensor.name))
    onnx.save(again, path)
    losses = [t.train(p, *TRAIN)[0]["test_loss"] for p in (merged, path)]
    t.say("they train as in the file before they were merged",
          "" if losses[0] == losses[1] else "losses %r" % losses)


def constants(t):
    w = {"w": normal(4, 1, 3, 3)}
    conv = node("Conv", "x w", "c")
    t.trains("the image's normalisation is fixed",
             [node("Sub", "x mean", "x1"), node("Div", "x1 deviation", "x2"),
              node("Conv", "x2 w", "c"), node("Relu", "c", "r")],
             {**w, "mean": normal(1, 1, SIDE, SIDE), "deviation": 2 + normal(1, 1, SIDE, SIDE)},
             144, fixed=["mean", "deviation"], moved=["w"])
    mask = (random.integers(0, 2, (4, 6, 6)) * 1.0).astype(np.float32)
    t.trains("a mask is fixed, a scale per channel is trained",
             [conv, node("Mul", "c mask", "c1"), node("Mul", "c1 scale", "r")],
             {**w, "mask": mask, "scale": 1 + normal(4, 1, 1)}, 144, fixed=["mask"],
             moved=["scale"])
    apart = np.eye(9, dtype=np.float32).reshape(3, 3, 9).transpose(2, 0, 1)[:, None]
    w9 = {"apart": apart, "w9": normal(4, 9, 1, 1)}
    patches = [node("Conv", "x apart", "c"), node("Conv", "c w9", "r")]
    t.trains("a kernel that only takes patches apart is fixed", patches, w9, 144, fixed=["apart"],
             moved=["w9"])
    t.trains("one that hardly differs is trained", patches,
             {**w9, "apart": apart * np.float32(1.01)}, 144, moved=["apart", "w9"])
    path = t.trains("tensors are fixed and freed by name",
                    [conv, node("Mul", "c factor", "r")], {**w, "factor": np.float32(2)}, 144,
                    fixed=["w", "head"], moved=["factor", "head_bias"],
                    more=["--freeze", "w", "--freeze", "hea?", "--free", "factor"])
    t.trains("casts between floating-point types are left out",
             [node("Cast", "half", "w", to=TensorProto.FLOAT), conv,
              node("CastLike", "c x", "c1"), node("Cast", "c1", "r", to=TensorProto.FLOAT)],
             {"half": normal(4, 1, 3, 3).astype(np.float16)}, 144, moved=["half"],
             tolerance=1e-3)  # the file keeps 11 bits of a weight
    # A run that goes on keeps what was said.
    more = ["--freeze", "w", "--free", "factor"]
    whole = t.train(path, *TRAIN, *more)[1].read_bytes()
    begun = ["2" if value == 4 else value for value in TRAIN]
    t.train(path, *begun, *more)
    resumed = t.train(path, "--resume", "--epochs", 4, "--threads", 1)[1].read_bytes()
    t.say("--resume keeps --freeze and --free", "" if resumed == whole else "another file")


def moved_by_sizes(t):
    """Numbers that are cut, gathered, brought into shape or cast as the features are, are weights
    all the same. The length of the features is computed, as exporters do for a batch that is
    open."""
    w = {"w": normal(4, 1, 3, 3), "rows": np.array([0, 4, 36]), "one": np.int64(1),
         "zero": np.int64(0), "first": np.array([0]), "second": np.array([1]),
         "four": np.array([4])}
    features = [node("Conv", "x w", "c"), node("Reshape", "c rows", "c1"),
                node("Transpose", "c1", "t", perm=[0, 2, 1]), node("Shape", "t", "sizes"),
                node("Gather", "sizes one", "length"), node("Unsqueeze", "length first", "end")]
    add = [node("Add", "t position", "r")]
    t.trains("a position embedding that is cut to the length",
             [*features, node("Slice", "table first end second", "position"), *add],
             {**w, "table": normal(1, 50, 4)}, 144, moved=["w", "table"])
    t.trains("a position embedding that is gathered",
             [*features, node("Range", "zero length one", "places"),
              node("Gather", "table places", "position"), *add],
             {**w, "table": normal(50, 4)}, 144, moved=["w", "table"])
    t.trains("a position embedding that is brought into shape",
             [*features, node("Concat", "second end four", "shape", axis=0),
              node("Reshape", "table shape", "position"), *add],
             {**w, "table": normal(144)}, 144, moved=["w", "table"])
    t.trains("a position embedding that is resized",
             [node("Conv", "x w", "c"), node("Shape", "c", "sizes"),
              node("Slice", "sizes two all", "side"), node("Concat", "most side", "shape", axis=0),
              node("Resize", "table - - shape", "position", mode="linear"),
              node("Add", "c position", "r")],
             {"w": w["w"], "two": np.array([2]), "all": np.array([9]), "most": np.array([1, 4]),
              "table": normal(1, 4, 3, 3)}, 144, moved=["w", "table"])
    t.trains("a token of each image, and what is added to it",
             [*features, node("Gather", "sizes zero", "batch"),
              node("Unsqueeze", "batch first", "images"),
              node("Concat", "images second four", "shape", axis=0),
              node("Expand", "token shape", "tokens"), node("Add", "tokens place", "placed"),
              node("Concat", "placed t", "r", axis=1)],
             {**w, "token": normal(1, 1, 4), "place": normal(1, 1, 4)}, 148,
             moved=["w", "token", "place"])
    t.trains("weights that are cast as the features are",
             [node("CastLike", "k x", "k1"), node("Conv", "x k1", "c"),
              node("CastLike", "s c", "s1"), node("Mul", "c s1", "c2"),
              node("CastLike", "m c", "m1"),
              node("BatchNormalization", "c2 g b m1 v", "n"), node("CastLike", "low n", "low1"),
              node("Clip", "n low1", "r")],
             {"k": normal(4, 1, 3, 3), "s": 1 + normal(4, 1, 1), "m": normal(4), "g": 1 + normal(4),
              "b": normal(4), "v": np.ones(4, np.float32), "low": np.float32(-2)}, 144,
             moved=["k", "s", "m", "g", "b"], fixed=["low"])
    t.trains("a first layer that multiplies from the left, its bias and a scale",
             [node("Squeeze", "x second", "x1"), node("MatMul", "left x1", "p"),
              node("Add", "p bias", "p1"), node("Mul", "p1 scale", "r")],
             {"second": w["second"], "left": normal(6, SIDE), "bias": normal(6, 1),
              "scale": 1 + normal(6, 1)}, 6 * SIDE, moved=["left", "bias", "scale"])


def parameters(t, name, nodes, tensors, width, wanted):
    """The parameters that inspect counts in the first layer."""
    path = t.folder / (name.replace(" ", "_") + ".onnx")
    model(path, nodes, tensors, width)
    told = json.loads(t.run("inspect", path, "--json").stdout)
    count, macs = told["layers"][0]["parameters"], told["layers"][0]["macs"]
    t.say(name, "" if (count, macs) == wanted else "%d parameters, %s MACs" % (count, macs))


def inspection(t):
    w = normal(4, 1, 3, 3)
    wanted = (w.size, w.size * 36)
    conv = node("Conv", "x w", "r")
    parameters(t, "weights through Constant count",
               [node("Constant", "", "w", value=numpy_helper.from_array(w)), conv], {}, 144, wanted)
    parameters(t, "weights through Identity count", [node("Identity", "w0", "w"), conv],
               {"w0": w}, 144, wanted)
    parameters(t, "weights through Transpose count",
               [node("Transpose", "w0", "w", perm=[3, 2, 0, 1]), conv],
               {"w0": np.ascontiguousarray(w.transpose(2, 3, 1, 0))}, 144, wanted)
    path = t.folder / "fixed.onnx"
    model(path, [node("Conv", "x w", "c"), node("Reshape", "c shape", "r")],
          {"w": w, "shape": np.array([2, 144])}, 144)
    told = t.run("inspect", path)
    t.say("a batch that is fixed in a Reshape is told with everything else",
          "" if told.returncode == 0 and "conv:1" in told.stdout and
          "cannot be trained: " in told.stdout and ": Reshape" in told.stdout else
          told.stdout + told.stderr)


def untrained(t):
    """Weights of whole numbers are not trained, and that is said; others are not spoken of."""
    whole = {"k": random.integers(-9, 9, (4, 1, 3, 3)).astype(np.int8), "unit": np.float32(0.1)}
    for name, first, tensors, said in (
            ("whole weights are said not to be trained",
             [node("Cast", "k", "k1", to=TensorProto.FLOAT), node("Mul", "k1 unit", "w")], whole,
             True),
            ("weights that are cast are not spoken of",
             [node("Cast", "k", "w", to=TensorProto.FLOAT)],
             {"k": normal(4, 1, 3, 3).astype(np.float16)}, False)):
        path = t.folder / (name.replace(" ", "_") + ".onnx")
        model(path, [*first, node("Conv", "x w", "r")], tensors, 144)
        told = t.run("inspect", path)
        words = "Conv 'r': its weights 'w' are computed" in told.stdout + told.stderr
        t.say(name, "" if told.returncode == 0 and words == said else told.stdout + told.stderr)


def runs(t, name, nodes, tensors, width):
    path, images = t.folder / (name.replace(" ", "_") + ".onnx"), t.images[:1]
    model(path, nodes, tensors, width)
    images.tofile(t.folder / "images")
    done = t.run("run", path, "--input", t.folder / "images", "-o", t.folder / "logits")
    if done.returncode:
        return t.say(name, "status %d: %s" % (done.returncode, done.stderr.strip()))
    apart = oracle.difference(oracle.read_logits(t.folder / "logits", 1),
                              oracle.logits(path, images))
    return t.say(name, "" if apart < oracle.TOLERANCE else "apart by %g" % apart)


def given_weights(t):
    runs(t, "an image that is a kernel",
         [node("Conv", "k x", "c"), node("Transpose", "c", "r", perm=[1, 0, 2, 3])],
         {"k": normal(5, 1, SIDE, SIDE)}, 5)


def own_scale(t):
    """A model that scales its images itself is given bytes, and is said to do so."""
    tensors = {"ratio": np.float32(1 / 255), "middle": normal(1, 1, 1, 1), "w": normal(4, 1, 3, 3)}
    layers = [node("Conv", "x3 w", "c"), node("Relu", "c", "r")]
    scaled = [node("Transpose", "x", "x0", perm=[0, 1, 3, 2]),
              node("Mul", "x0 ratio", "x1", name="rescaling/mul"), node("Sub", "x1 middle", "x3")]
    path = t.folder / "own_scale.onnx"
    model(path, scaled + layers, tensors, 144)
    wrong = []
    for options, words, absent in (((), "first in rescaling/mul: --mean bytes", "imagenet"),
                                   (("--mean", "bytes"), "", "tells no normalisation")):
        shutil.rmtree(path.with_suffix(".out.run"), ignore_errors=True)
        done = t.run("train", path, "-o", path.with_suffix(".out.onnx"), "--data",
                     "idx:%s" % (t.folder / "data"), *TRAIN, *options)
        if done.returncode or words not in done.stderr or absent in done.stderr:
            wrong.append(done.stderr)
    last = (path.with_suffix(".out.run") / "metrics.jsonl").read_text().splitlines()[-1]
    bytes_of = np.round((t.images * t.deviation + t.mean) * 255).astype(np.float32)
    loss = cross_entropy(path.with_suffix(".out.onnx"), bytes_of, t.labels)
    if abs(json.loads(last)["test_loss"] - loss) > TOLERANCE:
        wrong.append("of bytes %.7f, the file %.7f" % (json.loads(last)["test_loss"], loss))
    t.say("a model that scales its images is given bytes", "; ".join(wrong))
    model(path, [node("Identity", "x", "x3")] + layers, {"w": tensors["w"]}, 144)
    done = t.run("train", path, "-o", path.with_suffix(".plain.onnx"), "--data",
                 "idx:%s" % (t.folder / "data"), *TRAIN)
    t.say("one that does not is said to tell nothing",
          "" if "--mean imagenet" in done.stderr else done.stderr)


def main():
    folder = Path(sys.argv[2])
    shutil.rmtree(folder, ignore_errors=True)
    trials = Trials(sys.argv[1], folder)
    one_tensor_two_roles(trials)
    merged_tensors(trials)
    constants(trials)
    moved_by_sizes(trials)
    inspection(trials)
    untrained(trials)
    given_weights(trials)
    own_scale(trials)
    return 1 if trials.failed else 0


if __name__ == "__main__":
    sys.exit(main())
