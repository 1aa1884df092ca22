#!/usr/bin/env python3
"""Small files that are easily got wrong, against ONNX Runtime.

    python3 check_small.py BINARY FOLDER [PART...]

A part is a module check_PART with a generator checks(program) of (what holds, fault or ""). One
line a check; exits with 1 when any failed, with 77 when onnx or ONNX Runtime are missing.
"""
import importlib
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "models"))  # check_injected, check_fused
PARTS = ["split", "softmax", "binary", "batch", "random", "inject", "fold", "ops", "old",
         "others", "fused", "views"]

try:
    import small
except ImportError as error:
    print("skipped: %s" % error)
    sys.exit(77)


def main(binary, folder, parts):
    count = {True: 0, False: 0}
    for part in parts or PARTS:
        program = small.Program(binary, Path(folder) / part)
        for name, fault in importlib.import_module("check_" + part).checks(program):
            print("FAILED - %s: %s" % (name, fault) if fault else "ok - %s" % name, flush=True)
            count[not fault] += 1
    print("%d passed, %d failed" % (count[True], count[False]))
    return 1 if count[False] or not count[True] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], sys.argv[3:]))
