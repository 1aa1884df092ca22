#!/usr/bin/env python3
"""Times a training step of onnxsim's training loop.

It appends the gradient and the update to the graph, as ONNX operators, and lets ONNX Runtime run
them. Version 0.8.1 has no rule for Flatten, and differentiates BatchNormalization with fixed
statistics alone: both are spelled out by other operators first. Shapes must be fixed. Without a
thread option of its own, it takes the processors that the process may use. The command line is that
of training.py.
"""
import os

import training


def fix_batch(model, batch):
    for port in (model.graph.input[0], model.graph.output[0]):
        port.type.tensor_type.shape.dim[0].dim_value = batch
    del model.graph.value_info[:]


def add_loss(model, batch, classes):
    """The mean cross-entropy by operators that it differentiates."""
    import numpy
    from onnx import helper, numpy_helper
    graph, port = model.graph, helper.make_tensor_value_info
    graph.input.append(port("one_hot", 1, [batch, classes]))
    graph.initializer.append(numpy_helper.from_array(numpy.float32(-1 / batch), "loss.factor"))
    graph.node.extend([
        helper.make_node("Softmax", [graph.output[0].name], ["loss.p"], axis=1),
        helper.make_node("Log", ["loss.p"], ["loss.log"]),
        helper.make_node("Mul", ["loss.log", "one_hot"], ["loss.picked"]),
        helper.make_node("ReduceSum", ["loss.picked"], ["loss.sum"], keepdims=0),
        helper.make_node("Mul", ["loss.sum", "loss.factor"], ["loss"])])
    graph.output.append(port("loss", 1, []))


class Rival:
    notes = "BatchNormalization and Flatten spelled out before"

    def __init__(self, option):
        import numpy
        import onnx
        import onnxsim
        self.numpy = numpy
        model = onnx.load(option.model)
        self.names, self.rate = training.trained(model), option.rate
        batch = training.Batch(option, model)
        training.Rewriting(model).apply()
        fix_batch(model, option.batch)
        add_loss(model, option.batch, batch.classes)
        self.start = {value.name: onnx.numpy_helper.to_array(value)
                      for value in model.graph.initializer}
        self.loop = onnxsim.compile_training_loop(onnx.shape_inference.infer_shapes(model), "loss",
                                                  self.names, optimizer="sgd_momentum")
        self.feeds = {model.graph.input[0].name: batch.images, "one_hot": batch.one_hot}
        self.version = "onnxsim " + onnxsim.__version__.lstrip("v")

    def gradients(self):
        """It gives no gradients: from what the first step moves, at no momentum yet."""
        self.step()
        return {name: (self.start[name] - self.numpy.asarray(value)) / self.rate
                for name, value in self.loop.parameters().items()}

    def step(self):
        return self.loop(self.feeds, lr=self.rate)


if __name__ == "__main__":
    OPTION = training.options(__doc__)
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:OPTION.threads])
    training.measure(OPTION, Rival(OPTION))
