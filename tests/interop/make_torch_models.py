#!/usr/bin/env python3
"""Exports torchvision classifiers with random weights, and what torch says they answer.

    python3 make_torch_models.py FOLDER

Writes for each case FOLDER/CASE.onnx, CASE.input (raw float32 NCHW images) and CASE.logits (raw
float32, the model in evaluation mode on those images), and last FOLDER/exports.json, the list of
cases. A folder that has the list already is left alone. Exits with 77 when torch is missing.

VGG's pooling to 7x7 can only be exported for images of 224x224. Its classifier keeps its layers
(Linear, Relu, Dropout, Linear, Relu, Dropout, Linear) but is 64 wide instead of 4096, which shrinks
a file from 531 MB to 43 MB.
"""
import json
import sys
import warnings
from pathlib import Path

try:
    import torch
    import torchvision
    from torch.onnx import TrainingMode
except ImportError as error:
    print("skipped: %s" % error, file=sys.stderr)
    sys.exit(77)

CLASSES, OPSETS = 10, (13, 17)
SIZES = {"vgg11": 224, "vgg11_bn": 224, "resnet18": 64}


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


def cases():
    """(case, architecture, mode, opset). The last shares all-equal tensors through Identity."""
    for name in SIZES:
        for opset in OPSETS:
            for mode in ("eval", "train"):
                yield "%s-%s-%d" % (name, mode, opset), name, mode, opset
    yield "resnet18-preserve-13", "resnet18", "preserve", 13


def main():
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / "exports.json").exists():
        return
    warnings.simplefilter("ignore")
    listed = []
    for case, name, mode, opset in cases():
        model = build(name, mode != "preserve")
        images = torch.randn(2, 3, SIZES[name], SIZES[name])
        export(model, images, folder / (case + ".onnx"), opset, mode)
        # Only now: an export for training runs the model, which moves the running statistics.
        with torch.no_grad():
            logits = model.eval()(images)
        images.numpy().astype("<f4").tofile(folder / (case + ".input"))
        logits.numpy().astype("<f4").tofile(folder / (case + ".logits"))
        listed.append({"case": case, "mode": mode, "opset": opset, "classes": CLASSES,
                       "image": [3, SIZES[name], SIZES[name]]})
    (folder / "exports.json").write_text(json.dumps(listed, indent=1) + "\n")


if __name__ == "__main__":
    main()
