#!/usr/bin/env python3
"""Whole runs of train against PyTorch in double precision (whole_reference.py).

    python3 whole_runs.py BINARY FOLDER

Losses, class weights, optimisers, schedules, sharpness, finishing and methods with meta steps, in
combinations: the training loss of every epoch, and the logits of the file that is written. Exits
with 77 when onnx or PyTorch are missing.
"""
import json
import os
import shutil
import struct
import subprocess
import sys
from pathlib import Path

try:
    import numpy as np
    import onnx
    import torch
    from onnx import TensorProto, helper, numpy_helper

    import whole_reference
except ImportError as error:
    print("skipped: %s" % error)
    sys.exit(77)

COUNTS, SIZE, HIDDEN, EPOCHS = (16, 10, 6, 4), 8, 6, 4
TOLERANCE = 2e-4  # single precision over four epochs; differences are some 1e-6
COMMON = ("--data idx:data --imbalance 4 --max-per-class 16 --mean 0.5 --std 0.25 --threads 1 "
          "--batch 36 --meta-batch 36 --meta-per-class 16 --lr 0.05 --milestones none --epochs %d"
          % EPOCHS)
MFM, FREE = "--method mfm --modulator-lr 0.3", "--method mfm-free --layer fc:1 --modulator-lr 0.3"
DEFERRED = ("--class-weights class-balanced --class-weights-beta 0.9 --class-weights-mean weights "
            "--defer-reweight 2")
deferred = dict(weights="class-balanced", over="weights", defer=2)
# An optimiser whose steps do not shrink with the gradient makes noise of that of a bias in front of
# a normalisation, which is zero.
FIXED = "--freeze conv.b --lr 0.01"
fixed = dict(frozen=("conv.b",), lr=0.01)

LOSSES = {"cross-entropy": "", "logit-adjustment": "", "focal": "--focal-gamma 2", "sigmoid": "",
          "ldam": "", "label-aware-smoothing": ""}


def cases():
    """Options, and what the reference calls them."""
    for loss, options in LOSSES.items():
        by = "--loss %s %s " % (loss, options)
        yield by + "--method base " + DEFERRED, dict(loss=loss, **deferred)
        yield by + "--method l2rw", dict(loss=loss, method="l2rw")
        yield (by + MFM + " --soft-label-adjusted --virtual-step full --optimizer nesterov "
               "--class-weights inverse",
               dict(loss=loss, method="mfm", adjusted=True, full=True, optimizer="nesterov",
                    weights="inverse"))
    for optimizer in ("sgd", "nesterov", "adam", "adamw"):
        yield ("--method base --optimizer %s --weight-decay 0.1 --decay weights %s"
               % (optimizer, FIXED), dict(optimizer=optimizer, decay=0.1, spare=True, **fixed))
        yield ("--method base --optimizer %s --sharpness 0.3 %s" % (optimizer, FIXED),
               dict(optimizer=optimizer, rho=0.3, **fixed))
    yield "--method base --schedule cosine --warmup 2", dict(cosine=True, warmup=2)
    for finish in ("logit-adjustment", "tau-normalisation"):
        yield "--method base --finish " + finish, dict(finish=finish)
    yield MFM, dict(method="mfm")
    yield MFM + " --virtual-params classifier", dict(method="mfm", classifier=True)
    yield MFM + " --meta-every 2 --sharpness 0.2", dict(method="mfm", every=2, rho=0.2)
    yield MFM + " --meta-from-epoch 3", dict(method="mfm", first=3)
    yield FREE, dict(method="mfm-free")
    yield FREE + " --loss ldam " + DEFERRED, dict(method="mfm-free", loss="ldam", **deferred)


def write_idx(path, array):
    header = struct.pack(">BBBB", 0, 0, 8, array.ndim)
    path.write_bytes(header + struct.pack(">%dI" % array.ndim, *array.shape) + array.tobytes())


def write_data(rng):
    """Noise around an image of the class's own; all that there are are used."""
    Path("data").mkdir()
    means, parts = rng.integers(40, 215, (len(COUNTS), SIZE, SIZE)), []
    for name, counts in (("train", COUNTS), ("t10k", (25,) * len(COUNTS))):
        labels = rng.permutation(np.repeat(np.arange(len(COUNTS)), counts)).astype(np.uint8)
        noise = rng.normal(0, 70, (len(labels), SIZE, SIZE))
        images = np.clip(means[labels] + noise, 0, 255).astype(np.uint8)
        write_idx(Path("data/%s-images-idx3-ubyte" % name), images)
        write_idx(Path("data/%s-labels-idx1-ubyte" % name), labels)
        x = ((images / 255 - 0.5) / 0.25).astype(np.float32)[:, None]
        parts += [x, labels.astype(np.int64)]
    return parts


