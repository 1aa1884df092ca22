#!/usr/bin/env python3
"""Writes manifest.json and results.bin: one exact bilevel step of a small ResNet, by PyTorch.

    python3 make_fixture.py [FOLDER]

The gradient of the meta loss with respect to the modulator is taken by reverse mode through the
virtual step (double backward), an algorithm that shares nothing with a tangent sweep. README.md has
the formulas.
"""
import json
import math
import sys
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

import formula
import network

SEED, BATCH, SAMPLES, STEP_OF_SAMPLES = 2020, 8, 32, 1
LR, MOMENTUM, WEIGHT_DECAY, MODULATOR_LR, KEEP = 0.1, 0.9, 5e-4, 1e-2, 0.9


def formula_of(name, shape):
    """How the elements of one tensor are drawn: (draw, scale, offset)."""
    if name.startswith("modulator."):
        fan = {"modulator.fc1.weight": shape[0] + shape[-1], "modulator.fc2.weight": 100}.get(name)
        return ("normal", math.sqrt(2 / fan) if fan else 0.1, 0.0)
    if name.endswith("running_var"):
        return ("uniform", 1.0, 0.5)
    if ".bn" in "." + name:
        return ("normal", 0.1, 1.0 if name.endswith(".weight") else 0.0)
    if name.endswith(".weight"):
        return ("normal", math.sqrt((1 if name == "fc.weight" else 2) / np.prod(shape[1:])), 0.0)
    return ("normal", 1.0 if name.endswith(".image") else 0.1, 0.0)


def tensor_list():
    """The manifest's entries for all that goes in, with their numbers (the node of the key)."""
    w, phi = network.shapes()
    shapes = {**w, **phi}
    for name in [n for n in w if ".bn" in "." + n and n.endswith(".weight")]:
        shapes[name[:-6] + "running_mean"] = shapes[name[:-6] + "running_var"] = w[name]
    for part in ("train", "meta"):
        shapes[part + ".image"], shapes[part + ".label"] = (BATCH, 3, 32, 32), (BATCH,)
    entries = []
    for node, (name, shape) in enumerate(shapes.items()):
        entry = {"name": name, "node": node, "shape": list(shape)}
        if name.endswith(".label"):
            entry.update(draw="below", bound=network.CLASSES)
        else:
            entry.update(zip(("draw", "scale", "offset"), formula_of(name, shape)))
        value = formula.tensor(SEED, entry)
        entry.update(first=float(value.flat[0]), sum=float(value.sum(dtype=np.float64)))
        entries.append(entry)
    return entries


def gradient(loss, by, **options):
    return dict(zip(by, torch.autograd.grad(loss, list(by.values()), **options)))


def bilevel_step(tensors, kind):
    """Every result of the step, by name, computed in one floating-point type."""
    w_shapes, phi_shapes = network.shapes()
    t = {k: torch.tensor(v, dtype=None if v.dtype == np.int64 else kind)
         for k, v in tensors.items()}
    w = {k: t[k].requires_grad_() for k in w_shapes}
    phi = {k: t[k].requires_grad_() for k in phi_shapes}
    image, label = t["train.image"], t["train.label"]
    r, batch_statistics = {}, {}

    with torch.no_grad():
        r["logits"] = network.logits(w, image, statistics=batch_statistics)
        soft_label = r["soft_label"] = F.softmax(r["logits"], 1)

    h = network.modulate(phi, soft_label)
    r["gamma"], r["beta"] = h
    r["modulated_logits"] = network.logits(w, image, h)
    r["train_loss"] = F.cross_entropy(r["modulated_logits"], label)
    g1 = gradient(r["train_loss"], w, create_graph=True)
    w_hat = {k: w[k] - LR * g1[k] for k in w}
    r["meta_logits"] = network.logits(w_hat, t["meta.image"])
    r["meta_loss"] = F.cross_entropy(r["meta_logits"], t["meta.label"])
    v = gradient(r["meta_loss"], w_hat, retain_graph=True)
    tangent = sum((g1[k] * v[k].detach()).sum() for k in w)
    r["dgamma_tangent"], r["dbeta_tangent"] = torch.autograd.grad(tangent, h, retain_graph=True)
    hyper = gradient(r["meta_loss"], phi)

    phi_new = {k: (phi[k] - MODULATOR_LR * hyper[k]).detach() for k in phi}
    loss = F.cross_entropy(network.logits(w, image, network.modulate(phi_new, soft_label)), label)
    g2 = gradient(loss, w)
    r["final_loss"] = loss
    r.update({"g1." + k: g1[k] for k in w})
    r.update({"v." + k: v[k] for k in w})
    r.update({"hypergradient." + k: hyper[k] for k in phi})
    r.update({"new." + k: phi_new[k] for k in phi})
    for name, batch in batch_statistics.items():
        for statistic, value in zip((".running_mean", ".running_var"), batch):
            r["new." + name + statistic] = KEEP * t[name + statistic] + (1 - KEEP) * value
    r.update({"momentum." + k: g2[k] + WEIGHT_DECAY * w[k] for k in w})
    return {k: value.detach().double().numpy() for k, value in r.items()}


