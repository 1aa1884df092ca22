#!/usr/bin/env python3
"""Writes the node vectors of the installed onnx package, and what ONNX Runtime says of further
forms (node_forms.py), and runs the engine over them.

    python3 node_vectors.py TEST-ONNX-VECTORS FOLDER FLOOR

FLOOR is the least number that must pass. Ends with 77 when one of the two packages is missing.
"""
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

try:
    import onnx
    import onnxruntime
    import node_forms
    from onnx import numpy_helper
    from onnx.backend.test.case.node import collect_testcases
except ImportError as error:
    print("skipped: %s" % error)
    sys.exit(77)

# Expected numbers that the package gives to four digits.
ROUNDED = {"test_averagepool_2d_ceil_last_window_starts_on_pad"}


def is_tensor(value):
    return hasattr(value, "dtype") or isinstance(value, onnx.TensorProto)


def write(folder, model, inputs, outputs):
    data = folder / "test_data_set_0"
    data.mkdir(parents=True)
    onnx.save(model, str(folder / "model.onnx"))
    for kind, values in (("input", inputs), ("output", outputs)):
        for i, value in enumerate(values):
            tensor = value if isinstance(value, onnx.TensorProto) else \
                numpy_helper.from_array(value)
            (data / ("%s_%d.pb" % (kind, i))).write_bytes(tensor.SerializeToString())


def main(program, folder, floor):
    warnings.simplefilter("ignore")
    onnxruntime.set_default_logger_severity(4)
    root = Path(folder)
    shutil.rmtree(root, ignore_errors=True)
    for case in collect_testcases():
        if case.kind != "node" or case.model is None or case.name in ROUNDED:
            continue
        if all(map(is_tensor, case.data_sets[0][0] + case.data_sets[0][1])):
            write(root / "node" / case.name, case.model, *case.data_sets[0])
    for name, opset, node, data, constants in node_forms.forms():
        model = node_forms.model_of(opset, node, data, constants)
        session = onnxruntime.InferenceSession(model.SerializeToString(),
                                               providers=["CPUExecutionProvider"])
        write(root / "node" / ("test_runtime_" + name), model, list(data.values()),
              session.run(None, data))
    return subprocess.run([program, folder, floor]).returncode


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
