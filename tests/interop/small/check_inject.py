"""inject: every file that comes out loads in ONNX Runtime, and with the switch at 0 it gives the
same logits, bit for bit; what cannot be known is refused.

Shapes that a file declares for inner values are taken away, or falsified: nothing may rest on them.
"""
import json

import numpy as np
import onnx

import check_injected
import small
from small import node

INTS = {"rows": np.array([-1, 256], np.int64), "tokens": np.array([0, 4, 64], np.int64),
        "flat": np.array([-1, 64], np.int64), "a1": np.array([1], np.int64),
        "a23": np.array([2, 3], np.int64)}
WEIGHTS = {"k": small.weights(64, 5), "k5": small.weights(5, 3), "e": small.weights(4, 6),
           "e6": small.weights(6, 3), "e44": small.weights(4, 4), "e43": small.weights(4, 3),
           "e88": small.weights(8, 8), "e83": small.weights(8, 3), "d": small.weights(8, 8, 4),
           "n": small.weights(6), "one": np.ones(4, np.float32),
           "nought": np.zeros(4, np.float32)}


def conv_net(info=(), opset=17):
    """conv, relu, head; `c` may be declared to be anything."""
    nodes, made = small.features(4, 8)
    return small.join((nodes, made), small.head(256)), info, opset


def tokens(steps, info=(), opset=17):
    """r [n,4,8,8] through steps to z, whose numbers are averaged by a last MatMul to y."""
    nodes, made = small.features(4, 8)
    used = {n for one in steps for n in one.input}
    made.update({k: v for k, v in {**INTS, **WEIGHTS}.items() if k in used})
    return (nodes + steps, made), info, opset


# A MatMul over the last axis of [n,4,64]: tokens. Then a mean over the tokens, and the classes.
TOKENS = [node("Reshape", "r tokens", "t"), node("MatMul", "t k", "m"), node("Relu", "m", "a"),
          node("ReduceMean", "a", "p", axes=[1], keepdims=0), node("MatMul", "p k5", "y")]
# Tokens behind a normalisation whose equal tensors a simplifier has merged.
MERGED = [node("BatchNormalization", "r one nought nought one", "b"),
          node("Reshape", "b tokens", "t"), *TOKENS[1:]]
# Channels last [n,8,8,4] with a dense layer over the channels, as Keras writes them.
LAST = [node("Transpose", "r", "t", perm=[0, 2, 3, 1]), node("MatMul", "t e", "m"),
        node("Relu", "m", "a"), node("ReduceMean", "a", "p", axes=[1, 2], keepdims=0),
        node("MatMul", "p e6", "y")]
# Blocks that work channels last: turned back before their sum, as in ConvNeXt, or not, as in Swin;
# and one with as many channels as rows.
MIXED = [node("Transpose", "r", "t", perm=[0, 2, 3, 1]), node("MatMul", "t e44", "m"),
         node("Transpose", "m", "b", perm=[0, 3, 1, 2]), node("Add", "b r", "s"),
         node("GlobalAveragePool", "s", "g"), node("Flatten", "g", "p"),
         node("MatMul", "p e43", "y")]
LAST_BLOCK = [node("Transpose", "r", "t", perm=[0, 2, 3, 1]), node("MatMul", "t e44", "m"),
              node("Add", "m t", "s"), node("ReduceMean", "s", "p", axes=[1, 2], keepdims=0),
              node("MatMul", "p e43", "y")]
SQUARE = [node("Transpose", "r", "t", perm=[0, 2, 1, 3]), node("MatMul", "t e88", "m"),
          node("Add", "m t", "s"), node("ReduceMean", "s", "p", axes=[1, 2], keepdims=0),
          node("MatMul", "p e83", "y")]
# Tokens first, [4,n,64], and tokens behind an operator that the engine does not have.
TURNED = [node("Reshape", "r tokens", "t0"), node("Transpose", "t0", "t", perm=[1, 0, 2]),
          node("MatMul", "t k", "m"), node("Relu", "m", "a"),
          node("ReduceMean", "a", "p", axes=[0], keepdims=0), node("MatMul", "p k5", "y")]
UNKNOWN = [node("Hardmax", "r", "u"), node("Reshape", "u tokens", "t"), *TOKENS[1:]]
# Tokens as rows of a matrix: the rows are no images.
ROWS = [node("Reshape", "r flat", "t"), node("Gemm", "t k", "m"), node("Relu", "m", "a"),
        node("Gemm", "a k5", "b"), node("Reshape", "b back", "b3"),
        node("ReduceMean", "b3", "y", axes=[1], keepdims=0)]
