"""Forms of operators that ONNX's vectors leave out: older opsets, other attributes. What they give
is what ONNX Runtime says.
"""
import itertools

import numpy as np
from onnx import TensorProto, helper, numpy_helper

PLACES = ["half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric"]
NEAREST = ["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"]
SCALES = {"two": (2, 2), "grown": (1.25, 3), "shrunk": (0.5, 0.75), "mixed": (1.5, 0.25)}


def numbers(*shape, seed=0):
    return np.random.default_rng([seed, *shape]).standard_normal(shape).astype(np.float32)


def floats(*values):
    return np.array(values, np.float32)


def resizes():
    """(name, opset, node, data, constants) of Resize and Upsample on images of 4 x 8."""
    x, none = {"x": numbers(2, 3, 4, 8)}, np.zeros(0, np.float32)
    for word, (h, w) in SCALES.items():
        s, sizes = floats(1, 1, h, w), np.array([2, 3, int(4 * h), int(8 * w)], np.int64)
        for mode in ("nearest", "linear"):
            if h >= 1 and w >= 1:
                yield ("upsample_7_%s_%s" % (mode, word), 7,
                       helper.make_node("Upsample", ["x"], ["y"], mode=mode, scales=[1.0, 1, h, w]),
                       x, {})
                yield ("upsample_9_%s_%s" % (mode, word), 9,
                       helper.make_node("Upsample", ["x", "s"], ["y"], mode=mode), x, {"s": s})
            yield ("resize_10_%s_%s" % (mode, word), 10,
                   helper.make_node("Resize", ["x", "s"], ["y"], mode=mode), x, {"s": s})
        for opset, place, by_size in itertools.product((11, 13, 19), PLACES, (0, 1)):
            constants = {"roi": none, "s": none if by_size else s}
            constants.update({"sizes": sizes} if by_size else {})
            for mode, near in [("nearest", n) for n in NEAREST] + [("linear", ""), ("cubic", "")]:
                more = {"nearest_mode": near} if near else {}
                yield ("_".join(["resize", str(opset), place, mode, near, word, "ns"[by_size]]),
                       opset, helper.make_node("Resize", ["x", *constants], ["y"], mode=mode,
                                               coordinate_transformation_mode=place, **more),
                       x, constants)
    for more in ({"cubic_coeff_a": -0.5}, {"exclude_outside": 1}):
        yield ("resize_cubic_%s" % list(more)[0], 13, helper.make_node(
            "Resize", ["x", "", "s"], ["y"], mode="cubic", **more), x, {"s": floats(1, 1, 2, 0.5)})
    for mode, place, outside in itertools.product(
            ("linear", "cubic"), ("half_pixel", "asymmetric", "align_corners"), (0, 1)):
        yield ("resize_antialias_%s_%s_%d" % (mode, place, outside), 18, helper.make_node(
            "Resize", ["x", "", "", "sizes"], ["y"], mode=mode, antialias=1,
            exclude_outside=outside, coordinate_transformation_mode=place), x,
            {"sizes": np.array([2, 3, 3, 3], np.int64)})
    yield ("resize_crop", 13, helper.make_node(
        "Resize", ["x", "roi", "", "sizes"], ["y"], mode="linear", extrapolation_value=7.0,
        coordinate_transformation_mode="tf_crop_and_resize"), x,
        {"roi": floats(0, 0, 0.2, 0.5, 1, 1, 0.9, 1.4),
         "sizes": np.array([2, 3, 3, 6], np.int64)})


