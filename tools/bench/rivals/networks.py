#!/usr/bin/env python3
"""Writes the classic LeNet-5, the largest network here that Aidge trains: networks.py FILE. A
Python with onnx; weights at random."""
import sys


class Maker:
    def __init__(self):
        import numpy
        import onnx
        self.numpy, self.onnx = numpy, onnx
        self.draw, self.nodes, self.values = numpy.random.default_rng(0), [], []

    def node(self, kind, inputs, name, **attributes):
        made = self.onnx.helper.make_node(kind, inputs, [name], name, **attributes)
        self.nodes.append(made)
        return name

    def layer(self, kind, x, name, shape, **attributes):
        """With weights of variance 2 / inputs and a bias of zeros."""
        scale = (2 / self.numpy.prod(shape[1:])) ** 0.5
        for end, value in (("weight", self.draw.standard_normal(shape) * scale),
                           ("bias", self.numpy.zeros(shape[0]))):
            made = self.onnx.numpy_helper.from_array(value.astype("f4"), name + "." + end)
            self.values.append(made)
        out = "logits" if name == "fc3" else name + ".out"
        return self.node(kind, [x, name + ".weight", name + ".bias"], out, **attributes)

    def lenet5(self):
        x = "input"
        for i, shape, pad in ((1, (6, 1, 5, 5), 2), (2, (16, 6, 5, 5), 0)):
            x = self.layer("Conv", x, "conv%d" % i, shape, kernel_shape=[5, 5], pads=[pad] * 4)
            x = self.node("Relu", [x], "relu%d" % i)
            x = self.node("MaxPool", [x], "pool%d" % i, kernel_shape=[2, 2], strides=[2, 2])
        x = self.node("Flatten", [x], "flatten", axis=1)
        for i, shape in enumerate(((120, 400), (84, 120), (10, 84)), 1):
            x = self.layer("Gemm", x, "fc%d" % i, shape, transB=1)
            if i < 3:
                x = self.node("Relu", [x], "fc%d.relu" % i)

    def save(self, path):
        port = self.onnx.helper.make_tensor_value_info
        graph = self.onnx.helper.make_graph(
            self.nodes, "lenet5", [port("input", 1, ["batch", 1, 28, 28])],
            [port("logits", 1, ["batch", 10])], self.values)
        opset = self.onnx.helper.make_opsetid("", 17)
        model = self.onnx.helper.make_model(graph, opset_imports=[opset], ir_version=8)
        self.onnx.checker.check_model(model)
        self.onnx.save(model, path)


if __name__ == "__main__":
    MAKER = Maker()
    MAKER.lenet5()
    MAKER.save(sys.argv[1])
