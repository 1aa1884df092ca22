#!/usr/bin/env python3
"""Measures the engine beside PyTorch and ONNX Runtime, in one run on one machine.

    python3 compare.py --tool build/release/tools/onnx-mfm [CASE...] [--rounds N] [--threads T]
                       [--python PYTHON]... [--ort-python PYTHON] [--rival NAME=PYTHON]...
                       [--cache FOLDER] [--compiled] [--journal FILE] [--json FILE]

Cases: resnet32 stages lenet photographs rate memory eval threads batches start files folder frozen
decode peak rivals zoo zoo-mfm zoo-eval (all).
Every --python is one more PyTorch to compare with (default: /usr/bin/python3, Debian's). The
measurements of the chosen cases are taken in turns, `rounds` times, each in a process of its own;
what counts is the best of the medians. Prints a Markdown table; --json keeps every
figure. --journal keeps each measurement as it comes, and a run that was cut short goes on from
there when it is called again. Of rivals tells rivals/rival_cases.py, of torchvision's classifiers
zoo/zoo_cases.py.
"""
import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile

import cases
from measure import Lab
from rivals.rival_cases import NETWORKS


def options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cases", nargs="*", metavar="CASE", help="rows by name (default: all)")
    parser.add_argument("--tool", required=True, help="the onnx-mfm program")
    parser.add_argument("--python", action="append", help="a Python that has torch")
    parser.add_argument("--ort-python", default=sys.executable,
                        help="a Python that has onnxruntime")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--iterations", type=int, default=15,
                        help="steps of a measurement, more for small networks, fewer for large")
    parser.add_argument("--rival", action="append", default=[], metavar="NAME=PYTHON",
                        help="a Python that has this rival: " + " ".join(NETWORKS))
    parser.add_argument("--cache", default="bench-cache",
                        help="folder of the files of torchvision (default: bench-cache)")
    parser.add_argument("--compiled", action="store_true",
                        help="torch.compile too, for classifiers of torchvision")
    parser.add_argument("--journal", help="file that keeps each measurement as it comes")
    parser.add_argument("--json", help="file for every figure")
    option = parser.parse_args()
    option.pythons = {torch_version(python): python
                      for python in option.python or ["/usr/bin/python3"]}
    option.rivals = dict(word.split("=", 1) for word in option.rival if "=" in word)
    for word in option.rival:
        if word.split("=", 1)[0] not in NETWORKS or "=" not in word:
            sys.exit("--rival is NAME=PYTHON, NAME one of " + " ".join(NETWORKS))
    return option


def torch_version(python):
    done = subprocess.run([python, "-c", "import torch; print(torch.__version__)"],
                          stdout=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit("no torch in " + python)
    return "torch " + done.stdout.strip()


def machine():
    model = ""
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as file:
        for line in file:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    return {"processor": model, "processors": os.cpu_count(), "system": platform.platform()}


def choose(option):
    every = cases.rows(option)
    names = list(dict.fromkeys(row.case for row in every))
    for name in option.cases:
        if name not in names:
            sys.exit("no such case: %s: one of %s" % (name, " ".join(names)))
    return [row for row in every if not option.cases or row.case in option.cases]


def report(row, best):
    ours, theirs, number = row.figures(best)
    # Judged as it is printed.
    shown = float("%.3g" % number)
    met = shown >= row.goal if row.at_least else shown <= row.goal
    sign = "&ge;" if row.at_least else "&le;"
    print("| %s | %s | %s | %.3g | %s %g | %s |" %
          (row.what, ours, theirs, number, sign, row.goal, "yes" if met else "no"), flush=True)
    return {"case": row.case, "what": row.what, "ours": ours, "theirs": theirs, "number": number,
            "goal": row.goal, "at_least": row.at_least, "met": met}


def main():
    option = options()
    rows = choose(option)
    keys = list(dict.fromkeys(key for row in rows for key in row.needs))
    with tempfile.TemporaryDirectory() as folder:
        lab = Lab(option, folder)
        for turn in range(option.rounds):
            for i, key in enumerate(keys):
                if len(lab.journal.runs(key)) > turn:
                    continue
                print("round %d/%d, %d/%d: %s" % (turn + 1, option.rounds, i + 1, len(keys),
                                                  " ".join(str(word) for word in key)),
                      file=sys.stderr, flush=True)
                lab.measure(key)
    print("| what | onnx-mfm | beside it | number | goal | met |\n|---|---|---|---|---|---|")
    table = [report(row, lab.best) for row in rows]
    if option.json:
        with open(option.json, "w", encoding="utf-8") as file:
            json.dump({"machine": machine(), "threads": option.threads, "rounds": option.rounds,
                       "rows": table, "figures": [{"key": key, "runs": lab.journal.runs(key)}
                                                  for key in keys]}, file, indent=1)


if __name__ == "__main__":
    main()
