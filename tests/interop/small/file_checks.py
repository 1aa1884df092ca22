#!/usr/bin/env python3
"""`check`, `diff` and `extract` on files that the onnx package writes, one fault or edit each.

    python3 file_checks.py BINARY FOLDER

Exits with 77 when onnx or ONNX Runtime are missing.
"""
import json
import sys

try:
    import numpy as np
    import onnx
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper
    from small import Program, features, head, join, node, runtime, save, weights
except ImportError as error:
    print("skipped: %s" % error)
    sys.exit(77)


def network(path):
    nodes, made = features()
    middle = [node("BatchNormalization", "r s t m v", "n"), node("Split", "n", "left right",
                                                                 axis=1),
              node("Add", "left right", "a"), node("MaxPool", "a", "p", kernel_shape=[2, 2],
                                                   strides=[2, 2])]
    made.update({"s": 1 + weights(4), "t": weights(4, seed=1), "m": weights(4, seed=2),
                 "v": 1 + weights(4, seed=3)**2})
    save(path, *join((nodes + middle, made), head(2 * 9, "p")), opset=13)
    return onnx.load(str(path))


class Check:
    def __init__(self, program):
        self.program, self.folder, self.failed = program, program.folder, False
        self.path = self.folder / "net.onnx"
        self.model = network(self.path)

    def say(self, good, what):
        print("%s: %s" % ("good" if good else "WRONG", what), flush=True)
        self.failed |= not good

    def changed(self, change):
        model = onnx.ModelProto.FromString(self.model.SerializeToString())
        change(model)
        path = self.folder / "changed.onnx"
        path.write_bytes(model.SerializeToString())
        return path

    def findings(self, what, change, *wanted):
        """Each (severity, words) is told, and nothing else of that severity."""
        status, out, _ = self.program("check", self.changed(change), "--json")
        told = json.loads(out)["problems"]
        missing = [w for w in wanted if not any(w[0] == t["severity"] and w[1] in t["problem"]
                                                for t in told)]
        bad = any(w[0] != "warning" for w in wanted)
        self.say(not missing and len(told) == len(wanted) and status == bad,
                 "check: %s: %s" % (what, [t["problem"] for t in told]))

    def check(self):
        def several(m):
            m.graph.node[1].input[0] = "nowhere"
            m.graph.node[5].input.append("nothing")
            m.graph.initializer[0].dims[0] = 5
            m.graph.output.append(helper.make_empty_tensor_value_info("none"))
        self.findings("rules of the format", several, ("error", "reads nowhere"),
                      ("error", "reads nothing"), ("error", "tensor w"), ("error", "output 'none'"))

        def numbers(m):
            values = numpy_helper.to_array(m.graph.initializer[0]).copy()
            values[0, 0, 0] = np.nan
            values[1, 0, 0, 0] = np.inf
            m.graph.initializer[0].CopyFrom(numpy_helper.from_array(values, "w"))
        self.findings("numbers", numbers, ("warning", "3 of its 36 numbers are none (NaN), 1"))

        def shapes(m):
            m.graph.value_info.append(helper.make_tensor_value_info("r", 1, ["n", 4, 6, 7]))
            m.graph.value_info.append(helper.make_tensor_value_info("n", 1, ["n", 4, 6, 6]))
        self.findings("shapes", shapes, ("warning", "value 'r': the file tells another shape"))

        def operators(m):
            m.graph.node[1].op_type = "Hardmax"
            m.graph.node[5].op_type = "MaxRoiPool"
            m.graph.node[0].domain = "mine"
        self.findings("operators", operators, ("obstacle", "Hardmax"), ("obstacle", "MaxRoiPool"),
                      ("obstacle", "mine:Conv"), ("error", "operator set 'mine'"))

        def names(m):
            m.graph.node[0].name = m.graph.node[1].name = "twice"
        self.findings("names", names, ("warning", "'twice': two nodes"))

        def old(m):
            m.ir_version = 3
        self.findings("old format", old, *[("error", "initialiser '%s'" % t.name)
                                           for t in self.model.graph.initializer])

    def differs(self, what, change, *wanted):
        """wanted: (part, name); exactly these differ."""
        status, out, _ = self.program("diff", self.path, self.changed(change), "--json")
        told = sorted((d["part"], d["name"]) for d in json.loads(out)["differences"])
        self.say(told == sorted(wanted) and status == bool(wanted), "diff: %s: %s" % (what, told))
        return json.loads(out)["differences"]

    def diff(self):
        self.differs("nothing", lambda m: None)

        def several(m):
            m.opset_import[0].version = 14
            m.producer_name = "other"
            m.graph.node[4].op_type = "Sub"
            m.graph.node[5].attribute[0].ints[0] = 3
            m.graph.node[0].output[0] = m.graph.node[1].input[0] = "conv"
            m.graph.input[0].type.tensor_type.shape.dim[2].dim_value = 9
            m.metadata_props.add(key="k", value="v")
            m.graph.initializer.append(numpy_helper.from_array(np.zeros(3, np.int64), "new"))
            m.graph.value_info.append(helper.make_tensor_value_info("r", 1, ["n", 4, 6, 6]))
        self.differs("structure", several, ("model", "opset of ai.onnx"), ("model", "producer"),
                     ("node", "a"), ("node", "p"), ("node", "c"), ("node", "conv"), ("node", "r"),
                     ("input", "x"), ("metadata", "k"), ("tensor", "new"), ("other", "value_info"))

        def order(m):
            first, second = m.graph.initializer[0], m.graph.initializer[1]
            copy = type(first).FromString(first.SerializeToString())
            first.CopyFrom(second)
            second.CopyFrom(copy)
        self.differs("order alone", order, ("other", "fields"))

        old = numpy_helper.to_array(self.model.graph.initializer[0])
        new = old.copy()
        new[0, 0, 0, 0] += 0.5
        new[1, 0, 2, 2] -= 0.25
        found = self.differs("numbers", lambda m: m.graph.initializer[0].CopyFrom(
            numpy_helper.from_array(new, "w")), ("tensor", "w"))[0]["numbers"]
        norm = lambda a: float(np.linalg.norm(a.astype(np.float64)))
        want = {"all": 36, "different": 2, "norm_before": norm(old), "norm_after": norm(new),
                "norm_difference": norm(new.astype(np.float64) - old), "largest_difference": 0.5}
        self.say(all(abs(found[k] - v) < 1e-6 for k, v in want.items()), "norms: %s" % found)

    def extract(self):
        """Parts against ONNX Runtime's values of the whole."""
        images = self.program.data.test[:4]
        whole = onnx.ModelProto.FromString(self.model.SerializeToString())
        for name in ("r", "left", "right", "a", "p"):
            whole.graph.output.append(helper.make_empty_tensor_value_info(name))
        session = onnxruntime.InferenceSession(whole.SerializeToString(),
                                               providers=["CPUExecutionProvider"])
        values = dict(zip([o.name for o in session.get_outputs()],
                          session.run(None, {"x": images})), x=images)
        for start, end in ((["r"], ["y"]), (["left"], ["a"]), (["left", "right"], ["a", "y"]),
                           (["x"], ["a"]), (["right", "x"], ["a"]), (["p"], ["y"])):
            out = self.folder / "part.onnx"
            options = [part for name in start for part in ("--from", name)]
            options += [part for name in end for part in ("--to", name)]
            what = "extract %s to %s" % (" ".join(start), " ".join(end))
            out.unlink(missing_ok=True)
            status, _, messages = self.program("extract", self.path, "-o", out, "--verify", 2,
                                               *options)
            if start == ["left"]:
                self.say(status == 3 and "depend on 'x' as well" in messages,
                         "%s: %s" % (what, messages))
                continue
            if status:
                self.say(False, what + ": " + messages)
                continue
            onnx.checker.check_model(str(out), full_check=True)
            part = onnx.load(str(out))
            session = onnxruntime.InferenceSession(str(out), providers=["CPUExecutionProvider"])
            got = session.run(None, {name: values[name] for name in start})
            self.say(sorted(i.name for i in part.graph.input) == sorted(start) and
                     all(np.abs(g - values[n]).max() < 1e-5 for g, n in zip(got, end)),
                     "%s: %d nodes" % (what, len(part.graph.node)))


def main(binary, folder):
    check = Check(Program(binary, folder))
    check.check()
    check.diff()
    check.extract()
    return 1 if check.failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
