#!/usr/bin/env python3
"""Writes the node vectors of the installed onnx package and runs the engine over them.

    python3 node_vectors.py TEST-ONNX-VECTORS FOLDER FLOOR

FLOOR is the least number that must pass. Ends with 77 when the package is missing.
"""
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

try:
    import onnx
    from onnx import numpy_helper
    from onnx.backend.test.case.node import collect_testcases
except ImportError as error:
    print("skipped: %s" % error)
    sys.exit(77)

# Expected numbers that the package gives to four digits.
ROUNDED = {"test_averagepool_2d_ceil_last_window_starts_on_pad"}


def is_tensor(value):
    return hasattr(value, "dtype") or isinstance(value, onnx.TensorProto)


def write(case, folder):
    data = folder / "test_data_set_0"
    data.mkdir(parents=True)
    onnx.save(case.model, str(folder / "model.onnx"))
    for kind, values in zip(("input", "output"), case.data_sets[0]):
        for i, value in enumerate(values):
            tensor = value if isinstance(value, onnx.TensorProto) else \
                numpy_helper.from_array(value)
            (data / ("%s_%d.pb" % (kind, i))).write_bytes(tensor.SerializeToString())


def main(program, folder, floor):
    warnings.simplefilter("ignore")
    root = Path(folder)
    shutil.rmtree(root, ignore_errors=True)
    for case in collect_testcases():
        if case.kind != "node" or case.model is None or case.name in ROUNDED:
            continue
        if all(map(is_tensor, case.data_sets[0][0] + case.data_sets[0][1])):
            write(case, root / "node" / case.name)
    return subprocess.run([program, folder, floor]).returncode


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