INTS["back"] = np.array([-1, 4, 3], np.int64)
# And rows that are tokens again, as Keras's Dense writes them, its list of lengths in int32.
DENSE = [node("Reshape", "r tokens", "t"), node("Shape", "t", "s"), node("Cast", "s", "s6", to=6),
         node("Gather", "s6 leading", "l"), node("Concat", "l units", "u", axis=0),
         node("Cast", "u", "u7", to=7), node("Reshape", "t flat", "rw"),
         node("MatMul", "rw k", "m"), node("Reshape", "m u7", "b0"), node("Add", "b0 n5", "b"),
         node("Relu", "b", "a"), node("ReduceMean", "a", "p", axes=[1], keepdims=0),
         node("MatMul", "p k5", "y")]
INTS["leading"], INTS["units"] = np.array([0, 1], np.int32), np.array([5], np.int32)
WEIGHTS["n5"] = small.weights(5)
# A gate whose layer reads an image's row, [n,4,1,1] -> [n,4] and back: its features are the row.
GATE = [node("GlobalAveragePool", "r", "g"), node("Reshape", "g row", "t"),
        node("MatMul", "t e44", "m"), node("Reshape", "m map", "b"), node("Sigmoid", "b", "q"),
        node("Mul", "r q", "z"), node("GlobalAveragePool", "z", "zp"), node("Flatten", "zp", "p"),
        node("MatMul", "p e43", "y")]
INTS["row"], INTS["map"] = np.array([-1, 4], np.int64), np.array([-1, 4, 1, 1], np.int64)
# Two blocks, the second with a convolution as its shortcut, between layer normalisations in parts.
NORM = [node("ReduceMean", "r", "m1", axes=[1]), node("Sub", "r m1", "dv"),
        node("Mul", "dv dv", "q"), node("ReduceMean", "q", "v", axes=[1]),
        node("Add", "v tiny", "v1"), node("Sqrt", "v1", "e_"), node("Div", "dv e_", "z1")]
PARTS = [*NORM, node("Conv", "z1 w4", "c1"), node("Add", "c1 r", "s1"), node("Conv", "s1 w4", "c2"),
         node("Relu", "c2", "c3"), node("Conv", "c3 w4", "c4"), node("Conv", "s1 w4", "c5"),
         node("Add", "c4 c5", "s2"), node("GlobalAveragePool", "s2", "g"),
         node("Flatten", "g", "p"), node("MatMul", "p e43", "y")]
WEIGHTS["tiny"], WEIGHTS["w4"] = np.array(1e-3, np.float32), small.weights(4, 4, 1, 1)
# A list that is put together in a way that only folding follows.
CHOSEN = [node("Where", "yes tokens tokens", "list"), node("Reshape", "r list", "t"), *TOKENS[1:]]
INTS["yes"] = np.ones(3, bool)
# Features through an operator that the engine does not have, and through one whose result has a
# rank that inject does not know.
HARDMAX = [node("GlobalAveragePool", "r", "g"), node("Flatten", "g", "f4"),
           node("Hardmax", "f4", "t"), node("MatMul", "t e", "m"), node("Relu", "m", "a"),
           node("MatMul", "a e6", "y")]
COMPRESS = [node("GlobalAveragePool", "r", "g"), node("Flatten", "g", "f4"),
           node("Compress", "f4 keep", "t", axis=1),
           node("MatMul", "t e", "m"), node("Relu", "m", "a"), node("MatMul", "a e6", "y")]

STALE = {"rank 2": ("c", ("n", 8)), "rank 3": ("c", ("n", 4, 64)),
         "channels": ("c", ("n", 9, 8, 8)), "nothing": None}


def injected(program, path, *options):
    out = path.with_name(path.stem + "_injected.onnx")
    out.unlink(missing_ok=True)
    status, _, messages = program("inject", path, "-o", out, "--hidden", 4, *options)
    return (out if status == 0 else None), messages


def same(program, path, out):
    """The injected file in ONNX Runtime, with the switch at 0 and at 1; and stripped."""
    onnx.checker.check_model(str(out))
    images = program.data.test[:5]
    want, got = small.runtime(path, images), small.runtime(out, images)
    if not np.array_equal(want, got):
        return "the logits differ by %g" % np.abs(want - got).max()
    label = np.full((5, 3), 1 / 3, np.float32)
    lit = small.runtime(out, images, **{"mfm.soft_label": label,
                                        "mfm.switch": np.ones(1, np.float32)})
    if not np.allclose(want, lit, rtol=1e-5, atol=1e-6):
        return "at the start the modulator is not the identity: %g" % np.abs(want - lit).max()
    stripped = out.with_name(out.stem + "_stripped.onnx")
    status, _, messages = program("strip", out, "-o", stripped)
    if status or stripped.read_bytes() != path.read_bytes():
        return messages or "strip does not give the bytes before"
    return ""


