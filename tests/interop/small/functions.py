#!/usr/bin/env python3
"""Files whose graph calls functions (ModelProto.functions), beside ONNX Runtime.

    python3 functions.py BINARY FOLDER

Attributes by reference and by default, functions within functions, one function called several
times, inputs that are left out, outputs that only hand an input on, opsets of their own. Logits,
training (as the same file with its functions inlined by the onnx package, number for number), what
is written (calls and functions as they were), modulators. What no runtime takes is refused.
Exits with 77 when onnx or ONNX Runtime are missing.
"""
import sys
from pathlib import Path

try:
    import numpy as np
    import onnx
    import onnx.inliner
    from onnx import TensorProto, helper, numpy_helper
    from small import CLASSES, Program, node, runtime, weights
except ImportError as error:
    print("skipped: %s" % error)
    sys.exit(77)

OPSET = 17
BASE = ("--method", "base", "--epochs", 2, "--batch", 15, "--lr", .05, "--milestones", "none")


def function(name, inputs, outputs, nodes, attributes=(), defaults=(), opset=OPSET, more=()):
    imports = [helper.make_opsetid("", opset)] + [helper.make_opsetid(d, 1) for d in more]
    return helper.make_function("own", name, inputs.split(), outputs.split(), nodes, imports,
                                list(attributes), list(defaults))


def ref(made, name, kind, refers=None):
    """An attribute that the call gives."""
    attribute = made.attribute.add(name=name, type=kind)
    attribute.ref_attr_name = refers or name
    return made


INT, INTS, FLOAT = (onnx.AttributeProto.INT, onnx.AttributeProto.INTS, onnx.AttributeProto.FLOAT)


def conv_block():
    """Leaky Relu of a convolution; pads must be given, bias may be, alpha has a default."""
    conv = ref(node("Conv", "x w b", "c"), "pads", INTS, "around")
    act = ref(node("LeakyRelu", "c", "y"), "alpha", FLOAT)
    return function("Block", "x w b", "y", [conv, act], ["around"],
                    [helper.make_attribute("alpha", 0.1)])


def call(op, inputs, outputs, name="", **attributes):
    made = node(op, inputs, outputs, domain="own", **attributes)
    made.name = name
    return made


def save(path, nodes, functions, tensors, opset=OPSET, y=("n", CLASSES)):
    value = lambda name, shape: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
    graph = helper.make_graph(nodes, "g", [value("x", ("n", 1, 8, 8))], [value("y", y)],
                              [numpy_helper.from_array(np.asarray(v), k)
                               for k, v in tensors.items()])
    model = helper.make_model(graph, functions=functions, ir_version=10,
                              opset_imports=[helper.make_opsetid("", opset),
                                             helper.make_opsetid("own", 1)])
    onnx.save(model, str(path))
    return path


END = [node("Flatten", "r", "f"), node("Gemm", "f g h", "y")]
HEAD = {"g": weights(4 * 64, CLASSES, scale=0.1), "h": weights(CLASSES)}
TWO = {"w1": weights(4, 1, 3, 3), "b1": weights(4), "w2": weights(4, 4, 3, 3), **HEAD}


def cases():
    """Name -> nodes, functions, tensors."""
    block = conv_block()
    twice = [call("Block", "x w1 b1", "a", "first", around=[1] * 4),
             call("Block", "a w2", "r", "second", around=[1] * 4, alpha=0.3)]
    # Attributes handed through; a body's names are those of the graph; statistics from outside.
    outer = function("Outer", "x w g", "y z", [
        ref(ref(call("Block", "x w", "h"), "around", INTS), "alpha", FLOAT, "slope"),
        node("Relu", "h", "r"), node("Mul", "r g", "y"), node("Identity", "x", "z")],
        ["slope", "around"], more=["own"])
    norm = function("Norm", "x s t m v", "y", [
        ref(node("BatchNormalization", "x s t m v", "y"), "epsilon", FLOAT)], ["epsilon"])
    nested = [call("Outer", "x w1 scale", "a same", "o", slope=0.2, around=[1] * 4),
              call("Norm", "a s t m v", "n", epsilon=1e-3), node("Add", "n same", "r")]
    statistics = {"s": 1 + weights(4), "t": weights(4, seed=1), "m": weights(4, seed=2),
                  "v": 1 + weights(4, seed=3)**2, "scale": weights(4, 1, 1, seed=5)}
    # Constants within: a slope, and a kernel that stays as it is.
    inner = function("Inner", "x", "y", [
        node("Constant", "", "k", value=numpy_helper.from_array(weights(4, 1, 3, 3, seed=7))),
        node("Constant", "", "two", value_float=2.0),
        node("Conv", "x k", "c", group=4, pads=[1] * 4), node("Mul", "c two", "d"),
        node("Softmax", "d", "s", axis=1), node("Add", "d s", "y")])
    first = [node("Conv", "x w1 b1", "c", pads=[1] * 4)]
    whole = function("Whole", "x w g h", "y", [
        node("Conv", "x w", "c", pads=[1] * 4), node("Relu", "c", "r"), node("Flatten", "r", "f"),
        node("Gemm", "f g h", "y")])
    one = {k: TWO[k] for k in ("w1", "b1")}
    # Two of one name.
    kinds = [function("Act", "x", "y", [node(op, "x", "y")]) for op in ("Relu", "HardSigmoid")]
    acts = [call("Act", "c", "k"), call("Act", "k", "r")]
    for i, overload in enumerate(("plain", "hard")):
        kinds[i].overload = acts[i].overload = overload
    return {
        "overloads": (first + acts + END, kinds, {**one, **HEAD}),
        "twice": (twice + END, [block], TWO),
        "nested": (nested + END, [block, outer, norm], {"w1": TWO["w1"], **statistics, **HEAD}),
        "inner": (first + [call("Inner", "c", "r")] + END, [inner], {**one, **HEAD}),
        "whole": ([call("Whole", "x w1 g h", "y")], [whole], {"w1": TWO["w1"], **HEAD}),
    }


