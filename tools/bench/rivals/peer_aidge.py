#!/usr/bin/env python3
"""Times a training step of Aidge on its processor back end.

Version 0.10.1 has no backward pass there for GlobalAveragePool, BatchNormalization and Dropout, so
ResNets, VGGs and the LeNet with averages do not train: the classic LeNet-5 does (networks.py). It
takes no number of threads. The command line is that of training.py.
"""
import training


class Rival:
    def __init__(self, option):
        import aidge_backend_cpu  # noqa: F401, registers itself
        import aidge_core
        import aidge_learning
        import aidge_onnx
        import numpy
        import onnx
        from importlib.metadata import version
        self.core, self.learning, self.numpy = aidge_core, aidge_learning, numpy
        aidge_core.Log.set_console_level(aidge_core.Level.Error)
        model = onnx.load(option.model)
        self.batch = training.Batch(option, model)
        graph = aidge_onnx.load_onnx(option.model)
        graph.set_backend("cpu")
        aidge_learning.set_batchnorm_training_mode(graph, True)
        graph.forward_dims([list(self.batch.images.shape)])
        plain = {name.replace(".", "_"): name for name in training.trained(model)}
        self.parameters = {plain[node.name()]: node for node in aidge_core.producers(graph)
                           if node.name() in plain}
        self.optimizer = aidge_learning.SGD(momentum=training.MOMENTUM)
        self.optimizer.set_parameters(list(self.parameters.values()))
        self.optimizer.set_learning_rate_scheduler(aidge_learning.constant_lr(option.rate))
        self.scheduler = aidge_core.SequentialScheduler(graph)
        self.target = aidge_core.Tensor(self.batch.one_hot)
        self.version = "aidge " + version("aidge_core")

    def forward_backward(self):
        logits = self.scheduler.forward(data=[self.core.Tensor(self.batch.images)])[0]
        self.optimizer.reset_grad()
        loss = self.learning.loss.CELoss(logits, self.target)
        self.scheduler.backward()
        return self.numpy.array(loss).item()

    def gradients(self):
        self.forward_backward()
        return {name: self.numpy.array(node.get_operator().get_output(0).grad)
                for name, node in self.parameters.items()}

    def step(self):
        loss = self.forward_backward()
        self.optimizer.update()
        return loss


if __name__ == "__main__":
    OPTION = training.options(__doc__)
    training.measure(OPTION, Rival(OPTION))