def accepted(program, name, made, *options):
    (nodes, tensors), info, opset = made
    path = small.save(program.folder / (name.replace(" ", "_") + ".onnx"), nodes, tensors,
                      info=info, opset=opset)
    out, messages = injected(program, path, "--modulation", "film", *options)
    return messages if out is None else same(program, path, out)


def refused(program, name, made, words, *options):
    (nodes, tensors), info, opset = made
    path = small.save(program.folder / (name.replace(" ", "_") + ".onnx"), nodes, tensors,
                      info=info, opset=opset)
    out, messages = injected(program, path, *options)
    return "it was injected" if out else "" if words in messages else messages


def site_of(out):
    """The axis and the number of channels that the record of an injected file tells."""
    record = next(p.value for p in onnx.load(out).metadata_props if p.key == "mfm.inject")
    site = json.loads(record)["sites"][0]
    return site.get("axis", 1), site["channels"]


def modulated(program, made, layer="fc:1", want_axis=None):
    """With weights that are not 0 the engine modulates as ONNX Runtime does; and it trains. The
    record has the axis and the channels of want_axis."""
    place = ["--layer", layer] + (["--position", "block"] if "block" in layer else [])
    (nodes, tensors), info, opset = made
    path = small.save(program.folder / "modulated.onnx", nodes, tensors, info=info, opset=opset)
    images = program.data.test[:5]
    label = np.random.default_rng(3).dirichlet(np.ones(3), 5).astype("<f4")
    label.tofile(program.folder / "label")
    images.astype("<f4").tofile(program.folder / "images")
    for form in ("scaled-softmax", "film", "attention"):
        out, messages = injected(program, path, *place, "--modulation", form)
        if out is None:
            return messages
        if want_axis and want_axis != site_of(out):
            return "axis and channels: %s, not %s" % (site_of(out), want_axis)
        lively = out.with_name("lively.onnx")
        check_injected.give_modulator_weights(out, lively)
        status, _, messages = program("run", lively, "--input", program.folder / "images",
                                      "--soft-label", program.folder / "label", "--switch", 1,
                                      "-o", program.folder / "on")
        if status:
            return messages
        want = small.runtime(lively, images, **{"mfm.soft_label": label,
                                                "mfm.switch": np.ones(1, np.float32)})
        got = np.fromfile(program.folder / "on", "<f4").reshape(want.shape)
        if np.abs(want - small.runtime(path, images)).max() < 1e-3:
            return form + ": the modulator does nothing"
        if np.abs(got - want).max() > 1e-4:
            return "%s: differs by %g" % (form, np.abs(got - want).max())
        status, lines, messages, written = program.train(
            path, "--epochs", 2, "--batch", 15, "--method", "mfm", *place,
            "--meta-batch", 6, "--meta-per-class", 4, "--modulation", form)
        if status:
            return messages
        loss = small.cross_entropy(softmax(small.runtime(written, program.data.test)),
                                   program.data.labels)
        if abs(loss - lines[-1]["test_loss"]) > 2e-4:
            return "%s: test_loss %g, by ONNX Runtime %g" % (form, lines[-1]["test_loss"], loss)
    return ""


def headed(program, path, images, kind):
    """A fresh classifier is of the file's type, and ONNX Runtime computes what the engine does."""
    onnx.checker.check_model(str(path), full_check=True)
    model = onnx.load(str(path))
    want = small.runtime(path, images)
    got, messages = program.logits(path, images)
    if got is None:
        return messages
    if {t.data_type for t in model.graph.initializer} != {kind} or want.shape != (5, 5):
        return "other types or classes"
    apart = np.abs(got - want).max() / np.abs(want).max()
    return "" if np.abs(want).max() > 1e-3 and apart < 4e-3 else "%g apart" % apart


