#!/usr/bin/env python3
"""A new head on what torchvision exports and `new` makes, against ONNX Runtime.

    python3 head.py BINARY FOLDER --torch-python PYTHON --cache CACHE CASE

CASE is an architecture of `new`, or torch-MODEL-MODE (make_torch_models.py). ONNX Runtime gives the
same features for the file with the new head as for the one before, bit for bit, and the logits
that numpy makes of them by the head's weights; the engine's logits are ONNX Runtime's; and three
steps of training, with all that lies before the head, make a file for which this holds as well (not
tried with large images). Exits with 77 when onnx or ONNX Runtime are missing, or torch
is for a case that needs it.
"""
import argparse
import os
import shutil
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

HERE = Path(__file__).resolve().parent
CLASSES = 7
NEW_INPUT = {"lenet": "1,28,28", "resnet20": "3,32,32"}


def run(*words):
    done = subprocess.run([str(w) for w in words], capture_output=True, text=True)
    if done.returncode == 77:
        print(done.stderr.strip())
        sys.exit(77)
    if done.returncode:
        raise RuntimeError("%s: %s" % (" ".join(map(str, words)), done.stderr))
    return done.stdout


def model_of(case, arguments):
    if not case.startswith("torch-"):
        model = arguments.folder / (case + ".onnx")
        run(arguments.binary, "new", case, "-o", model, "--input", NEW_INPUT.get(case, "3,64,64"))
        return model
    _, name, mode = case.split("-")
    made = run(arguments.torch_python, HERE / "make_torch_models.py", arguments.cache, name, mode,
               13)
    return Path(made.splitlines()[-1]) / "model.onnx"


def with_output(path, name):
    """The file with a value among its outputs; a path, which large files need."""
    model = onnx.load(str(path))
    if all(v.name != name for v in model.graph.output):
        model.graph.output.append(onnx.helper.make_empty_tensor_value_info(name))
    return model


def value(path, name, images):
    model = with_output(path, name)
    feed = {oracle.data_input(model).name: images}
    return oracle.session(model).run([name], feed)[0]


def head_of(path):
    graph = onnx.load(str(path)).graph
    node = graph.node[-1]
    weights = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
    return node, weights[node.input[1]], weights[node.input[2]]


def reads(path):
    """The value in front of what the head added."""
    graph = onnx.load(str(path)).graph
    made = {out: node for node in graph.node for out in node.output}
    name = graph.node[-1].input[0]
    while name in made and made[name].name.startswith("head"):
        name = made[name].input[0]
    return name


def check_logits(arguments, path, images):
    oracle.check(path)
    expected = oracle.logits(str(path), images)
    node, weight, bias = head_of(path)
    features = value(path, node.input[0], images).astype(np.float64)
    by_hand = features @ weight.T.astype(np.float64) + bias
    if expected.shape != (len(images), CLASSES):
        raise RuntimeError("%s: logits of shape %s" % (path, expected.shape))
    if oracle.difference(expected, by_hand) > oracle.TOLERANCE:
        raise RuntimeError("%s: logits are not those of the head's weights" % path)
    images.astype("<f4").tofile(arguments.folder / "images")
    run(arguments.binary, "run", path, "--input", arguments.folder / "images", "-o",
        arguments.folder / "logits")
    found = oracle.read_logits(arguments.folder / "logits", len(images))
    if oracle.difference(found, expected) > oracle.TOLERANCE:
        raise RuntimeError("%s: the engine's logits differ by %.3g" %
                           (path, oracle.difference(found, expected)))


def write_data(folder):
    """Class c of CLASSES is a brightness; idx files as torch has them."""
    rng = np.random.default_rng(1)
    for name, per_class in (("train", 4), ("t10k", 2)):
        labels = np.tile(np.arange(CLASSES, dtype=np.uint8), per_class)
        noise = rng.integers(0, 90, (len(labels), 20, 20))
        images = (noise + 20 * labels[:, None, None]).astype(np.uint8)
        for kind, array in (("images-idx3", images), ("labels-idx1", labels)):
            header = bytes([0, 0, 8, array.ndim]) + b"".join(
                n.to_bytes(4, "big") for n in array.shape)
            (folder / ("%s-%s-ubyte" % (name, kind))).write_bytes(header + array.tobytes())


def check_case(case, arguments):
    model = model_of(case, arguments)
    shape = oracle.image_shape(onnx.load(str(model)))
    images = np.random.default_rng(3).normal(size=(3, *shape)).astype(np.float32)
    serves = not case.endswith("train") # whose Dropout ONNX Runtime would draw
    for options in ([], ["--pool", "--dropout", 0.5], ["--after", "first_conv", "--pool"]):
        out = arguments.folder / "head.onnx"
        out.unlink(missing_ok=True)
        run(arguments.binary, "head", model, "-o", out, "--classes", CLASSES, *options)
        if not serves:
            continue
        name = reads(out)
        before, after = value(model, name, images), value(out, name, images)
        if not np.array_equal(before, after):
            raise RuntimeError("%s: features '%s' differ" % (options, name))
        check_logits(arguments, out, images)
        print("ok - %s %s: features of %s" % (case, " ".join(map(str, options)), after.shape[1:]))
    if shape[1] > 64: # minutes
        return
    run(arguments.binary, "head", model, "-o", out.with_name("start.onnx"), "--classes", CLASSES)
    write_data(arguments.folder)
    trained = arguments.folder / "trained.onnx"
    for old in arguments.folder.glob("trained.run/*"):
        old.unlink()
    run(arguments.binary, "train", out.with_name("start.onnx"), "-o", trained, "--data",
        "idx:%s" % arguments.folder, "--fit", "--method", "base", "--imbalance", 1, "--batch", 9,
        "--epochs", 1, "--lr", 1e-3)
    check_logits(arguments, trained, images)
    if np.array_equal(head_of(trained)[1], head_of(out.with_name("start.onnx"))[1]):
        raise RuntimeError("%s: training has not changed the head" % case)
    print("ok - %s: trained" % case)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("binary", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--torch-python", default="/usr/bin/python3")
    parser.add_argument("--cache", type=Path)
    parser.add_argument("case")
    arguments = parser.parse_args()
    place = Path(os.environ.get("TMPDIR") or arguments.folder)
    arguments.folder = place / ("head-" + arguments.case)
    arguments.folder.mkdir(parents=True, exist_ok=True)
    check_case(arguments.case, arguments)
    shutil.rmtree(arguments.folder)
    return 0


sys.exit(main())
