#!/usr/bin/env python3
"""The machine's peak, as a single-precision matrix product of the system's OpenBLAS reaches it:
python3 sgemm.py [--threads T] [--iterations N]. Prints one JSON line: GFLOP/s of the fastest
product of two 1536 x 1536 matrices. Nothing else needs OpenBLAS: install it by hand,
libopenblas0-openmp of Debian."""
import argparse
import array
import ctypes
import ctypes.util
import json
import os
import time

SIZE = 1536
ROW_MAJOR, PLAIN = 101, 111


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--iterations", type=int, default=20)
    option = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = str(option.threads)
    library = ctypes.util.find_library("openblas")
    if not library:
        raise SystemExit("sgemm.py: there is no OpenBLAS: apt install libopenblas0-openmp")
    blas = ctypes.CDLL(library)
    a, b, c = (array.array("f", [0.5]) * (SIZE * SIZE) for _ in range(3))
    pointers = [(ctypes.c_float * (SIZE * SIZE)).from_buffer(x) for x in (a, b, c)]
    one, zero = ctypes.c_float(1), ctypes.c_float(0)
    fastest = float("inf")
    for _ in range(2 + option.iterations):
        start = time.perf_counter()
        blas.cblas_sgemm(ROW_MAJOR, PLAIN, PLAIN, SIZE, SIZE, SIZE, one, pointers[0], SIZE,
                         pointers[1], SIZE, zero, pointers[2], SIZE)
        fastest = min(fastest, time.perf_counter() - start)
    if c[0] != 0.25 * SIZE:
        raise SystemExit("the product is wrong")
    blas.openblas_get_config.restype = ctypes.c_char_p
    print(json.dumps({"seconds": fastest, "gflop_per_second": 2e-9 * SIZE**3 / fastest,
                      "version": blas.openblas_get_config().decode()}))


if __name__ == "__main__":
    main()