class Check:
    def __init__(self, program):
        self.program, self.failed = program, False

    def say(self, good, what):
        print("%s: %s" % ("good" if good else "WRONG", what), flush=True)
        self.failed |= not good

    def same(self, path, what):
        ours, messages = self.program.logits(path, self.program.data.test)
        want = runtime(path, self.program.data.test).reshape(len(self.program.data.test), -1)
        apart = np.abs(ours - want).max() / np.abs(want).max() if ours is not None else messages
        self.say(ours is not None and apart < 2e-6, "%s: logits, %s" % (what, apart))

    def tensors(self, path):
        return {t.name: t.raw_data for t in onnx.load(str(path)).graph.initializer}

    def inlined(self, path):
        """The file without functions, and what else keeps its training the same."""
        model = onnx.inliner.inline_local_functions(onnx.load(str(path)))
        options = []
        for one in model.graph.node:
            if one.op_type == "LeakyRelu" and not one.attribute:  # the package forgets defaults
                one.attribute.append(helper.make_attribute("alpha", 0.1))
            if one.op_type == "Constant" and one.attribute[0].name == "value":
                options += ["--freeze", one.output[0]]  # in a function it stays
        plain = path.with_name(path.stem + "_plain.onnx")
        onnx.save(model, str(plain))
        return plain, options

    def trained(self, name, path, tensors):
        """Training is that of the inlined file, and what is written has the calls as they were."""
        status, lines, messages, out = self.program.train(path, *BASE)
        self.say(status == 0, "%s: trains %s" % (name, messages if status else ""))
        if status:
            return
        self.same(out, name + ", trained")
        plain, options = self.inlined(path)
        _, plain_lines, _, plain_out = self.program.train(plain, *BASE, *options)
        a, b = ([line["train_loss"] for line in part] for part in (lines, plain_lines))
        self.say(a == b and self.tensors(out) == self.tensors(plain_out),
                 "%s: trains as the inlined file does, %s %s" % (name, a, b))
        before, after = onnx.load(str(path)), onnx.load(str(out))
        self.say(list(before.functions) == list(after.functions) and
                 list(before.graph.node) == list(after.graph.node), name + ": calls are kept")
        changed = {k for k, v in self.tensors(out).items() if v != self.tensors(path)[k]}
        self.say(changed == set(tensors), "%s: %s are trained" % (name, sorted(changed)))

    def modulated(self, name, path):
        """At a value of the graph."""
        if name in ("whole", "nested"):
            status, _, messages = self.program("inject", path, "-o", path.with_suffix(".i.onnx"),
                                               "--layer", "conv:1")
            return self.say(status == 3 and "within a function" in messages,
                            name + ": not modulated inside: " + messages.strip())
        injected, stripped = path.with_suffix(".i.onnx"), path.with_suffix(".s.onnx")
        position = ("--position", "act") if name == "twice" else ()
        layer = {"twice": "conv:2"}.get(name, "conv:1")
        status, _, messages = self.program("inject", path, "-o", injected, "--layer", layer,
                                           *position)
        self.say(status == 0, "%s: a modulator %s" % (name, messages if status else ""))
        if status:
            return None
        self.same(injected, name + ", modulated")
        self.program("strip", injected, "-o", stripped)
        self.say(stripped.exists() and stripped.read_bytes() == path.read_bytes(),
                 name + ": strip gives the bytes before")
        status, _, messages, out = self.program.train(
            path, "--method", "mfm", "--layer", layer, *position, "--meta-per-class", 3,
            *BASE[2:])
        self.say(status == 0, "%s: a meta-trained one %s" % (name, messages if status else ""))
        return None if status else self.same(out, name + ", meta-trained")

    def training_form(self):
        """BatchNormalization and Dropout in training form in a function: written for serving."""
        drop = function("Drop", "x s t m v", "y", [
            node("BatchNormalization", "x s t m v", "n om ov", training_mode=1),
            node("Constant", "", "half", value_float=0.5),
            node("Constant", "", "yes",
                 value=numpy_helper.from_array(np.array(True))),
            node("Dropout", "n half yes", "y mask")])
        nodes = [node("Conv", "x w1 b1", "c", pads=[1] * 4), call("Drop", "c s t m v", "r")]
        tensors = {"w1": TWO["w1"], "b1": TWO["b1"], "s": 1 + weights(4), "t": weights(4, seed=1),
                   "m": weights(4, seed=2), "v": 1 + weights(4, seed=3)**2, **HEAD}
        path = save(self.program.folder / "form.onnx", nodes + END, [drop], tensors)
        status, _, messages, out = self.program.train(path, *BASE)
        self.say(status == 0, "training form: trains %s" % (messages if status else ""))
        if not status:
            self.same(out, "training form, written for inference")

    def refused(self, name, nodes, functions, text):
        path = save(self.program.folder / ("bad_%s.onnx" % name), nodes + END, functions,
                    {**TWO, "m": weights(4), "v": 1 + weights(4)**2})
        status, _, messages = self.program("train", path, "-o", path.with_suffix(".t.onnx"),
                                           "--data", "idx:%s" % self.program.data.folder, *BASE)
        self.say(status == 3 and text in messages, "%s: refused: %s" % (name, messages.strip()))

    def refusals(self):
        loop = function("Loop", "x", "y", [call("Loop", "x", "y")], more=["own"])
        a = function("A", "x", "y", [call("B", "x", "y")], more=["own"])
        b = function("B", "x", "y", [call("A", "x", "y")], more=["own"])
        first = [node("Conv", "x w1 b1", "c", pads=[1] * 4)]
        ask = lambda op, inputs="c": first + [call(op, inputs, "r")]
        self.refused("itself", ask("Loop"), [loop], "calls itself")
        self.refused("each_other", ask("A"), [a, b], "calls itself")
        self.refused("twice", ask("A"), [function("A", "x", "y", [node("Relu", "x", "y")])] * 2,
                     "defined twice")
        self.refused("many", ask("A", "c c"), [function("A", "x", "y", [node("Relu", "x", "y")])],
                     "more inputs")
        self.refused("unwritten", ask("A"), [function("A", "x", "z", [node("Relu", "x", "y")])],
                     "nothing writes its output z")
        self.refused("unknown", ask("A"), [function("A", "x", "y", [node("Fancy", "x", "y")])],
                     "Fancy")
        self.refused("version", ask("A"), [helper.make_function(
            "own", "A", ["x"], ["y"], [node("Relu", "x", "y")], [helper.make_opsetid("own", 1)])],
            "does not import")
        old = function("A", "x", "y", [node("Softmax", "x", "y")], opset=11)
        self.refused("old", ask("A"), [old], "imports opset 11 of '', the model 17")
        doubling = [function("D0", "x", "y", [node("Relu", "x", "y")])]
        for i in range(1, 40):
            doubling.append(function("D%d" % i, "x", "y", [
                call("D%d" % (i - 1), "x", "h"), call("D%d" % (i - 1), "h", "y")], more=["own"]))
        self.refused("doubling", ask("D39"), doubling, "nodes")
        norm = function("A", "x", "y", [
            node("Constant", "", "m", value=numpy_helper.from_array(weights(4))),
            node("Constant", "", "v", value=numpy_helper.from_array(1 + weights(4)**2)),
            node("Constant", "", "s", value=numpy_helper.from_array(weights(4))),
            node("BatchNormalization", "x s s m v", "y")])
        self.refused("statistics", ask("A"), [norm], "not numbers within a function")

    def run(self):
        plain = ["w1", "b1", "g", "h"]
        trained = {"twice": TWO, "overloads": plain, "inner": plain,
                   "nested": "w1 s t m v scale g h".split(),
                   "whole": ["w1", "g", "h"]}
        for name, (nodes, functions, tensors) in cases().items():
            path = save(self.program.folder / (name + ".onnx"), nodes, functions, tensors)
            onnx.checker.check_model(str(path))
            self.same(path, name)
            self.trained(name, path, trained[name])
            self.modulated(name, path)
        self.training_form()
        self.refusals()
        return 1 if self.failed else 0


if __name__ == "__main__":
    sys.exit(Check(Program(sys.argv[1], Path(sys.argv[2]))).run())
