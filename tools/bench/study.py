#!/usr/bin/env python3
"""Trains rows of options over several seeds and prints a Markdown table of the results.

    python3 study.py STUDY --tool build/release/tools/onnx-mfm --out DIR [--rows PATTERN...]
                     [--seeds 1-3] [--epochs N] [--jobs N] [--table-only] [--score]

STUDY is a name in studies.py: options common to all rows, and the rows. Every run is a process
with one thread, in DIR/ROW/SEED; the seed chooses the start, the split and the order of images. A
run that is there is not repeated, one that was interrupted goes on: the study may be stopped at any
time.

A row's error is that of the last epoch on the test images, mean and standard deviation over seeds
(n - 1). "Best epoch" looks at the test images and is no result one could have. A run whose error is
above 80 % or that ended with numbers that are not finite has diverged: it is counted, and left out
of the means. With --score ONNX Runtime classifies the test images by each written file.
"""
import argparse
import concurrent.futures
import fnmatch
import json
import os
import shutil
import statistics
import subprocess
import sys

import studies

DIVERGED = 80.0  # percent; ten classes by chance: 90


def options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("study", choices=sorted(studies.STUDIES))
    parser.add_argument("--tool", required=True, help="the onnx-mfm program")
    parser.add_argument("--out", required=True, help="folder of the runs")
    parser.add_argument("--rows", nargs="*", default=["*"], help="patterns of row names")
    parser.add_argument("--seeds", help="1-3 or 1,5,7 (default: the study's)")
    parser.add_argument("--epochs", type=int, help="instead of the study's")
    parser.add_argument("--jobs", type=int, default=1, help="runs at a time")
    parser.add_argument("--table-only", action="store_true", help="train nothing")
    parser.add_argument("--score", action="store_true", help="score the files by ONNX Runtime")
    return parser.parse_args()


def seed_list(text):
    seeds = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        seeds += range(int(first), int(last or first) + 1)
    return seeds


class Run:
    """One row with one seed."""

    def __init__(self, option, study, row, seed):
        self.tool, self.study, self.row, self.seed = option.tool, study, row, seed
        self.epochs = option.epochs or study["epochs"]
        self.folder = os.path.join(option.out, row, str(seed))
        self.model = os.path.join(self.folder, "model.onnx")

    def path(self, name):
        return os.path.join(self.folder, name)

    def metrics(self):
        try:
            with open(self.path("run/metrics.jsonl")) as file:
                return [json.loads(line) for line in file]
        except FileNotFoundError:
            return []

    def failed(self):
        return os.path.exists(self.path("diverged"))

    def done(self):
        lines = self.metrics()
        return self.failed() or bool(lines) and lines[-1]["epoch"] >= self.epochs \
            and os.path.exists(self.model)

    def command(self):
        start = self.path("start.onnx")
        if not os.path.exists(start):
            subprocess.run([self.tool, "new", *self.study["model"], "--seed", str(self.seed), "-o",
                            start], check=True, stdout=subprocess.DEVNULL)
        command = [self.tool, "train", start, "-o", self.model, "--run", self.path("run"),
                   "--threads", "1"]
        if os.path.exists(self.path("run/checkpoint.onnx")):
            return command + ["--resume", "--epochs", str(self.epochs)]
        shutil.rmtree(self.path("run"), ignore_errors=True)
        return command + ["--seed", str(self.seed), "--split-seed", str(self.seed), "--epochs",
                          str(self.epochs), *self.study["common"].split(),
                          *self.study["rows"][self.row].split()]

    def train(self):
        if self.done():
            return
        os.makedirs(self.folder, exist_ok=True)
        with open(self.path("log"), "ab") as log:
            code = subprocess.run(self.command(), stdout=log, stderr=log).returncode
        if code == 0:
            return
        with open(self.path("log"), "rb") as log:
            text = log.read().decode(errors="replace")
        if "learning rate" in text and ("nan" in text or "inf" in text or "finite" in text):
            open(self.path("diverged"), "w").close()
            return
        sys.stderr.write("failed: %s seed %d (%s)\n" % (self.row, self.seed, self.path("log")))

    def result(self):
        """None: not finished. A diverged run has an error and nothing else."""
        if self.failed():
            return {"error": None}
        if not self.done():
            return None
        lines = self.metrics()
        text = subprocess.run([self.tool, "eval", self.model, "--json", "--data",
                               self.study["data"], *self.study["split"].split(), "--split-seed",
                               str(self.seed)], check=True, stdout=subprocess.PIPE).stdout
        told = json.loads(text)
        groups = {name: group["recall"] for name, group in told["groups"].items()}
        return {"error": lines[-1]["test_error"], "evaluated": told["error"],
                "best": min(line["test_error"] for line in lines), "groups": groups,
                "seconds": lines[-1]["seconds"]}


def spread(values):
    if not values:
        return "-"
    if len(values) == 1:
        return "%.2f" % values[0]
    return "%.2f ± %.2f" % (statistics.mean(values), statistics.stdev(values))


def table(option, study, rows, seeds):
    """Prints the table of what is finished, in the order of the study."""
    score = None
    if option.score:
        import score
    head = ["", "error", "many / medium / few", "best epoch", "runs (diverged)", "time"]
    print("| " + " | ".join(head + (["ONNX Runtime"] if score else [])) + " |")
    print("|" + "---|" * (len(head) + bool(score)))
    base_seconds = None
    for row in rows:
        runs = [Run(option, study, row, seed) for seed in seeds]
        pairs = [(run, run.result()) for run in runs]
        pairs = [(run, result) for run, result in pairs if result]
        if not pairs:
            continue
        good = [(run, r) for run, r in pairs if r["error"] is not None and r["error"] <= DIVERGED]
        results = [result for _, result in good]
        seconds = statistics.median(r["seconds"] for r in results) if results else None
        base_seconds = base_seconds or seconds
        groups = " / ".join("%.1f" % statistics.mean(
            r["groups"][name] for r in results) if results else "-"
            for name in ("many", "medium", "few"))
        cells = [row, spread([r["error"] for r in results]), groups,
                 spread([r["best"] for r in results]),
                 "%d (%d)" % (len(pairs), len(pairs) - len(good)),
                 "%.1f" % (seconds / base_seconds) if seconds else "-"]
        if score:
            cells.append(spread([score.error(run.model, study["data"]) for run, _ in good]))
        print("| " + " | ".join(cells) + " |")


def main():
    option = options()
    study = studies.STUDIES[option.study]
    rows = [row for row in study["rows"]
            if any(fnmatch.fnmatch(row, pattern) for pattern in option.rows)]
    seeds = seed_list(option.seeds or study["seeds"])
    if not option.table_only:
        # Seed by seed, so that a study that is stopped has every row with the same seeds.
        runs = [Run(option, study, row, seed) for seed in seeds for row in rows]
        with concurrent.futures.ThreadPoolExecutor(option.jobs) as pool:
            list(pool.map(Run.train, runs))
    table(option, study, rows, seeds)


if __name__ == "__main__":
    main()
