"""ResNet-20 for CIFAR and the modulator as functions of a dictionary of tensors.

w: classifier parameters by name, phi: modulator parameters by name. Batch normalisation always uses
the statistics of the batch; a modulation is (gamma, beta), both [n, 64], or None.
"""
import torch
import torch.nn.functional as F

CLASSES, CHANNELS, HIDDEN, EPSILON = 10, 64, 100, 1e-5
BLOCKS = [(stage, i) for stage in range(3) for i in range(3)]
MODULATED = "layer3.2"


def normalise(w, name, x, statistics):
    """Batch normalisation; notes the batch's mean and population variance when asked to."""
    mean = x.mean((0, 2, 3))
    var = ((x - mean[None, :, None, None]) ** 2).mean((0, 2, 3))
    if statistics is not None:
        statistics[name] = (mean.detach(), var.detach())
    scale = w[name + ".weight"] / torch.sqrt(var + EPSILON)
    shift = w[name + ".bias"] - mean * scale
    return x * scale[None, :, None, None] + shift[None, :, None, None]


def shortcut(x, planes, stride):
    """Option A: every second row and column, zeros for the new channels on both sides."""
    if stride == 1 and x.shape[1] == planes:
        return x
    missing = planes - x.shape[1]
    return F.pad(x[:, :, ::stride, ::stride], (0, 0, 0, 0, missing // 2, missing - missing // 2))


def block(w, name, x, stride, modulation, statistics):
    planes = w[name + ".conv1.weight"].shape[0]
    y = F.conv2d(x, w[name + ".conv1.weight"], stride=stride, padding=1)
    y = F.relu(normalise(w, name + ".bn1", y, statistics))
    y = F.conv2d(y, w[name + ".conv2.weight"], padding=1)
    y = normalise(w, name + ".bn2", y, statistics)
    if modulation is not None:
        gamma, beta = modulation
        y = y * gamma[:, :, None, None] + beta[:, :, None, None]
    return F.relu(y + shortcut(x, planes, stride))


def logits(w, x, modulation=None, statistics=None):
    x = F.conv2d(x, w["conv1.weight"], padding=1)
    x = F.relu(normalise(w, "bn1", x, statistics))
    for stage, i in BLOCKS:
        name = "layer%d.%d" % (stage + 1, i)
        stride = 2 if stage > 0 and i == 0 else 1
        x = block(w, name, x, stride, modulation if name == MODULATED else None, statistics)
    return F.linear(x.mean((2, 3)), w["fc.weight"], w["fc.bias"])


def modulate(phi, soft_label):
    """(gamma, beta) from the soft labels [n, 10]: gamma = 64 softmax, of mean 1."""
    hidden = F.relu(F.linear(soft_label, phi["modulator.fc1.weight"], phi["modulator.fc1.bias"]))
    out = F.linear(hidden, phi["modulator.fc2.weight"], phi["modulator.fc2.bias"])
    return CHANNELS * F.softmax(out[:, :CHANNELS], 1), out[:, CHANNELS:]


def shapes():
    """name -> shape of every parameter, in the order in which they are used."""
    w = {"conv1.weight": (16, 3, 3, 3), "bn1.weight": (16,), "bn1.bias": (16,)}
    planes = 16
    for stage, i in BLOCKS:
        name, into = "layer%d.%d." % (stage + 1, i), 16 << stage
        for k, source in ((1, planes), (2, into)):
            w["%sconv%d.weight" % (name, k)] = (into, source, 3, 3)
            w["%sbn%d.weight" % (name, k)] = w["%sbn%d.bias" % (name, k)] = (into,)
        planes = into
    w["fc.weight"], w["fc.bias"] = (CLASSES, planes), (CLASSES,)
    phi = {"modulator.fc1.weight": (HIDDEN, CLASSES), "modulator.fc1.bias": (HIDDEN,),
           "modulator.fc2.weight": (2 * CHANNELS, HIDDEN), "modulator.fc2.bias": (2 * CHANNELS,)}
    return w, phi