def meta_loss_at(tensors, direction, step):
    """L_meta(w_hat(phi + step * direction)) in double, for the check by differences."""
    moved = {k: v.astype(np.float64) if v.dtype == np.float32 else v for k, v in tensors.items()}
    for name, way in direction.items():
        moved[name] = moved[name] + step * way
    w_shapes, phi_shapes = network.shapes()
    t = {k: torch.tensor(v) for k, v in moved.items()}
    w = {k: t[k].requires_grad_() for k in w_shapes}
    with torch.no_grad():
        h = network.modulate({k: t[k] for k in phi_shapes},
                             F.softmax(network.logits(w, t["train.image"]), 1))
    loss = F.cross_entropy(network.logits(w, t["train.image"], h), t["train.label"])
    g1 = gradient(loss, w)
    with torch.no_grad():
        w_hat = {k: w[k] - LR * g1[k] for k in w}
        return F.cross_entropy(network.logits(w_hat, t["meta.image"]), t["meta.label"]).item()


def check_by_differences(tensors, results):
    """The relative difference of the hypergradient's norm from central differences along it.

    The step has to be small: the virtual gradient jumps wherever a Relu switches.
    """
    way = {k: results["hypergradient." + k] for k in network.shapes()[1]}
    norm = math.sqrt(sum((d ** 2).sum() for d in way.values()))
    way, step = {k: d / norm for k, d in way.items()}, 1e-6
    slope = (meta_loss_at(tensors, way, step) - meta_loss_at(tensors, way, -step)) / (2 * step)
    return abs(slope - norm) / norm


def sampled(entry, value):
    """The elements of one parameter-sized result that are stored: index j is below(j, count)."""
    index = formula.below(SEED, entry["node"], STEP_OF_SAMPLES, SAMPLES, value.size)
    return value.reshape(-1)[index]


def stored(entries, results):
    """Cuts g1 and v down to norms and samples."""
    node = {e["name"]: e for e in entries}
    for name, value in results.items():
        kind, _, parameter = name.partition(".")
        if kind in ("g1", "v"):
            yield kind + "_norm." + parameter, np.linalg.norm(value)
            yield kind + "_samples." + parameter, sampled(node[parameter], value)
        else:
            yield name, value


def relative(exact, rounded):
    """|a - b| / |a| over whole tensors."""
    return float(np.linalg.norm(rounded - exact) / np.linalg.norm(exact))


def write(folder, entries, exact, rounded):
    results, offset = [], 0
    single = dict(stored(entries, rounded))
    with open(folder / "results.bin", "wb") as out:
        for name, value in stored(entries, exact):
            value = np.asarray(value)
            out.write(value.astype("<f4").tobytes())
            results.append({"name": name, "shape": list(value.shape), "offset": offset,
                            "float_error": float("%.2g" % relative(value, single[name]))})
            offset += value.size
    manifest = {"seed": SEED, "stream": formula.STREAM_TEST, "batch": BATCH, "lr": LR,
                "momentum": MOMENTUM, "weight_decay": WEIGHT_DECAY, "modulator_lr": MODULATOR_LR,
                "keep": KEEP, "epsilon": network.EPSILON, "samples": SAMPLES,
                "samples_step": STEP_OF_SAMPLES, "floats": offset}
    lines = [json.dumps(manifest)[:-1]]
    for key, rows in (("tensors", entries), ("results", results)):
        lines.append('"%s": [\n%s\n]' % (key, ",\n".join(json.dumps(row) for row in rows)))
    (folder / "manifest.json").write_text(",\n".join(lines) + "}\n")


def main():
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    formula.self_check()
    torch.set_num_threads(1)
    entries = tensor_list()
    tensors = {e["name"]: formula.tensor(SEED, e) for e in entries}
    exact = bilevel_step(tensors, torch.float64)
    rounded = bilevel_step(tensors, torch.float32)

    w, phi = network.shapes()
    join = lambda r, kind, names: np.concatenate([r[kind + "." + k].reshape(-1) for k in names])
    print("losses: train %.6f meta %.6f final %.6f" %
          tuple(float(exact[k]) for k in ("train_loss", "meta_loss", "final_loss")))
    difference = check_by_differences(tensors, exact)
    print("hypergradient against central differences: %.2g" % difference)
    if not difference < 1e-7:
        raise SystemExit("the hypergradient is wrong: it differs from central differences")
    write(folder, entries, exact, rounded)
    print("change of the last gradient by the modulator's step: %.2g" % relative(
        join(exact, "g1", w), join(exact, "momentum", w) -
        WEIGHT_DECAY * np.concatenate([tensors[k].reshape(-1) for k in w])))
    for kind, names in (("g1", w), ("v", w), ("hypergradient", phi), ("momentum", w)):
        print("float32 error of %s: %.2g" % (kind, relative(join(exact, kind, names),
                                                           join(rounded, kind, names))))


if __name__ == "__main__":
    main()
