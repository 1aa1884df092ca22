"""Paddle's classifiers of images, weights at random, by paddle2onnx; zoo_files.py calls this.

A name is NETWORK@SIZE, of paddle.vision.models, and may end in +OPSET, +fixed (a batch of one) and
+plain (without polygraphy's folding of constants, which paddle2onnx does otherwise).
"""
import shutil
import tempfile
from pathlib import Path


def awaken(network):
    """Numbers as large as after training: of first ones, small, the logits show nothing."""
    import paddle
    for name, tensor in network.state_dict().items():
        if name.endswith("_variance"):
            tensor.set_value(paddle.uniform(tensor.shape, min=0.5, max=1.5))
        elif name.endswith("_mean"):
            tensor.set_value(paddle.randn(tensor.shape) * 0.1)
        elif len(tensor.shape) > 1:  # kernels [out, in, height, width], matrices [in, out]
            kernel = len(tensor.shape) == 4
            fan_in = tensor.size / tensor.shape[0 if kernel else -1]
            tensor.set_value(paddle.randn(tensor.shape) * (1.6 / fan_in) ** 0.5)
        else:
            tensor.set_value(tensor + 0.1 * paddle.randn(tensor.shape))


def export(name, path):
    import paddle
    import paddle2onnx
    name, *more = name.split("+")
    network, _, size = name.partition("@")
    opset = int(next((m for m in more if m.isdigit()), 11))
    paddle.seed(0)
    paddle.set_device("cpu")
    options = {"pretrained": False, "num_classes": 10}
    channels = 1 if network == "LeNet" else 3
    if network == "LeNet":
        options.pop("pretrained")
    made = getattr(paddle.vision.models, network)(**options)
    awaken(made)
    made.eval()
    size = int(size or (28 if channels == 1 else 64))
    spec = paddle.static.InputSpec([1 if "fixed" in more else None, channels, size, size],
                                   "float32", "x")
    folder = Path(tempfile.mkdtemp())
    paddle.jit.save(made, str(folder / "m"), input_spec=[spec])
    paddle2onnx.export(str(folder / "m.json"), str(folder / "m.pdiparams"), str(path),
                       opset_version=opset,
                       optimize_tool="None" if "plain" in more else "polygraphy")
    shutil.rmtree(folder)