def typed(program, kind, width, form):
    """A file of another float type: ONNX Runtime takes what comes out, with the switch at 0 for the
    same bits and at 1 for what the engine has; strip gives the bytes before; training works."""
    dense = [node("Flatten", "x", "f0"), node("Gemm", "f0 u", "c"), node("Relu", "c", "r")]
    conv = [node("Conv", "x w", "c"), node("Relu", "c", "r")]
    tensors = {"w": small.weights(4, 1, 3, 3), "u": small.weights(64, 144, scale=0.1)}
    # ONNX Runtime has no convolution in double.
    tail, more = small.head(144)
    nodes, tensors = (conv, {"w": tensors["w"]}) if width == 16 else (dense, {"u": tensors["u"]})
    number = onnx.helper.tensor_dtype_to_np_dtype(kind)
    value = lambda name, shape: onnx.helper.make_tensor_value_info(name, kind, shape)
    graph = onnx.helper.make_graph(
        nodes + tail, "typed", [value("x", ("n", 1, 8, 8))], [value("y", ("n", 3))],
        [onnx.numpy_helper.from_array(v.astype(number), k) for k, v in {**tensors, **more}.items()])
    path = program.folder / ("typed_%d.onnx" % width)
    onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)],
                                     ir_version=8), str(path))
    images = program.data.test[:5].astype(number)
    out, messages = injected(program, path, "--layer", "conv:1" if width == 16 else "fc:1",
                             "--modulation", form)
    if out is None:
        return messages
    onnx.checker.check_model(str(out), full_check=True)
    if small.runtime(out, images).tobytes() != small.runtime(path, images).tobytes():
        return "other logits with the switch at 0"
    lively, plain = out.with_name("lively.onnx"), out.with_name("plain.onnx")
    program("strip", out, "-o", plain)
    if plain.read_bytes() != path.read_bytes():
        return "strip gives other bytes"
    status, _, messages = program("head", path, "-o", out.with_name("headed.onnx"), "--classes", 5)
    wrong = messages if status else headed(program, out.with_name("headed.onnx"), images, kind)
    if wrong:
        return "head: " + wrong
    check_injected.give_modulator_weights(out, lively)
    label = np.random.default_rng(3).dirichlet(np.ones(3), 5).astype("<f4")
    label.tofile(program.folder / "label")
    images.astype("<f4").tofile(program.folder / "images")
    status, _, messages = program("run", lively, "--input", program.folder / "images",
                                  "--soft-label", program.folder / "label", "--switch", 1, "-o",
                                  program.folder / "on")
    if status:
        return messages
    want = small.runtime(lively, images, **{"mfm.soft_label": label,
                                            "mfm.switch": np.ones(1, np.float32)})
    got = np.fromfile(program.folder / "on", "<f4").reshape(want.shape)
    apart = np.abs(got - want).max() / np.abs(want).max()
    if np.abs(want - small.runtime(path, images)).max() < 1e-3 or apart > (
            4e-3 if width == 16 else 1e-5):
        return "with the switch at 1 %g apart" % apart
    status, _, messages, written = program.train(
        path, "--epochs", 2, "--batch", 15, "--method", "mfm", "--layer",
        "conv:1" if width == 16 else "fc:1", "--meta-batch", 6, "--meta-per-class", 4)
    kinds = {t.data_type for t in onnx.load(str(written)).graph.initializer} if not status else 0
    return messages if status else "" if kinds == {kind} else "types %s" % kinds