def write_model(rng):
    def draw(*shape, scale=0.3, around=0.0):
        return (around + scale * rng.normal(size=shape)).astype(np.float32)

    width = 3 * SIZE * SIZE
    tensors = {"conv.w": draw(3, 1, 3, 3), "conv.b": draw(3), "bn.g": draw(3, around=1),
               "bn.b": draw(3), "bn.m": draw(3), "bn.v": np.abs(draw(3, around=1)),
               "fc1.w": draw(HIDDEN, width, scale=0.1), "fc1.b": draw(HIDDEN),
               "fc2.w": draw(len(COUNTS), HIDDEN, scale=0.5), "fc2.b": draw(len(COUNTS))}
    node = helper.make_node
    nodes = [node("Conv", ["x", "conv.w", "conv.b"], ["c"], pads=[1] * 4),
             node("BatchNormalization", ["c", "bn.g", "bn.b", "bn.m", "bn.v"], ["n"]),
             node("Relu", ["n"], ["r"]), node("Flatten", ["r"], ["f"]),
             node("Gemm", ["f", "fc1.w", "fc1.b"], ["g"], transB=1), node("Relu", ["g"], ["h"]),
             node("Gemm", ["h", "fc2.w", "fc2.b"], ["y"], transB=1)]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 1, SIZE, SIZE])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", len(COUNTS)])
    graph = helper.make_graph(nodes, "g", [x], [y],
                              [numpy_helper.from_array(v, k) for k, v in tensors.items()])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    onnx.save(model, "plain.onnx")


def draw_modulator(rng):
    """One that modulates, in the place of the fresh one."""
    model = onnx.load("injected.onnx")
    for t in model.graph.initializer:
        if t.name.startswith("mfm.") and t.name.split(".")[-1] in ("weight", "bias"):
            drawn = (0.7 * rng.normal(size=tuple(t.dims))).astype(np.float32)
            t.CopyFrom(numpy_helper.from_array(drawn, t.name))
    onnx.save(model, "injected.onnx")


def call(binary, *words):
    done = subprocess.run([binary, *words], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit("%s\nFAILED: %s" % (" ".join(words), done.stderr))


def difference(a, b):
    return float(np.abs(np.asarray(a) - np.asarray(b)).max() / np.abs(np.asarray(b)).max())


def check(binary, options, case, data):
    images, labels, test_images, test_labels = data
    model = "injected.onnx" if case.get("method") == "mfm" else "plain.onnx"
    shutil.rmtree("run", ignore_errors=True)
    call(binary, "train", model, "-o", "out.onnx", "--run", "run", *COMMON.split(),
         *options.split())
    call(binary, "run", "out.onnx", "--input", "test.npy", "-o", "logits.npy")
    start = {t.name: torch.tensor(numpy_helper.to_array(t).astype(np.float64))
             for t in onnx.load(model).graph.initializer}
    run = whole_reference.train(case, start, torch.tensor(images, dtype=torch.float64),
                                torch.tensor(labels), EPOCHS)
    lines = [json.loads(line) for line in Path("run/metrics.jsonl").read_text().splitlines()]
    logits = run.finished(torch.tensor(test_images, dtype=torch.float64))
    error = 100 * float((logits.argmax(1) != test_labels).mean())
    of_losses = difference([line["train_loss"] for line in lines], run.losses)
    of_logits = difference(np.load("logits.npy"), logits)
    good = max(of_losses, of_logits) < TOLERANCE and abs(error - lines[-1]["test_error"]) < 1e-6
    print("%-4s losses %.1e  logits %.1e  error %.0f  %s"
          % ("" if good else "BAD", of_losses, of_logits, error, " ".join(options.split())))
    return good


def main(binary, folder):
    shutil.rmtree(folder, ignore_errors=True)
    Path(folder).mkdir(parents=True)
    os.chdir(folder)
    torch.set_num_threads(1)
    rng = np.random.default_rng(1)
    data = write_data(rng)
    write_model(rng)
    np.save("test.npy", data[2])
    call(binary, "inject", "plain.onnx", "-o", "injected.onnx", "--layer", "fc:1", "--hidden", "5")
    draw_modulator(rng)
    results = [check(binary, options, case, data) for options, case in cases()]
    print("%d of %d runs agree" % (sum(results), len(results)))
    return 0 if all(results) and results else 1


if __name__ == "__main__":
    sys.exit(main(str(Path(sys.argv[1]).resolve()), sys.argv[2]))
