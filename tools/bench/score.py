"""The error of a model file by ONNX Runtime, with the preprocessing that the file itself tells."""
import gzip
import json
import os

import numpy as np
import onnx
import onnxruntime

FASHION_MNIST = "/usr/share/datasets/fashion-mnist"


def read_idx(name, header):
    with gzip.open(os.path.join(FASHION_MNIST, name)) as file:
        return np.frombuffer(file.read(), np.uint8, offset=header)


def test_images(data):
    """The test images as bytes [n, 1, 28, 28], and their labels."""
    if data != "fashion-mnist":
        raise SystemExit("score.py: %s: only fashion-mnist is scored" % data)
    images = read_idx("t10k-images-idx3-ubyte.gz", 16).reshape(-1, 1, 28, 28)
    return images, read_idx("t10k-labels-idx1-ubyte.gz", 8)


def prepared(path, images):
    """Images as the model file tells that it reads them."""
    told = {entry.key: entry.value for entry in onnx.load(path).metadata_props}
    how = json.loads(told["mfm.preprocess"])
    return ((images / how["scale"] - how["mean"][0]) / how["deviation"][0]).astype(np.float32)


def error(path, data):
    """Percent of the test images of fashion-mnist that the file misclassifies."""
    images, labels = test_images(data)
    images = prepared(path, images)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    wrong = 0
    for first in range(0, len(labels), 500):
        logits = session.run(None, {name: images[first:first + 500]})[0]
        wrong += int((logits.argmax(1) != labels[first:first + 500]).sum())
    return 100.0 * wrong / len(labels)
