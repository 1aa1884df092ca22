"""Constants that nodes make of constants and of shapes: `run` gives ONNX Runtime's numbers.

Each operator gets random arguments; what it makes is added to the logits, a class for each number.
Random chains of arithmetic with the images' shape are tried at several batches.
"""
import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

import small

CASES = 12         # of each operator
CHAINS = 60
FLOATS = (np.float32, np.float64, np.float16)
INTS = (np.int64, np.int32, np.uint8)


class Args:
    """Random arguments of one node."""

    def __init__(self, seed):
        self.r = np.random.default_rng(seed)

    def pick(self, *things):
        return things[self.r.integers(len(things))]

    def shape(self, least=0, most=3):
        return tuple(int(n) for n in self.r.integers(1, 5, self.r.integers(least, most + 1)))

    def array(self, shape, kind=None):
        kind = kind or self.pick(*FLOATS, *INTS)
        if kind == np.bool_:
            return self.r.random(shape) < 0.5
        if np.issubdtype(kind, np.floating):
            return np.round(self.r.standard_normal(shape) * 3, 2).astype(kind)
        low = 0 if np.issubdtype(kind, np.unsignedinteger) else -9
        return self.r.integers(low, 10, shape).astype(kind)

    def positive(self, shape, kind=None):
        kind = kind or self.pick(np.float32, np.int64)
        return (np.abs(self.array(shape, kind)) + 1).astype(kind)

    def broadcast(self, shape):
        """A shape that meets this one."""
        cut = shape[self.r.integers(0, len(shape) + 1):]
        return tuple(1 if self.r.random() < 0.4 else n for n in cut)

    def axis(self, rank):
        return int(self.r.integers(-rank, rank))

    def index(self, length, shape):
        return self.r.integers(-length, length, shape)


def ints(*values):
    return np.array(values, np.int64)


# name -> function of Args giving (inputs, attributes) or (inputs, attributes, outputs)

def binary(*kinds):
    def make(a):
        shape = a.shape()
        kind = a.pick(*kinds)
        x, y = a.array(shape, kind), a.array(a.broadcast(shape), kind)
        return [x, y], {}
    return make


def divided(a):
    shape, kind = a.shape(), a.pick(np.float32, np.int64, np.int32)
    return [a.array(shape, kind), a.positive(a.broadcast(shape), kind)], {}


def mod(a):
    shape, kind = a.shape(), a.pick(np.int64, np.int32, np.float32)
    divisor = a.positive(a.broadcast(shape), kind) * kind(a.pick(1, -1))
    plain = kind == np.float32 or a.r.random() < 0.3
    return [a.array(shape, kind), divisor], {"fmod": 1} if plain else {}


def power(a):
    shape = a.shape()
    if a.r.random() < 0.5:
        return [a.positive(shape, np.float32), a.array(a.broadcast(shape), np.float32) / 4], {}
    return [a.array(shape, np.int64), a.r.integers(0, 5, a.broadcast(shape))], {}


def unary(kinds, positive=False):
    def make(a):
        kind = a.pick(*kinds)
        return [(a.positive if positive else a.array)(a.shape(), kind)], {}
    return make


def cast(a):
    to = a.pick(TensorProto.FLOAT, TensorProto.INT64, TensorProto.INT32, TensorProto.BOOL,
                TensorProto.DOUBLE, TensorProto.FLOAT16)
    return [a.array(a.shape(), a.pick(np.float32, np.float64, np.int64, np.int32, np.bool_))], \
        {"to": to}


def cast_like(a):
    return [a.array(a.shape(), np.float32), a.array((), a.pick(*FLOATS, np.int64))], {}


def constant_of_shape(a):
    value = a.array((1,), a.pick(np.float32, np.int64, np.bool_))
    return [ints(*a.shape())], {} if a.r.random() < 0.3 else \
        {"value": numpy_helper.from_array(value)}


def eye(a):
    return [a.array((a.r.integers(1, 5), a.r.integers(1, 5)), np.float32)], \
        {"k": int(a.r.integers(-2, 3))}


