#!/usr/bin/env python3
"""Files that leave something open train on every data set, and are written back as they are:
channels last, height and width open, several outputs.

    python3 open_files.py BINARY FOLDER

What `eval` says of the written file is what ONNX Runtime gives for it, fed as the file wants it.
Exits with 77 when onnx or ONNX Runtime are missing.
"""
import json
import shutil
import sys

try:
    import numpy as np
    import onnx
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper
    from small import CLASSES, Program, cross_entropy, node, weights
except ImportError as error:
    print("skipped: %s" % error)
    sys.exit(77)

TRAIN = ["--method", "base", "--epochs", 2, "--batch", 15, "--lr", 0.05, "--threads", 1,
         "--milestones", "none"]


def network(path, rows, size, two):
    """rows: the input is [n,H,W,1]; size: H and W, or names; two: the logits are the second."""
    made = {"w": weights(4, 1, 3, 3), "b": weights(4), "g": weights(4, CLASSES, scale=0.5),
            "h": weights(CLASSES), "other": weights(4, 2)}
    nodes = [node("Transpose", "x", "t", perm=[0, 3, 1, 2])] if rows else []
    nodes += [node("Conv", "t w b" if rows else "x w b", "c", kernel_shape=[3, 3]),
              node("Relu", "c", "r"), node("ReduceMean", "r", "m", axes=[2, 3], keepdims=0),
              node("Gemm", "m g h", "y")]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", CLASSES])]
    if two:
        nodes.append(node("MatMul", "m other", "z"))
        outputs.insert(0, helper.make_tensor_value_info("z", TensorProto.FLOAT, ["n", 2]))
    else:
        del made["other"]
    shape = ["n", *size, 1] if rows else ["n", 1, *size]
    graph = helper.make_graph(nodes, "open", [helper.make_tensor_value_info(
        "x", TensorProto.FLOAT, shape)], outputs,
        [numpy_helper.from_array(v, k) for k, v in made.items()])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8),
              str(path))
    return path


class Check:
    def __init__(self, program):
        self.program, self.folder, self.failed = program, program.folder, False
        self.data = "idx:%s" % program.data.folder

    def say(self, good, what):
        print("%s: %s" % ("good" if good else "WRONG", what), flush=True)
        self.failed |= not good

    def runtime(self, path, rows, info):
        """For the images as the file's metadata has them."""
        raw = np.frombuffer((self.program.data.folder / "t10k-images-idx3-ubyte").read_bytes(),
                            np.uint8)[16:].reshape(-1, 1, 8, 8)
        images = ((raw / info["scale"] - info["mean"][0]) / info["deviation"][0]).astype(np.float32)
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        feed = images.transpose(0, 2, 3, 1) if rows else images
        return session.run(["y"], {"x": feed})[0]

    def trains(self, name, rows, size, two, method, *options):
        path = network(self.folder / (name + ".onnx"), rows, size, two)
        out = self.folder / (name + "_out.onnx")
        shutil.rmtree(out.with_suffix(".run"), ignore_errors=True)
        status, _, messages = self.program("train", path, "-o", out, "--data", self.data, *TRAIN,
                                           *method, *options)
        if status:
            return self.say(False, "%s: train: %s" % (name, messages.strip()))
        model, old = onnx.load(str(out)), onnx.load(str(path))
        told = {p.key: p.value for p in model.metadata_props}
        info = json.loads(told["mfm.preprocess"])
        same = [str(i) for i in model.graph.input] == [str(i) for i in old.graph.input] and \
            [str(o) for o in model.graph.output] == [str(o) for o in old.graph.output]
        self.say(same and info["layout"] == ("NHWC" if rows else "NCHW") and
                 info["input"] == [1, 8, 8], "%s: inputs, outputs: as they were" % name)
        status, text, messages = self.program("eval", out, "--data", self.data, "--json",
                                              "--threads", 1)
        if status:
            return self.say(False, "%s: eval: %s" % (name, messages.strip()))
        logits = self.runtime(out, rows, info)
        error = 100 * np.mean(logits.argmax(1) != self.program.data.labels)
        shown = json.loads(text)["error"]
        odds = np.exp(logits - logits.max(1, keepdims=True))
        loss = cross_entropy(odds / odds.sum(1, keepdims=True), self.program.data.labels)
        lines = (out.with_suffix(".run") / "metrics.jsonl").read_text().splitlines()
        told = json.loads(lines[-1])["test_loss"]
        self.say(abs(told - loss) < 1e-5 * max(1, loss),
                 "%s: test_loss %.8g, by ONNX Runtime %.8g" % (name, told, loss))
        moved = np.abs(numpy_helper.to_array(model.graph.initializer[0]) -
                       numpy_helper.to_array(old.graph.initializer[0])).max()
        self.say(abs(shown - error) < 1e-3 and moved > 1e-4,
                 "%s: error %g, by ONNX Runtime %g" % (name, shown, error))
        status, _, messages = self.program("train", "--resume", "--run", out.with_suffix(".run"),
                                           "--epochs", 3)
        return self.say(status == 0, "%s: goes on %s" % (name, messages.strip()))

    def refused(self, name, words, command, *options):
        status, _, messages = self.program(command, *options)
        self.say(status in (2, 3) and words in messages, "%s: %s" % (name, messages.strip()))


def main(binary, folder):
    check = Check(Program(binary, folder))
    mfm = ["--method", "mfm", "--meta-batch", 6, "--meta-per-class", 4, "--layer", "conv:1"]
    for name, method in (("base", []), ("mfm", mfm)):
        check.trains("rows_" + name, True, (8, 8), False, method)
        check.trains("size_" + name, False, ("h", "w"), False, method, "--input-size", "8,8")
        check.trains("both_" + name, True, ("h", "w"), True, method, "--input-size", 8,
                     "--logits", "y")
        check.trains("second_" + name, False, (8, 8), True, method, "--logits", "y")
    path = network(check.folder / "open.onnx", False, ("h", "w"), True)
    data = ["--data", check.data]
    check.refused("no size", "--input-size HEIGHT,WIDTH", "eval", path, *data)
    check.refused("a bad size", "expected HEIGHT,WIDTH", "eval", path, *data, "--input-size", "8x8")
    check.refused("another output", "no output is called 'yy': did you mean y", "eval", path, *data,
                  "--input-size", "8", "--logits", "yy")
    return 1 if check.failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
