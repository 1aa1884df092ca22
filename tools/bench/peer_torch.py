#!/usr/bin/env python3
"""Times PyTorch on what the engine does: a plain training step, and a step of MFM.

    python3 peer_torch.py [--iterations N] [--threads T] [--batch B] [--case CASE]

Prints one JSON line for each network and step: {"what", "seconds", "peak_rss_mb", ...}: the median
of N steps after two to warm up, and the peak resident memory of a process that did nothing else
(the interpreter and PyTorch's own libraries included).
Each case runs in its own process, once with PyTorch's default memory format and once with
channels_last; the faster of the two is what is printed, with its name.

The MFM step is the usual one: the virtual step keeps its graph (create_graph=True), the meta loss
is differentiated through it into the modulator (double backward), then the network takes its own
step. Both steps use a batch of B training images and the MFM step as many meta images; the data are
random. "fastest" far below "seconds" tells of a machine that was busy with something else.
"""
import argparse
import json
import resource
import statistics
import subprocess
import sys
import time

NETWORKS = {"lenet": ((1, 28, 28), 84), "resnet32": ((3, 32, 32), 64)}
FORMATS = ("contiguous", "channels_last")
CLASSES, HIDDEN, LR, MODULATOR_LR, MOMENTUM, WEIGHT_DECAY = 10, 100, 0.1, 1e-2, 0.9, 5e-4
WARM_UP = 2


def options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--iterations", type=int, default=15)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch", type=int, default=100)
    parser.add_argument("--case", help="NETWORK:plain|mfm:contiguous|channels_last, here and now")
    return parser.parse_args()


def run_case(option):
    import torch
    torch.set_num_threads(option.threads)
    torch.manual_seed(1)
    network, step, layout = option.case.split(":")
    case = Case(torch, network, option.batch, layout)
    run = {"plain": case.plain_step, "mfm": case.mfm_step}[step]
    seconds = []
    for _ in range(WARM_UP + option.iterations):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    if not all(value.isfinite().all() for value in case.w.values()):
        sys.exit("%s diverged: the times of numbers that are not finite say nothing" % option.case)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"what": "torch %s %s" % (network, step),
                      "seconds": round(statistics.median(seconds[WARM_UP:]), 5),
                      "fastest": round(min(seconds[WARM_UP:]), 5),
                      "peak_rss_mb": round(peak, 1), "format": layout, "batch": option.batch,
                      "threads": option.threads, "iterations": option.iterations,
                      "version": torch.__version__}))


