"""The training step beside programs that train ONNX files on a processor: measurements and rows.

    ("rival", name, network, batch, threads)

Each rival is named by --rival NAME=PYTHON, where NAME is one of NETWORKS and the file peer_NAME.py.
Its largest network comes first; what it cannot train, and why, stands in its file. resnet18-32 is
ResNet-18 at 32 x 32, lenet5 the network of networks.py.
"""
import array
import os
import random

from row import Row, milliseconds

HERE = os.path.dirname(os.path.abspath(__file__))
NETWORKS = {"ort_training": (("resnet32", 100), ("lenet", 100)),
            "jax": (("resnet32", 100), ("lenet", 100)),
            "onnxsim": (("resnet32", 100), ("lenet", 100)),
            "spingalett": (("resnet18-32", 16), ("lenet", 100)),
            "aidge": (("lenet5", 100),)}
IMAGES = {"resnet32": (3, 32, 32), "lenet": (1, 28, 28), "resnet18-32": (3, 32, 32),
          "lenet5": (1, 28, 28)}
CLASSES, GOAL = 10, 2.5


class Rivals:
    """For Lab: option.rivals {name: interpreter}."""

    def make_rival_model(self, network, path):
        if network == "lenet5":
            python = next(iter(self.option.rivals.values()))
            self.run([python, os.path.join(HERE, "networks.py"), path])
        else:
            self.run([self.option.tool, "new", "resnet18", "--input", "3,32,32", "--classes",
                      CLASSES, "-o", path])

    def reference(self, network, batch):
        """A batch, and the gradient of it by our own hand."""
        folder = os.path.join(self.folder, "%s.%d.gradient" % (network, batch))
        if os.path.isdir(folder):
            return folder
        os.mkdir(folder)
        draw, size = random.Random(1), batch
        for axis in IMAGES[network]:
            size *= axis
        at = lambda name: os.path.join(folder, name + ".raw")
        for name, numbers in (("images", (draw.gauss(0, 1) for _ in range(size))),
                              ("labels", (draw.randrange(CLASSES) for _ in range(batch)))):
            with open(at(name), "wb") as file:
                array.array("f", numbers).tofile(file)
        self.run([self.option.tool, "grad", self.model(network), "--input", at("images"),
                  "--labels", at("labels"), "--training", "-o", folder])
        return folder

    def rival(self, name, network, batch, threads):
        return self.json([self.option.rivals[name], os.path.join(HERE, "peer_%s.py" % name),
                          self.model(network), self.reference(network, batch), "--batch", batch,
                          "--threads", threads, "--iterations", self.iterations(network)])


def theirs(figures):
    notes = "; " + figures["notes"] if figures["notes"] else ""
    return "%s (gradient to %.0e%s)" % (milliseconds(figures), figures["gradient_error"], notes)


def rows(option):
    made = []
    for name in option.rivals:
        for network, batch in NETWORKS[name]:
            mine = ("step", network, "base", batch, (), option.threads)
            other = ("rival", name, network, batch, option.threads)
            made.append(Row("rivals", "plain step, %s, batch %d; %s" % (network, batch, name),
                            (mine, other), lambda best, m=mine, o=other: (
                                milliseconds(best(m)), theirs(best(o)),
                                best(o)["seconds"] / best(m)["seconds"]), GOAL, True))
    return made
