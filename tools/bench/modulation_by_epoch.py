#!/usr/bin/env python3
"""What the modulator does to each class, by epoch: how far it moves the margins that training sees.

    python3 modulation_by_epoch.py --tool build/release/tools/onnx-mfm --out DIR
                                   [--epochs 1,5,10,...] [--seeds 11,12] [--rows PATTERN...]

Trains rows of the study search1000 (LeNet, Fashion-MNIST, imbalance 1000), stops at the epochs
given and lets ONNX Runtime evaluate the checkpoint on the balanced test images twice: without
modulation (z), and with the modulation that a soft label wholly on the image's class y brings (z~),
which is what images of that class get once they are learned. Per class c, over its images,

    m_c = mean of (z~_y - mean over j != y of z~_j) - (z_y - mean over j != y of z_j)

is how much easier (m_c > 0) or harder (m_c < 0) the modulator makes class c for the training loss.
Against the loss that logit adjustment minimises, a class of n_c images has a handicap of
log n_c - mean of the other log n_j; the slope of m_c over that number is the part of the handicap
that the modulator adds (positive slope) or takes back (negative slope, 1 nat per nat = all of it).
The table has it by epoch, with recall of classes and the share of predictions that go to the five
rarest classes on the plain path, which is one half where nothing is out of balance.
"""
import argparse
import fnmatch
import json
import os
import statistics
import subprocess

import numpy
import onnxruntime

import score
import studies
import study as running

COUNTS = numpy.array([int(6000 * 1000 ** (-c / 9)) for c in range(10)])
FEW = COUNTS < 200


def margins(logits, labels):
    own = logits[numpy.arange(len(labels)), labels]
    return own - (logits.sum(1) - own) / (logits.shape[1] - 1)


def measure(path, images, labels):
    """What the checkpoint's modulation and its plain path do, on the test images."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    images = score.prepared(path, images)
    given = {i.name for i in session.get_overridable_initializers()}
    soft = numpy.eye(10, dtype=numpy.float32)[labels]

    def logits(switch):
        feed = {"input": images}
        if "mfm.switch" in given:
            feed.update({"mfm.soft_label": soft, "mfm.switch": numpy.array([switch], "float32")})
        return session.run(None, feed)[0]
    plain, modulated = logits(0), logits(1)
    change = margins(modulated, labels) - margins(plain, labels)
    by_class = numpy.array([change[labels == c].mean() for c in range(10)])
    logs = numpy.log(COUNTS)
    handicap = logs - (logs.sum() - logs) / 9
    predicted = plain.argmax(1)
    recall = numpy.array([(predicted[labels == c] == c).mean() * 100 for c in range(10)])
    return {"margin": by_class, "slope": numpy.polyfit(handicap, by_class, 1)[0],
            "many": recall[~FEW].mean(), "few": recall[FEW].mean(),
            "share": FEW[predicted].mean() * 100}


def train_to(option, study, row, seed, epoch):
    folder = os.path.join(option.out, row, str(seed))
    kept = os.path.join(folder, "epoch%d.onnx" % epoch)
    if os.path.exists(kept):
        return kept
    os.makedirs(folder, exist_ok=True)
    start = os.path.join(folder, "start.onnx")
    if not os.path.exists(start):
        subprocess.run([option.tool, "new", *study["model"], "--seed", str(seed), "-o", start],
                       check=True, stdout=subprocess.DEVNULL)
    run = os.path.join(folder, "run")
    command = [option.tool, "train", start, "-o", os.path.join(folder, "model.onnx"), "--run", run,
               "--threads", "1", "--epochs", str(epoch)]
    if os.path.exists(os.path.join(run, "checkpoint.onnx")):
        command.append("--resume")
    else:
        command += ["--seed", str(seed), "--split-seed", str(seed), *study["common"].split(),
                    *study["rows"][row].split()]
    with open(os.path.join(folder, "log"), "ab") as log:
        subprocess.run(command, check=True, stdout=log, stderr=log)
    with open(os.path.join(run, "checkpoint.onnx"), "rb") as file:
        data = file.read()
    with open(kept, "wb") as file:
        file.write(data)
    return kept


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tool", required=True, help="the onnx-mfm program")
    parser.add_argument("--out", required=True, help="folder of the runs")
    parser.add_argument("--epochs", default="1,2,5,10,20,30,47,60")
    parser.add_argument("--seeds", default="11,12")
    parser.add_argument("--rows", nargs="*", default=["LA", "MFM", "MFM, LA"])
    option = parser.parse_args()
    study = studies.STUDIES["search1000"]
    images, labels = score.test_images(study["data"])
    told = []
    print("| row | epoch | slope | margin added, by class | recall many | few | share of few |")
    print("|---|---|---|---|---|---|---|")
    for row in study["rows"]:
        if not any(fnmatch.fnmatchcase(row, pattern) for pattern in option.rows):
            continue
        for epoch in map(int, option.epochs.split(",")):
            found = [measure(train_to(option, study, row, seed, epoch), images, labels)
                     for seed in running.seed_list(option.seeds)]

            def mean(name):
                return statistics.mean(float(f[name]) for f in found)
            margin = sum(f["margin"] for f in found) / len(found)
            print("| %s | %d | %+.3f | %s | %.1f | %.1f | %.1f |" % (
                row, epoch, mean("slope"), " ".join("%+.2f" % m for m in margin), mean("many"),
                mean("few"), mean("share")), flush=True)
            told.append({"row": row, "epoch": epoch, "margin": list(map(float, margin)),
                         "slope": mean("slope"), "few": mean("few")})
    with open(os.path.join(option.out, "table.json"), "w") as file:
        json.dump(told, file)


if __name__ == "__main__":
    main()
