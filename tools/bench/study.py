#!/usr/bin/env python3
"""Trains rows of options over several seeds and prints a Markdown table of the results.

    python3 study.py STUDY --tool build/release/tools/onnx-mfm --out DIR [--rows PATTERN...]
                     [--seeds 1-3] [--epochs N] [--jobs N] [--table-only] [--score]

STUDY is a name in studies.py: options common to all rows, and the rows. Every run is a process
with one thread, in DIR/ROW/SEED; the seed chooses the start, the split and the order of images. A
run that is there is not repeated, one that was interrupted goes on: the study may be stopped at any
time. A row may start from the model, or from the modulator, that another row has trained with the
same seed; that row is then trained too, and the time told is that of both.

With a validation part its error has a column of its own, and one chooses by that. A row's error is
that of the last epoch on the test images, mean and standard deviation over seeds
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
        told = study["rows"][row]
        told = {"options": told} if isinstance(told, str) else told
        self.options, self.split = told["options"], told.get("split", study.get("split"))
        self.start, self.starts_whole = told.get("start", told.get("modulator")), "start" in told
        self.epochs = option.epochs or told.get("epochs", study["epochs"])
        self.first = Run(option, study, self.start, seed) if self.start else None
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

    def start_model(self):
        if self.starts_whole:
            return self.first.model
        start = self.path("start.onnx")
        if not os.path.exists(start):
            subprocess.run([self.tool, "new", *self.study["model"], "--seed", str(self.seed), "-o",
                            start], check=True, stdout=subprocess.DEVNULL)
        return start

    def command(self):
        command = [self.tool, "train", self.start_model(), "-o", self.model, "--run",
                   self.path("run"), "--threads", "1"]
        if os.path.exists(self.path("run/checkpoint.onnx")):
            return command + ["--resume", "--epochs", str(self.epochs)]
        shutil.rmtree(self.path("run"), ignore_errors=True)
        if self.first and not self.starts_whole:
            command += ["--modulator", self.first.path("run/modulator.onnx")]
        return command + [*self.study["common"].split(), *self.options.split(),
                          *self.split.split(), "--seed", str(self.seed), "--split-seed",
                          str(self.seed), "--epochs", str(self.epochs)]

    def train(self):
        if self.done():
            return
        os.makedirs(self.folder, exist_ok=True)
        if self.first and self.first.failed():
            open(self.path("diverged"), "w").close()
            return
        if self.first and not self.first.done():
            sys.stderr.write("left out: %s seed %d: %s is not trained\n"
                             % (self.row, self.seed, self.start))
            return
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
                               self.study["data"], *self.split.split()],
                              check=True, stdout=subprocess.PIPE).stdout
        told = json.loads(text)
        groups = {name: group["recall"] for name, group in told["groups"].items()}
        return {"error": lines[-1]["test_error"], "evaluated": told["error"],
                "validation": lines[-1]["validation_error"],
                "best": min(line["test_error"] for line in lines), "groups": groups,
                "seconds": self.seconds()}

    def seconds(self):
        """Of training, with what it starts from."""
        return self.metrics()[-1]["seconds"] + (self.first.seconds() if self.first else 0)


def spread(values):
    if not values:
        return "-"
    if len(values) == 1:
        return "%.2f" % values[0]
    return "%.2f ± %.2f" % (statistics.mean(values), statistics.stdev(values))


def group_recall(results, name):
    """Mean recall of the classes of a group; "-" where the split has none."""
    recalls = [result["groups"][name] for result in results]
    return "-" if not recalls or None in recalls else "%.1f" % statistics.mean(recalls)


def table(option, study, rows, seeds):
    """Prints the table of what is finished, in the order of the study."""
    score = None
    if option.score:
        import score
    validation = "--validation" in study["common"]
    head = [""] + ["validation"] * validation
    head += ["error", "many / medium / few", "best epoch", "runs (diverged)", "time"]
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
        groups = " / ".join(group_recall(results, name) for name in ("many", "medium", "few"))
        cells = [row, spread([r["validation"] for r in results])] if validation else [row]
        cells += [spread([r["error"] for r in results]), groups,
                 spread([r["best"] for r in results]),
                 "%d (%d)" % (len(pairs), len(pairs) - len(good)),
                 "%.1f" % (seconds / base_seconds) if seconds else "-"]
        if score:
            cells.append(spread([score.error(run.model, study["data"]) for run, _ in good]))
        print("| " + " | ".join(cells) + " |")


def chosen_rows(study, patterns):
    """Those of these names, and those that they start from, in the order of the study: a row stands
    behind the one that it starts from."""
    chosen = {row for row in study["rows"]
              if any(fnmatch.fnmatch(row, pattern) for pattern in patterns)}
    for row in reversed(list(study["rows"])):
        told = study["rows"][row]
        if row in chosen and not isinstance(told, str):
            chosen.update(told[key] for key in ("start", "modulator") if key in told)
    return [row for row in study["rows"] if row in chosen]


def train_all(option, study, rows, seeds):
    """Seed by seed, so that a study that is stopped has every row with the same seeds. A run waits
    for the one that it starts from, which was handed in before it and so is under way."""
    with concurrent.futures.ThreadPoolExecutor(option.jobs) as pool:
        trained = {}

        def train(run):
            if run.first:
                trained[run.start, run.seed].result()
            run.train()
        for seed in seeds:
            for row in rows:
                trained[row, seed] = pool.submit(train, Run(option, study, row, seed))
        for future in trained.values():
            future.result()


def main():
    option = options()
    study = studies.STUDIES[option.study]
    rows = chosen_rows(study, option.rows)
    seeds = seed_list(option.seeds or study["seeds"])
    if not option.table_only:
        train_all(option, study, rows, seeds)
    table(option, study, rows, seeds)


if __name__ == "__main__":
    main()
