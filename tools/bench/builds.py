#!/usr/bin/env python3
"""Measures two builds of the program in turns, in one run on one machine: what a change costs.

    python3 builds.py --before TOOL --after TOOL [CASE...] [--rounds N] [--iterations N]
                      [--threads T] [--cache FOLDER]

Cases are those of compare.py, of which it takes the program's own measurements: steps, inference,
inspect, import and the first step. Rounds go through all of them, the builds one after the other
and in the other order in the next round. What counts is the fastest step of each process, and of
those the middle one: a machine that others use makes every step of a process slower, or none.
Prints a Markdown table; the ratio is after to before.
"""
import argparse
import statistics
import sys
import tempfile

from compare import choose
from measure import Lab


def options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cases", nargs="*", metavar="CASE", help="as of compare.py (default: all)")
    parser.add_argument("--before", required=True, help="an onnx-mfm program")
    parser.add_argument("--after", required=True, help="another one")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--iterations", type=int, default=15)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--cache", default="bench-cache", help="folder of the files of torchvision")
    option = parser.parse_args()
    # Rows beside others name the program's own measurements; nothing of others is run.
    option.pythons, option.rivals, option.ort_python = {"others": ""}, {}, ""
    option.compiled, option.journal = False, None
    return option


def lab_of(option, tool, folder):
    return Lab(argparse.Namespace(**dict(vars(option), tool=tool)), folder)


def name_of(key):
    if key[0] == "inspect":
        return "inspect of %s's file" % key[1]
    _, network, method, batch, layers, threads = key
    what = {"forward": "inference", "base": "plain step", "mfm": "MFM step"}.get(method, method)
    where = ", after " + ", ".join(layers) if layers else ""
    return "%s, %s, batch %d%s, %d thread%s" % (what, network, batch, where, threads,
                                                "s" if threads > 1 else "")


def middle(runs, of):
    return statistics.median(figures[of] for figures in runs)


def main():
    option = options()
    keys = list(dict.fromkeys(key for row in choose(option) for key in row.needs
                              if key[0] in ("step", "inspect")))
    with tempfile.TemporaryDirectory() as folder:
        labs = [lab_of(option, tool, folder) for tool in (option.before, option.after)]
        for turn in range(option.rounds):
            for key in keys:
                print("round %d/%d: %s" % (turn + 1, option.rounds, name_of(key)),
                      file=sys.stderr, flush=True)
                for lab in labs if turn % 2 == 0 else reversed(labs):
                    lab.measure(key)
    print("| what | before | after | ratio |\n|---|---|---|---|")
    for key in keys:
        parts = [("", "fastest")] if key[0] == "step" else [("", "seconds")]
        if key == ("step", "lenet", "base", 100, (), option.threads):
            parts.append((": process start to the end of the first", "first_step_seconds"))
        if key == ("step", "vgg11", "forward", 1, (), option.threads):
            parts.append((": import", "import_seconds"))
        for text, of in parts:
            before, after = (middle(lab.journal.runs(key), of) for lab in labs)
            print("| %s%s | %.4g ms | %.4g ms | %.2f |" %
                  (name_of(key), text, 1e3 * before, 1e3 * after, after / before), flush=True)


if __name__ == "__main__":
    main()
