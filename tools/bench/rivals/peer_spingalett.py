#!/usr/bin/env python3
"""Times a training step of Spingalett.

Version 1.5.0 does not read Slice, with which ResNets for CIFAR shorten (LeNet and ResNet-18
import). Images are channels-last rows. The loss is taken outside, as the import sets another one.
The command line is that of training.py.
"""
import training


class Rival:
    def __init__(self, option):
        import numpy
        import onnx
        import spingalett
        spingalett.set_num_threads(option.threads)
        spingalett.set_compute_mode(spingalett.ComputeMode.OPENMP)
        self.network = training.quietly(
            1, lambda: spingalett.Network.from_onnx(option.model))
        self.trainer = spingalett.Trainer(self.network, option.batch)
        self.rule = {"optimizer": spingalett.Optimizer.MOMENTUM, "learning_rate": option.rate,
                     "momentum": training.MOMENTUM}
        self.model = onnx.load(option.model)
        self.batch, self.numpy = training.Batch(option, self.model), numpy
        rows = self.batch.images.transpose(0, 2, 3, 1).reshape(option.batch, -1)
        self.rows = numpy.ascontiguousarray(rows)
        self.version = "spingalett " + spingalett.__version__

    def forward_backward(self):
        exponents = self.trainer.forward(self.rows)
        exponents -= exponents.max(1, keepdims=True)
        p = self.numpy.exp(exponents)
        p /= p.sum(1, keepdims=True)
        of_labels = p[self.numpy.arange(len(p)), self.batch.labels]
        self.trainer.backward_output_grads(p - self.batch.one_hot)
        return -self.numpy.log(of_labels).mean()

    def gradients(self):
        """Its sums over the batch, as means; layer i + 1 is its connection i."""
        self.forward_backward()
        nodes = [node for node in self.model.graph.node
                 if node.op_type in ("Conv", "Gemm", "BatchNormalization")]
        layers = [i - 1 for i, layer in enumerate(self.network.layers) if layer.weight_count]
        assert len(nodes) == len(layers)
        found, n = {}, len(self.rows)
        for node, i in zip(nodes, layers):
            weight = self.network.get_weight_gradients(i)
            if weight.ndim == 4:
                weight = weight.transpose(0, 3, 1, 2)
            found[node.input[1]] = weight / n
            if len(node.input) > 2:
                found[node.input[2]] = self.network.get_bias_gradients(i) / n
        self.trainer.zero_grad()
        return found

    def step(self):
        loss = self.forward_backward()
        self.trainer.step(**self.rule)
        return loss


if __name__ == "__main__":
    OPTION = training.options(__doc__)
    training.measure(OPTION, Rival(OPTION))