def windows():
    """Convolutions and poolings of lines, images and volumes, in the older opsets, too."""
    for axes, size in ((1, (9,)), (2, (7, 6)), (3, (4, 5, 3))):
        x, ones = {"x": numbers(2, 4, *size)}, [1] * axes
        w, b = numbers(6, 2, *[3, 2, 2][:axes]), numbers(6)
        up, c = numbers(4, 3, *[3, 2, 2][:axes], seed=1), numbers(6, seed=1)
        variants = [("plain", {}),
                    ("strided", {"strides": [2] * axes, "pads": [1, 0, 1][:axes] + ones}),
                    ("same", {"auto_pad": "SAME_UPPER", "strides": [2] * axes}),
                    ("lower", {"auto_pad": "SAME_LOWER"})]
        for opset, (word, more) in itertools.product((7, 11), variants):
            name = "%d_%daxes_%s" % (opset, axes, word)
            yield "conv_" + name, opset, helper.make_node(
                "Conv", ["x", "w", "b"], ["y"], group=2, **more), x, {"w": w, "b": b}
            yield "convtranspose_" + name, opset, helper.make_node(
                "ConvTranspose", ["x", "w", "b"], ["y"], group=2, **more), x, {"w": up, "b": c}
            for pool in ("MaxPool", "AveragePool", "LpPool"):
                yield "%s_%s" % (pool.lower(), name), opset, helper.make_node(
                    pool, ["x"], ["y"], kernel_shape=[2] * axes, **more), x, {}
        for op in ("MaxPool", "AveragePool"):
            for opset in (10, 19):
                dilations = {"dilations": [2] * axes} if op == "MaxPool" or opset == 19 else {}
                yield "%s_%d_%daxes_ceil" % (op.lower(), opset, axes), opset, helper.make_node(
                    op, ["x"], ["y"], kernel_shape=[2] * axes, strides=[2] * axes, ceil_mode=1,
                    **dilations), x, {}
        for op in ("GlobalLpPool", "GlobalMaxPool", "GlobalAveragePool"):
            yield "%s_%daxes" % (op.lower(), axes), 11, helper.make_node(op, ["x"], ["y"]), x, {}
        yield "batchnormalization_%daxes" % axes, 9, helper.make_node(
            "BatchNormalization", ["x", "s", "b", "m", "v"], ["y"]), x, {
                "s": numbers(4), "b": numbers(4, seed=1), "m": numbers(4, seed=2),
                "v": numbers(4, seed=3) ** 2}
    yield "lppool_p3", 18, helper.make_node("LpPool", ["x"], ["y"], kernel_shape=[3, 2], p=3), {
        "x": numbers(1, 2, 5, 6)}, {}
    yield "globallppool_p1", 9, helper.make_node("GlobalLpPool", ["x"], ["y"], p=1), {
        "x": numbers(2, 3, 5, 6)}, {}


EQUATIONS = {
    "transpose": ("ijk->kji", (2, 3, 4)), "trace": ("ii", (4, 4)),
    "spaces": ("b i j -> b", (2, 3, 4)), "implied": ("ba,cb", (3, 4), (5, 3)),
    "attention": ("nhqd,nhkd->nhqk", (2, 3, 5, 4), (2, 3, 6, 4)),
    "grid": ("bhwd,xhd->bhxw", (2, 3, 4, 5), (6, 3, 5)),
    "pixels": ("nchw,dc->ndhw", (2, 4, 3, 5), (6, 4)),
    "dots": ("...ij,jk->...ik", (2, 1, 3, 4), (4, 5)),
    "stretched": ("b...i,...ij->b...j", (2, 1, 3, 4), (5, 3, 4, 6)),
    "chain": ("ij,jk,kl->il", (2, 3), (3, 4), (4, 5)), "outer": ("i,j->ij", (3,), (4,)),
    "gates": ("bnc,bn,c->bc", (2, 5, 3), (2, 5), (3,))}


def equations():
    """Operands are data: which of them are weights makes no difference to what is computed."""
    for word, (equation, *shapes) in EQUATIONS.items():
        data = {"x%d" % i: numbers(*shape, seed=i) for i, shape in enumerate(shapes)}
        yield "einsum_" + word, 12, helper.make_node(
            "Einsum", list(data), ["y"], equation=equation), data, {}


