#!/usr/bin/env python3
"""Checks a file that carries a modulator against the plain file and an engine's modulated logits.

    python3 check_injected.py PLAIN.onnx INJECTED.onnx IMAGES SOFT_LABELS LOGITS

The three last are raw little-endian float32, row-major: images, one soft label for each, and the
engine's logits for them with the switch at 1. Prints what breaks, and exits with 1 when anything
does:
  - the checker accepts the injected file, shapes included;
  - run with its defaults, it answers what the plain file answers;
  - run with the soft labels and the switch at 1, it answers the engine's logits;
  - and those are not the plain logits, so that the comparison means something.
"""
import sys

import numpy as np
import onnx

import oracle


def modulator_inputs(model):
    """The names of the soft label's and the switch's graph inputs: [., classes] and a scalar."""
    have = {t.name: t for t in model.graph.initializer}
    ours = [v.name for v in model.graph.input if v.name in have and v.name.startswith("mfm.")]
    soft = [name for name in ours if "soft_label" in name]
    switch = [name for name in ours if "switch" in name]
    if len(soft) != 1 or len(switch) != 1:
        raise ValueError("inputs of the modulator: %s: one soft label and one switch" % ours)
    return soft[0], switch[0], list(have[switch[0]].dims)


def give_modulator_weights(path, out_path):
    """A fresh modulator changes nothing; this one has random numbers where it had zeros."""
    model = onnx.load(path)
    inputs = {v.name for v in model.graph.input}
    random = np.random.default_rng(5)
    for tensor in model.graph.initializer:
        if not tensor.name.startswith("mfm.") or tensor.name in inputs:
            continue
        value = onnx.numpy_helper.to_array(tensor)
        if value.dtype == np.float32 and value.size > 1 and not value.any():
            value = 0.3 * random.standard_normal(value.shape).astype(np.float32)
            tensor.CopyFrom(onnx.numpy_helper.from_array(value, tensor.name))
    onnx.save(model, str(out_path))


def breaches(plain_path, injected_path, images_path, soft_path, logits_path):
    """A list of what does not hold; empty when all does."""
    try:
        oracle.check(injected_path)
    except Exception as error:  # the checker's errors have no common base
        return ["the checker refuses the injected file: %s" % error]
    model = onnx.load(injected_path)
    images = oracle.read_images(images_path, oracle.image_shape(model))
    engine = oracle.read_logits(logits_path, len(images))
    plain = oracle.logits(plain_path, images)
    soft_name, switch_name, switch_shape = modulator_inputs(model)
    soft = np.fromfile(soft_path, "<f4").reshape(len(images), -1)
    fed = oracle.logits(model, images, **{soft_name: soft,
                                          switch_name: np.ones(switch_shape, np.float32)})
    found = {"defaults": oracle.difference(oracle.logits(model, images), plain),
             "modulated": oracle.difference(engine, fed)}
    listed = ["%s: relative difference %.3g: at most %g" % (what, value, oracle.TOLERANCE)
              for what, value in found.items() if not value <= oracle.TOLERANCE]
    if not oracle.difference(fed, plain) > 1e-3:
        listed.append("the modulated logits are the plain ones: nothing was compared")
    return listed


if __name__ == "__main__":
    problems = breaches(*sys.argv[1:6])
    print("\n".join(problems) or "holds")
    sys.exit(1 if problems else 0)
