#!/usr/bin/env python3
"""Writes losses.json: losses and gradients of logits by PyTorch, from the papers' formulas.

    python3 make_losses.py >losses.json

Logits, labels and counts are written by formula here and in tests/core/train/test_losses.c.
"""
import json
import math

import torch
import torch.nn.functional as F

N, C = 6, 5
COUNTS = torch.tensor([100., 30., 9., 2., 1.], dtype=torch.float64)
PRIOR = COUNTS / COUNTS.sum()
LABELS = torch.tensor([i * 2 % C for i in range(N)])
ONE_HOT = F.one_hot(LABELS, C).double()
# Labels mixed in pairs, as mixup does.
MIXED = 0.7 * ONE_HOT + 0.3 * ONE_HOT.flip(0)


def logits():
    z = torch.tensor([[2 * math.sin(1.3 * i + 0.7 * c + 0.2) for c in range(C)]
                      for i in range(N)], dtype=torch.float64)
    return z.requires_grad_()


def balanced(beta):
    w = (1 - beta) / (1 - beta ** COUNTS)
    return w / w.sum() * C


def by_label(loss, labels):
    """Any loss of class numbers, extended to shares: a sum over the classes."""
    return sum(labels[:, c] * loss(torch.full((N,), c)) for c in range(C))


def focal(z, gamma):
    def loss(y):
        ce = F.cross_entropy(z, y, reduction="none")
        return (1 - torch.exp(-ce)) ** gamma * ce
    return loss


def sigmoid_focal(z, gamma):
    def loss(y):
        t = F.one_hot(y, C).double()
        ce = F.binary_cross_entropy_with_logits(z, t, reduction="none")
        modulator = torch.exp(-gamma * t * z - gamma * torch.log(1 + torch.exp(-z)))
        return (modulator * ce).sum(1)
    return loss


def ldam(z, margin, scale):
    m = COUNTS ** -0.25
    m = m * (margin / m.max())
    # z is scale * cosine
    return lambda y: F.cross_entropy(z - scale * m[y][:, None] * F.one_hot(y, C), y,
                                     reduction="none")


def cosen(z):
    xi = torch.tensor([[1 / (1 + p + 2 * k) for k in range(C)] for p in range(C)],
                      dtype=torch.float64)

    def loss(y):
        weighted = xi[y] * torch.exp(z)
        return -torch.log(weighted.gather(1, y[:, None])[:, 0] / weighted.sum(1))
    return loss


def smoothed(z, eps):
    logp = F.log_softmax(z, 1)
    return lambda y: -(1 - eps[y]) * logp.gather(1, y[:, None])[:, 0] - eps[y] * logp.mean(1)


def las(head, tail):
    low, high = COUNTS.min(), COUNTS.max()
    return tail + (head - tail) * torch.sin(math.pi * (COUNTS - low) / (2 * (high - low)))


def cases():
    w = balanced(0.9999)
    inverse = 1 / COUNTS / (1 / COUNTS).sum() * C
    yield "cross-entropy", lambda z: F.cross_entropy(z, LABELS)
    yield "cross-entropy mixed", lambda z: F.cross_entropy(z, MIXED)
    yield "cross-entropy weighted", lambda z: (
        F.cross_entropy(z, LABELS, weight=w, reduction="sum") / N)
    yield "cross-entropy weighted mean", lambda z: F.cross_entropy(z, LABELS, weight=w)
    yield "cross-entropy inverse mean", lambda z: F.cross_entropy(z, LABELS, weight=inverse)
    yield "cross-entropy weighted mixed", lambda z: F.cross_entropy(z, MIXED, weight=w)
    yield "balanced-softmax", lambda z: F.cross_entropy(z + COUNTS.log(), LABELS)
    yield "logit-adjustment", lambda z: F.cross_entropy(z + 0.5 * PRIOR.log(), LABELS)
    yield "cosen", lambda z: cosen(z)(LABELS).mean()
    yield "cosen weighted mean mixed", lambda z: (
        by_label(lambda y: w[y] * cosen(z)(y), MIXED).sum() / (MIXED @ w).sum())
    yield "focal softmax", lambda z: focal(z, 2)(LABELS).mean()
    yield "focal softmax mixed", lambda z: by_label(focal(z, 0.5), MIXED).mean()
    yield "focal softmax weighted mean", lambda z: (
        (w[LABELS] * focal(z, 1)(LABELS)).sum() / w[LABELS].sum())
    yield "focal sigmoid", lambda z: sigmoid_focal(z, 0.5)(LABELS).mean()
    yield "focal sigmoid weighted", lambda z: (w[LABELS] * sigmoid_focal(z, 1)(LABELS)).mean()
    yield "focal sigmoid mixed", lambda z: by_label(sigmoid_focal(z, 2), MIXED).mean()
    yield "sigmoid", lambda z: F.binary_cross_entropy_with_logits(z, ONE_HOT, reduction="sum") / N
    yield "sigmoid weighted mean", lambda z: (
        (w[LABELS] * F.binary_cross_entropy_with_logits(z, ONE_HOT, reduction="none").sum(1)).sum()
        / w[LABELS].sum())
    yield "ldam", lambda z: ldam(z, 0.5, 30)(LABELS).mean()
    yield "ldam weighted mean", lambda z: (
        (w[LABELS] * ldam(z, 0.5, 30)(LABELS)).sum() / w[LABELS].sum())
    yield "ldam mixed", lambda z: by_label(ldam(z, 0.5, 30), MIXED).mean()
    yield "label-smoothing", lambda z: F.cross_entropy(z, LABELS, label_smoothing=0.1)
    yield "label-aware-smoothing", lambda z: smoothed(z, las(0.4, 0.1))(LABELS).mean()
    yield "label-aware-smoothing weighted mixed", lambda z: by_label(
        lambda y: w[y] * smoothed(z, las(0.4, 0.1))(y), MIXED).mean()


def main():
    out = {}
    for name, loss in cases():
        z = logits()
        value = loss(z)
        value.backward()
        out[name] = {"loss": value.item(), "gradient": z.grad.flatten().tolist()}
    print(json.dumps(out, indent=1))


main()
