"""Operators with several outputs: whichever of them is read, `run` gives ONNX Runtime's logits."""
import numpy as np

import small

PIECES = {"first": "r u", "last": "u r", "middle": "u r v", "first of three": "r u v"}


def split_model(path, opset, outputs, form):
    count = len(outputs.split())
    length = 9 if count == 3 else 8
    tensors, inputs, attributes = {}, "a", {"axis": 1}
    if form == "lengths":
        # Uneven, so that a piece taken for another shows.
        pieces = [length // count + 1] + [length // count] * (count - 2) + [length // count - 1]
        if opset < 13:
            attributes["split"] = pieces
        else:
            inputs, tensors = "a lengths", {"lengths": np.array(pieces, np.int64)}
    else:
        pieces = [length // count] * count
        if opset >= 18:
            attributes["num_outputs"] = count
    width = 64 * pieces[outputs.split().index("r")]
    nodes, made = small.features(length, 8)
    nodes[-1].output[0] = "a"
    return small.save(path, *small.join((nodes, made),
                                        ([small.node("Split", inputs, outputs, **attributes)],
                                         tensors), small.head(width)), opset=opset)


def compare(program, path, reference=None):
    got, messages = program.logits(path, program.data.test)
    if got is None:
        return messages
    want = small.runtime(reference or path, program.data.test)
    worst = float(np.abs(got - want).max())
    return "" if worst < 1e-5 else "the logits differ by %g" % worst


def refused(program, path, *words):
    got, messages = program.logits(path, program.data.test)
    if got is not None:
        return "it runs"
    missing = [w for w in words if w not in messages]
    return "%s: no %s" % (messages, missing) if missing else ""


def checks(program):
    folder = program.folder
    for opset in (7, 11, 13, 18):
        for form in ("even", "lengths"):
            for which, outputs in PIECES.items():
                path = split_model(folder / "split.onnx", opset, outputs, form)
                yield "Split %d, %s, %s output read" % (opset, form, which), compare(program, path)
            # ONNX Runtime 1.x ends at outputs without a name: it is given the named file.
            named = split_model(folder / "named.onnx", opset, "r u", form)
            path = split_model(folder / "split.onnx", opset, "r -", form)
            yield "Split %d, %s, output without a name" % (opset, form), compare(program, path,
                                                                                named)
    conv, made = small.features()
    for op, outputs, attributes, opset in (
            ("Dropout", "d mask", {"ratio": 0.5}, 11), ("Dropout", "d mask", {}, 17),
            ("Dropout", "d -", {}, 17), ("MaxPool", "d indices", {"kernel_shape": [1, 1]}, 17),
            ("MaxPool", "d -", {"kernel_shape": [1, 1]}, 17)):
        path = small.save(folder / "several.onnx", *small.join(
            (conv + [small.node(op, "r", outputs, **attributes)], made), small.head(144, "d")),
            opset=opset)
        yield "%s with outputs %s at %d" % (op, outputs, opset), compare(program, path)
    for op, reads, words in (("Dropout", "mask", ("Dropout", "mask")),
                             ("MaxPool", "indices", ("MaxPool", "Indices"))):
        attributes = {"kernel_shape": [1, 1]} if op == "MaxPool" else {}
        path = small.save(folder / "read.onnx", *small.join(
            (conv + [small.node(op, "r", "d " + reads, **attributes)], made),
            small.head(144, reads)))
        yield "%s whose %s is read is refused" % (op, reads), refused(program, path, *words)
    path = small.save(folder / "relu2.onnx", *small.join(
        (conv + [small.node("Relu", "r", "d spare")], made), small.head(144, "d")))
    yield "Relu with two outputs is refused", refused(program, path, "Relu", "at most 1")