def softmax(z):
    e = np.exp(z - z.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def warned(program, made, once, never):
    """inspect says each text of `once` in one warning, and those of `never` in none."""
    (nodes, tensors), info, opset = made
    path = small.save(program.folder / "warned.onnx", nodes, tensors, info=info, opset=opset)
    status, told, messages = program("inspect", path, "--json")
    if status:
        return messages
    warnings = json.loads(told)["warnings"]
    said = [text for text in once if sum(text in w for w in warnings) != 1]
    said += [text for text in never if any(text in w for w in warnings)]
    return "%s: %s" % (said, warnings) if said else ""


def two_heads(program):
    """Two outputs: last_conv is the last convolution that the trained one comes from."""
    (nodes, tensors), _, _ = conv_net()
    other = [node("Conv", "r w4", "c_other"), node("GlobalAveragePool", "c_other", "g_other"),
             node("Flatten", "g_other", "f_other"), node("MatMul", "f_other e43", "other")]
    path = small.save(program.folder / "two.onnx", nodes + other,
                      {**tensors, "w4": WEIGHTS["w4"], "e43": WEIGHTS["e43"]})
    model = onnx.load(path)
    model.graph.output.append(onnx.helper.make_tensor_value_info("other", 1, ("n", 3)))
    onnx.save(model, path)
    out, messages = injected(program, path, "--layer", "last_conv")
    yield "last_conv leads to the trained output", (
        messages if out is None or "leads to an output that is not trained" not in messages
        else same(program, path, out))
    for layer in ("conv:2", "fc:2"):
        out, messages = injected(program, path, "--layer", layer)
        yield layer + ", of the other output, is refused", (
            "it was injected" if out else
            "" if "it leads to an output that is not trained" in messages else messages)


def checks(program):
    for what, stale in STALE.items():
        made = conv_net([stale] if stale else ())
        for layer in ("conv:1", "fc:1"):
            for position in ("norm", "act") if layer == "conv:1" else ("norm",):
                name = "declared %s, %s at %s" % (what, layer, position)
                yield name, accepted(program, name, made, "--layer", layer, "--position", position)
    for what, info in (("nothing", ()), ("rank 2", [("m", ("n", 5))]),
                       ("the truth", [("m", ("n", 4, 5))])):
        name = "tokens, declared %s" % what
        yield name + ", channels last", accepted(program, name, tokens(TOKENS, info), "--layer",
                                                 "fc:1")
        yield name + ", last layer", accepted(program, name, tokens(TOKENS, info), "--layer",
                                              "fc:2")
    for what, info in (("nothing", ()), ("rank 2", [("m", ("n", 6))])):
        name = "channels last, declared %s" % what
        yield name, accepted(program, name, tokens(LAST, info), "--layer", "fc:1")
        yield name + ", last layer", accepted(program, name, tokens(LAST, info), "--layer", "fc:2")
    yield "tokens are modulated, and trained, per channel", modulated(program, tokens(TOKENS))
    yield "behind merged tensors, too", modulated(program, tokens(MERGED))
    yield "and so are images with their channels last", modulated(program, tokens(LAST))
    yield "rows that become tokens again are tokens", modulated(program, tokens(DENSE), "fc:1",
                                                                (2, 5))
    yield "a row that becomes a map is a row", modulated(program, tokens(GATE), "fc:1", (1, 4))
    yield "what inspect warns of", warned(
        program, tokens(PARTS), ["is the shortcut around a block"], ["without normalisation"])
    yield "a residual network without", warned(
        program, tokens([node("Identity", "r", "z1"), *PARTS[len(NORM):]]),
        ["without normalisation"], [])
    yield from two_heads(program)
    yield "what a block gives channels first", modulated(program, tokens(MIXED), "block:1", (1, 4))
    yield "and channels last", modulated(program, tokens(LAST_BLOCK), "block:1", (3, 4))
    yield "a block whose channels do not show is refused", refused(
        program, "square", tokens(SQUARE), "does not show", "--layer", "block:1", "--position",
        "block")
    yield "a layer of it is not", modulated(program, tokens(SQUARE), "fc:1", (3, 8))
    yield "a rank that only training finds out", accepted(
        program, "chosen", tokens(CHOSEN), "--layer", "fc:1")
    for form in ("film", "attention"):
        yield "float16, " + form, typed(program, onnx.TensorProto.FLOAT16, 16, form)
        yield "double, " + form, typed(program, onnx.TensorProto.DOUBLE, 64, form)
    yield "tokens in front of their images are refused", refused(
        program, "turned", tokens(TURNED), "for two images", "--layer", "fc:1")
    yield "tokens of what cannot be imported are refused", refused(
        program, "unknown", tokens(UNKNOWN), "[batch, ..., features]", "--layer", "fc:1")
    yield "rows that are no images are refused", refused(
        program, "rows", tokens(ROWS), "for two images", "--layer", "fc:1")
    yield "an operator that is not trained", accepted(
        program, "hardmax", tokens(HARDMAX), "--layer", "fc:1")
    WEIGHTS["keep"] = np.ones(4, bool)
    yield "an operator whose rank is not known, declared or not, is refused", refused(
        program, "compress", tokens(COMPRESS, [("m", ("n", 6))]), "do not tell the rank", "--layer",
        "fc:1")
    yield "and a layer before it", accepted(program, "compress", tokens(COMPRESS), "--layer",
                                            "conv:1")
    (nodes, tensors), _, _ = conv_net()
    path = small.save(program.folder / "classes.onnx", nodes, tensors, y=("n", 7))
    out, messages = injected(program, path, "--layer", "conv:1")
    found = None if out is None else json.loads(
        [p.value for p in onnx.load(out).metadata_props if p.key == "mfm.inject"][0])["classes"]
    yield "classes are counted, not believed", "" if found == 3 else "%s: %s" % (found, messages)
