#!/usr/bin/env python3
"""What an exported file tells of its images is all that another runtime needs.

    python3 preprocess.py BINARY MAKE_IDX FOLDER

Trains a small network, reads mfm.preprocess out of the exported file, makes the model's input of
the bytes of the test images by it, and compares ONNX Runtime's error with what the program says.
Exits with 77 when onnx or ONNX Runtime are missing.
"""
import json
import subprocess
import sys
from pathlib import Path

try:
    import numpy as np
    import onnx
    import onnxruntime
except ImportError as error:
    print("skipped: %s" % error)
    sys.exit(77)


def read(path, header):
    return np.frombuffer(path.read_bytes(), np.uint8)[header:]


def main():
    binary, make_idx, folder = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    data, model = folder / "data", folder / "m.onnx"
    data.mkdir(parents=True, exist_ok=True)

    def run(*words):
        return subprocess.run([str(w) for w in words], check=True, capture_output=True, text=True)

    run(make_idx, data, 4, 40, 25, 20)
    for name in ("t.run", ):
        for path in sorted((folder / name).glob("*")):
            path.unlink()
    run(binary, "new", "lenet", "-o", model, "--classes", 4, "--input", "1,20,20")
    run(binary, "train", model, "-o", folder / "t.onnx", "--data", "idx:%s" % data, "--method",
        "base", "--epochs", 2, "--batch", 16, "--lr", 0.005, "--threads", 1)
    told = {p.key: p.value for p in onnx.load(str(folder / "t.onnx")).metadata_props}
    form = json.loads(told["mfm.preprocess"])
    images = read(data / "t10k-images-idx3-ubyte", 16).reshape([-1] + form["input"])
    labels = read(data / "t10k-labels-idx1-ubyte", 8)
    mean, deviation = (np.array(form[key]).reshape(1, -1, 1, 1) for key in ("mean", "deviation"))
    pixels = ((images / form["scale"] - mean) / deviation).astype(np.float32)
    session = onnxruntime.InferenceSession(str(folder / "t.onnx"),
                                           providers=["CPUExecutionProvider"])
    logits = session.run(None, {session.get_inputs()[0].name: pixels})[0]
    error = 100 * float(np.mean(np.argmax(logits, 1) != labels))
    shifted = logits - logits.max(1, keepdims=True)
    loss = float(np.mean(np.log(np.exp(shifted).sum(1)) - shifted[np.arange(len(labels)), labels]))
    said = json.loads(run(binary, "eval", folder / "t.onnx", "--data", "idx:%s" % data,
                          "--json").stdout)
    (folder / "bytes").write_bytes(images.tobytes())
    run(binary, "run", folder / "t.onnx", "--bytes", "--input", folder / "bytes", "-o",
        folder / "logits")
    ours = np.fromfile(folder / "logits", np.float32).reshape(logits.shape)
    np.save(folder / "bytes.npy", images)
    run(binary, "run", folder / "t.onnx", "--bytes", "--input", folder / "bytes.npy", "-o",
        folder / "logits.npy")
    same = np.array_equal(np.load(folder / "logits.npy"), ours)
    names = json.loads(told["mfm.classes"])["names"]
    print("ONNX Runtime: error %.4f, loss %.6f; eval: %.4f, %.6f; logits differ by %.2g" %
          (error, loss, said["error"], said["loss"], np.abs(ours - logits).max()))
    good = (same and abs(error - said["error"]) < 1e-6 and abs(loss - said["loss"]) < 1e-5 and
            np.abs(ours - logits).max() < 1e-4 and names == ["0", "1", "2", "3"])
    return 0 if good else 1


sys.exit(main())
