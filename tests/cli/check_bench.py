#!/usr/bin/env python3
"""Checks what bench, inspect and MFM_TRACE write.

    check_bench.py profile BENCH.json PASS...      its parts fit together, the passes are there
    check_bench.py memory INSPECT.json BENCH.json  the prediction is what the run holds
    check_bench.py shares ALONE.json EACH.json     each of several ranks has its part of a batch
    check_bench.py trace TRACE.json PASS...        whole JSON, nodes within passes of those names
    check_bench.py cut TRACE.json PASS...          the same of all lines but the last
"""
import json
import sys

MIB = 2**20


def load(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def near(a, b):
    return abs(a - b) <= 1e-6 * max(abs(a), abs(b))


def profile(path, *names):
    bench = load(path)
    assert bench["fastest"] <= bench["seconds"] <= bench["p95"]
    assert 0 < bench["import_seconds"] < bench["first_step_seconds"]
    assert 0 < bench["import_peak_rss_bytes"] <= bench["peak_rss_bytes"]
    assert near(bench["images_per_second"], bench["batch"] / bench["seconds"])
    assert near(bench["gflop_per_second"], bench["gflop"] / bench["seconds"])
    whole = bench["profile"]
    assert whole["steps"] == 4
    passes = {row["pass"]: row for row in whole["passes"]}
    assert set(names) <= set(passes), passes
    assert sum(row["seconds"] for row in passes.values()) <= whole["seconds"]
    for name, row in passes.items():
        inside = [node for node in whole["nodes"] if node["pass"] == name]
        assert sum(node["seconds"] for node in inside) <= row["seconds"], name
        assert near(sum(node["gflop"] for node in inside), row["gflop"]), name
        assert sum(node["calls"] for node in inside) == row["calls"], name
        assert near(row["share"], row["seconds"] / whole["seconds"]), name
    for key in ("seconds", "gflop", "calls"):
        nodes = sum(row[key] for row in whole["nodes"])
        assert near(sum(row[key] for row in whole["operators"]), nodes), key
    assert bench["layout_conversions"] == 0
    assert near(bench["gflop"], sum(row["gflop"] for row in whole["operators"]))
    convolution = [row for row in whole["nodes"] if row["node"] == "conv1"]
    # 8 images of 28 x 28 with 6 channels by 25 weights, two operations each, once or more.
    once = 8 * 28 * 28 * 6 * 25 * 2e-9
    assert any(near(row["gflop"], once) for row in convolution), convolution


def memory(told, held, resident=""):
    bench = load(held)
    told = load(told)["memory"]
    assert told["batch"] == bench["batch"]
    row = next(row for row in told["steps"] if row["step"] == bench["method"])
    for key in ("planned_bytes", "buffer_bytes", "parameter_bytes", "image_bytes"):
        assert row[key] == bench[key], (key, row, bench[key])
    assert row["buffer_bytes"] > 0
    if resident == "resident":
        predicted = bench["rss_before_bytes"] + row["planned_bytes"]
        assert abs(bench["peak_rss_bytes"] - predicted) <= 0.05 * predicted + 12 * MIB, bench


def shares(alone, each):
    alone, each = load(alone)["memory"], load(each)["memory"]
    ranks = each["ranks"]
    assert alone["ranks"] == 1 and ranks > 1 and alone["batch"] == each["batch"]
    trained = 0
    for whole, part in zip(alone["steps"], each["steps"], strict=True):
        assert whole["step"] == part["step"]
        if whole["step"] == "forward":  # evaluation goes batch by batch over the ranks
            assert whole == part
        elif "planned_bytes" in whole:
            assert whole["image_bytes"] == ranks * part["image_bytes"], (whole, part)
            assert whole["parameter_bytes"] == part["parameter_bytes"], (whole, part)
            if whole["step"] in ("base", "mfm"):  # of others the room for sums is more
                assert part["buffer_bytes"] < whole["buffer_bytes"] / 2, (whole, part)
            trained += 1
    assert trained > 1


def more(plain, other, size):
    assert load(other)["buffer_bytes"] - load(plain)["buffer_bytes"] == int(size)


def whole_lines(path):
    """A trace without its last line, which SIGKILL may have cut, and closed again."""
    with open(path, encoding="ascii") as file:
        lines = file.read().rstrip("\n").split("\n")[:-1]
    return json.loads("\n".join(lines).removesuffix(",") + "\n]}\n")


def cut(path, *names):
    check_events(whole_lines(path), *names)


def trace(path, *names):
    check_events(load(path), *names)


def check_events(file, *names):
    events = [event for event in file["traceEvents"] if event["ph"] == "X"]
    passes = [event for event in events if event["cat"] == "pass"]
    nodes = [event for event in events if event["cat"] == "node"]
    assert nodes and set(names) <= {event["name"] for event in passes}
    assert len(passes) + len(nodes) == len(events)
    passes.sort(key=lambda event: event["ts"])
    nodes.sort(key=lambda event: event["ts"])
    end = lambda event: event["ts"] + event["dur"]
    slack = 2e-3  # microseconds: times are rounded to nanoseconds
    for before, after in zip(passes, passes[1:]):
        assert end(before) <= after["ts"] + slack, (before, after)
    inside, at = 0, 0
    for node in nodes:
        while at < len(passes) and end(passes[at]) + slack < end(node):
            at += 1
        if at == len(passes):
            break  # of a pass that was cut off
        assert passes[at]["ts"] <= node["ts"] + slack, (passes[at], node)
        assert node["args"]["pass"] == passes[at]["name"]
        assert node["name"] == node["args"]["op"] and node["args"]["shape"][0] == "["
        inside += 1
    assert inside > 0
    assert any(node["args"]["gflop"] > 0 for node in nodes)


if __name__ == "__main__":
    checks = {
        "profile": profile,
        "memory": memory,
        "shares": shares,
        "more": more,
        "trace": trace,
        "cut": cut,
    }
    checks[sys.argv[1]](*sys.argv[2:])
