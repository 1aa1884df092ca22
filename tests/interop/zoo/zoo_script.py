"""Classifiers written in onnxscript: functions, operators of Python, functions within functions."""
import onnxscript
from onnxscript import FLOAT, opset18, opset21, script

OWN = onnxscript.values.Opset("of.mine", 1)


@script(OWN, default_opset=opset18)
def Block(x, w, b, slope: float = 0.1):
    return opset18.LeakyRelu(opset18.Conv(x, w, b, pads=[1, 1, 1, 1]), alpha=slope)


@script(OWN, default_opset=opset18)
def Residual(x, w, b):
    y = Block(x, w, b, slope=0.2)
    return opset18.Relu(x + y)


@script(OWN, default_opset=opset18)
def Pooled(x):
    return opset18.Flatten(opset18.GlobalAveragePool(x))


@script(default_opset=opset18)
def blocks(x: FLOAT["n", 3, 16, 16], w, b, v, c, g, h) -> FLOAT["n", 10]:
    x = Block(x, w, b)
    x = Residual(x, v, c)
    return opset18.Gemm(Pooled(x), g, h)


@script(default_opset=opset18)
def chosen(x: FLOAT["n", 3, 16, 16], w, b, v, c, g, h) -> FLOAT["n", 10]:
    y = opset18.Conv(x, w, b, pads=[1, 1, 1, 1])
    mean = opset18.ReduceMean(y, [1], keepdims=1)
    y = y - mean
    y = y * opset18.Sigmoid(opset18.CastLike(1.702, y) * y)
    y = opset18.Where(y > 3.0, opset18.Sqrt(opset18.Abs(y) * 3.0 + 1.0), y)
    z = opset18.Conv(y, v, c, strides=[2, 2])
    return opset18.Softmax(opset18.Gemm(Pooled(z), g, h), axis=-1)


@script(default_opset=opset21)
def newer(x: FLOAT["n", 3, 16, 16], w, b, v, c, g, h) -> FLOAT["n", 10]:
    y = opset21.Gelu(opset21.Conv(x, w, b, pads=[1, 1, 1, 1]), approximate="tanh")
    y = opset21.GroupNormalization(y, b + 1.0, c, num_groups=2)
    a, d = opset21.Split(y, num_outputs=2, axis=1)
    y = opset21.Concat(opset21.Mish(a), opset21.HardSwish(d), axis=1)
    y = opset21.Conv(y, v, c)
    return opset21.Gemm(opset21.ReduceMax(y, [2, 3], keepdims=0), g, h)
