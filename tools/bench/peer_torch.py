#!/usr/bin/env python3
"""Times PyTorch on what the engine does: a plain training step, or a step of MFM.

    python3 peer_torch.py NETWORK plain|mfm [--layers A,B] [--batch N] [--threads T]
                          [--iterations N] [--layout channels_last|contiguous]

Prints one JSON line: the median of the steps after two to warm up, and the peak resident memory of
the process, interpreter and libraries included.

The MFM step is the usual one: the virtual step keeps its graph (create_graph=True), the meta loss
is differentiated through it into the modulator (double backward), then the network takes its own
step. One modulator network makes gamma and beta of all modulated layers. A batch of training images
and as many meta images; the data are random.
"""
import argparse
import json
import resource
import statistics
import sys
import time

from peer_networks import CLASSES, IMAGES, Network

HIDDEN, LR, MODULATOR_LR, MOMENTUM, WEIGHT_DECAY = 100, 1e-3, 1e-2, 0.9, 5e-4
WARM_UP = 2


def options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("network", choices=sorted(CLASSES))
    parser.add_argument("step", choices=("plain", "mfm"))
    parser.add_argument("--layers", default="", help="modulated layers, by comma")
    parser.add_argument("--batch", type=int, default=100)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--iterations", type=int, default=15)
    parser.add_argument("--layout", choices=("channels_last", "contiguous"),
                        default="channels_last")
    return parser.parse_args()


class Training:
    def __init__(self, torch, option):
        self.torch, self.F = torch, torch.nn.functional
        self.network = Network(torch, option.network)
        self.w = self.network.w
        layout = getattr(torch, {"contiguous": "contiguous_format"}.get(option.layout,
                                                                        option.layout))
        for name, value in self.w.items():
            if value.dim() == 4:
                value = value.contiguous(memory_format=layout)
            self.w[name] = value.requires_grad_()
        batch, classes = option.batch, CLASSES[option.network]
        self.images, self.meta_images = (
            torch.randn(batch, *IMAGES[option.network]).to(memory_format=layout) for _ in range(2))
        self.labels, self.meta_labels = (torch.randint(0, classes, (batch,)) for _ in range(2))
        self.momentum = {name: torch.zeros_like(value) for name, value in self.w.items()}
        self.layers = [layer for layer in option.layers.split(",") if layer]
        self.make_modulator(classes)

    def make_modulator(self, classes):
        torch = self.torch
        self.channels = [self.network.channels[layer] for layer in self.layers]
        width = 2 * sum(self.channels)
        self.phi = {"hidden.weight": torch.randn(HIDDEN, classes) * (2 / (HIDDEN + classes)) ** 0.5,
                    "hidden.bias": torch.zeros(HIDDEN),
                    "output.weight": torch.zeros(width, HIDDEN),
                    "output.bias": torch.zeros(width)}
        for value in self.phi.values():
            value.requires_grad_()
        self.phi_momentum = {name: torch.zeros_like(value) for name, value in self.phi.items()}

    def modulations(self, soft_label):
        """gamma = channels * softmax over a layer's own channels, beta free: by layer."""
        F, phi = self.F, self.phi
        hidden = F.relu(F.linear(soft_label, phi["hidden.weight"], phi["hidden.bias"]))
        out = F.linear(hidden, phi["output.weight"], phi["output.bias"])
        parts = out.split(self.channels * 2, 1)
        count = len(self.layers)
        return {layer: (self.channels[i] * F.softmax(parts[i], 1), parts[count + i])
                for i, layer in enumerate(self.layers)}

    def sgd(self, parameters, gradients, momentum, lr, weight_decay):
        with self.torch.no_grad():
            for (name, value), gradient in zip(parameters.items(), gradients):
                momentum[name].mul_(MOMENTUM).add_(gradient).add_(value, alpha=weight_decay)
                value.sub_(momentum[name], alpha=lr)

    def plain(self):
        loss = self.F.cross_entropy(self.network(self.images, track=True), self.labels)
        gradients = self.torch.autograd.grad(loss, list(self.w.values()))
        self.sgd(self.w, gradients, self.momentum, LR, WEIGHT_DECAY)

    def mfm(self):
        F, grad, w, network = self.F, self.torch.autograd.grad, self.w, self.network
        with self.torch.no_grad():
            soft_label = F.softmax(network(self.images, track=True), 1)
        logits = network(self.images, modulations=self.modulations(soft_label))
        g1 = grad(F.cross_entropy(logits, self.labels), list(w.values()), create_graph=True)
        virtual = {name: value - LR * g for (name, value), g in zip(w.items(), g1)}
        meta_loss = F.cross_entropy(network(self.meta_images, virtual), self.meta_labels)
        hypergradient = grad(meta_loss, list(self.phi.values()))
        self.sgd(self.phi, hypergradient, self.phi_momentum, MODULATOR_LR, 0)
        with self.torch.no_grad():
            modulations = self.modulations(soft_label)
        loss = F.cross_entropy(network(self.images, modulations=modulations), self.labels)
        self.sgd(w, grad(loss, list(w.values())), self.momentum, LR, WEIGHT_DECAY)


def main():
    option = options()
    import torch
    torch.set_num_threads(option.threads)
    torch.manual_seed(1)
    training = Training(torch, option)
    step = getattr(training, option.step)
    seconds = []
    for _ in range(WARM_UP + option.iterations):
        start = time.perf_counter()
        step()
        seconds.append(time.perf_counter() - start)
    if not all(value.isfinite().all() for value in training.w.values()):
        sys.exit("the step diverged: the times of numbers that are not finite say nothing")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"seconds": statistics.median(seconds[WARM_UP:]),
                      "fastest": min(seconds[WARM_UP:]), "peak_rss_bytes": peak,
                      "version": "torch " + torch.__version__}))


if __name__ == "__main__":
    main()
