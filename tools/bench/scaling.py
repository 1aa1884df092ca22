#!/usr/bin/env python3
"""What a step on several nodes takes, by a model of messages and arithmetic: docs/scaling.md.

    tools/bench/scaling.py             tables in Markdown
    tools/bench/scaling.py --nodes 4   another largest number of nodes

A node computes at a rate, and a link has a latency and a rate in each direction, both at once. The
sum of a vector of n bytes over R nodes takes

    direct   2 ceil(n / (R part)) latency + 2 (R - 1) / R n / link + n / add      (what comm.c does)
    ring     2 (R - 1) latency + 2 (R - 1) / R n / link + n / add
    tree     2 log2(R) latency + 2 (R - 1) / R n / link + n / add            (halving, doubling)

and one of a few numbers, which each sends to all, latency + (R - 1) (n / link + send). A gradient's
sum goes on during the backward sweep that makes it (behind.c), two thirds of a plain step: what is
longer than that is waited for. It can do no better: parts are whole one after the other.
"""
import argparse
import math

PART = 256 << 10  # bytes that a node adds up at a time (core/train/comm/comm_parts.h)
ADD = 4.9e9  # bytes a second through a sum of two ranks on one machine: measured, docs/scaling.md
SEND = 0.4e-6  # seconds of the processor for a short message: measured
NODE = 1.6e12  # operations a second: 32 cores at 50 GFLOP/s
LINKS = {"10 Gbit/s, TCP": (10e9 / 8, 20e-6), "100 Gbit/s, RDMA": (100e9 / 8, 2e-6)}

# Parameters, multiplications of a forward pass (`inspect`), layers of BatchNormalization with the
# channels of them all (each sums 2 numbers a channel forward, and as many backward).
NETWORKS = {
    "ResNet-50": (25557032, 4089184256, 53, 26560),
    "VGG-11": (132863336, 7609090048, 0, 0),
}
# Sums of a gradient, and forward passes that a step costs.
METHODS = {"base": (1, 3), "mfm": (3, 10)}


def long_sum(n, nodes, link, latency, how="direct"):
    """Seconds for a vector of n bytes."""
    if nodes == 1:
        return 0.0
    waits = {
        "direct": 2 * math.ceil(n / (nodes * PART)),
        "ring": 2 * (nodes - 1),
        "tree": 2 * math.ceil(math.log2(nodes)),
    }[how]
    return waits * latency + 2 * (nodes - 1) / nodes * n / link + n / ADD


def short_sum(n, nodes, link, latency):
    """Seconds for some numbers that each sends to all."""
    return 0.0 if nodes == 1 else latency + (nodes - 1) * (n / link + SEND)


def step(network, method, images, nodes, link, latency, how="direct", overlap=False):
    """Seconds of a step with so many images on each node."""
    parameters, products, layers, channels = NETWORKS[network]
    vectors, forwards = METHODS[method]
    compute = images * forwards * 2 * products / NODE
    sums = vectors * long_sum(4 * parameters, nodes, link, latency, how)
    sweeps = 2 * forwards / 3  # with batch statistics or their adjoints
    if layers:
        sums_of_batches = layers * sweeps * short_sum(16 * channels / layers, nodes, link, latency)
    else:
        sums_of_batches = 0
    if overlap:  # each sum behind its backward sweep, which takes two forward passes' time
        return compute + sums_of_batches + max(0.0, sums - compute * 2 * vectors / forwards)
    return compute + sums_of_batches + sums


def efficiency(network, method, images, nodes, link, latency, **how):
    alone = step(network, method, images, 1, link, latency)
    return 100 * alone / step(network, method, images, nodes, link, latency, **how)


def table(most):
    counts = [n for n in (1, 2, 4, 8, 16, 32, 64) if n <= most]
    for name, (link, latency) in LINKS.items():
        print(f"**{name}**, latency {latency * 1e6:g} us, 32 images on each node; percent of the")
        print("rate of as many nodes without messages:\n")
        print("| network, method | sum | " + " | ".join(str(n) for n in counts) + " |")
        print("|---|---|" + "---|" * len(counts))
        for network in NETWORKS:
            for method in METHODS:
                for label, how in (
                    ("during the sweep", {"overlap": True}),
                    ("after it", {}),
                    ("after it, ring", {"how": "ring"}),
                ):
                    row = [efficiency(network, method, 32, n, link, latency, **how) for n in counts]
                    cells = " | ".join(f"{e:.0f}" for e in row)
                    print(f"| {network}, {method} | {label} | {cells} |")
        print()


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--nodes", type=int, default=64)
    table(parser.parse_args().nodes)


if __name__ == "__main__":
    main()
