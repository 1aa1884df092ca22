#!/usr/bin/env python3
"""Times ONNX Runtime on inference: python3 peer_ort.py MODEL [--batch N] [--threads T]
[--iterations N]. Prints one JSON line: the median over runs of one batch of random images, after
two to warm up, and the peak resident memory of the process."""
import argparse
import json
import resource
import statistics
import time


def options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("--batch", type=int, default=100)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--iterations", type=int, default=15)
    return parser.parse_args()


def main():
    option = options()
    import numpy
    import onnxruntime
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads, settings.inter_op_num_threads = option.threads, 1
    settings.log_severity_level = 3
    session = onnxruntime.InferenceSession(option.model, settings,
                                           providers=["CPUExecutionProvider"])
    port = session.get_inputs()[0]
    images = numpy.random.default_rng(1).standard_normal((option.batch, *port.shape[1:]))
    feed = {port.name: images.astype(numpy.float32)}
    seconds = []
    for _ in range(2 + option.iterations):
        start = time.perf_counter()
        session.run(None, feed)
        seconds.append(time.perf_counter() - start)
    print(json.dumps({"seconds": statistics.median(seconds[2:]), "fastest": min(seconds[2:]),
                      "peak_rss_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
                      "version": "onnxruntime " + onnxruntime.__version__}))


if __name__ == "__main__":
    main()
