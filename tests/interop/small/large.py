#!/usr/bin/env python3
"""A model of more than 2 GiB, whose weights lie in a file beside it.

    MFM_LARGE=1 python3 large.py BINARY FOLDER

inspect, check, run beside ONNX Runtime; inject writes such a pair of files again, strip gives the
weights and the nodes back; a plain run is interrupted by its end and goes on to the same bytes as
one without; a modulator is trained above frozen layers. Takes 20 GB of disk, 18 GB of memory and
minutes, so that without MFM_LARGE it exits with 77, as it does when onnx or ONNX Runtime are
missing.
"""
import hashlib
import os
import shutil
import sys
from pathlib import Path

try:
    import numpy as np
    import onnx
    from onnx import TensorProto, helper
    from small import CLASSES, Program, node, runtime, weights
except ImportError as error:
    print("skipped: %s" % error)
    sys.exit(77)

WIDTH = 4 * 2**20 + 2**18  # of the hidden layer: two matrices of 1.14 GB


def make(path):
    draw = np.random.default_rng(0)
    shapes = {"w1": (64, WIDTH), "w2": (WIDTH, 64)}
    data, tensors, offset = path.with_name("large.weights"), [], 0
    with open(data, "wb") as file:
        for name, shape in shapes.items():
            part = draw.standard_normal((shape[0] // 64, shape[1])).astype(np.float32) * 0.01
            tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=shape)
            tensor.data_location = TensorProto.EXTERNAL
            for _ in range(64):
                file.write(part.tobytes())
            length = 64 * part.nbytes
            for key, value in (("location", data.name), ("offset", offset), ("length", length)):
                tensor.external_data.add(key=key, value=str(value))
            tensors.append(tensor)
            offset += length
    tensors += [onnx.numpy_helper.from_array(weights(64, CLASSES), "g"),
                onnx.numpy_helper.from_array(weights(CLASSES), "h")]
    value = lambda name, shape: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
    nodes = [node("Flatten", "x", "f"), node("MatMul", "f w1", "a"), node("Relu", "a", "b"),
             node("MatMul", "b w2", "c"), node("Relu", "c", "r"), node("Gemm", "r g h", "y")]
    graph = helper.make_graph(nodes, "large", [value("x", ("n", 1, 8, 8))],
                              [value("y", ("n", CLASSES))], tensors)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)],
                                ir_version=8), str(path))
    return data


def content(path):
    """The one file of weights beside it."""
    files = list(path.parent.glob(path.name + ".*.data"))
    return files[0] if len(files) == 1 else None


def same_bytes(a, b):
    """From the start, as far as the shorter goes; places are aligned alike here."""
    with open(a, "rb") as x, open(b, "rb") as y:
        while True:
            p, q = x.read(1 << 24), y.read(1 << 24)
            if p != q:
                return False
            if not p:
                return True


def train(program, path, say):
    """What each run leaves is removed when the next begins: the disk is small."""
    def run(name, *options):
        out = path.with_name(name)
        status, text, messages = program("train", *([] if "--resume" in options else [path]), "-o",
                                         out, "--data", "idx:%s" % program.data.folder, "--mean",
                                         "data", "--batch", 15, *options)
        return out, "" if status == 0 and content(out) else "%s%s" % (text, messages)

    def remove(out):
        shutil.rmtree(out.with_suffix(".run"))
        content(out).unlink()
        out.unlink()

    base = ("--method", "base", "--lr", 0.01, "--momentum", 0.9)
    mfm = ("--layer", "fc:2", "--freeze", "w1", "--freeze", "w2", "--hidden", 4, "--meta-per-class",
           3, "--meta-batch", 9, "--epochs", 1)
    out, wrong = run("modulated.onnx", *mfm)
    say(not wrong, "a modulator is trained %s" % wrong)
    if not wrong:
        agrees(program, out, say)
        remove(out)
    out, wrong = run("trained.onnx", *base, "--epochs", 1)
    say(not wrong, "plain training %s" % wrong)
    if wrong:
        return
    agrees(program, out, say)
    first = sum_of(content(out))
    out, wrong = run("trained.onnx", "--resume", "--epochs", 2)
    say(not wrong, "the run goes on %s" % wrong)
    after = sum_of(content(out))
    checkpoints = list(out.with_suffix(".run").glob("checkpoint.onnx.*.data"))
    say(len(checkpoints) == 2, "weights of two checkpoints: %s" % checkpoints)
    remove(out)
    out, wrong = run("trained.onnx", *base, "--epochs", 2)
    say(not wrong and sum_of(content(out)) == after != first, "it goes on alike %s" % wrong)
    remove(out)


def agrees(program, model, say):
    images = program.data.test[:2]
    want, (got, messages) = runtime(model, images), program.logits(model, images)
    apart = np.abs(got - want).max() / np.abs(want).max() if got is not None else messages
    say(got is not None and apart < 1e-4, "%s: logits: %s" % (model.name, apart))


def sum_of(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(1 << 24), b""):
            digest.update(block)
    return digest.hexdigest()


def main(binary, folder):
    if not os.environ.get("MFM_LARGE"):
        print("skipped: MFM_LARGE is not set")
        return 77
    program = Program(binary, folder)
    path, failed = program.folder / "large.onnx", []
    data = make(path)

    def say(good, what):
        print("%s: %s" % ("good" if good else "WRONG", what), flush=True)
        failed.extend([] if good else [what])

    for command in ("inspect", "check"):
        status, _, messages = program(command, path)
        say(status == 0, "%s %s" % (command, messages))
    images = program.data.test[:2]
    want = runtime(path, images)
    got, messages = program.logits(path, images)
    apart = np.abs(got - want).max() / np.abs(want).max() if got is not None else messages
    say(got is not None and apart < 1e-4, "logits: %s" % apart)
    injected, plain = path.with_name("injected.onnx"), path.with_name("plain.onnx")
    status, _, messages = program("inject", path, "-o", injected, "--layer", "fc:2")
    say(status == 0 and content(injected) is not None, "inject %s" % messages)
    say(np.abs(runtime(injected, images) - want).max() == 0, "ONNX Runtime takes what was written")
    status, _, messages = program("strip", injected, "-o", plain)
    say(status == 0 and content(plain) is not None, "strip %s" % messages)
    say(same_bytes(content(plain), data), "the weights are what they were")
    before, after = (onnx.load(str(p), load_external_data=False) for p in (path, plain))
    for model in (before, after):
        for tensor in model.graph.initializer:
            for entry in tensor.external_data:
                entry.value = "" if entry.key == "location" else entry.value
    say(before == after, "all else, too")
    for made in (injected, plain):
        content(made).unlink()
    train(program, path, say)
    shutil.rmtree(program.folder)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2])))
