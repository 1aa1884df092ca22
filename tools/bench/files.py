#!/usr/bin/env python3
"""Times what a model file costs before the first step: inspect, import, and the program's start.

    python3 files.py --tool build/release/tools/onnx-mfm [--rounds N] [--arch vgg11] [--keep FILE]

Makes a large model (vgg11 for 224 x 224 and 1000 classes: 531 MB) and a small one (lenet). Every
measurement is a process of its own on a file that the page cache holds; a figure is the least of
the rounds. Prints a Markdown table: seconds, peak resident memory, and that over the file's size;
that of inspect is at least this script's own, which the system counts to the process it starts.
"""
import argparse
import json
import os
import subprocess
import tempfile
import time


def options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tool", required=True, help="the onnx-mfm program")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--arch", default="vgg11", help="the large model")
    parser.add_argument("--keep", help="the large model's file: used if it is there, else made")
    return parser.parse_args()


def run(command):
    """Seconds, peak resident bytes, and what was printed."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    printed = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    if status:
        raise SystemExit("failed: " + " ".join(command))
    return seconds, usage.ru_maxrss * 1024, printed


def inspect(option, model):
    return min(run([option.tool, "inspect", model])[:2] for _ in range(option.rounds))


def bench(option, model, method):
    command = [option.tool, "bench", model, "--method", method, "--batch", "1", "--repeat", "1",
               "--profile", "0", "--threads", str(option.threads), "--json"]
    return [json.loads(run(command)[2]) for _ in range(option.rounds)]


def least(results, key):
    return min(result[key] for result in results)


def row(what, seconds, peak, size):
    print("| %s | %.3f | %.1f | %.2f |" % (what, seconds, peak / 2**20, peak / size))


def tables(option, large, small):
    size = os.path.getsize(large)
    with open(large, "rb") as file:  # into the page cache
        while file.read(1 << 24):
            pass
    print("| %s, %.1f MiB | seconds | peak MiB | peak over file |" % (option.arch, size / 2**20))
    print("|---|---|---|---|")
    row("inspect, whole process", *inspect(option, large), size)
    results = bench(option, large, "forward")
    row("import", least(results, "import_seconds"), least(results, "import_peak_rss_bytes"), size)
    row("process start to first forward pass, batch 1", least(results, "first_step_seconds"),
        least(results, "peak_rss_bytes"), size)
    print()
    results = bench(option, small, "base")
    print("lenet: process start to the end of the first step: %.3f s"
          % least(results, "first_step_seconds"))


def main():
    option = options()
    with tempfile.TemporaryDirectory() as folder:
        large = option.keep or os.path.join(folder, "large.onnx")
        small = os.path.join(folder, "lenet.onnx")
        if not os.path.exists(large):
            subprocess.run([option.tool, "new", option.arch, "--input", "3,224,224", "--classes",
                            "1000", "-o", large], check=True, stdout=subprocess.DEVNULL)
        subprocess.run([option.tool, "new", "lenet", "--input", "1,28,28", "-o", small],
                       check=True, stdout=subprocess.DEVNULL)
        tables(option, large, small)


if __name__ == "__main__":
    main()