def span(a):
    kind = a.pick(np.int64, np.int32, np.float32)
    start, step = a.array((), kind), kind(a.pick(1, 2, -1, 3))
    if kind == np.float32:      # halves: so that the limit is not met by rounding
        start = np.float32(a.r.integers(-9, 9) / 2)
    return [np.asarray(start), np.asarray(start + step * kind(a.r.integers(2, 6)), kind),
            np.asarray(step, kind)], {}


def concat(a):
    shape = list(a.shape(1))
    axis, kind = a.axis(len(shape)), a.pick(*FLOATS, *INTS)
    parts = []
    for _ in range(a.r.integers(1, 4)):
        shape[axis] = int(a.r.integers(0, 4)) if parts else 2
        parts.append(a.array(tuple(shape), kind))
    return parts, {"axis": axis}


def expand(a):
    shape = a.shape()
    return [a.array(a.broadcast(shape)), ints(*shape[a.r.integers(0, len(shape) + 1):])], {}


def reshape(a):
    x = a.array((2, 3, 4))
    to = a.pick((4, 6), (-1,), (0, -1), (0, 0, -1), (2, -1, 1, 2), (24,), (-1, 0, 2))
    return [x, ints(*to)], {}


def flatten(a):
    return [a.array(a.shape(2))], {"axis": int(a.r.integers(-2, 3))}


def slices(a):
    x = a.array((5, 4, 3))
    axes = a.r.permutation(3)[:a.r.integers(1, 4)]
    step = [int(a.pick(1, 1, 2, -1, -2, -3)) for _ in axes]
    early = lambda: int(a.pick(-(1 << 60), -9, 0, -4))
    late = lambda: int(a.pick(1 << 60, 9, 3, -1))
    starts = [early() if s > 0 else late() for s in step]
    ends = [late() if s > 0 else int(a.pick(-(1 << 60), -9)) for s in step]
    axes = [int(k) - 3 * int(a.r.integers(0, 2)) for k in axes]
    return [x, ints(*starts), ints(*ends), ints(*axes), ints(*step)], {}


def split(a):
    x = a.array((6, 5))
    if a.r.random() < 0.5:
        return [x, ints(2, 3, 1)], {"axis": 0}, 3
    return [x], {"axis": 1, "num_outputs": 3}, 3


def squeeze(a):
    x = a.array((1, 3, 1, 2))
    return [x] + a.pick([], [ints(0)], [ints(-2)], [ints(2, 0)]), {}


def unsqueeze(a):
    return [a.array((3, 2)), a.pick(ints(0), ints(-1), ints(1, 3), ints(-4, 2))], {}


def tile(a):
    shape = a.shape(1)
    return [a.array(shape), a.r.integers(1, 4, len(shape))], {}


def transpose(a):
    shape = a.shape()
    perm = [int(k) for k in a.r.permutation(len(shape))]
    return [a.array(shape)], {"perm": perm} if a.r.random() < 0.7 and perm else {}


def gather(a):
    shape = a.shape(1)
    axis = a.axis(len(shape))
    return [a.array(shape), a.index(shape[axis], a.shape(0, 2))], {"axis": axis}


def gather_elements(a):
    shape = a.shape(1)
    axis = a.axis(len(shape))
    at = list(shape)
    at[axis] = int(a.r.integers(1, 6))
    return [a.array(shape), a.index(shape[axis], tuple(at))], {"axis": axis}


def gather_nd(a):
    shape = a.shape(1)
    k = int(a.r.integers(1, len(shape) + 1))
    rows = a.shape(0, 2)
    at = np.stack([a.index(shape[i], rows) for i in range(k)], -1)
    return [a.array(shape), at], {}


def scatter_nd(a):
    shape, kind = a.shape(1), a.pick(np.float32, np.int64)
    k = int(a.r.integers(1, len(shape) + 1))
    places = a.r.permutation(int(np.prod(shape[:k])))[:3]     # each once: the order is not told
    at = np.stack(np.unravel_index(places, shape[:k]), -1)
    return [a.array(shape, kind), at, a.array((len(places), *shape[k:]), kind)], {}


