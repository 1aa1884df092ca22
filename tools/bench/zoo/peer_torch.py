#!/usr/bin/env python3
"""Times PyTorch on a classifier of torchvision: a plain training step, or a step of MFM.

    python3 peer_torch.py NETWORK plain|mfm [--layer MODULE] [--axis N] [--batch N] [--threads T]
                          [--iterations N] [--form contiguous|channels_last|compiled]

Prints one JSON line as ../peer_torch.py does. The network is that of the file (export.py): without
Dropout, BatchNormalization over the batch. MFM is the usual double backward; MODULE is what is
modulated, with its channels on that axis. compiled: by torch.compile, in channels_last.
"""
import argparse
import json
import resource
import statistics
import sys
import time

CLASSES, HIDDEN, RATE, META_RATE, MOMENTUM, WARM_UP = 1000, 100, 1e-3, 1e-2, 0.9, 1


def options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("network")
    parser.add_argument("step", choices=("plain", "mfm"))
    parser.add_argument("--layer")
    parser.add_argument("--axis", type=int, default=1)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--iterations", type=int, default=3)
    parser.add_argument("--form", choices=("contiguous", "channels_last", "compiled"),
                        default="channels_last")
    return parser.parse_args()


class Training:
    def __init__(self, torch, option):
        import torchvision
        self.torch, self.F, self.option = torch, torch.nn.functional, option
        layout = torch.contiguous_format if option.form == "contiguous" else torch.channels_last
        network = torchvision.models.get_model(option.network, weights=None).eval()
        for module in network.modules():
            if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
                module.train()
        self.network = network.to(memory_format=layout)
        draw = lambda: (torch.randn(option.batch, 3, 224, 224).to(memory_format=layout),
                        torch.randint(0, CLASSES, (option.batch,)))
        (self.images, self.labels), (self.meta_images, self.meta_labels) = draw(), draw()
        self.optimizer = torch.optim.SGD(network.parameters(), RATE, MOMENTUM, weight_decay=5e-4)
        self.modulation = None
        if option.step == "mfm":
            network.get_submodule(option.layer).register_forward_hook(self.modulate)
            self.make_modulator()
        self.call = torch.compile(network) if option.form == "compiled" else network

    def modulate(self, module, inputs, output):
        """gamma and beta, [n, channels], each along its axis of the output."""
        self.channels = output.shape[self.option.axis]
        if self.modulation is None:
            return None
        shape = [1] * output.dim()
        shape[0], shape[self.option.axis] = len(output), self.channels
        gamma, beta = (value.reshape(shape) for value in self.modulation)
        return output * gamma + beta

    def make_modulator(self):
        torch = self.torch
        with torch.no_grad():
            self.network(self.images)
        self.modulator = torch.nn.Sequential(torch.nn.Linear(CLASSES, HIDDEN), torch.nn.ReLU(),
                                             torch.nn.Linear(HIDDEN, 2 * self.channels))
        torch.nn.init.zeros_(self.modulator[2].weight)
        torch.nn.init.zeros_(self.modulator[2].bias)
        self.meta_optimizer = torch.optim.SGD(self.modulator.parameters(), META_RATE, MOMENTUM)

    def modulations(self, soft_label):
        gamma, beta = self.modulator(soft_label).split(self.channels, 1)
        return self.channels * self.F.softmax(gamma, 1), beta

    def logits(self, images, weights, modulation=None):
        self.modulation = modulation
        try:
            from torch.func import functional_call
        except ImportError:
            from torch.nn.utils.stateless import functional_call
        out = functional_call(self.network, weights, (images,)) if weights else self.call(images)
        self.modulation = None
        return out

    def plain(self):
        self.optimizer.zero_grad()
        self.F.cross_entropy(self.call(self.images), self.labels).backward()
        self.optimizer.step()

    def mfm(self):
        F, torch = self.F, self.torch
        weights = dict(self.network.named_parameters())
        with torch.no_grad():
            soft_label = F.softmax(self.network(self.images), 1)
        logits = self.logits(self.images, None, self.modulations(soft_label))
        slopes = torch.autograd.grad(F.cross_entropy(logits, self.labels), list(weights.values()),
                                     create_graph=True)
        virtual = {name: value - RATE * slope
                   for (name, value), slope in zip(weights.items(), slopes)}
        self.meta_optimizer.zero_grad()
        meta_loss = F.cross_entropy(self.logits(self.meta_images, virtual), self.meta_labels)
        parameters = list(self.modulator.parameters())
        for value, slope in zip(parameters, torch.autograd.grad(meta_loss, parameters)):
            value.grad = slope
        self.meta_optimizer.step()
        with torch.no_grad():
            modulation = self.modulations(soft_label)
        self.optimizer.zero_grad()
        F.cross_entropy(self.logits(self.images, None, modulation), self.labels).backward()
        self.optimizer.step()


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
    if not all(value.isfinite().all() for value in training.network.parameters()):
        sys.exit("the step diverged: the times of numbers that are not finite say nothing")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"seconds": statistics.median(seconds[WARM_UP:]),
                      "fastest": min(seconds[WARM_UP:]), "peak_rss_bytes": peak,
                      "version": "torch " + torch.__version__}))


if __name__ == "__main__":
    main()
