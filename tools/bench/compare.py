#!/usr/bin/env python3
"""Times training steps beside PyTorch's, in one run on one machine with the same threads.

    python3 compare.py --tool build/release/tools/onnx-mfm [--rounds N] [--threads T]

Each case is measured in turns, ours then theirs, `rounds` times, each measurement in a process of
its own; a figure is the best of its medians, because another user of the machine can only make a
step slower. Prints a Markdown table: seconds a step, their ratio, peak memory of the processes.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
MODELS = {"lenet": ["lenet", "--input", "1,28,28"], "resnet32": ["resnet32", "--input", "3,32,32"]}
LAYERS = {"lenet": "fc:1", "resnet32": "last_conv"}
METHODS = {"plain": "base", "mfm": "mfm"}


def options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tool", required=True, help="the onnx-mfm program")
    parser.add_argument("--python", default="/usr/bin/python3", help="a Python that has torch")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch", type=int, default=100)
    parser.add_argument("--iterations", type=int, default=15)
    return parser.parse_args()


def last_json(command):
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit("failed: " + " ".join(command))
    return json.loads(done.stdout[done.stdout.index("{"):])


def ours(option, model, network, step):
    command = [option.tool, "bench", model, "--method", METHODS[step], "--batch",
               str(option.batch), "--repeat", str(option.iterations), "--threads",
               str(option.threads), "--json"]
    if step == "mfm":
        command += ["--layer", LAYERS[network]]
    result = last_json(command)
    return result["seconds"], result["peak_rss_bytes"] / 2**20


def theirs(option, network, step, layout):
    result = last_json([option.python, os.path.join(HERE, "peer_torch.py"), "--iterations",
                        str(option.iterations), "--threads", str(option.threads), "--batch",
                        str(option.batch), "--case", "%s:%s:%s" % (network, step, layout)])
    return result["seconds"], result["peak_rss_mb"]


def measure(option, model, network, step):
    mine, other = [], []
    for _ in range(option.rounds):
        mine.append(ours(option, model, network, step))
        other += [theirs(option, network, step, layout)
                  for layout in ("contiguous", "channels_last")]
    return min(mine), min(other)


def main():
    option = options()
    print("| network | step | onnx-mfm | PyTorch | ratio | onnx-mfm peak | PyTorch peak |")
    print("|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for network, make in MODELS.items():
            model = os.path.join(folder, network + ".onnx")
            subprocess.run([option.tool, "new", *make, "-o", model], check=True,
                           stdout=subprocess.DEVNULL)
            steps = {}
            for step in METHODS:
                mine, other = measure(option, model, network, step)
                steps[step] = mine[0]
                print("| %s | %s | %.1f ms | %.1f ms | %.2f | %.0f MiB | %.0f MiB |" %
                      (network, step, 1e3 * mine[0], 1e3 * other[0], other[0] / mine[0], mine[1],
                       other[1]), flush=True)
            print("| %s | MFM / plain, onnx-mfm | %.2f | | | | |" %
                  (network, steps["mfm"] / steps["plain"]), flush=True)


if __name__ == "__main__":
    main()
