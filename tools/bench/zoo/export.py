#!/usr/bin/env python3
"""Writes a classifier of torchvision as ONNX, weights at random: export.py NETWORK FILE. A Python
with torch, torchvision and onnx. The form is that of inference, in which a network has no Dropout
and drops no branches: peer_torch.py trains it in the same form."""
import logging
import os
import sys
import warnings

warnings.filterwarnings("ignore")
logging.disable(logging.WARNING)


def main():
    name, path = sys.argv[1:]
    import torch
    import torchvision
    torch.manual_seed(0)
    network = torchvision.models.get_model(name, weights=None).eval()
    more = {"dynamo": False} if torch.__version__ >= "2.5" else {}
    torch.onnx.export(network, torch.randn(2, 3, 224, 224), path + ".part", opset_version=17,
                      do_constant_folding=False, training=torch.onnx.TrainingMode.PRESERVE,
                      input_names=["images"], output_names=["logits"],
                      dynamic_axes={"images": {0: "batch"}, "logits": {0: "batch"}}, **more)
    os.replace(path + ".part", path)


if __name__ == "__main__":
    main()
