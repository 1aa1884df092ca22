#!/usr/bin/env python3
"""docs/zoo.md, of what zoo.py found.

    python3 zoo_page.py RESULTS.jsonl... > docs/zoo.md         the last line of a file counts
"""
import json
import sys
from pathlib import Path

from zoo import CHECKS, DERIVATIVE, EXACT

GROUPS = {
    "tv": "torchvision, by torch's older exporter (1.13; for small images 2.15)",
    "dyn": "torchvision, by torch 2.15's newest exporter (`dynamo=True`)",
    "timm": "timm, by torch 2.15's older exporter",
    "timmdyn": "timm, by torch 2.15's newest exporter (`dynamo=True`)",
    "keras": "Keras 3.15, by its own export",
    "tf": "Keras's SavedModels, by tf2onnx 1.17 (TensorFlow 2.18), opset 18",
    "tf13": "Of opset 13",
    "tfnchw": "With `--inputs-as-nchw`",
    "tflite": "Through TensorFlow Lite",
    "light": "The onnx project's light models",
    "sim": "Rewritten by onnxsim",
    "slim": "Rewritten by OnnxSlim",
    "ship": "Pretrained, as packages ship them",
    "paddle": "Paddle, by paddle2onnx: NAME@SIZE+OPSET",
    "hf": "Hugging Face transformers, small, by torch's older exporter",
    "hfdyn": "Hugging Face transformers, small, by torch's newest exporter",
    "tables": "Tables, by torch's older exporter; skl...: scikit-learn, by skl2onnx",
    "tabledyn": "Tables, by torch's newest exporter",
    "torch": "torch's exporters with options of old: NET+OPTION",
    "jax": "JAX by jax2onnx: Flax (linen, nnx...), Equinox (eqx...)",
    "jaxtf": "Flax by jax2tf and tf2onnx",
    "script": "Written in onnxscript",
    "keras2": "Keras 2 by tf2onnx",
    "hand": "In the idioms of Caffe2, MXNet and CNTK, by hand",
    "mltools": "Of onnxmltools",
    "tool": "Rewritten by converters",
}


def mark(row, check):
    if check not in row:
        return ""
    if row[check] is not True:
        return "-"
    if check != "derivative" or "in_double" not in row:
        return "x"
    return "d" if min(row["in_double"]) < EXACT else "k"


def page(results):
    rows = {}
    for path in results:
        for line in Path(path).read_text().splitlines():
            row = json.loads(line)
            rows[row["file"]] = row
    good = [r for r in rows.values() if all(r.get(c, True) is True for c in CHECKS)]
    print("# Classifiers of others\n\nMade by `tests/interop/zoo/zoo.py`, which tells what each "
          "column asks; files by\n`tests/interop/zoo/zoo_files.py`, weights at random except where "
          "the file comes with them. x: it holds.\n")
    print("Differences are float32's: a derivative that is %g or more away from the best of\n"
          "several step widths counts as a failure, unless differences in double tell that it is\n"
          "right to %g (d), or that kinks of Relu and MaxPool are why (k): they then come nearer\n"
          "as the step's root. What is empty has not been tried. NAME@SIZE: for images of that\n"
          "size.\n" % (DERIVATIVE, EXACT))
    print("%d files, %d import, %d pass all that was tried of them.\n" %
          (len(rows), sum(r["import"] is True for r in rows.values()), len(good)))
    reasons = []
    for group, title in GROUPS.items():
        members = sorted((r for r in rows.values() if r["file"].split("_")[0] == group),
                         key=lambda r: r["file"])
        if not members:
            continue
        print("## %s\n" % title)
        print("| file | parameters | " + " | ".join(CHECKS) + " |")
        print("|---|---:" + "|:---:" * len(CHECKS) + "|")
        for row in members:
            name = row["file"].split("_", 1)[1]
            marks = [mark(row, c) for c in CHECKS]
            print("| %s | %s | %s |" % (name, row.get("parameters", ""), " | ".join(marks)))
            reasons += ["* %s, %s: %s" % (row["file"], c, row[c].replace("\n", " "))
                        for c in CHECKS
                        if row.get(c, True) is not True and
                        not row[c].startswith("not tried:")]
        print()
    if reasons:
        print("## What does not hold, and why\n")
        print("\n".join(reasons))


if __name__ == "__main__":
    page(sys.argv[1:])