def scatter_elements(a):
    shape, kind = a.shape(1), a.pick(np.float32, np.int64)
    axis = a.axis(len(shape))
    n = shape[axis]
    rest = [m for i, m in enumerate(shape) if i != axis % len(shape)]
    at = np.stack([a.r.permutation(n) for _ in range(int(np.prod(rest)))], -1)
    at = np.moveaxis(at.reshape(n, *rest), 0, axis)
    return [a.array(shape, kind), at, a.array(shape, kind)], {"axis": axis}


def non_zero(a):
    x = a.array((3, 4), a.pick(np.float32, np.int64, np.bool_)) * a.array((3, 4), np.bool_)
    x[1, 2] = 1
    return [x], {}


def trilu(a):
    return [a.array((2, 4, 3)), np.asarray(a.r.integers(-3, 4))], {"upper": int(a.r.integers(2))}


def cum_sum(a):
    shape = a.shape(1)
    return [a.array(shape, a.pick(np.float32, np.int64)), np.asarray(a.axis(len(shape)))], \
        {"exclusive": int(a.r.integers(2)), "reverse": int(a.r.integers(2))}


def reduced(a):
    shape = a.shape(1)
    axes = [] if a.r.random() < 0.3 else [ints(*a.r.permutation(len(shape))[:2])]
    return [a.array(shape, a.pick(np.float32, np.int64))] + axes, {"keepdims": int(a.r.integers(2))}


def one_hot(a):
    shape, depth = a.shape(), int(a.r.integers(1, 6))
    places = np.round(a.r.uniform(-depth - 1, depth + 1, shape), 1)
    kind = a.pick(np.float32, np.int64)
    return [places.astype(a.pick(np.float32, np.int64)), np.asarray(depth, np.int64),
            a.array((2,), kind)], a.pick({}, {"axis": a.axis(len(shape) + 1)})


def clip(a):
    kind = a.pick(np.float32, np.int64)
    return [a.array(a.shape(), kind)] + a.pick([], [kind(-2)], [kind(-3), kind(2)]), {}


def where(a):
    shape = a.shape()
    kind = a.pick(np.float32, np.int64)
    return [a.array(shape, np.bool_), a.array(a.broadcast(shape), kind), a.array(shape, kind)], {}


ANY = (np.float32, np.float64, np.int64, np.int32)
REAL = (np.float32,)
OPERATORS = {
    "Add": binary(*ANY), "Sub": binary(*ANY), "Mul": binary(*ANY), "Div": divided, "Mod": mod,
    "Pow": power, "Max": binary(*ANY), "Min": binary(*ANY), "And": binary(np.bool_),
    "Or": binary(np.bool_), "Xor": binary(np.bool_), "Not": unary([np.bool_]),
    "Equal": binary(np.int64, np.int32, np.float32, np.bool_), "Greater": binary(*ANY),
    "GreaterOrEqual": binary(*ANY), "Less": binary(*ANY), "LessOrEqual": binary(*ANY),
    "Where": where, "Abs": unary(ANY), "Neg": unary(ANY), "Sign": unary(ANY), "Relu": unary(REAL),
    "Ceil": unary(REAL), "Floor": unary(REAL), "Round": unary(REAL), "Sqrt": unary(REAL, True),
    "Reciprocal": unary(REAL, True), "Exp": unary(REAL), "Log": unary(REAL, True),
    "Sin": unary(REAL), "Cos": unary(REAL), "Clip": clip, "Cast": cast, "CastLike": cast_like,
    "ConstantOfShape": constant_of_shape, "EyeLike": eye, "Range": span, "Concat": concat,
    "Expand": expand, "Reshape": reshape, "Flatten": flatten, "Slice": slices, "Split": split,
    "Squeeze": squeeze, "Unsqueeze": unsqueeze, "Tile": tile, "Transpose": transpose,
    "Identity": unary(ANY), "Gather": gather, "GatherElements": gather_elements,
    "GatherND": gather_nd, "ScatterND": scatter_nd, "ScatterElements": scatter_elements,
    "NonZero": non_zero, "OneHot": one_hot, "Trilu": trilu, "CumSum": cum_sum, "ReduceSum": reduced,
    "ReduceProd": reduced, "ReduceMax": reduced, "ReduceMin": reduced, "Shape": unary(ANY),
    "Size": unary(ANY)}


