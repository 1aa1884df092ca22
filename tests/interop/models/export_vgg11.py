#!/usr/bin/env python3
"""Exports torchvision's VGG-11 for 224 x 224 and 1000 classes as ONNX that can be trained further.

    python3 export_vgg11.py FILE [--weights STATE_DICT.pth]

Without weights, where none can be downloaded, they are random. Training mode keeps Dropout, and
constants are not folded, so that parameters keep their names.
"""
import argparse
import warnings

import torch
import torchvision


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file")
    parser.add_argument("--weights", metavar="STATE_DICT.pth")
    option = parser.parse_args()
    warnings.simplefilter("ignore")
    network = torchvision.models.vgg11()
    if option.weights:
        network.load_state_dict(torch.load(option.weights))
    torch.onnx.export(network, torch.zeros(1, 3, 224, 224), option.file, opset_version=13,
                      input_names=["image"], output_names=["logits"],
                      dynamic_axes={"image": {0: "n"}, "logits": {0: "n"}},
                      training=torch.onnx.TrainingMode.TRAINING, do_constant_folding=False)


main()
