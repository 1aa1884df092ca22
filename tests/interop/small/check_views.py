"""Views of a batch by strides, as torch's newest exporter writes as_strided: all numbers in a row,
places computed of ranges, one of them as long as the batch. They agree with ONNX Runtime at every
batch, their gradients with those of a Gather within each image, or they are refused.
"""
import numpy as np
from onnx import helper, numpy_helper

import small
from small import node

ALL = 144       # numbers of an image: features [n,4,6,6]

# (what, sizes, strides, offset): of each image
VIEWS = [
    ("as it lies", (4, 6, 6), (36, 6, 1), 0),
    ("with axes of length 1", (1, 144, 1), (7, 1, 5), 0),
    ("channels last", (6, 6, 4), (6, 1, 36), 0),
    ("windows as axes", (2, 2, 4, 3, 3), (18, 3, 36, 6, 1), 0),
    ("a crop", (4, 3, 2), (36, 6, 1), 8),
    ("every other", (4, 3, 3), (36, 12, 2), 7),
    ("overlapping windows", (4, 4, 6, 3), (36, 6, 1, 1), 0),
    ("one number again and again", (5, 3), (0, 0), 143),
]
# (what, nodes from `length`, the batch size as [1], to `lead`, whole numbers [n, 1])
REFUSED = [
    ("rows that overlap images", "Range(0,n) * 143"),
    ("images in turned order", "(n - 1 - Range(0,n)) * 144"),
    ("the first image for all", "Range(0,n) * 0"),
    ("all but the last image", "Range(0,n-1) * 144"),
    ("two of each image", "Range(0,2n) * 72"),
    ("an odd power", "Range(0,n) * Range(0,n) * 144"),
]


class Writer:
    def __init__(self):
        self.nodes, self.tensors, self.count = [], {}, 0

    def name(self):
        self.count += 1
        return "v%d" % self.count

    def ints(self, value):
        name = self.name()
        self.tensors[name] = np.array(value, np.int64)
        return name

    def add(self, op, *inputs, **attributes):
        name = self.name()
        self.nodes.append(helper.make_node(op, inputs, [name], **attributes))
        return name

    def range(self, limit):
        return self.add("Range", self.ints(0), limit, self.ints(1))

    def batch(self):
        first = self.add("Shape", "r", start=0, end=1)
        return self.add("Squeeze", first)

    def places(self, sizes, strides, offset):
        """Of one image: offset plus, along each axis, a range times its stride."""
        total = self.ints(offset)
        for i, (size, stride) in enumerate(zip(sizes, strides)):
            steps = self.add("Mul", self.range(self.ints(size)), self.ints(stride))
            form = [1 + i, *[1] * (len(sizes) - i - 1)]
            shape = self.ints([1] * form[0] + [size] + [1] * (len(form) - 1))
            total = self.add("Add", total, self.add("Reshape", steps, shape))
        return total


def write_view(path, sizes, strides, offset, computed=True):
    """The view of r, and logits of it. Not computed: as a Gather within each image."""
    w, count = Writer(), int(np.prod(sizes))
    at = np.arange(0)
    if computed:
        each = w.add("Mul", w.range(w.batch()), w.ints(ALL))
        lead = w.add("Unsqueeze", each, w.ints(range(1, 1 + len(sizes))))
        at = w.add("Add", lead, w.places(sizes, strides, offset))
        view = w.add("Gather", w.add("Reshape", "r", w.ints([-1])), at)
    else:
        steps = [np.arange(n) * s for n, s in zip(sizes, strides)]
        base = offset + sum(np.ix_(*steps))
        view = w.add("Gather", w.add("Reshape", "r", w.ints([-1, ALL])), w.ints(base), axis=1)
    w.nodes.append(node("Sin", view, "z"))      # so that the order matters to the second derivative
    return small.save(path, *small.join(small.features(), (w.nodes, w.tensors),
                                        small.head(count, "z")), opset=18)


def write_lead(path, form):
    """Places [n, 144] whose first axis is made as the text says."""
    w = Writer()
    n = w.batch()
    one, steps = w.ints(1), None
    if form.startswith("(n - 1"):
        steps = w.add("Sub", w.add("Sub", n, one), w.range(n))
    elif "n-1" in form:
        steps = w.range(w.add("Sub", n, one))
    elif "2n" in form:
        steps = w.range(w.add("Mul", n, w.ints(2)))
    elif "* Range" in form:
        steps = w.add("Mul", w.range(n), w.range(n))
    else:
        steps = w.range(n)
    lead = w.add("Unsqueeze", w.add("Mul", steps, w.ints(int(form.split()[-1]))), w.ints([1]))
    at = w.add("Add", lead, w.ints(np.arange(ALL)))
    w.nodes.append(helper.make_node("Gather", [w.add("Reshape", "r", w.ints([-1])), at], ["z"]))
    return small.save(path, *small.join(small.features(), (w.nodes, w.tensors),
                                        small.head(ALL, "z")), opset=18)


def gradients(program, path, batch):
    """Of a random direction of the logits: {name: numbers}."""
    x, u, folder = (program.folder / n for n in ("x.npy", "u.npy", "gradients-" + path.stem))
    np.save(x, batch)
    np.save(u, small.weights(len(batch), small.CLASSES))
    status, _, messages = program("grad", path, "--input", x, "--cotangent", u, "-o", folder)
    if status:
        return messages
    return {name: np.load(folder / (name + ".npy")) for name in ("x", "w", "g", "h")}


def check_view(program, sizes, strides, offset):
    path = write_view(program.folder / "view.onnx", sizes, strides, offset)
    for n in (1, 2, 4, 7):
        images = program.data.test[:n]
        got, messages = program.logits(path, images)
        if got is None:
            return messages
        apart = np.abs(got - small.runtime(path, images)).max()
        if not apart < 1e-5:
            return "batch %d: %g from ONNX Runtime" % (n, apart)
    plain = write_view(program.folder / "plain.onnx", sizes, strides, offset, computed=False)
    have, want = (gradients(program, p, program.data.test[:3]) for p in (path, plain))
    if isinstance(have, str) or isinstance(want, str):
        return "%s %s" % (have, want)
    for name, numbers in want.items():
        if not np.allclose(have[name], numbers, rtol=1e-5, atol=1e-6):
            return "gradient of %s: %g apart" % (name, np.abs(have[name] - numbers).max())
    return ""


def checks(program):
    for what, *view in VIEWS:
        yield "a view: " + what, check_view(program, *view)
    for what, form in REFUSED:
        path = write_lead(program.folder / "refused.onnx", form)
        got, messages = program.logits(path, program.data.test[:4])
        fault = "" if got is None and "Gather" in messages and "image" in messages else \
            "not refused: %s" % (messages if got is None else got[0])
        yield "refused: " + what, fault
