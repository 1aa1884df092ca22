#!/usr/bin/env python3
"""Writes manifest.json and results.bin: single steps of Meta-Weight-Net and of free modulation, by
PyTorch's double backward.

    python3 make_fixture.py [FOLDER]

Network, batches and weights are those of tests/data/hypergradient. README.md has the formulas.
"""
import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "hypergradient"))
import formula  # noqa: E402
import network  # noqa: E402

_spec = importlib.util.spec_from_file_location(
    "bilevel_fixture", HERE.parent / "hypergradient" / "make_fixture.py")
bilevel = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(bilevel)

HIDDEN, FIRST_NODE = 100, 1100
RATES = {"weights": 0.001, "count": 0.001, "free": 1.0}
PHI = {"weighting.fc1.weight": (HIDDEN, 1), "weighting.fc1.bias": (HIDDEN,),
       "weighting.fc2.weight": (1, HIDDEN), "weighting.fc2.bias": (1,),
       "free.scale": (bilevel.BATCH, network.CHANNELS),
       "free.shift": (bilevel.BATCH, network.CHANNELS)}


def tensor_list():
    """Entries for all that goes in: those of the other fixture but for its modulator, and phi."""
    entries = [e for e in bilevel.tensor_list() if not e["name"].startswith("modulator.")]
    for node, (name, shape) in enumerate(PHI.items(), FIRST_NODE):
        scale = 0.1 if name.startswith("free.") or ".fc2." in name else 1.0
        entry = {"name": name, "node": node, "shape": list(shape), "draw": "normal",
                 "scale": scale, "offset": 0.0}
        value = formula.tensor(bilevel.SEED, entry)
        entry.update(first=float(value.flat[0]), sum=float(value.sum(dtype=np.float64)))
        entries.append(entry)
    return entries


def weigh(phi, losses, by):
    """The factors of the losses in their mean."""
    x = F.relu(F.linear(losses[:, None], phi["weighting.fc1.weight"], phi["weighting.fc1.bias"]))
    v = torch.sigmoid(F.linear(x, phi["weighting.fc2.weight"], phi["weighting.fc2.bias"]))[:, 0]
    return v / v.mean() if by == "weights" else v


def objective(kind, w, phi, image, label, statistics=None):
    """L(w, H(phi)); what H reads is held constant."""
    if kind == "free":
        if statistics is not None:
            network.logits(w, image, statistics=statistics)
        h = (1 + phi["free.scale"], phi["free.shift"])
        return F.cross_entropy(network.logits(w, image, h), label)
    losses = F.cross_entropy(network.logits(w, image, statistics=statistics), label,
                             reduction="none")
    return (weigh(phi, losses.detach(), kind) * losses).mean()


def one_step(tensors, kind, number):
    """Every result of a step, by name, computed in one floating-point type."""
    t = {k: torch.tensor(v, dtype=None if v.dtype == np.int64 else number)
         for k, v in tensors.items()}
    w = {k: t[k].requires_grad_() for k in network.shapes()[0]}
    own = "free." if kind == "free" else "weighting."
    phi = {k: t[k].requires_grad_() for k in PHI if k.startswith(own)}
    image, label = t["train.image"], t["train.label"]
    r, statistics = {}, {}
    r["train_loss"] = objective(kind, w, phi, image, label, statistics)
    g1 = bilevel.gradient(r["train_loss"], w, create_graph=True)
    w_hat = {k: w[k] - bilevel.LR * g1[k] for k in w}
    r["meta_loss"] = F.cross_entropy(network.logits(w_hat, t["meta.image"]), t["meta.label"])
    hyper = bilevel.gradient(r["meta_loss"], phi)
    phi_new = {k: (phi[k] - RATES[kind] * hyper[k]).detach() for k in phi}
    r["final_loss"] = objective(kind, w, phi_new, image, label)
    g2 = bilevel.gradient(r["final_loss"], w)
    r.update({"hypergradient." + k: hyper[k] for k in phi})
    r.update({"new." + k: phi_new[k] for k in phi})
    r.update({"momentum." + k: g2[k] + bilevel.WEIGHT_DECAY * w[k] for k in w})
    for name, batch in statistics.items():
        for statistic, value in zip((".running_mean", ".running_var"), batch):
            r["new." + name + statistic] = (bilevel.KEEP * t[name + statistic] +
                                            (1 - bilevel.KEEP) * value)
    r["change"] = torch.sqrt(sum(((g2[k] - g1[k]) ** 2).sum() for k in w) /
                             sum((g1[k] ** 2).sum() for k in w))
    return {k: value.detach().double().numpy() for k, value in r.items()}