def places():
    """Reading and writing at places that are constants of the file."""
    x, u = {"x": numbers(3, 4, 5)}, {"u": numbers(2, 4, 3, seed=1)}
    at = np.random.default_rng(0).permuted(np.tile(np.arange(5), (2, 4, 1)), axis=2)[:, :, :3]
    rows = np.array([[2], [0]])
    for opset, op in ((9, "Scatter"), (11, "ScatterElements"), (13, "ScatterElements"),
                      (18, "ScatterElements")):
        yield "%s_%d" % (op.lower(), opset), opset, helper.make_node(
            op, ["x", "i", "u"], ["y"], axis=2), {**x, **u}, {"i": at}
    yield "scatterelements_negative", 13, helper.make_node(
        "ScatterElements", ["x", "i", "u"], ["y"], axis=-1), {**x, **u}, {"i": at - 5}
    yield "scatterelements_add", 16, helper.make_node(
        "ScatterElements", ["x", "i", "u"], ["y"], axis=2, reduction="add"), {**x, **u}, {
            "i": np.minimum(at, 2)}
    for reduction in ("max", "min", "mul"):
        yield "scatterelements_" + reduction, 18, helper.make_node(
            "ScatterElements", ["x", "i", "u"], ["y"], axis=2, reduction=reduction), {**x, **u}, {
                "i": np.minimum(at, 2)}
        yield "scatternd_" + reduction, 18, helper.make_node(
            "ScatterND", ["x", "i", "v"], ["y"], reduction=reduction), {
                **x, "v": numbers(2, 4, 5)}, {"i": np.array([[1], [1]])}
    for word, more in (("once", at - 5), ("twice", np.maximum(at, 3) - 5)):
        yield "scatterelements_product_" + word, 16, helper.make_node(
            "ScatterElements", ["x", "i", "u"], ["y"], axis=-1, reduction="mul"), {**x, **u}, {
                "i": more}
    yield "scatternd_product", 16, helper.make_node(
        "ScatterND", ["x", "i", "v"], ["y"], reduction="mul"), {**x, "v": numbers(4, 5)}, {
            "i": np.array([[2, 1], [0, -1], [-1, 1], [0, 3]])}
    for opset in (11, 13):
        yield "gatherelements_%d" % opset, opset, helper.make_node(
            "GatherElements", ["x", "i"], ["y"], axis=-1), x, {"i": at}
        yield "gathernd_%d" % opset, opset, helper.make_node("GatherND", ["x", "i"], ["y"]), x, {
            "i": np.array([[[2, 1]], [[0, -1]]])}
        yield "scatternd_%d" % opset, opset, helper.make_node(
            "ScatterND", ["x", "i", "v"], ["y"]), {**x, "v": numbers(2, 4, 5)}, {"i": rows}
    yield "gathernd_batch", 12, helper.make_node("GatherND", ["x", "i"], ["y"], batch_dims=1), x, {
        "i": np.array([[2], [0], [3]])}
    yield "scatternd_add", 16, helper.make_node(
        "ScatterND", ["x", "i", "v"], ["y"], reduction="add"), {**x, "v": numbers(2, 4, 5)}, {
            "i": np.array([[1], [1]])}


def pads():
    x = {"x": numbers(2, 3, 4, 5)}
    around = (0, 4, 0, 11, 1, 0, 9, 7)
    for word, lengths in (("once", (0, 0, 1, 2, 0, 0, 3, 4)), ("around", around)):
        yield "pad_wrap_" + word, 19, helper.make_node("Pad", ["x", "p"], ["y"], mode="wrap"), x, {
            "p": np.array(lengths)}


def forms():
    yield from pads()
    yield from places()
    yield from equations()
    yield from resizes()
    yield from windows()


def model_of(opset, node, data, constants):
    value = lambda name, shape: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
    graph = helper.make_graph(
        [node], "form", [value(k, v.shape) for k, v in data.items()], [value("y", None)],
        [numpy_helper.from_array(v, k) for k, v in constants.items()])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
