#!/usr/bin/env python3
"""`--fit` from images in memory to what is served: IDX and CIFAR, larger, smaller, another shape,
grey as colour and colour as grey.

    python3 fitted.py BINARY MAKE_IDX MAKE_CIFAR FOLDER

Trains a small network with --fit, makes its input of the test images with Pillow by what the
exported file tells, and compares ONNX Runtime's error and loss with what train and eval say. Exits
with 77 when onnx, ONNX Runtime or Pillow are missing.
"""
import json
import shutil
import subprocess
import sys
from pathlib import Path

try:
    import numpy as np
    import onnx
    import onnxruntime
    from PIL import Image
except ImportError as error:
    print("skipped: %s" % error)
    sys.exit(77)

binary, make_idx, make_cifar, folder = sys.argv[1:4] + [Path(sys.argv[4])]


def run(*words):
    return subprocess.run([str(w) for w in words], check=True, capture_output=True, text=True)


def idx_images(path):
    images = np.frombuffer((path / "t10k-images-idx3-ubyte").read_bytes(), np.uint8)[16:]
    labels = np.frombuffer((path / "t10k-labels-idx1-ubyte").read_bytes(), np.uint8)[8:]
    return images.reshape(-1, 30, 30), labels


def cifar_images(path):
    records = np.frombuffer((path / "test_batch.bin").read_bytes(), np.uint8).reshape(-1, 3073)
    return records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1), records[:, 0]


def fit(image, form):
    """As the README serves a model, for an image of any form."""
    (height, width), (full_height, full_width) = form["input"][1:], form["resize"]
    picture = Image.fromarray(image).convert("RGB")
    w = picture.width * full_height // picture.height
    h = picture.height * full_width // picture.width
    size = (w, full_height) if w >= full_width else (full_width, max(h, full_height))
    left, top = (size[0] - width) // 2, (size[1] - height) // 2
    picture = picture.resize(size, Image.BILINEAR).crop((left, top, left + width, top + height))
    if form["input"][0] == 1:
        picture = picture.convert("L")
    pixels = np.asarray(picture).reshape(height, width, -1) / form["scale"]
    return ((pixels - form["mean"]) / form["deviation"]).transpose(2, 0, 1)


def check(name, data, images, labels, shape):
    place = folder / ("%s-%s" % (name, shape.replace(",", "x")))
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    classes = int(labels.max()) + 1
    run(binary, "new", "lenet", "-o", place / "m.onnx", "--classes", classes, "--input", shape)
    said = run(binary, "train", place / "m.onnx", "-o", place / "t.onnx", "--data", data, "--fit",
               "--method", "base", "--epochs", 1, "--batch", 16, "--lr", 0.005, "--threads", 1,
               "--augment", "none").stdout
    told = {p.key: p.value for p in onnx.load(str(place / "t.onnx")).metadata_props}
    form = json.loads(told["mfm.preprocess"])
    x = np.stack([fit(image, form) for image in images]).astype(np.float32)
    session = onnxruntime.InferenceSession(str(place / "t.onnx"),
                                           providers=["CPUExecutionProvider"])
    z = session.run(None, {session.get_inputs()[0].name: x})[0]
    error = 100 * float(np.mean(np.argmax(z, 1) != labels))
    z = z - z.max(1, keepdims=True)
    loss = float(np.mean(np.log(np.exp(z).sum(1)) - z[np.arange(len(labels)), labels]))
    ours = json.loads(run(binary, "eval", place / "t.onnx", "--data", data, "--fit",
                          "--json").stdout)
    good = (abs(error - ours["error"]) < 1e-6 and abs(loss - ours["loss"]) < 1e-4 and
            "test error: last %.2f %%" % error in said)
    print("%s as %s: error %.2f, loss %.6f; eval: %.2f, %.6f%s" %
          (name, shape, error, loss, ours["error"], ours["loss"], "" if good else ": WRONG"))
    return good


def main():
    idx, cifar = folder / "idx", folder / "cifar"
    for path in (idx, cifar):
        path.mkdir(parents=True, exist_ok=True)
    run(make_idx, idx, 4, 30, 15, 30)
    run(make_cifar, cifar, 10, 20, 5)
    good = True
    for shape in ("1,40,40", "1,22,22", "3,32,24"):
        good &= check("idx", "idx:%s" % idx, *idx_images(idx), shape)
    for shape in ("3,20,20", "1,28,28", "3,40,48"):
        good &= check("cifar10", "cifar10:%s" % cifar, *cifar_images(cifar), shape)
    return 0 if good else 1


sys.exit(main())
