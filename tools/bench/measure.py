"""Measurements, each in a process of its own. A measurement is described by a tuple, so that rows
which need the same one share it:

    ("step", network, method, batch, layers, threads)   onnx-mfm bench; method "forward": inference
    ("torch", peer, network, step, batch, layers, threads)
    ("ort", network, batch, threads)
    ("sgemm", threads)
    ("inspect", network)                                 the whole command
    ("memory", network, method, batch, layers, threads)  what inspect --batch predicts

and those of photographs.py, rivals/rival_cases.py and zoo/zoo_cases.py. layers is a tuple of names.
Figures are dictionaries as the programs print them.
"""
import json
import os
import subprocess
import sys
import time

from journal import Journal
from photographs import Photographs
from rivals.rival_cases import Rivals
from zoo.zoo_cases import PREFIX, Zoo

HERE = os.path.dirname(os.path.abspath(__file__))
INPUTS = {"lenet": "1,28,28", "resnet32": "3,32,32", "resnet18": "3,224,224",
          "resnet50": "3,224,224", "vgg11": "3,224,224"}
LAYOUTS = ("channels_last", "contiguous")


class Lab(Photographs, Rivals, Zoo):
    """option: tool, pythons {peer: interpreter}, ort_python, iterations, journal."""

    def __init__(self, option, folder):
        self.option, self.folder = option, folder
        tool = os.stat(option.tool)
        self.journal = Journal(option.journal, [tool.st_size, tool.st_mtime, option.iterations])

    def model(self, network):
        if network.startswith(PREFIX):
            return self.make_zoo_model(network)
        path = os.path.join(self.folder, network + ".onnx")
        if os.path.exists(path):
            return path
        if network in INPUTS:
            self.run([self.option.tool, "new", network, "--input", INPUTS[network], "-o", path])
        else:
            self.make_rival_model(network, path)
        return path

    def run(self, command):
        done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, text=True)
        if done.returncode:
            sys.exit("failed: " + " ".join(str(word) for word in command))
        return done.stdout

    def json(self, command):
        text = self.run(command)
        return json.loads(text[text.index("{"):])

    def iterations(self, network):
        """Steps of milliseconds are repeated more often, steps of seconds less."""
        factor = {"lenet": 4, "lenet5": 4, "resnet32": 1}.get(network, 0.34)
        return max(2, round(factor * self.option.iterations))

    def step(self, network, method, batch, layers, threads):
        command = [self.option.tool, "bench", self.model(network), "--method", method, "--batch",
                   batch, "--threads", threads, "--repeat", self.iterations(network), "--profile",
                   2, "--json"]
        for layer in layers:
            command += ["--layer", layer]
        return self.json(command)

    def torch(self, peer, network, step, batch, layers, threads):
        command = [self.option.pythons[peer], os.path.join(HERE, "peer_torch.py"), network, step,
                   "--batch", batch, "--threads", threads, "--iterations",
                   self.iterations(network), "--layers", ",".join(layers), "--layout"]
        tries = [dict(self.json(command + [layout]), layout=layout) for layout in LAYOUTS]
        return min(tries, key=lambda figures: figures["seconds"])

    def ort(self, network, batch, threads):
        return self.json([self.option.ort_python, os.path.join(HERE, "peer_ort.py"),
                          self.model(network), "--batch", batch, "--threads", threads,
                          "--iterations", self.iterations(network)])

    def sgemm(self, threads):
        return self.json([sys.executable, os.path.join(HERE, "sgemm.py"), "--threads", threads])

    def inspect(self, network):
        path = self.model(network)
        start = time.perf_counter()
        self.run([self.option.tool, "inspect", path, "--json"])
        return {"seconds": time.perf_counter() - start, "file_bytes": os.path.getsize(path)}

    def memory(self, network, method, batch, layers, threads):
        command = [self.option.tool, "inspect", self.model(network), "--batch", batch, "--threads",
                   threads, "--json"]
        for layer in layers:
            command += ["--layer", layer]
        told = self.json(command)["memory"]["steps"]
        return dict(next(row for row in told if row["step"] == method), seconds=0)

    def measure(self, key):
        self.journal.add(key, getattr(self, key[0])(*key[1:]))

    def best(self, key):
        """Another user of the machine can only make a step slower: the fastest median counts."""
        return min(self.journal.runs(key), key=lambda figures: figures["seconds"])
