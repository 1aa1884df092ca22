"""Whole runs of training in double precision by PyTorch's autograd, from the papers' formulas.

The network is Conv, BatchNormalization, Relu, Flatten, fc1, Relu, fc2; a batch is the whole set, so
that no order of images matters and an epoch is a step. A modulator reads softmax(logits) and sits
behind fc1. What a case chooses is a dictionary; keys that it lacks have the values of DEFAULTS.
"""
import math

import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)
PARAMS = ("conv.w", "conv.b", "bn.g", "bn.b", "fc1.w", "fc1.b", "fc2.w", "fc2.b")
DEFAULTS = dict(method="base", loss="cross-entropy", weights="none", over="samples", defer=0,
                optimizer="sgd", lr=0.05, decay=5e-4, spare=False, warmup=0, cosine=False, rho=0,
                modulator_lr=0.3, adjusted=False, full=False, classifier=False, every=1, first=1,
                finish="none", frozen=())


class Run:
    def __init__(self, case, start, images, labels):
        self.c = {**DEFAULTS, **case}
        self.x, self.y = images, labels
        self.counts = torch.bincount(labels).double()
        self.w = {k: start[k].clone() for k in PARAMS}
        self.phi = {k: v.clone() for k, v in start.items()
                    if k.split(".")[-1] in ("weight", "bias")}
        if self.c["method"] == "mfm-free":
            self.phi = {k: torch.zeros(len(labels), len(start["fc1.b"])) for k in ("gamma", "beta")}
        self.moments, self.phi_moments, self.steps = {}, {}, 0
        self.statistics = [start["bn.m"], start["bn.v"]]
        self.losses = []

    # ---- the network

    def logits(self, w, x, h=None, statistics=None, keep=None):
        c = F.conv2d(x, w["conv.w"], w["conv.b"], padding=1)
        mean, variance = statistics or (c.mean((0, 2, 3)), c.var((0, 2, 3), unbiased=False))
        if keep is not None:
            keep[:] = [mean.detach(), variance.detach()]
        c = (c - mean[:, None, None]) / torch.sqrt(variance + 1e-5)[:, None, None]
        c = F.relu(c * w["bn.g"][:, None, None] + w["bn.b"][:, None, None])
        f = c.flatten(1) @ w["fc1.w"].T + w["fc1.b"]
        f = F.relu(f if h is None else f * h[0] + h[1])
        if self.c["loss"] == "ldam":
            return 30 * F.normalize(f, dim=1) @ F.normalize(w["fc2.w"], dim=1).T
        return f @ w["fc2.w"].T + w["fc2.b"]

    # ---- losses

    def adjust(self, z):
        return z + torch.log(self.counts / self.counts.sum()) \
            if self.c["loss"] == "logit-adjustment" else z

    def class_weights(self, epoch):
        n = self.counts
        w = {"class-balanced": (1 - 0.9) / (1 - 0.9 ** n), "inverse": 1 / n,
             "none": torch.ones_like(n)}[self.c["weights"] if epoch >= self.c["defer"] else "none"]
        return (w / w.sum() * len(n))[self.y]

    def sample_losses(self, z, epoch):
        n, y, kind = self.counts, self.y, self.c["loss"]
        one_hot = F.one_hot(y, len(n)).double()
        losses = F.cross_entropy(self.adjust(z), y, reduction="none")
        if kind == "focal":
            losses = (1 - torch.exp(-losses)) ** 2 * losses
        elif kind == "sigmoid":
            losses = F.binary_cross_entropy_with_logits(z, one_hot, reduction="none").sum(1)
        elif kind == "ldam":
            margin = 0.5 * (n / n.min()) ** -0.25
            losses = F.cross_entropy(z - 30 * margin[y][:, None] * one_hot, y, reduction="none")
        elif kind == "label-aware-smoothing":
            share = (n - n.min()) / (n.max() - n.min())
            eps = (0.1 + 0.3 * torch.sin(math.pi * share / 2))[y]
            losses = (1 - eps) * losses + eps * -F.log_softmax(z, 1).mean(1)
        return losses * self.class_weights(epoch)

    def mean(self, losses, epoch, weights=1):
        by = self.class_weights(epoch).sum() if self.c["over"] == "weights" else len(losses)
        return (losses * weights).sum() / by

    # ---- methods

    def modulation(self, phi, plain):
        if self.c["method"] == "mfm-free":
            return 1 + phi["gamma"], phi["beta"]
        plain = plain.detach()
        soft = torch.softmax(self.adjust(plain) if self.c["adjusted"] else plain, 1)
        hidden = F.relu(soft @ phi["mfm.hidden.weight"].T + phi["mfm.hidden.bias"])
        out = hidden @ phi["mfm.output.weight"].T + phi["mfm.output.bias"]
        channels = out.shape[1] // 2
        return channels * torch.softmax(out[:, :channels], 1), out[:, channels:]

    def objective(self, w, h, epoch):
        method = self.c["method"]
        modulated = h if method in ("mfm", "mfm-free") else None
        losses = self.sample_losses(self.logits(w, self.x, modulated), epoch)
        return self.mean(losses, epoch, h if method == "l2rw" else 1)

    def agreement(self, w, trained, epoch):
        """L2RW's weights, sample by sample, times their number."""
        v = torch.autograd.grad(F.cross_entropy(self.logits(w, self.x), self.y), trained)
        losses = self.sample_losses(self.logits(w, self.x), epoch)
        g = [sum((a * b).sum() for a, b in
                 zip(torch.autograd.grad(loss, trained, retain_graph=True), v)) for loss in losses]
        g = torch.stack(g).clamp(min=0)
        return g / g.sum() * len(g)

    def meta_step(self, w, names, plain, lr, epoch):
        """phi along d L_meta(w^(phi)) / d phi, by double backward."""
        phi = {k: v.clone().requires_grad_() for k, v in self.phi.items()}
        names = [k for k in names if k.startswith("fc2") or not self.c["classifier"]]
        loss = self.objective(w, self.modulation(phi, plain), epoch)
        gradient = torch.autograd.grad(loss, [w[k] for k in names], create_graph=True)
        moved = dict(w)
        for k, g in zip(names, gradient):
            moved[k] = w[k] - lr * (self.sgd(k, w[k], g) if self.c["full"] else g)
        meta = F.cross_entropy(self.logits(moved, self.x), self.y)
        for k, g in zip(phi, torch.autograd.grad(meta, list(phi.values()))):
            self.phi_moments[k] = 0.9 * self.phi_moments.get(k, 0) + g
            self.phi[k] = self.phi[k] - self.c["modulator_lr"] * self.phi_moments[k]

    # ---- steps

    def decay(self, w):
        return 0 if self.c["spare"] and w.dim() < 2 else self.c["decay"]

    def sgd(self, name, w, g):
        """What lr multiplies in a step of sgd, which is not taken."""
        d = g + self.decay(w) * w
        m = 0.9 * self.moments.get(name, 0) + d
        return d + 0.9 * m if self.c["optimizer"] == "nesterov" else m

    def move(self, name, g, lr):
        w, kind = self.w[name], self.c["optimizer"]
        decay = self.decay(w)
        if kind in ("sgd", "nesterov"):
            self.w[name] = w - lr * self.sgd(name, w, g)
            self.moments[name] = 0.9 * self.moments.get(name, 0) + g + decay * w
            return
        d = g if kind == "adamw" else g + decay * w
        m, v = self.moments.get(name, (0, 0))
        m, v = 0.9 * m + 0.1 * d, 0.999 * v + 0.001 * d * d
        self.moments[name] = m, v
        root = torch.sqrt(v / (1 - 0.999 ** self.steps)) + 1e-8
        self.w[name] = w * (1 - lr * decay if kind == "adamw" else 1) \
            - lr * m / (1 - 0.9 ** self.steps) / root

    def rate(self, epoch, epochs):
        lr = self.c["lr"] * (1 + math.cos(math.pi * epoch / epochs)) / 2 \
            if self.c["cosine"] else self.c["lr"]
        return lr * (epoch + 1) / self.c["warmup"] if epoch < self.c["warmup"] else lr

    def epoch(self, epoch, epochs):
        c, lr, kept = self.c, self.rate(epoch, epochs), []
        names = [k for k in PARAMS if k not in c["frozen"]
                 and not (c["loss"] == "ldam" and k == "fc2.b")]
        w = {k: v.clone().requires_grad_(k in names) for k, v in self.w.items()}
        trained = [w[k] for k in names]
        plain = self.logits(w, self.x, keep=kept)
        h = None
        if c["method"] in ("mfm", "mfm-free"):
            if epoch + 1 >= c["first"] and epoch % c["every"] == 0:
                self.meta_step(w, names, plain, lr, epoch)
            h = tuple(v.detach() for v in self.modulation(self.phi, plain))
        elif c["method"] == "l2rw":
            h = self.agreement(w, trained, epoch)
        loss = self.objective(w, h, epoch)
        gradient = torch.autograd.grad(loss, trained)
        self.losses.append(loss.item())
        if c["rho"]:
            length = math.sqrt(sum((g * g).sum() for g in gradient))
            near = {k: v.detach() for k, v in w.items()}
            for k, g in zip(names, gradient):
                near[k] = (near[k] + c["rho"] / length * g).requires_grad_()
            gradient = torch.autograd.grad(self.objective(near, h, epoch), [near[k] for k in names])
        self.steps += 1
        for k, g in zip(names, gradient):
            self.move(k, g, lr)
        self.statistics = [0.9 * a + 0.1 * b for a, b in zip(self.statistics, kept)]

    def finished(self, images):
        """Logits of the classifier that is written."""
        w = dict(self.w)
        if self.c["finish"] == "logit-adjustment":
            w["fc2.b"] = w["fc2.b"] - torch.log(self.counts / self.counts.sum())
        if self.c["finish"] == "tau-normalisation":
            w["fc2.w"] = w["fc2.w"] / w["fc2.w"].norm(dim=1, keepdim=True)
            w["fc2.b"] = torch.zeros_like(w["fc2.b"])
        with torch.no_grad():
            return self.logits(w, images, statistics=self.statistics).numpy()


def train(case, start, images, labels, epochs):
    run = Run(case, start, images, labels)
    for epoch in range(epochs):
        run.epoch(epoch, epochs)
    return run
