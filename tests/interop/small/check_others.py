"""What other frameworks' converters leave in files, written by hand: scikit-learn's labels and
columns, ONNX Runtime's fusions, weights that are computed. Taken, or refused with what to do.
"""
import json

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

import small
from small import CLASSES, node, weights

ML = "ai.onnx.ml"
COLUMNS = np.array([5, 3, 60, 8, 9, 10, 31, 32, 33, 34, 1, 2, 20, 21, 22, 23])
DRAW = np.random.default_rng(3)
OFFSET, SCALE = DRAW.standard_normal(64).tolist(), DRAW.uniform(0.5, 2, 64).tolist()


def ml(op, inputs, outputs, **attributes):
    return helper.make_node(op, inputs.split(), outputs.split(), domain=ML, **attributes)


def save(path, nodes, tensors, outputs, opset=17, domains=(ML,)):
    graph = helper.make_graph(
        nodes, "others", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 1, 8, 8])],
        outputs, [numpy_helper.from_array(v, k) for k, v in tensors.items()])
    opsets = [helper.make_opsetid("", opset)] + [helper.make_opsetid(d, 1) for d in domains]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), str(path))
    return path


def label():
    return helper.make_tensor_value_info("label", TensorProto.INT64, ["n"])


def floats(name, *shape):
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", *shape])


def pipeline(path, norm):
    """As skl2onnx writes a pipeline that ends in an MLPClassifier: the label comes first."""
    nodes = [node("Flatten", "x", "f"), ml("Scaler", "f", "s", offset=OFFSET, scale=SCALE),
             ml("ArrayFeatureExtractor", "s columns", "p"), ml("Normalizer", "p", "q", norm=norm),
             node("MatMul", "q w", "m"), node("Add", "m b", "a"), node("Relu", "a", "r"),
             node("MatMul", "r v", "o"), node("Add", "o c", "z"),
             node("Softmax", "z", "probabilities", axis=1),
             node("ArgMax", "probabilities", "i", axis=1),
             ml("ArrayFeatureExtractor", "classes i", "e"),
             node("Reshape", "e flat", "label")]
    tensors = {"columns": COLUMNS, "w": weights(16, 8), "b": weights(1, 8),
               "v": weights(8, CLASSES), "c": weights(1, CLASSES),
               "classes": np.arange(CLASSES), "flat": np.array([-1])}
    return save(path, nodes, tensors, [label(), floats("probabilities", CLASSES)])


def probabilities(path, images):
    session = small.onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    told, found = session.run(["label", "probabilities"], {"x": images})
    return told, found


