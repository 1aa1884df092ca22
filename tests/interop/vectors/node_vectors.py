#!/usr/bin/env python3
"""Writes the node vectors of the installed onnx package, and what ONNX Runtime says of further
forms (node_forms.py), and runs the engine over them.

    python3 node_vectors.py TEST-ONNX-VECTORS FOLDER FLOOR PAGE [--write]

FLOOR is the least number of onnx's vectors that must pass; the further forms must all. PAGE,
docs/conformance.md, must say what came out: --write renews it. Ends with 77 when one of the two
packages is missing; the page is compared where the package is the one that it was made with.
"""
import difflib
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

try:
    import onnx
    import onnxruntime
    import conformance
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


def write_package(root):
    """The vectors of the package, and the operator that each is of; how many are left out."""
    operators, left_out = {}, 0
    for case in collect_testcases():
        if case.kind != "node" or case.model is None:
            continue
        if case.name in ROUNDED or not all(
                map(is_tensor, case.data_sets[0][0] + case.data_sets[0][1])):
            left_out += 1
            continue
        write(root / "node" / case.name, case.model, *case.data_sets[0])
        operators[case.name] = case.model.graph.node[0].op_type if case.model.graph.node else ""
    return operators, left_out


def write_forms(root):
    count = 0
    for count, (name, opset, node, data, constants) in enumerate(node_forms.forms(), 1):
        model = node_forms.model_of(opset, node, data, constants)
        session = onnxruntime.InferenceSession(model.SerializeToString(),
                                               providers=["CPUExecutionProvider"])
        write(root / "node" / ("test_runtime_" + name), model, list(data.values()),
              session.run(None, data))
    return count


def run(program, root, floor):
    done = subprocess.run([program, str(root), str(floor), "all"], stdout=subprocess.PIPE,
                          universal_newlines=True)
    lines = done.stdout.splitlines()
    print("\n".join(line for line in lines if not line.startswith(("passed ", "other "))))
    return done.returncode, lines


def differs(page, text):
    """Whether the page says something else, of the same version of the package."""
    have = page.read_text() if page.exists() else ""
    if conformance.version_line(onnx.__version__) not in have:
        print("%s was made with another version of onnx: not compared" % page.name)
        return False
    lines = list(difflib.unified_diff(have.splitlines(), text.splitlines(), "page", "now",
                                      lineterm="", n=0))
    if lines:
        print("\n".join(lines[:40]))
        print("renew the page: node_vectors.py ... --write")
    return bool(lines)


def main(program, folder, floor, page, *more):
    warnings.simplefilter("ignore")
    onnxruntime.set_default_logger_severity(4)
    root = Path(folder)
    shutil.rmtree(str(root), ignore_errors=True)
    operators, left_out = write_package(root / "package")
    failed, lines = run(program, root / "package", floor)
    text = conformance.page(lines, operators, left_out, onnx.__version__)
    if more == ("--write",):
        Path(page).write_text(text)
    forms = write_forms(root / "forms")
    failed_forms, _ = run(program, root / "forms", forms)
    return failed or failed_forms or int(differs(Path(page), text))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
