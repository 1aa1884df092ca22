#!/usr/bin/env python3
"""Eval's figures against numpy's, from ONNX Runtime's logits of the same file.

    python3 figures.py BINARY MAKE_IDX FOLDER

A line for each check; exits with 1 when one failed, with 77 when onnx or ONNX Runtime are missing.
"""
import json
import math
import shutil
import subprocess
import sys
from pathlib import Path

try:
    import numpy as np

    import oracle
except ImportError as error:
    print("skipped: %s" % error)
    sys.exit(77)

CLASSES, SIDE, BINS = 8, 20, 15
failed = 0


def say(name, wrong):
    global failed
    failed += bool(wrong)
    print("%s - %s%s" % ("FAILED" if wrong else "ok", name, ": " + wrong if wrong else ""))


def run(binary, *arguments):
    done = subprocess.run([binary, *map(str, arguments)], capture_output=True, text=True,
                          timeout=600)
    if done.returncode:
        raise RuntimeError(done.stderr.strip())
    return done.stdout


def part(folder, name):
    pixels = np.fromfile(folder / (name + "-images-idx3-ubyte"), np.uint8)[16:]
    labels = np.fromfile(folder / (name + "-labels-idx1-ubyte"), np.uint8)[8:]
    return pixels.reshape(-1, SIDE, SIDE) / 255, labels.astype(int)


def logits_of(path, told, images):
    normalised = (images - told["mean"][0]) / told["deviation"][0]
    return oracle.logits(path, normalised.astype(np.float32)[:, None]).astype(np.float64)


def figures(logits, labels):
    """What the definitions say, written without the program's code."""
    shifted = np.exp(logits - logits.max(1, keepdims=True))
    probabilities = shifted / shifted.sum(1, keepdims=True)
    right = logits.argmax(1) == labels
    confidence = probabilities.max(1)
    bins = np.clip(np.ceil(confidence * BINS) - 1, 0, BINS - 1)
    ece = sum((bins == b).mean() * abs(right[bins == b].mean() - confidence[bins == b].mean())
              for b in range(BINS) if (bins == b).any())
    recall = np.array([right[labels == c].mean() for c in range(CLASSES) if (labels == c).any()])
    top = (np.argsort(-logits, 1, kind="stable")[:, :5] == labels[:, None]).any(1)
    return {"error": 100 * (1 - right.mean()), "top5_error": 100 * (1 - top.mean()),
            "mean_recall": 100 * recall.mean(), "balanced_accuracy": 100 * recall.mean(),
            "geometric_mean": 100 * float(np.prod(recall)) ** (1 / len(recall)),
            "ece": 100 * ece,
            "loss": -np.log(probabilities[np.arange(len(labels)), labels]).mean()}, right


def compare(name, wanted, told):
    for key, value in wanted.items():
        say("%s: %s" % (name, key),
            "" if abs(told[key] - value) < 2e-3 else "%g, not %g" % (told[key], value))


def exact(b, c):
    n = b + c
    return min(1.0, 2 * sum(math.comb(n, i) for i in range(min(b, c) + 1)) / 2 ** n)


def main():
    binary, make_idx, folder = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "data").mkdir(parents=True)
    subprocess.run([make_idx, folder / "data", str(CLASSES), "40", "25", str(SIDE)], check=True)
    data = "idx:%s" % (folder / "data")
    images, labels = part(folder / "data", "t10k")
    models = []
    for seed in 1, 2:
        start, out = folder / ("start%d.onnx" % seed), folder / ("out%d.onnx" % seed)
        run(binary, "new", "lenet", "-o", start, "--classes", CLASSES, "--input",
            "1,%d,%d" % (SIDE, SIDE), "--seed", seed)
        run(binary, "train", start, "-o", out, "--data", data, "--imbalance", 20, "--method",
            "base", "--epochs", 2, "--batch", 16, "--lr", 0.03, "--milestones", "none",
            "--threads", 1, "--seed", seed)
        models.append(out)
    told = json.loads(run(binary, "eval", models[0], "--data", data, "--compare", models[1],
                          "--json"))
    logits = [logits_of(path, told["preprocess"], images) for path in models]
    wanted, right = figures(logits[0], labels)
    say("the trial is worth something", "" if 2 < wanted["error"] < 90 else "error %g"
        % wanted["error"])
    compare("all images", wanted, told)
    other, also = figures(logits[1], labels)
    c = told["compare"]
    b, a = int((right & ~also).sum()), int((~right & also).sum())
    say("images that one of two models gets right",
        "" if (c["only_first"], c["only_second"]) == (b, a) and
        abs(c["error"] - other["error"]) < 1e-3 else "%s, not %d and %d" % (c, b, a))
    p = exact(b, a) if a + b < 25 else math.erfc(math.sqrt(max(0, abs(a - b) - 1) ** 2 /
                                                           (a + b) / 2))
    say("McNemar's p", "" if abs(c["p"] - p) < 1e-9 else "%g, not %g" % (c["p"], p))
    predicted = logits[0].argmax(1)
    confusion = [[int(((labels == i) & (predicted == j)).sum()) for j in range(CLASSES)]
                 for i in range(CLASSES)]
    say("the confusion", "" if confusion == told["confusion"] else str(told["confusion"]))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
