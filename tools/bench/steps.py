#!/usr/bin/env python3
"""Times a training step of each method, loss, sampler and so on beside a plain one, in one run.

    python3 steps.py --tool build/release/tools/onnx-mfm [--model resnet32] [--batch 100]
                     [--iterations 20] [--rounds 3] [--threads N] [--rows PATTERN...]

Each row is `train` over two epochs of so many steps on images of Fashion-MNIST. What counts is the
second epoch, with all that a step has: reading images, drawing and mixing them, the step itself.
Rounds go through all rows in turn, so that a machine that slows down does so for all of them; each
row has the best of its rounds. Prints a Markdown table; the ratio is to the row "plain", and what
it should be at most stands beside it where there is such a number.
"""
import argparse
import fnmatch
import gzip
import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile

FASHION_MNIST = "/usr/share/datasets/fashion-mnist"
CLASSES, TEST_IMAGES = 10, 100

# name -> options, most plain steps that it may take (None: no number)
ROWS = {
    "plain": ("--method base", None),
    "MFM, last convolution": ("--method mfm --layer last_conv", 3.3),
    "MFM, free parameters": ("--method mfm-free --layer last_conv", None),
    "MW-Net": ("--method mw-net", 3.4),
    "L2RW": ("--method l2rw", 2.8),
    "BBN": ("--method bbn", None),
    "cRT": ("--method crt", None),
    "LWS": ("--method lws", None),
    "SAM": ("--method base --sharpness 0.05", 2.0),
    "MFM with SAM": ("--method mfm --layer last_conv --sharpness 0.05", None),
    "mixup": ("--method base --mix mixup", 1.0),
    "Remix": ("--method base --mix remix", 1.0),
    "CutMix": ("--method base --mix cutmix", 1.0),
    "class weights": ("--method base --class-weights class-balanced", 1.0),
    "finishing: logit adjustment": ("--method base --finish logit-adjustment", 1.0),
    "finishing: tau-normalisation": ("--method base --finish tau-normalisation", 1.0),
}
# Every part that the program lists under these titles has a row of its own.
AXES = {"loss": "Losses", "sampler": "Samplers", "optimizer": "Optimizers"}


def options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tool", required=True, help="the onnx-mfm program")
    parser.add_argument("--model", default="resnet32", help="an architecture of onnx-mfm new")
    parser.add_argument("--batch", type=int, default=100)
    parser.add_argument("--iterations", type=int, default=20, help="steps that are timed")
    parser.add_argument("--rounds", type=int, default=3, help="each row is run so often")
    parser.add_argument("--threads", type=int, help="default: all processors")
    parser.add_argument("--rows", nargs="*", default=["*"], help="patterns of names")
    return parser.parse_args()


def listed(tool, title):
    """The names in one of the lists that the help of train ends with."""
    text = subprocess.run([tool, "train", "--help"], check=True, stdout=subprocess.PIPE,
                          universal_newlines=True).stdout
    part = text.split("\n%s:\n" % title)[1].split("\n\n")[0]
    return [line.split()[0] for line in part.splitlines() if line.startswith("  ")]


def all_rows(tool):
    rows = dict(ROWS)
    for axis, title in AXES.items():
        for name in listed(tool, title)[1:]:  # the first is the plain row's
            rows["%s: %s" % (axis, name)] = ("--method base --%s %s" % (axis, name),
                                             1.0 if axis != "optimizer" else None)
    return rows


def write_part(folder, name, images, labels):
    with open(os.path.join(folder, name + "-images-idx3-ubyte"), "wb") as file:
        file.write(struct.pack(">IIII", 0x803, len(labels), 28, 28) + images)
    with open(os.path.join(folder, name + "-labels-idx1-ubyte"), "wb") as file:
        file.write(struct.pack(">II", 0x801, len(labels)) + labels)


def write_data(folder, count):
    """The first images of each class: an epoch of so many, and few to test."""
    def read(name, header):
        with gzip.open(os.path.join(FASHION_MNIST, name)) as file:
            return file.read()[header:]
    images, labels = (read("train-images-idx3-ubyte.gz", 16), read("train-labels-idx1-ubyte.gz", 8))
    taken = []
    for c in range(CLASSES):
        taken += [i for i, label in enumerate(labels) if label == c][:count // CLASSES]
    part = lambda chosen: (b"".join(images[784 * i:784 * (i + 1)] for i in chosen),
                           bytes(labels[i] for i in chosen))
    write_part(folder, "train", *part(taken))
    write_part(folder, "t10k", *part(taken[::max(1, len(taken) // TEST_IMAGES)]))


def seconds(option, folder, row):
    """Of a step, in the second epoch."""
    run = os.path.join(folder, "run")
    shutil.rmtree(run, ignore_errors=True)
    command = [option.tool, "train", os.path.join(folder, "model.onnx"), "-o",
               os.path.join(folder, "out.onnx"), "--run", run, "--data",
               "idx:" + os.path.join(folder, "data"), "--batch", str(option.batch), "--epochs", "2",
               "--lr", "0.001", "--milestones", "none", "--checkpoint-minutes", "0", *row.split()]
    if option.threads:
        command += ["--threads", str(option.threads)]
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    if done.returncode != 0:
        raise SystemExit("steps.py: %s\n%s" % (" ".join(command), done.stderr.decode()))
    with open(os.path.join(run, "metrics.jsonl")) as file:
        first, second = (json.loads(line)["seconds"] for line in file)
    return (second - first) / option.iterations


def main():
    option = options()
    rows = all_rows(option.tool)
    chosen = [name for name in rows
              if name == "plain" or any(fnmatch.fnmatch(name, p) for p in option.rows)]
    best = {}
    with tempfile.TemporaryDirectory() as folder:
        os.mkdir(os.path.join(folder, "data"))
        write_data(os.path.join(folder, "data"), option.iterations * option.batch)
        subprocess.run([option.tool, "new", option.model, "--input", "1,28,28", "--classes",
                        str(CLASSES), "-o", os.path.join(folder, "model.onnx")], check=True,
                       stdout=subprocess.DEVNULL)
        for number in range(option.rounds):
            for name in chosen:
                sys.stderr.write("\rround %d: %-40s" % (number + 1, name))
                taken = seconds(option, folder, rows[name][0])
                best[name] = min(taken, best.get(name, taken))
    sys.stderr.write("\n")
    print("| %s, batch %d | step | in plain steps | at most |" % (option.model, option.batch))
    print("|---|---|---|---|")
    for name in chosen:
        most = rows[name][1]
        print("| %s | %.4g ms | %.2f | %s |" % (name, 1e3 * best[name], best[name] / best["plain"],
                                               "-" if most is None else most))


if __name__ == "__main__":
    main()
