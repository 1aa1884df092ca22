"""Measurements over a folder of photographs, each in processes of its own: a part of the lab of
measure.py.

    ("epoch", network, method, layers, freeze, per_class, batch, threads)
                                                train; freeze: --freeze-before or ""
    ("torch_epoch", peer, what, per_class, batch, threads)
                                                peer_photographs.py
    ("decode", threads)                         predict with a network of one sum
    ("peer_decode", reader, threads)            Pillow or torchvision
"""
import json
import os
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
CLASSES, DECODED = 10, 8  # photographs of each class that are decoded
MAKER = os.path.join(HERE, "..", "..", "tests", "interop", "images", "photo_set.py")
# A mean of the image and a product with it: all the time that is left is that of the images.
SMALL = """
import sys
from onnx import TensorProto, helper, save
value = lambda name, shape: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
nodes = [helper.make_node("GlobalAveragePool", ["x"], ["mean"]),
         helper.make_node("Flatten", ["mean"], ["flat"]),
         helper.make_node("Gemm", ["flat", "w"], ["y"])]
weight = helper.make_tensor("w", TensorProto.FLOAT, [3, 2], [1, 2, 3, 4, 5, 6])
graph = helper.make_graph(nodes, "small", [value("x", ["n", 3, 224, 224])], [value("y", ["n", 2])],
                          [weight])
save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=7),
     sys.argv[1])
"""


def script(python, path, *words):
    return [python, os.path.join(HERE, path), *words]


class Photographs:
    """Needs option.tool, option.pythons, option.ort_python, self.folder, run and json."""

    def photos(self, per_class):
        """The folder, made by the first PyTorch's interpreter, which has Pillow."""
        path = os.path.join(self.folder, "photos-%d" % per_class)
        if not os.path.exists(path):
            self.run([self.maker(), MAKER, path, "--classes", CLASSES, "--most", per_class,
                      "--least", per_class, "--test", 1])
        return path

    def maker(self):
        return next(iter(self.option.pythons.values()))

    def ten_classes(self, network):
        path = os.path.join(self.folder, network + "-10.onnx")
        if not os.path.exists(path):
            self.run([self.option.tool, "new", network, "--input", "3,224,224", "--classes",
                      CLASSES, "-o", path])
        return path

    def epoch(self, network, method, layers, freeze, per_class, batch, threads):
        """The fastest after the first, in which what is frozen is computed."""
        epochs = 20 if freeze and not layers else 3 if freeze else 2
        out = os.path.join(self.folder, "trained.onnx")
        runs = os.path.join(self.folder, "run-%d" % time.monotonic_ns())
        command = [self.option.tool, "train", self.ten_classes(network), "-o", out, "--data",
                   "folder:" + self.photos(per_class), "--method", method, "--batch", batch,
                   "--threads", threads, "--lr", 1e-4, "--milestones", "none", "--epochs", epochs,
                   "--run", runs, "--checkpoint-minutes", 0, "--augment", "none"]
        for layer in layers:
            command += ["--layer", layer]
        if method == "mfm":
            command += ["--meta-per-class", 4, "--meta-from", "copy", "--meta-batch", batch]
        if freeze:
            command += ["--freeze-before", freeze]
        self.run(command)
        with open(os.path.join(runs, "metrics.jsonl"), encoding="utf-8") as lines:
            passed = [json.loads(line)["seconds"] for line in lines]
        seconds = min(after - before for before, after in zip(passed, passed[1:]))
        images = CLASSES * per_class
        return {"seconds": seconds, "images": images, "images_per_second": images / seconds}

    def torch_epoch(self, peer, what, per_class, batch, threads):
        epochs = 20 if what == "cached" else 2
        return self.json(script(self.option.pythons[peer], "peer_photographs.py", what,
                                self.photos(per_class), "--batch", batch, "--threads", threads,
                                "--epochs", epochs))

    def decode(self, threads):
        """From a few images and from many: the difference is without the program's start."""
        model = os.path.join(self.folder, "small.onnx")
        if not os.path.exists(model):
            self.run([self.option.ort_python, "-c", SMALL, model])
        few, many = 80, 800
        spent = {count: self.predict(model, count, threads) for count in (few, many)}
        seconds = (spent[many] - spent[few]) / (many - few)
        return {"seconds": seconds, "images_per_second": 1 / seconds}

    def predict(self, model, count, threads):
        folder = os.path.join(self.photos(DECODED), "train")
        paths = sorted(os.path.join(at, name) for at, _, names in os.walk(folder) for name in names)
        command = [self.option.tool, "predict", model, "-", "--mean", "imagenet", "--threads",
                   str(threads)]
        lines = "\n".join(paths[i % len(paths)] for i in range(count))
        start = time.perf_counter()
        done = subprocess.run(command, input=lines, stdout=subprocess.DEVNULL, text=True)
        if done.returncode:
            sys.exit("failed: " + " ".join(command))
        return time.perf_counter() - start

    def peer_decode(self, reader, threads):
        return self.json(script(self.maker(), "peer_photographs.py", reader,
                                self.photos(DECODED), "--threads", threads))