def constant(name, value):
    return helper.make_node("Constant", [], [name], value=numpy_helper.from_array(
        np.asarray(value), name))


def as_row(nodes, name, count):
    """Any value as a row of floats."""
    nodes += [helper.make_node("Cast", [name], [name + ".f"], to=TensorProto.FLOAT),
              constant(name + ".row", ints(1, -1)),
              helper.make_node("Reshape", [name + ".f", name + ".row"], [name + ".r"])]
    return name + ".r"


def runs(nodes, names, opset):
    """The numbers of the values, or None where ONNX Runtime does not run the node."""
    outputs = [helper.make_empty_tensor_value_info(n) for n in names]
    graph = helper.make_graph(nodes, "g", [], outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    try:
        session = onnxruntime.InferenceSession(model.SerializeToString(),
                                               providers=["CPUExecutionProvider"])
        return session.run(None, {})
    except Exception:       # it has several kinds
        return None


def network(nodes, row, width):
    """Logits that are `row`, plus zero times the image."""
    first, made = small.features()
    made["zero"] = np.zeros((144, width), np.float32)
    return first + nodes + [small.node("Flatten", "r", "flat"),
                            small.node("MatMul", "flat zero", "z"),
                            small.node("Relu", "z", "nought"),
                            small.node("Add", "nought " + row, "y")], made


def same(got, want):
    return np.allclose(got, want, rtol=2e-6, atol=1e-6, equal_nan=True)


def check_operator(program, name, make):
    nodes, rows, wanted = [], [], []
    for k in range(CASES):
        made = make(Args([k, *name.encode()]))
        values, attributes, outputs = made if len(made) == 3 else (*made, 1)
        in_names = ["%d.%d" % (k, i) for i in range(len(values))]
        out_names = ["o%d.%d" % (k, i) for i in range(outputs)]
        more = [constant(*pair) for pair in zip(in_names, values)]
        more.append(helper.make_node(name, in_names, out_names, **attributes))
        results = runs(more, out_names, 18)
        if results is None or sum(np.size(r) for r in results) == 0:
            continue
        nodes += more
        for one, result in zip(out_names, results):
            if np.size(result):
                rows.append(as_row(nodes, one, np.size(result)))
                wanted.append(np.asarray(result).reshape(-1).astype(np.float32))
    if len(rows) < CASES // 2:
        return "only %d cases run" % len(rows)
    nodes.append(helper.make_node("Concat", rows, ["row"], axis=1))
    want = np.concatenate(wanted)
    path = program.folder / (name + ".onnx")
    small.save(path, *network(nodes, "row", len(want)), y=("n", len(want)), opset=18)
    got, messages = program.logits(path, program.data.test[:2])
    if got is None:
        return messages
    return "" if same(got, want) else "differs by %g" % np.nanmax(np.abs(got - want))


class Chain:
    """Random arithmetic with the shape of the features, [n,4,6,6]: whole numbers of rank 1."""

    def __init__(self, seed):
        self.r = np.random.default_rng(seed)
        self.nodes = [small.node("Shape", "r", "s"), small.node("Shape", "r", "m", start=1)]
        self.lists = [("s", 4), ("m", 3), ("m", 3)]
        self.count = 0

    def fresh(self):
        self.count += 1
        return "k%d" % self.count

    def const(self, *values):
        name = self.fresh()
        self.nodes.append(constant(name, ints(*values)))
        return name

    def add(self, op, inputs, **attributes):
        name = self.fresh()
        self.nodes.append(helper.make_node(op, inputs, [name], **attributes))
        return name

    def pick(self):
        return self.lists[self.r.integers(len(self.lists))]

    def step(self):
        (a, n), (b, m) = self.pick(), self.pick()
        kind = self.r.integers(8)
        if kind == 0:
            self.lists.append((self.add("Concat", [a, b], axis=0), n + m))
        elif kind == 1:
            at = self.r.integers(-n, n, 2)
            self.lists.append((self.add("Gather", [a, self.const(*at)]), 2))
        elif kind == 2:
            self.lists.append((self.add("Slice", [a, self.const(-1), self.const(-99),
                                                  self.const(0), self.const(-1)]), n))
        elif kind == 3 and (n == m or m == 1):
            op = ["Add", "Sub", "Mul"][self.r.integers(3)]
            self.lists.append((self.add(op, [a, b]), n))
        elif kind == 4:
            op = ["Add", "Mul", "Div", "Mod"][self.r.integers(4)]
            self.lists.append((self.add(op, [a, self.const(self.r.integers(1, 4))]), n))
        elif kind == 5:
            f = self.add("Cast", [a], to=TensorProto.FLOAT)
            self.nodes.append(constant(f + "h", np.array([0.5], np.float32)))
            half = self.add("Mul", [f, f + "h"])
            op = ["Floor", "Ceil"][self.r.integers(2)]
            self.lists.append((self.add("Cast", [self.add(op, [half])], to=TensorProto.INT64), n))
        elif kind == 6:
            less = self.add(["Less", "Greater", "Equal"][self.r.integers(3)],
                            [a, self.const(self.r.integers(-1, 5))])
            self.lists.append((self.add("Where", [less, self.const(1), a]), n))
        elif kind == 7:
            self.lists.append((self.add("ReduceProd", [a], keepdims=1), 1))


def check_chain(program, seed):
    """What is accepted agrees at every batch. "" and whether it was accepted."""
    chain = Chain(seed)
    for _ in range(int(chain.r.integers(2, 9))):
        chain.step()
    last, width = chain.lists[-1]
    if width < 2:
        last, width = chain.add("Concat", [last, last], axis=0), 2
    nodes = chain.nodes
    path = program.folder / "chain.onnx"
    small.save(path, *network(nodes, as_row(nodes, last, width), width), y=("n", width), opset=18)
    accepted = False
    for n in (1, 2, 4, 7):
        images = program.data.test[:n]
        got, messages = program.logits(path, images)
        try:
            want = small.runtime(path, images)
        except Exception:
            want = None
        if got is None:
            if "batch" not in messages and "not known" not in messages:
                return "refused with '%s'" % messages.strip(), False
            continue
        accepted = True
        if want is None or not same(got, want):
            return "batch %d: %s, by ONNX Runtime %s" % (
                n, got[0], None if want is None else want[0]), True
    return "", accepted


def check_many(program):
    """Numbers that are read once make room for others: 64 times 2^20 of them, more than fit at a
    time. What has two names stays for both."""
    whole = onnx_numbers(7)
    nodes = [constant("million", ints(1 << 20)), constant("three", ints(3)),
             helper.make_node("ConstantOfShape", ["three"], ["kept"], value=whole),
             helper.make_node("Identity", ["kept"], ["alias"]),
             helper.make_node("Neg", ["kept"], ["sum0"])]
    for k in range(64):
        nodes += [helper.make_node("ConstantOfShape", ["million"], ["big%d" % k], value=whole),
                  helper.make_node("ReduceMax", ["big%d" % k], ["max%d" % k], keepdims=0),
                  helper.make_node("Add", ["sum%d" % k, "max%d" % k], ["sum%d" % (k + 1)])]
    nodes.append(helper.make_node("Mul", ["sum64", "alias"], ["last"]))
    path = program.folder / "many.onnx"
    small.save(path, *network(nodes, as_row(nodes, "last", 3), 3), y=("n", 3), opset=18)
    got, messages = program.logits(path, program.data.test[:2])
    want = np.full(3, (64 * 7 - 7) * 7)
    return messages if got is None else "" if same(got, want) else "%s, not %s" % (got[0], want)


def onnx_numbers(number):
    return numpy_helper.from_array(ints(number), "value")


def checks(program):
    yield "numbers that are read make room", check_many(program)
    for name, make in OPERATORS.items():
        yield "%s of constants" % name, check_operator(program, name, make)
    accepted = 0
    for seed in range(CHAINS):
        fault, taken = check_chain(program, seed)
        accepted += taken
        yield "arithmetic %d with a shape" % seed, fault
    yield "arithmetic is accepted where it leaves the batch out", \
        "" if accepted >= CHAINS // 4 else "only %d of %d" % (accepted, CHAINS)