def meta_loss_at(tensors, kind, direction, step):
    """L_meta(w_hat(phi + step * direction)) in double, for the check by differences."""
    t = {k: torch.tensor(v.astype(np.float64) if v.dtype == np.float32 else v)
         for k, v in tensors.items()}
    w = {k: t[k].requires_grad_() for k in network.shapes()[0]}
    phi = {k: t[k] + step * torch.tensor(direction[k]) for k in direction}
    loss = objective(kind, w, phi, t["train.image"], t["train.label"])
    g1 = bilevel.gradient(loss, w)
    with torch.no_grad():
        w_hat = {k: w[k] - bilevel.LR * g1[k] for k in w}
        return F.cross_entropy(network.logits(w_hat, t["meta.image"]), t["meta.label"]).item()


def check_by_differences(tensors, kind, results):
    way = {k[len("hypergradient."):]: v for k, v in results.items()
           if k.startswith("hypergradient.")}
    norm = np.sqrt(sum((d ** 2).sum() for d in way.values()))
    way = {k: d / norm for k, d in way.items()}
    differences = []  # rounding spoils small steps, Relus that switch large ones
    for step in (1e-8, 1e-7, 1e-6, 1e-5):
        slope = (meta_loss_at(tensors, kind, way, step) -
                 meta_loss_at(tensors, kind, way, -step)) / (2 * step)
        differences.append(abs(slope - norm) / norm)
    return min(differences)


def stored(entries, kind, results):
    """Momentum is cut down to norms and samples."""
    node = {e["name"]: e for e in entries}
    for name, value in results.items():
        what, _, parameter = name.partition(".")
        if what == "momentum":
            yield "%s.momentum_norm.%s" % (kind, parameter), np.linalg.norm(value)
            yield ("%s.momentum_samples.%s" % (kind, parameter),
                   bilevel.sampled(node[parameter], value))
        elif what != "change":
            yield kind + "." + name, value


def main():
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE
    formula.self_check()
    torch.set_num_threads(1)
    entries = tensor_list()
    tensors = {e["name"]: formula.tensor(bilevel.SEED, e) for e in entries}
    rows, offset = [], 0
    with open(folder / "results.bin", "wb") as out:
        for kind in RATES:
            exact = one_step(tensors, kind, torch.float64)
            single = dict(stored(entries, kind, one_step(tensors, kind, torch.float32)))
            difference = check_by_differences(tensors, kind, exact)
            print("%s: losses %.6f %.6f %.6f; against differences %.2g; last gradient changed by "
                  "%.2g" % (kind, exact["train_loss"], exact["meta_loss"], exact["final_loss"],
                            difference, exact["change"]))
            if not difference < 1e-7:
                raise SystemExit("%s: the hypergradient is wrong" % kind)
            for name, value in stored(entries, kind, exact):
                value = np.asarray(value)
                out.write(value.astype("<f4").tobytes())
                error = bilevel.relative(value, single[name])
                rows.append({"name": name, "shape": list(value.shape), "offset": offset,
                             "float_error": float("%.2g" % error)})
                offset += value.size
    manifest = {"seed": bilevel.SEED, "stream": formula.STREAM_TEST, "batch": bilevel.BATCH,
                "lr": bilevel.LR, "momentum": bilevel.MOMENTUM,
                "weight_decay": bilevel.WEIGHT_DECAY, "keep": bilevel.KEEP,
                "epsilon": network.EPSILON, "samples": bilevel.SAMPLES,
                "samples_step": bilevel.STEP_OF_SAMPLES, "floats": offset}
    manifest.update({"rate." + kind: rate for kind, rate in RATES.items()})
    lines = [json.dumps(manifest)[:-1]]
    for key, table in (("tensors", entries), ("results", rows)):
        lines.append('"%s": [\n%s\n]' % (key, ",\n".join(json.dumps(row) for row in table)))
    (folder / "manifest.json").write_text(",\n".join(lines) + "}\n")
    for row in sorted(rows, key=lambda r: -r["float_error"])[:5]:
        print("float32 error of %s: %.2g" % (row["name"], row["float_error"]))


if __name__ == "__main__":
    main()