def softmax(z):
    e = np.exp(z - z.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def computes(program, path):
    images = program.data.test[:6]
    got, messages = program.logits(path, images)
    if got is None:
        return messages
    worst = float(np.abs(softmax(got) - probabilities(path, images)[1]).max())
    return "" if worst < 1e-5 else "the probabilities differ by %g" % worst


def trains(program, path):
    status, lines, messages, written = program.train(path, "--method", "base", "--epochs", 2,
                                                     "--batch", 15, "--lr", 0.2)
    if status or not lines:
        return messages
    made = onnx.load(str(written))
    if [o.name for o in made.graph.output] != ["label", "probabilities"]:
        return "the written file has other outputs"
    if {"mfm.output": "probabilities"}.items() - {
            p.key: p.value for p in made.metadata_props}.items():
        return "the written file does not tell its output"
    told, found = probabilities(written, program.data.test)
    if (told != found.argmax(1)).any():
        return "the label of the written file is not that of its probabilities"
    before = {t.name: t.raw_data for t in onnx.load(str(path)).graph.initializer}
    same = {t.name for t in made.graph.initializer if t.raw_data == before.get(t.name)}
    if same != {"columns", "classes", "flat"}:
        return "not trained, or trained: %s" % same
    return computes(program, written)


def modulates(program, path):
    injected, plain = path.with_suffix(".injected.onnx"), path.with_suffix(".plain.onnx")
    for arguments in (("inject", path, "-o", injected, "--layer", "fc:1"),
                      ("strip", injected, "-o", plain)):
        status, _, messages = program(*arguments)
        if status:
            return messages
    if plain.read_bytes() != path.read_bytes():
        return "strip gives other bytes"
    return computes(program, injected)


def has_no_obstacle(program, path):
    """What only the label needs, ArgMax above all, is none."""
    status, found, _ = program("check", path)
    return "" if status == 0 else found


def takes_head(program, path):
    """A fresh classifier is where the logits were; the label goes with the old one."""
    out = path.with_suffix(".head.onnx")
    status, _, messages = program("head", path, "-o", out, "--classes", 5)
    if status:
        return messages
    if "output 'label'" not in messages:
        return "nothing is said of the label: %s" % messages
    session = small.onnxruntime.InferenceSession(str(out), providers=["CPUExecutionProvider"])
    if [o.name for o in session.get_outputs()] != ["probabilities"]:
        return "other outputs: %s" % [o.name for o in session.get_outputs()]
    shape = session.run(None, {"x": program.data.test[:4]})[0].shape
    return "" if shape == (4, 5) else "of shape %s" % (shape,)


def refused(program):
    """(what, nodes, tensors, outputs, domains, what the message must say)"""
    linear = ml("LinearClassifier", "f", "label y", coefficients=[0.1] * 64 * CLASSES,
                intercepts=[0.0] * CLASSES, classlabels_ints=list(range(CLASSES)),
                post_transform="NONE")
    flat, y = node("Flatten", "x", "f"), floats("y", CLASSES)
    maps = helper.make_value_info("maps", helper.make_sequence_type_proto(
        helper.make_map_type_proto(TensorProto.INT64,
                                   helper.make_tensor_type_proto(TensorProto.FLOAT, []))))
    zip_map = ml("ZipMap", "y", "maps", classlabels_int64s=list(range(CLASSES)))
    fused = helper.make_node("BiasSplitGelu", ["m", "b"], ["g"], domain="com.microsoft")
    product = {"w": weights(64, 8), "b": weights(8), "v": weights(8, CLASSES)}
    yield ("a linear classifier", [flat, linear], {}, [label(), y], [ML],
           "black_op={'LinearClassifier'}")
    yield ("maps of probabilities", [flat, linear, zip_map], {}, [label(), maps], [ML],
           "zipmap=False")
    yield ("the largest norm", [flat, ml("Normalizer", "f", "q", norm="MAX"),
                                node("MatMul", "q w", "m"), node("MatMul", "m v", "y")],
           product, [y], [ML], "norm 'MAX': L1 and L2 are supported")
    yield ("a scaler of too few numbers",
           [flat, ml("Scaler", "f", "q", offset=[0.0] * 3, scale=[1.0]),
            node("MatMul", "q w", "m"), node("MatMul", "m v", "y")],
           product, [y], [ML], "3 numbers: one, or one for each of 64 columns")
    trees = ml("TreeEnsembleClassifier", "f", "label y")
    yield ("trees whose probabilities are maps", [flat, trees, zip_map], {}, [label(), maps], [ML],
           "only networks can be trained")
    yield ("trees", [flat, trees], {}, [label(), y], [ML], "only networks can be trained")
    yield ("rounded numbers", [flat, node("DequantizeLinear", "f w", "q"),
                               node("MatMul", "q v", "y")], {"w": weights(1), "v": weights(64, 3)},
           [y], [], "take the file from before quantisation")
    yield ("what an exporter left", [flat, node("StatefulPartitionedCall", "f", "q"),
                                     node("MatMul", "q v", "y")], {"v": weights(64, 3)}, [y], [],
           "ONNX has no such operator")
    yield ("fused nodes", [flat, node("MatMul", "f w", "m"), fused, node("MatMul", "g v", "y")],
           product, [y], ["com.microsoft"], "take the file from before")


def refuses(program):
    for what, nodes, tensors, outputs, domains, text in refused(program):
        path = save(program.folder / (what.replace(" ", "_") + ".onnx"), nodes,
                    {k: v for k, v in tensors.items() if any(k in n.input for n in nodes)},
                    outputs, domains=domains)
        got, messages = program.logits(path, program.data.test[:2])
        told = json.loads(program("inspect", path, "--json")[1])["obstacle"] or ""
        listed = program("check", path)[1]
        good = got is None and text in messages and text in told and text in listed
        fault = "" if good else messages + listed or "taken"
        yield "refused: %s" % what, fault


def standardised(path):
    """A convolution whose weights a training-form BatchNormalization makes, as BiT has them."""
    nodes = [node("Reshape", "w row", "t"),
             node("BatchNormalization", "t one none none one_", "u m v", training_mode=1),
             node("Shape", "w", "n"), node("Reshape", "u n", "k"),
             node("Conv", "x k", "q"), node("Relu", "q", "r"),
             node("GlobalAveragePool", "r", "g"), node("Flatten", "g", "f"),
             node("Gemm", "f h", "y")]
    tensors = {"w": weights(4, 1, 3, 3), "row": np.array([1, 4, -1]), "one": np.ones(4, np.float32),
               "none": np.zeros(4, np.float32), "one_": np.ones(4, np.float32),
               "h": weights(4, CLASSES)}
    return small.save(path, nodes, tensors)


def injects(program):
    path = standardised(program.folder / "standardised.onnx")
    out = path.with_suffix(".injected.onnx")
    status, _, messages = program("inject", path, "-o", out, "--layer", "last_conv")
    if status:
        return messages
    images = program.data.test[:5]
    worst = float(np.abs(small.runtime(out, images) - small.runtime(path, images)).max())
    return "" if worst < 1e-6 else "the logits differ by %g" % worst


def residual(path, normalised):
    """Two blocks with convolutions around them; LayerNormalization before each, or none."""
    nodes, tensors, last = [], {"s": np.ones(8, np.float32), "g": weights(4 * 64, CLASSES)}, "x"
    for i, maps in enumerate((1, 4)):
        at, names = "%s%d" % (last, i), "abcde"
        part = {n: "%s_%d" % (n, i) for n in names}
        tensors.update({"k%d" % i: weights(4, maps, 3, 3), "l%d" % i: weights(4, 4, 3, 3),
                        "m%d" % i: weights(4, maps, 1, 1)})
        if normalised:
            nodes.append(node("LayerNormalization", last + " s", at))
        else:
            nodes.append(node("Abs", last, at))
        nodes += [node("Conv", at + " k%d" % i, part["a"], pads=[1] * 4),
                  node("Relu", part["a"], part["b"]),
                  node("Conv", part["b"] + " l%d" % i, part["c"], pads=[1] * 4),
                  node("Conv", last + " m%d" % i, part["d"]),
                  node("Add", part["c"] + " " + part["d"], part["e"])]
        last = part["e"]
    nodes += [node("Flatten", last, "f"), node("Gemm", "f g", "y")]
    if not normalised:
        del tensors["s"]
    return small.save(path, nodes, tensors)


def warned(program, normalised):
    path = residual(program.folder / ("residual%d.onnx" % normalised), normalised)
    warnings = json.loads(program("inspect", path, "--json")[1])["warnings"]
    if len(set(warnings)) < len(warnings):
        return "said twice: %s" % warnings
    folded = any("without normalisation" in w for w in warnings)
    return "" if folded != normalised else str(warnings)


def chain(path, bare, **mode):
    """Twelve convolutions, `bare` of them with a bias in the place of a normalisation."""
    nodes, tensors, last = [], {"one": np.ones(4, np.float32), "none": np.zeros(4, np.float32)}, "x"
    for i in range(12):
        tensors["k%d" % i] = weights(4, 4 if i else 1, 3, 3, seed=i)
        end = "c%d" % i
        nodes.append(node("Conv", "%s k%d%s" % (last, i, " none" if i < bare else ""), end,
                          pads=[1] * 4))
        if i >= bare:
            nodes.append(node("BatchNormalization", end + " one none none one", "n" + end, **mode))
            end = "n" + end
        last = "r%d" % i
        nodes.append(node("Relu", end, last))
    nodes += [node("Flatten", last, "f"), node("Gemm", "f g", "y")]
    return small.save(path, nodes, {**tensors, "g": weights(256, CLASSES)})


def says(program, path, text, wanted):
    warnings = json.loads(program("inspect", path, "--json")[1])["warnings"]
    return "" if any(text in w for w in warnings) == wanted else str(warnings)


def joined(program):
    """Two convolutions that a Concat joins, through other names for them."""
    nodes = [node("Conv", "x a", "p"), node("Conv", "x b", "q"), node("Identity", "p", "i"),
             node("Identity", "i", "j"), node("Identity", "q", "k"),
             node("Concat", "j k", "c", axis=1), node("Relu", "c", "r"),
             node("GlobalAveragePool", "r", "g"), node("Flatten", "g", "f"),
             node("Gemm", "f h", "y")]
    path = small.save(program.folder / "joined.onnx", nodes, {
        "a": weights(3, 1, 3, 3), "b": weights(5, 1, 3, 3), "h": weights(8, CLASSES)})
    status, _, messages = program("inject", path, "-o", path.with_suffix(".injected.onnx"),
                                  "--layer", "last_features")
    return "" if status == 0 and "one of several branches" in messages else messages or "silent"


def checks(program):
    for norm in ("L1", "L2"):
        path = pipeline(program.folder / ("pipeline_%s.onnx" % norm), norm)
        for check in (computes, has_no_obstacle, trains, modulates, takes_head):
            what = "a pipeline of scikit-learn, %s: %s" % (norm, check.__name__)
            yield what, check(program, path)
    yield from refuses(program)
    yield "weights that are computed: a modulator behind them", injects(program)
    yield "a network that normalises first is not called folded", warned(program, True)
    yield "a network without normalisation is", warned(program, False)
    for bare in (0, 3, 9):
        path = chain(program.folder / ("chain%d.onnx" % bare), bare)
        yield "%d of 12 convolutions without normalisation" % bare, says(
            program, path, "9 of 12 convolutions without normalisation", bare == 9)
        yield "inference form, %d" % bare, says(program, path, "nodes in training form", False)
    path = chain(program.folder / "training.onnx", 3, training_mode=1)
    yield "training form is told", says(program, path, "9 nodes in training form", True)
    path = standardised(program.folder / "standardised.onnx")
    yield "weights by their own statistics are none", says(
        program, path, "nodes in training form", False)
    yield "a branch under other names is told", joined(program)