class Case:
    """A network as a function of its parameters, so that a step's result can be used in a graph."""

    def __init__(self, torch, network, batch, layout):
        self.torch, self.F = torch, torch.nn.functional
        self.forward = {"lenet": self.lenet, "resnet32": self.resnet32}[network]
        image, self.channels = NETWORKS[network]
        self.w, self.state = {}, {}
        memory_format = getattr(torch, layout + "_format" if layout == "contiguous" else layout)
        self.images, self.meta_images = (
            torch.randn(batch, *image).to(memory_format=memory_format) for _ in range(2))
        self.labels, self.meta_labels = (torch.randint(0, CLASSES, (batch,)) for _ in range(2))
        self.define(network)
        for name, value in self.w.items():
            if value.dim() == 4:
                value = value.contiguous(memory_format=memory_format)
            self.w[name] = value.requires_grad_()
        self.phi = {"fc1.weight": torch.randn(HIDDEN, CLASSES) * 0.13,
                    "fc1.bias": torch.zeros(HIDDEN),
                    "fc2.weight": torch.zeros(2 * self.channels, HIDDEN),
                    "fc2.bias": torch.zeros(2 * self.channels)}
        for value in self.phi.values():
            value.requires_grad_()
        momentum = lambda p: {k: torch.zeros_like(v) for k, v in p.items()}
        self.momentum, self.phi_momentum = momentum(self.w), momentum(self.phi)

    def weight(self, name, *shape):
        fan_in = self.torch.Size(shape[1:]).numel()
        self.w[name + ".weight"] = self.torch.randn(*shape) * (2 / fan_in) ** 0.5

    def norm_weights(self, name, channels):
        self.w[name + ".weight"] = self.torch.ones(channels)
        self.w[name + ".bias"] = self.torch.zeros(channels)
        self.state[name] = (self.torch.zeros(channels), self.torch.ones(channels))

    def define(self, network):
        if network == "lenet":
            for name, shape in (("conv1", (6, 1, 5, 5)), ("conv2", (16, 6, 5, 5)),
                                ("conv3", (120, 16, 3, 3)), ("fc1", (84, 120)),
                                ("fc2", (CLASSES, 84))):
                self.weight(name, *shape)
                self.w[name + ".bias"] = self.torch.zeros(shape[0])
            return
        self.weight("conv1", 16, 3, 3, 3)
        self.norm_weights("bn1", 16)
        planes = 16
        for name, out, _ in self.blocks():
            self.weight(name + ".conv1", out, planes, 3, 3)
            self.weight(name + ".conv2", out, out, 3, 3)
            self.norm_weights(name + ".bn1", out)
            self.norm_weights(name + ".bn2", out)
            planes = out
        self.weight("fc", CLASSES, 64)
        self.w["fc.bias"] = self.torch.zeros(CLASSES)

    @staticmethod
    def blocks():
        """(name, channels, stride) of ResNet-32's fifteen basic blocks."""
        return [("layer%d.%d" % (stage + 1, i), 16 << stage, 2 if stage and i == 0 else 1)
                for stage in range(3) for i in range(5)]

    def lenet(self, w, x, modulation=None, track=False):
        """The paper's modified LeNet, modulated after fc1 and before its Relu."""
        F = self.F
        x = F.max_pool2d(F.relu(F.conv2d(x, w["conv1.weight"], w["conv1.bias"], padding=2)), 2)
        x = F.max_pool2d(F.relu(F.conv2d(x, w["conv2.weight"], w["conv2.bias"])), 2)
        x = F.relu(F.conv2d(x, w["conv3.weight"], w["conv3.bias"])).mean((2, 3))
        x = F.linear(x, w["fc1.weight"], w["fc1.bias"])
        if modulation is not None:
            x = x * modulation[0] + modulation[1]
        return F.linear(F.relu(x), w["fc2.weight"], w["fc2.bias"])

    def norm(self, w, name, x, track):
        """Batch statistics always; the running ones move only on the plain training pass."""
        mean, var = self.state[name] if track else (None, None)
        return self.F.batch_norm(x, mean, var, w[name + ".weight"], w[name + ".bias"], True, 0.1)

    def resnet32(self, w, x, modulation=None, track=False):
        """Option A shortcuts; modulated after the last batch normalisation, before the sum."""
        F = self.F
        x = F.relu(self.norm(w, "bn1", F.conv2d(x, w["conv1.weight"], padding=1), track))
        blocks = self.blocks()
        for name, out, stride in blocks:
            y = F.conv2d(x, w[name + ".conv1.weight"], stride=stride, padding=1)
            y = F.relu(self.norm(w, name + ".bn1", y, track))
            y = F.conv2d(y, w[name + ".conv2.weight"], padding=1)
            y = self.norm(w, name + ".bn2", y, track)
            if modulation is not None and name == blocks[-1][0]:
                y = y * modulation[0][:, :, None, None] + modulation[1][:, :, None, None]
            if stride == 2:
                x = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, out // 4, out // 4))
            x = F.relu(x + y)
        return F.linear(x.mean((2, 3)), w["fc.weight"], w["fc.bias"])

    def modulate(self, phi, soft_label):
        hidden = self.F.relu(self.F.linear(soft_label, phi["fc1.weight"], phi["fc1.bias"]))
        out = self.F.linear(hidden, phi["fc2.weight"], phi["fc2.bias"])
        return self.channels * self.F.softmax(out[:, :self.channels], 1), out[:, self.channels:]

    def sgd(self, parameters, gradients, momentum, lr, weight_decay):
        with self.torch.no_grad():
            for (name, value), gradient in zip(parameters.items(), gradients):
                momentum[name].mul_(MOMENTUM).add_(gradient).add_(value, alpha=weight_decay)
                value.sub_(momentum[name], alpha=lr)

    def plain_step(self):
        loss = self.F.cross_entropy(self.forward(self.w, self.images, track=True), self.labels)
        gradients = self.torch.autograd.grad(loss, list(self.w.values()))
        self.sgd(self.w, gradients, self.momentum, LR, WEIGHT_DECAY)

    def mfm_step(self):
        F, grad, w = self.F, self.torch.autograd.grad, self.w
        with self.torch.no_grad():
            soft_label = F.softmax(self.forward(w, self.images, track=True), 1)
        loss = F.cross_entropy(
            self.forward(w, self.images, self.modulate(self.phi, soft_label)), self.labels)
        g1 = grad(loss, list(w.values()), create_graph=True)
        virtual = {name: value - LR * g for (name, value), g in zip(w.items(), g1)}
        meta_loss = F.cross_entropy(self.forward(virtual, self.meta_images), self.meta_labels)
        hypergradient = grad(meta_loss, list(self.phi.values()))
        self.sgd(self.phi, hypergradient, self.phi_momentum, MODULATOR_LR, 0)
        with self.torch.no_grad():
            modulation = self.modulate(self.phi, soft_label)
        loss = F.cross_entropy(self.forward(w, self.images, modulation), self.labels)
        self.sgd(w, grad(loss, list(w.values())), self.momentum, LR, WEIGHT_DECAY)


def measure(option, network, step):
    """The faster memory format's line; a subprocess for each, so that memory peaks are its own."""
    results = []
    for layout in FORMATS:
        call = [sys.executable, __file__, "--case", "%s:%s:%s" % (network, step, layout)]
        for name in ("iterations", "threads", "batch"):
            call += ["--" + name, str(getattr(option, name))]
        done = subprocess.run(call, stdout=subprocess.PIPE, text=True, check=True)
        results.append(json.loads(done.stdout))
    return min(results, key=lambda result: result["seconds"])


def main():
    option = options()
    if option.case:
        return run_case(option)
    for network in NETWORKS:
        for step in ("plain", "mfm"):
            print(json.dumps(measure(option, network, step)), flush=True)


if __name__ == "__main__":
    main()
