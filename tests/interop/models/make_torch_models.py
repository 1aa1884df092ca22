#!/usr/bin/env python3
"""Exports a torchvision classifier with random weights, and what torch says it answers.

    python3 make_torch_models.py CACHE MODEL MODE OPSET

Prints the folder below CACHE that holds model.onnx, input (raw float32 NCHW images), logits (raw
float32, the model in evaluation mode on those images) and about.json. A folder is named after this
script and the versions of what it uses, and made only once. Exits with 77 when torch is missing.

VGG's pooling to 7x7 can only be exported for images of 224x224. Its classifier keeps its layers
(Linear, Relu, Dropout, Linear, Relu, Dropout, Linear) but is 64 wide instead of 4096, which shrinks
a file from 531 MB to 43 MB.
"""
import hashlib
import importlib.metadata
import json
import os
import shutil
import sys
import tempfile
import warnings
from pathlib import Path

CLASSES = 10
SIZES = {"vgg11": 224, "vgg11_bn": 224} # others: 64


def key():
    """Of all that exports hang on; asked without loading torch, which takes seconds."""
    versions = [importlib.metadata.version(package) for package in ("torch", "torchvision")]
    return hashlib.sha256(Path(__file__).read_bytes() + repr(versions).encode()).hexdigest()[:16]


def load():
    global torch, torchvision, TrainingMode
    import torch
    import torchvision
    from torch.onnx import TrainingMode


def narrow_head(width):
    nn = torch.nn
    return nn.Sequential(nn.Linear(512 * 7 * 7, width), nn.ReLU(True), nn.Dropout(),
                         nn.Linear(width, width), nn.ReLU(True), nn.Dropout(),
                         nn.Linear(width, CLASSES))


def build(name, used):
    """used: batch normalisations look as if they had been trained, else all are 0 and 1."""
    torch.manual_seed(11)
    model = getattr(torchvision.models, name)(weights=None, num_classes=CLASSES)
    if name.startswith("vgg"):
        model.classifier = narrow_head(64)
    for module in model.modules():
        if used and isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.normal_(module.weight, 1, 0.1)
            torch.nn.init.normal_(module.bias, 0, 0.1)
            torch.nn.init.normal_(module.running_mean, 0, 0.1)
            torch.nn.init.uniform_(module.running_var, 0.5, 1.5)
    return model.eval()


def export(model, images, path, opset, mode):
    training = {"eval": TrainingMode.EVAL, "train": TrainingMode.TRAINING,
                "preserve": TrainingMode.PRESERVE}[mode]
    torch.onnx.export(model, images, str(path), opset_version=opset, training=training,
                      do_constant_folding=mode == "eval", input_names=["input"],
                      output_names=["logits"],
                      dynamic_axes={"input": {0: "batch"}, "logits": {0: "batch"}})


def write(folder, name, mode, opset):
    model = build(name, mode != "preserve")
    images = torch.randn(2, 3, *2 * [SIZES.get(name, 64)])
    export(model, images, folder / "model.onnx", opset, mode)
    # Only now: an export for training runs the model, which moves the running statistics.
    with torch.no_grad():
        logits = model.eval()(images)
    images.numpy().astype("<f4").tofile(folder / "input")
    logits.numpy().astype("<f4").tofile(folder / "logits")
    (folder / "about.json").write_text(json.dumps({"mode": mode, "classes": CLASSES}))


def main():
    cache, name, mode, opset = Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])
    try:
        folder = cache / key() / ("%s-%s-%d" % (name, mode, opset))
        if not folder.exists():
            load()
    except ImportError as error:  # PackageNotFoundError is one
        print("skipped: %s" % error, file=sys.stderr)
        sys.exit(77)
    if not folder.exists():
        warnings.simplefilter("ignore")
        folder.parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(dir=folder.parent))
        write(made, name, mode, opset)
        try:  # all or nothing: a folder that is there is whole
            os.rename(made, folder)
        except OSError:
            shutil.rmtree(made)
    print(folder)


if __name__ == "__main__":
    main()
