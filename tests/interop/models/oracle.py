"""What ONNX Runtime and the onnx checker say about a file."""
import numpy as np
import onnx
import onnxruntime

# Of the largest logit: float32 through a hundred layers, summed in different orders.
TOLERANCE = 2e-5


def session(model):
    """model: a path, or a ModelProto."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 2
    source = model.SerializeToString() if isinstance(model, onnx.ModelProto) else str(model)
    return onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])


def data_input(model):
    """The one graph input that has no initialiser."""
    have = {t.name for t in model.graph.initializer}
    free = [v for v in model.graph.input if v.name not in have]
    if len(free) != 1:
        raise ValueError("inputs without a default: %s: one is the rule" % [v.name for v in free])
    return free[0]


def image_shape(model):
    """[channels, height, width]"""
    return [d.dim_value for d in data_input(model).type.tensor_type.shape.dim[1:]]


def logits(model, images, **more):
    """The first output of the file or ModelProto for the images; `more` are further inputs."""
    proto = onnx.load(model) if not isinstance(model, onnx.ModelProto) else model
    feed = {data_input(proto).name: images, **more}
    return session(model).run(None, feed)[0]


def difference(a, b):
    """The largest difference, relative to the largest of b. Infinite for shapes that differ."""
    if a.shape != b.shape or not (np.isfinite(a).all() and np.isfinite(b).all()):
        return float("inf")
    return float(np.abs(a - b).max() / max(np.abs(b).max(), 1e-30))


def read_images(path, shape):
    return np.fromfile(path, "<f4").reshape(-1, *shape)


def read_logits(path, batch):
    return np.fromfile(path, "<f4").reshape(batch, -1)


def check(path):
    """Raises what the checker has against the file, shapes included."""
    onnx.checker.check_model(str(path), full_check=True)
