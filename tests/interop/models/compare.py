#!/usr/bin/env python3
"""Compares an engine's logits with ONNX Runtime's.

    python3 compare.py MODEL.onnx IMAGES LOGITS

IMAGES and LOGITS are raw little-endian float32, row-major. Prints the largest difference relative
to the largest logit, and exits with 1 when it is beyond oracle.TOLERANCE.
"""
import sys

import onnx

import oracle


def compare(model_path, images_path, logits_path):
    images = oracle.read_images(images_path, oracle.image_shape(onnx.load(model_path)))
    expected = oracle.logits(model_path, images)
    return oracle.difference(oracle.read_logits(logits_path, len(images)), expected)


if __name__ == "__main__":
    found = compare(*sys.argv[1:4])
    print("%.3g" % found)
    sys.exit(0 if found <= oracle.TOLERANCE else 1)
