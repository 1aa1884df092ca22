"""The networks of the comparison as functions of their parameters, so that PyTorch can
differentiate through a step. A Network makes each parameter the first time it is asked for."""

CLASSES = {"lenet": 10, "resnet32": 10, "resnet18": 1000, "resnet50": 1000, "vgg11": 1000}
IMAGES = {"lenet": (1, 28, 28), "resnet32": (3, 32, 32), "resnet18": (3, 224, 224),
          "resnet50": (3, 224, 224), "vgg11": (3, 224, 224)}
BLOCKS = {"resnet18": (2, 2, 2, 2), "resnet50": (3, 4, 6, 3)}


class Network:
    """w: parameters by name. Calls take other numbers for them (a virtual step's), modulations by
    layer name, (gamma, beta) of [n, channels], and whether running statistics move."""

    def __init__(self, torch, name):
        self.torch, self.F, self.name = torch, torch.nn.functional, name
        self.w, self.state, self.channels = {}, {}, {}
        self.numbers, self.modulations, self.track = self.w, {}, False
        with torch.no_grad():
            self(torch.randn(2, *IMAGES[name]))

    def __call__(self, x, w=None, modulations=None, track=False):
        self.numbers, self.modulations, self.track = w or self.w, modulations or {}, track
        kind = "resnet" if self.name in BLOCKS else self.name
        return getattr(self, kind)(x)

    def parameter(self, name, shape, scale):
        if name not in self.w:
            self.w[name] = self.torch.randn(*shape) * scale if scale else self.torch.zeros(*shape)
        return self.numbers[name]

    def conv(self, name, x, out, size, stride=1, padding=None, bias=False):
        shape = (out, x.shape[1], size, size)
        weight = self.parameter(name + ".weight", shape, (2 / (shape[1] * size * size)) ** 0.5)
        shift = self.parameter(name + ".bias", (out,), 0) if bias else None
        padding = size // 2 if padding is None else padding
        return self.F.conv2d(x, weight, shift, stride=stride, padding=padding)

    def linear(self, name, x, out):
        weight = self.parameter(name + ".weight", (out, x.shape[1]), (2 / x.shape[1]) ** 0.5)
        return self.F.linear(x, weight, self.parameter(name + ".bias", (out,), 0))

    def norm(self, name, x):
        """Batch statistics always; the running ones move only on the plain training pass."""
        channels = x.shape[1]
        if name not in self.state:
            self.w[name + ".weight"] = self.torch.ones(channels)
            self.w[name + ".bias"] = self.torch.zeros(channels)
            self.state[name] = (self.torch.zeros(channels), self.torch.ones(channels))
        mean, var = self.state[name] if self.track else (None, None)
        return self.F.batch_norm(x, mean, var, self.numbers[name + ".weight"],
                                 self.numbers[name + ".bias"], True, 0.1)

    def modulate(self, layer, x):
        """What follows the layer and its own normalisation."""
        self.channels[layer] = x.shape[1]
        if layer not in self.modulations:
            return x
        gamma, beta = (value.reshape(*value.shape, *[1] * (x.dim() - 2))
                       for value in self.modulations[layer])
        return x * gamma + beta

    def relu(self, x):
        return self.F.relu(x, inplace=True)

    def lenet(self, x):
        pool = self.F.max_pool2d
        x = pool(self.relu(self.conv("conv1", x, 6, 5, bias=True)), 2)
        x = pool(self.relu(self.conv("conv2", x, 16, 5, padding=0, bias=True)), 2)
        x = self.relu(self.conv("conv3", x, 120, 3, padding=0, bias=True)).mean((2, 3))
        x = self.relu(self.modulate("fc1", self.linear("fc1", x, 84)))
        return self.linear("fc2", x, CLASSES[self.name])

    def conv_norm(self, block, number, x, out, size, stride=1):
        x = self.conv("%sconv%d" % (block, number), x, out, size, stride)
        x = self.norm("%sbn%d" % (block, number), x)
        return self.modulate("%sconv%d" % (block, number), x)

    def resnet32(self, x):
        """For CIFAR, with shortcuts of option A: every second pixel, zero channels around."""
        x = self.relu(self.conv_norm("", 1, x, 16, 3))
        for stage in range(3):
            for i in range(5):
                block, out = "layer%d.%d." % (stage + 1, i), 16 << stage
                stride = 2 if stage and i == 0 else 1
                y = self.relu(self.conv_norm(block, 1, x, out, 3, stride))
                y = self.conv_norm(block, 2, y, out, 3)
                if stride == 2:
                    x = self.F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, out // 4, out // 4))
                x = self.relu(y.add_(x))
        return self.linear("fc", x.mean((2, 3)), CLASSES[self.name])

    def resnet(self, x):
        """For photographs, with shortcuts of option B."""
        x = self.relu(self.conv_norm("", 1, x, 64, 7, 2))
        x = self.F.max_pool2d(x, 3, 2, 1)
        for stage, blocks in enumerate(BLOCKS[self.name]):
            for i in range(blocks):
                stride = 2 if stage and i == 0 else 1
                x = self.block("layer%d.%d." % (stage + 1, i), x, 64 << stage, stride)
        return self.linear("fc", x.mean((2, 3)), CLASSES[self.name])

    def block(self, name, x, planes, stride):
        if self.name == "resnet18":
            y = self.relu(self.conv_norm(name, 1, x, planes, 3, stride))
            y = self.conv_norm(name, 2, y, planes, 3)
        else:
            y = self.relu(self.conv_norm(name, 1, x, planes, 1))
            y = self.relu(self.conv_norm(name, 2, y, planes, 3, stride))
            y = self.conv_norm(name, 3, y, 4 * planes, 1)
        if y.shape != x.shape:
            x = self.norm(name + "downsample.1",
                          self.conv(name + "downsample.0", x, y.shape[1], 1, stride))
        return self.relu(y.add_(x))

    def vgg11(self, x):
        index = 0
        for out in (64, 0, 128, 0, 256, 256, 0, 512, 512, 0, 512, 512, 0):
            if out:
                x = self.relu(self.conv("features.%d" % index, x, out, 3, bias=True))
            else:
                x = self.F.max_pool2d(x, 2)
            index += 1
        x = x.flatten(1)
        for name in ("classifier.0", "classifier.3"):
            x = self.F.dropout(self.relu(self.linear(name, x, 4096)), 0.5, True)
        return self.linear("classifier.6", x, CLASSES[self.name])
