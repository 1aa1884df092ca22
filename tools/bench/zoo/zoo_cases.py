"""Classifiers of torchvision at 224 x 224, batch 8: measurements and rows.

    ("zoo_torch", peer, network, step, batch, threads, where)   the best of its forms

Files are exported once, by the last --python (with torchvision and onnx), into --cache FOLDER. With
--compiled, torch.compile is one more form of a PyTorch from 2.0 on: its first run takes minutes a
network, later ones find what it made in the folder.
"""
import os

from row import Row, milliseconds

HERE = os.path.dirname(os.path.abspath(__file__))
BATCH = 8
GOALS = {"resnet50": 1.6, "densenet121": 1.6, "efficientnet_b0": 1.6, "mobilenet_v3_large": 1.6,
         "vit_b_16": 1.2, "swin_t": 1.2, "convnext_tiny": 1.2}
# What MFM modulates: a network, our name of a layer, PyTorch's module and the axis of its channels.
# PyTorch has no second derivative of MobileNet's HardSigmoid. Swin's only convolution is its first
# layer: all of the network stands behind that modulator.
MODULATED = (("efficientnet_b0", "last_conv", "features.8.1", 1),
             ("convnext_tiny", "last_conv", "features.7.2.block.0", 1),
             ("swin_t", "last_features", "features.7.1.mlp.3", 3),
             ("swin_t", "last_conv", "features.0.0", 1))
PREFIX = "torchvision."


class Zoo:
    """For Lab: option.pythons, option.cache and option.compiled."""

    def make_zoo_model(self, network):
        os.makedirs(self.option.cache, exist_ok=True)
        path = os.path.join(self.option.cache, network + ".onnx")
        if not os.path.exists(path):
            python = list(self.option.pythons.values())[-1]
            self.run([python, os.path.join(HERE, "export.py"), network[len(PREFIX):], path])
        return path

    def zoo_torch(self, peer, network, step, batch, threads, where):
        """where: for MFM the module and the axis of its channels."""
        command = [self.option.pythons[peer], os.path.join(HERE, "peer_torch.py"), network, step,
                   "--batch", batch, "--threads", threads, "--iterations",
                   self.iterations(PREFIX + network)]
        forms = ["channels_last", "contiguous"]
        if step == "mfm":
            command += ["--layer", where[0], "--axis", where[1]]
        elif self.option.compiled and not peer.startswith("torch 1."):
            forms.append("compiled")
            os.environ["TORCHINDUCTOR_CACHE_DIR"] = os.path.join(self.option.cache, "inductor")
        tries = [dict(self.json(command + ["--form", form]), form=form) for form in forms]
        return min(tries, key=lambda figures: figures["seconds"])


def beside(option, case, network, step, goal, layers=(), where=()):
    method = {"plain": "base"}.get(step, step)
    mine = ("step", PREFIX + network, method, BATCH, layers, option.threads)
    made = []
    for peer in option.pythons:
        other = ("zoo_torch", peer, network, step, BATCH, option.threads, where)
        made.append(Row(case, "%s step, %s%s, batch %d; %s" %
                        (step, network, ", " + layers[0] if layers else "", BATCH, peer),
                        (mine, other), lambda best, o=other: (
                            milliseconds(best(mine)),
                            "%s, %s" % (milliseconds(best(o)), best(o)["form"]),
                            best(o)["seconds"] / best(mine)["seconds"]), goal, True))
    return made


def inference_row(option, network):
    mine = ("step", PREFIX + network, "forward", BATCH, (), option.threads)
    other = ("ort", PREFIX + network, BATCH, option.threads)
    return Row("zoo-eval", "inference, %s, batch %d, ONNX Runtime" % (network, BATCH),
               (mine, other), lambda best: (
                   milliseconds(best(mine)), milliseconds(best(other)),
                   best(other)["seconds"] / best(mine)["seconds"]), 1, True)


def rows(option):
    return [row for network, goal in GOALS.items()
            for row in beside(option, "zoo", network, "plain", goal)] + [
        row for network, layer, module, axis in MODULATED
        for row in beside(option, "zoo-mfm", network, "mfm", 3, (layer,), (module, axis))] + [
        inference_row(option, network) for network in GOALS]
