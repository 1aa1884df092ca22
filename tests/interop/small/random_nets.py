"""Random small classifiers of 8x8 images, written node by node for one opset: operators in any
order, shared tensors in random roles, constants of all kinds, fixed and open batches."""
import random

import numpy as np
from onnx import TensorProto, helper, numpy_helper

CLASSES = 3


class Net:
    """A classifier under construction. `name`, `shape`: the value that is built upon, [1, ...]."""

    def __init__(self, seed, opset):
        self.pick = random.Random(seed)
        self.numbers = np.random.default_rng(seed)
        self.opset = opset
        self.nodes, self.tensors, self.inputs, self.shared = [], {}, [], []
        self.name, self.shape, self.count = "x", (1, 1, 8, 8), 0
        self.old = []      # (name, shape) of values before

    def fresh(self, stem):
        self.count += 1
        return "%s%d" % (stem, self.count)

    def node(self, op, inputs, outputs=1, **attributes):
        names = [self.fresh(op.lower()) for _ in range(outputs)]
        self.nodes.append(helper.make_node(op, inputs, names, **attributes))
        return names[0] if len(names) == 1 else names

    def tensor(self, value, plain=False):
        """The name of a constant: an initialiser, and now and then something else."""
        value = np.asarray(value)
        for name, old in self.shared:
            if old.shape == value.shape and old.dtype == value.dtype and (
                    not plain and self.pick.random() < 0.25 and self.may_share(old, value)):
                return name
        name = self.fresh("t")
        how = self.pick.random()
        if value.dtype == np.float32 and not plain:
            self.shared.append((name, value))
        if how < 0.1 and (self.opset >= 9 or value.dtype == np.float32):
            self.nodes.append(helper.make_node("Constant", [], [name],
                                               value=numpy_helper.from_array(value, name)))
        elif how < 0.2:
            self.tensors[name + "i"] = value
            self.nodes.append(helper.make_node("Identity", [name + "i"], [name]))
        else:
            self.tensors[name] = value
            if how < 0.3:
                self.inputs.append((name, value))
        return name

    def may_share(self, old, value):
        return not ((value > 0).all() and not (old > 0).all())

    def normal(self, *shape, scale=0.3):
        return self.tensor((self.numbers.standard_normal(shape) * scale).astype(np.float32))

    def positive(self, *shape):
        return self.tensor((self.numbers.random(shape) + 0.5).astype(np.float32))

    def ints(self, *values):
        return self.tensor(np.array(values, np.int64), plain=True)

    def go(self, name, shape):
        self.old.append((self.name, self.shape))
        self.name, self.shape = name, tuple(shape)

    def axes_op(self, op, axes, since, **attributes):
        if self.opset >= since:
            return self.node(op, [self.name, self.ints(*axes)], **attributes)
        return self.node(op, [self.name], axes=list(axes), **attributes)

    def axis(self, i):
        """An axis from the front or, where the opset has it, from behind."""
        return i - len(self.shape) if self.opset >= 11 and self.pick.random() < 0.5 else i

    # Pieces. Each leaves the value as it is where it does not fit.
    def conv(self):
        if len(self.shape) != 4:
            return
        _, c, h, w = self.shape
        k = self.pick.choice([1, 3, 2])
        stride, dilation = self.pick.choice([1, 1, 2]), self.pick.choice([1, 1, 2])
        group = c if self.pick.random() < 0.2 else 1
        maps = group * self.pick.choice([1, 2]) if group > 1 else self.pick.randint(1, 6)
        pads = [self.pick.randint(0, 1) for _ in range(4)]
        a = {"group": group, "strides": [stride] * 2, "dilations": [dilation] * 2}
        reach = dilation * (k - 1) + 1
        if self.pick.random() < 0.2:
            a["auto_pad"] = self.pick.choice(["SAME_UPPER", "SAME_LOWER", "VALID"])
            a["dilations"], reach = [1, 1], k
            out = [(n + stride - 1) // stride if "SAME" in a["auto_pad"]
                   else (n - reach) // stride + 1 for n in (h, w)]
        else:
            a["pads"] = pads
            out = [(n + pads[i] + pads[i + 2] - reach) // stride + 1 for i, n in enumerate((h, w))]
        if min(out) < 1 or min(h, w) < reach:
            return
        if self.pick.random() < 0.5:
            a["kernel_shape"] = [k, k]
        inputs = [self.name, self.normal(maps, c // group, k, k)]
        inputs += self.pick.choice([[], [""], [self.normal(maps)]])
        self.go(self.node("Conv", inputs, **a), (1, maps, *out))

    def batch_norm(self):
        if len(self.shape) not in (2, 4):
            return
        c = self.shape[1]
        a = {"epsilon": self.pick.choice([1e-5, 1e-3])}
        if self.pick.random() < 0.5:
            a["momentum"] = self.pick.choice([0.9, 0.5])
        self.go(self.node("BatchNormalization", [
            self.name, self.positive(c), self.normal(c), self.normal(c), self.positive(c)], **a),
            self.shape)

    def activation(self):
        op = self.pick.choice(["Relu", "LeakyRelu", "Sigmoid", "Tanh", "HardSigmoid", "HardSwish"])
        if op == "HardSwish" and self.opset < 14:
            op = "Relu"
        sloped = op in ("LeakyRelu", "HardSigmoid") and self.pick.random() < 0.5
        a = {"alpha": 0.2} if sloped else {}
        self.go(self.node(op, [self.name], **a), self.shape)

    def clip(self):
        low, high = self.pick.choice([(None, 0.8), (-0.5, None), (-0.7, 0.9), (0.0, 6.0),
                                      (None, None)])
        if self.opset < 11:
            a = {k: v for k, v in (("min", low), ("max", high)) if v is not None}
            return self.go(self.node("Clip", [self.name], **a), self.shape)
        inputs = [self.name] + ["" if v is None else self.tensor(np.float32(v))
                                for v in (low, high)]
        while inputs[-1] == "" and self.pick.random() < 0.5:
            inputs.pop()
        self.go(self.node("Clip", inputs), self.shape)

    def operand(self):
        shapes = [(), (1,), (self.shape[-1],), self.shape[1:], self.shape]
        if len(self.shape) == 4:
            shapes += [(self.shape[1], 1, 1), (1, self.shape[1], 1, 1), (self.shape[2], 1)]
        shape = self.pick.choice(shapes)
        return self.positive(*shape) if self.pick.random() < 0.7 else self.normal(*shape)

    def arithmetic(self):
        op = self.pick.choice(["Mul", "Add", "Sub", "Mul", "Add", "Div"])
        same = [n for n, s in self.old if s == self.shape and n != "x"]
        if op == "Div":
            other = self.positive(*self.pick.choice([(), (1,), self.shape[1:]]))
            return self.go(self.node(op, [self.name, other]), self.shape)
        other = self.pick.choice(same) if same and self.pick.random() < 0.5 else self.operand()
        pair = [self.name, other]
        if self.pick.random() < 0.3:
            pair.reverse()
        self.go(self.node(op, pair), self.shape)

    def sum(self):
        same = [n for n, s in self.old if s == self.shape]
        more = self.pick.randint(0, 2) if same else 0
        self.go(self.node("Sum", [self.name] + self.pick.choices(same, k=more) if more
                          else [self.name]), self.shape)

    def concat(self):
        if len(self.shape) < 2:
            return
        axis = self.pick.randint(1, len(self.shape) - 1)
        rest = lambda shape: (*shape[:axis], *shape[axis + 1:])
        fit = [(n, s) for n, s in self.old + [(self.name, self.shape)]
               if len(s) == len(self.shape) and rest(s) == rest(self.shape)]
        other, s = self.pick.choice(fit)
        shape = list(self.shape)
        shape[axis] += s[axis]
        if shape[axis] < 64:
            pair = [self.name, other]
            self.pick.shuffle(pair)
            self.go(self.node("Concat", pair, axis=self.axis(axis)), shape)

    def split(self):
        if len(self.shape) < 2:
            return
        axis = self.pick.randint(1, len(self.shape) - 1)
        n = self.shape[axis]
        if n < 2:
            return
        parts = self.pick.choice([2, 2, 3]) if n > 2 else 2
        inputs, a = [self.name], {"axis": self.axis(axis)}
        cuts = sorted(self.pick.sample(range(1, n), parts - 1))
        lengths = [b - c for b, c in zip(cuts + [n], [0] + cuts)]
        if n % parts == 0 and self.pick.random() < 0.4:
            lengths = [n // parts] * parts
            if self.opset >= 18:
                a["num_outputs"] = parts
        elif self.opset >= 18 and self.pick.random() < 0.3 and -(-n // parts) * (parts - 1) < n:
            piece = -(-n // parts)
            lengths = [piece] * (parts - 1) + [n - piece * (parts - 1)]
            a["num_outputs"] = parts
        elif self.opset >= 13:
            inputs.append(self.ints(*lengths))
        else:
            a["split"] = lengths
        names = self.node("Split", inputs, parts, **a)
        i = self.pick.randrange(parts)
        j = self.pick.randrange(parts)
        here, there = [(*self.shape[:axis], lengths[k], *self.shape[axis + 1:]) for k in (i, j)]
        self.go(names[i], here)
        if j != i:
            self.old.append((names[j], there))

    def slice(self):
        axis = self.pick.randint(1, len(self.shape) - 1)
        n = self.shape[axis]
        step = self.pick.choice([1, 1, 2]) if self.opset >= 10 else 1
        start, end = self.pick.choice([(0, n), (0, 1 << 40), (1, n), (0, -1), (-n, n - 1)])
        length = len(range(n)[start:end:step])
        if length < 1:
            return
        if self.opset < 10:
            name = self.node("Slice", [self.name], starts=[start], ends=[end], axes=[axis])
        else:
            name = self.node("Slice", [self.name, self.ints(start), self.ints(end),
                                       self.ints(self.axis(axis)), self.ints(step)])
        self.go(name, (*self.shape[:axis], length, *self.shape[axis + 1:]))

    def pad(self):
        rank = len(self.shape)
        mode = self.pick.choice(["constant", "constant", "reflect", "edge"])
        low = -1 if mode == "constant" and min(self.shape[1:]) > 3 else 0
        if mode == "reflect" and min(self.shape[1:]) < 2:
            return
        pads = [0] + [self.pick.randint(low, 1) for _ in range(rank - 1)]
        ends = [0] + [self.pick.randint(low, 1) for _ in range(rank - 1)]
        if mode != "constant" and rank == 4:
            pads[1] = ends[1] = 0
        shape = [n + a + b for n, a, b in zip(self.shape, pads, ends)]
        if self.opset < 11:
            a = {"value": 0.3} if mode == "constant" and self.pick.random() < 0.5 else {}
            return self.go(self.node("Pad", [self.name], pads=pads + ends, mode=mode, **a), shape)
        inputs = [self.name]
        if self.opset >= 18 and self.pick.random() < 0.5:
            axes = sorted(self.pick.sample(range(1, rank), rank - 1))
            inputs += [self.ints(*[pads[i] for i in axes], *[ends[i] for i in axes]), "",
                       self.ints(*axes)]
        else:
            inputs.append(self.ints(*pads, *ends))
            if mode == "constant" and self.pick.random() < 0.5:
                inputs.append(self.tensor(np.float32(0.3)))
        self.go(self.node("Pad", inputs, mode=mode), shape)

    def pool(self):
        if len(self.shape) != 4 or min(self.shape[2:]) < 2:
            return
        op = self.pick.choice(["MaxPool", "AveragePool"])
        k, stride = self.pick.choice([2, 3]), self.pick.choice([1, 2])
        _, c, h, w = self.shape
        a = {"kernel_shape": [k, k], "strides": [stride] * 2}
        pads = [self.pick.randint(0, 1) for _ in range(4)]
        ceil = self.opset >= 10 and self.pick.random() < 0.3
        if self.pick.random() < 0.2:
            a["auto_pad"] = self.pick.choice(["SAME_UPPER", "SAME_LOWER"])
            out = [(n + stride - 1) // stride for n in (h, w)]
        else:
            a["pads"] = pads
            out = []
            for i, n in enumerate((h, w)):
                over = n + pads[i] + pads[i + 2] - k
                if over < 0:
                    return
                o = (-(-over // stride) if ceil else over // stride) + 1
                if ceil and (o - 1) * stride >= n + pads[i]:
                    o -= 1
                out.append(o)
            if ceil:
                a["ceil_mode"] = 1
        if op == "AveragePool" and self.pick.random() < 0.5:
            a["count_include_pad"] = 1
        self.go(self.node(op, [self.name], **a), (1, c, *out))

    def dropout(self):
        if self.opset >= 12:
            off = self.tensor(np.bool_(False), plain=True)
            inputs = [self.name] + self.pick.choice([[], [self.tensor(np.float32(0.3))], ["", off]])
            self.go(self.node("Dropout", inputs), self.shape)
        else:
            self.go(self.node("Dropout", [self.name], ratio=0.4), self.shape)

    def same(self):
        op = self.pick.choice(["Identity", "Cast"])
        self.go(self.node(op, [self.name], **({"to": 1} if op == "Cast" else {})), self.shape)

    def turn(self):
        rank = len(self.shape)
        perm = list(range(1, rank))
        self.pick.shuffle(perm)
        if self.pick.random() < 0.2:
            at = self.pick.randrange(rank)
            perm.insert(at, 0)
            value = self.node("Transpose", [self.name], perm=perm)
            back = list(np.argsort(perm))
            value = self.node(self.pick.choice(["Relu", "Tanh"]), [value])
            return self.go(self.node("Transpose", [value], perm=[int(i) for i in back]), self.shape)
        perm = [0] + perm
        self.go(self.node("Transpose", [self.name], perm=perm), [self.shape[p] for p in perm])

    def reshape(self):
        total = int(np.prod(self.shape[1:]))
        shapes = [[-1, total], [0, -1], [0, self.shape[1], 1, -1],
                  [-1, 1, *self.shape[1:]] if len(self.shape) < 4 else [0, 0, -1]]
        if total % 2 == 0:
            shapes += [[-1, 2, 1, total // 2], [0, total // 2, 2]]
        target = self.pick.choice(shapes)
        shape = np.zeros(self.shape).reshape(
            [self.shape[i] if t == 0 else t for i, t in enumerate(target)]).shape
        self.go(self.node("Reshape", [self.name, self.ints(*target)]), shape)

    def squeeze(self):
        ones = [i for i, n in enumerate(self.shape) if i and n == 1]
        if ones and len(self.shape) > 2 and self.pick.random() < 0.6:
            i = self.pick.choice(ones)
            return self.go(self.axes_op("Squeeze", [self.axis(i)], 13),
                           [n for j, n in enumerate(self.shape) if j != i])
        if len(self.shape) < 4:
            i = self.pick.randint(1, len(self.shape))
            shape = list(self.shape)
            shape.insert(i, 1)
            self.go(self.axes_op("Unsqueeze", [i], 13), shape)

    def reduce(self):
        if len(self.shape) < 3:
            return
        axes = sorted(self.pick.sample(range(1, len(self.shape)), self.pick.randint(1, 2)))
        keep = self.pick.randint(0, 1)
        shape = [1 if i in axes else n for i, n in enumerate(self.shape) if keep or i not in axes]
        if len(shape) < 2:
            return
        self.go(self.axes_op("ReduceMean", [self.axis(i) for i in axes], 18, keepdims=keep),
                shape)

    def matmul(self):
        n = self.shape[-1]
        m = self.pick.randint(2, 6)
        value = self.node("MatMul", [self.name, self.normal(n, m)])
        if self.pick.random() < 0.5:
            value = self.node("Add", [value, self.normal(m)])
        self.go(value, (*self.shape[:-1], m))

    def soften(self):
        axis = self.pick.randint(1, len(self.shape) - 1)
        self.go(self.node("Softmax", [self.name], axis=axis), self.shape)

    def expand(self):
        ones = [i for i, n in enumerate(self.shape) if i and n == 1]
        if not ones or self.opset < 8:
            return
        shape = [1, *self.shape[1:]]
        i = self.pick.choice(ones)
        shape[i] = 3
        self.go(self.node("Expand", [self.name, self.ints(*shape)]), shape)

    def gemm(self):
        if len(self.shape) != 2:
            return
        self.product(self.pick.randint(2, 8))

    def product(self, m):
        n = self.shape[1]
        a, turned = {}, self.pick.random() < 0.4
        if turned:
            a["transB"] = 1
        if self.pick.random() < 0.2:
            a["alpha"], a["beta"] = 0.5, 1.5
        inputs = [self.name, self.normal(m, n) if turned else self.normal(n, m)]
        if self.pick.random() < 0.8 or self.opset < 11:
            inputs.append(self.normal(*self.pick.choice([(m,), (m,), (1, m), (1,)])))
        self.go(self.node("Gemm", inputs, **a), (1, m))

    def global_pool(self):
        if len(self.shape) == 4:
            op = self.pick.choice(["GlobalAveragePool", "GlobalMaxPool"])
            self.go(self.node(op, [self.name]), (1, self.shape[1], 1, 1))

    def end(self):
        if len(self.shape) != 2:
            total = int(np.prod(self.shape[1:]))
            self.go(self.node("Flatten", [self.name]), (1, total))
        if self.pick.random() < 0.7:
            self.product(CLASSES)
        else:
            self.matmul_to(CLASSES)
        self.ends = self.pick.choice(["", "", "", "Softmax", "LogSoftmax", "Softmax Reshape",
                                      "Softmax Identity", "Identity", "Softmax Cast",
                                      "Unsqueeze Softmax Squeeze"])
        for op in self.ends.split():
            if op == "Reshape":
                name = self.node(op, [self.name, self.ints(-1, CLASSES)])
            elif op in ("Squeeze", "Unsqueeze"):
                name = self.axes_op(op, [2], 13)
            else:
                a = {"to": 1} if op == "Cast" else {"axis": 1} if "Softmax" in op else {}
                name = self.node(op, [self.name], **a)
            self.name = name

    def matmul_to(self, m):
        name = self.node("MatMul", [self.name, self.normal(self.shape[1], m)])
        if self.pick.random() < 0.7:
            name = self.node("Add", [name, self.normal(m)])
        self.go(name, (1, m))

    PIECES = ("conv conv conv conv batch_norm batch_norm activation activation clip arithmetic "
              "arithmetic arithmetic sum concat split slice pad pool dropout same turn reshape "
              "squeeze reduce matmul soften expand gemm global_pool").split()

    def build(self, length):
        if self.pick.random() < 0.2:
            self.arithmetic()
        if self.pick.random() < 0.9:
            self.conv()
        for _ in range(length):
            getattr(self, self.pick.choice(self.PIECES))()
        self.end()
        return self

    def proto(self, batch):
        info = lambda n, s, t=TensorProto.FLOAT: helper.make_tensor_value_info(n, t, s)
        graph = helper.make_graph(self.nodes, "random", [info("x", (batch, 1, 8, 8))] + [
            info(n, v.shape, helper.np_dtype_to_tensor_dtype(v.dtype)) for n, v in self.inputs],
            [info(self.name, (batch, CLASSES))],
            [numpy_helper.from_array(v, k) for k, v in self.tensors.items()])
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)],
                                 ir_version=9)


OPSETS = (7, 8, 9, 10, 11, 12, 13, 14, 15, 17, 18, 19, 20, 21)


def make(seed):
    """(the net, its file): `ends` names the nodes behind the logits."""
    pick = random.Random(seed)
    net = Net(seed, pick.choice(OPSETS)).build(pick.randint(1, 9))
    net.batch = pick.choice(["n", "n", "n", 1, 3])
    return net, net.proto(net.batch)
