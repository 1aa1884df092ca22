#!/usr/bin/env python3
"""Training keeps the file: every field of the protobuf that no training changes is what it was.

    python3 keep_file.py BINARY FOLDER

Files of float32, float16, bfloat16 and float64, and of bytes as input, with what writers leave in
files: descriptions, metadata of nodes, quantisation, unknown fields. Trained at rate 0 only running
statistics and the two entries that training writes may differ; at another rate the trained tensors
do, in their own type, and what is frozen is byte for byte what it was. A run that is resumed is the
run that was not. Exits with 77 when onnx or ONNX Runtime are missing.
"""
import shutil
import sys

try:
    import numpy as np
    import onnx
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper
    from small import CLASSES, Program, node, weights
except ImportError as error:
    print("skipped: %s" % error)
    sys.exit(77)

TYPES = {"float32": TensorProto.FLOAT, "float16": TensorProto.FLOAT16,
         "bfloat16": TensorProto.BFLOAT16, "float64": TensorProto.DOUBLE}
STATISTICS = {"m", "v"}
OWN_METADATA = {"mfm.preprocess", "mfm.classes"}
# Field 99, a string that no ONNX has: kept with the message that it stands in.
UNKNOWN = bytes([99 << 3 & 0x7F | 2 | 0x80, 99 << 3 >> 7, 4]) + b"kept"


def tensor(name, values, kind, raw):
    """Of any type; raw or in the typed field."""
    if kind == TensorProto.BFLOAT16:
        bits = (np.asarray(values, np.float32).view(np.uint32) >> 16).astype(np.uint16)
        made = TensorProto(name=name, data_type=kind, dims=values.shape)
        if raw:
            made.raw_data = bits.tobytes()
        else:
            made.int32_data.extend(int(b) for b in bits.ravel())
        return made
    array = values.astype(helper.tensor_dtype_to_np_dtype(kind))
    if raw:
        return numpy_helper.from_array(array, name)
    return helper.make_tensor(name, kind, values.shape, array.ravel().tolist())


def network(kind, raw=True, bytes_in=False):
    made = {"w": weights(4, 1, 3, 3), "s": 1 + weights(4), "t": weights(4, seed=1),
            "m": weights(4, seed=2), "v": 1 + weights(4, seed=3)**2,
            "k": weights(4, 1, 3, 3, seed=4), "g": weights(144, CLASSES, scale=0.1),
            "h": weights(CLASSES)}
    nodes = [node("Conv", "x w", "c", kernel_shape=[3, 3]),
             node("BatchNormalization", "c s t m v", "n", epsilon=1e-3), node("Relu", "n", "r"),
             node("Conv", "r k", "d", group=4, pads=[1] * 4, kernel_shape=[3, 3]),
             node("Add", "d r", "a"), node("Flatten", "a", "f"), node("Gemm", "f g h", "y")]
    inputs = [helper.make_tensor_value_info("x", kind, ["n", 1, 8, 8])]
    if bytes_in:
        inputs = [helper.make_tensor_value_info("x", TensorProto.UINT8, ["n", 1, 8, 8])]
        nodes[0].input[0] = "scaled"
        made.update({"scale": np.array(100, np.float32), "middle": np.array(0.5, np.float32)})
        nodes = [node("Cast", "x", "floats", to=kind), node("Div", "floats scale", "big"),
                 node("Sub", "big middle", "scaled")] + nodes
    for i, one in enumerate(nodes):
        one.name, one.doc_string = "node %d" % i, "text of %d" % i
        if i % 2:
            one.metadata_props.add(key="from", value="line %d" % i)
    graph = helper.make_graph(
        nodes, "kept", inputs, [helper.make_tensor_value_info("y", kind, ["n", CLASSES])],
        [tensor(k, v, kind, raw) for k, v in made.items()], doc_string="of the graph",
        value_info=[helper.make_tensor_value_info("r", kind, ["n", 4, 6, 6])])
    graph.initializer[0].doc_string = "of a tensor"
    graph.quantization_annotation.add(tensor_name="r").quant_parameter_tensor_names.add(
        key="SCALE_TENSOR", value="s")
    graph.metadata_props.add(key="graph", value="too")
    model = helper.make_model(graph, producer_name="someone", producer_version="7", ir_version=10,
                              opset_imports=[helper.make_opsetid("", 13),
                                             helper.make_opsetid("never.used", 3)])
    model.model_version, model.domain, model.doc_string = 5, "a.b", "of the model"
    model.metadata_props.add(key="author", value="me")
    return model.SerializeToString() + UNKNOWN


def fields(message, path=""):
    """Every field that is set: (path, value)."""
    for field, value in message.ListFields():
        name = "%s.%s" % (path, field.name)
        # Of one value or many.
        many = not isinstance(value, (str, bytes, int, float)) and not hasattr(value, "ListFields")
        for i, one in enumerate(value if many else [value]):
            at = name
            if many:
                key = getattr(one, "name", "") or getattr(one, "key", "") or str(i)
                at = "%s[%s]" % (name, key)
            if hasattr(one, "ListFields"):
                yield from fields(one, at)
            else:
                yield at, one


def changes(before, after):
    """Paths that are on one side alone or differ."""
    a, b = ([*fields(onnx.ModelProto.FromString(x))] for x in (before, after))
    return sorted({path for path, _ in set(a) ^ set(b)})


class Check:
    def __init__(self, program):
        self.program, self.folder, self.failed = program, program.folder, False
        self.data = "idx:%s" % program.data.folder

    def say(self, good, what):
        print("%s: %s" % ("good" if good else "WRONG", what), flush=True)
        self.failed |= not good

    def train(self, path, out, *options):
        shutil.rmtree(out.with_suffix(".run"), ignore_errors=True)
        status, _, messages = self.program("train", path, "-o", out, "--data", self.data,
                                           "--method", "base", "--batch", 15, "--threads", 1,
                                           "--milestones", "none", *options)
        if status:
            self.say(False, "train %s: %s" % (" ".join(map(str, options)), messages))
        return out.read_bytes() if not status else b""

    def write(self, name, content):
        path = self.folder / (name + ".onnx")
        path.write_bytes(content)
        return path

    def unexpected(self, before, after, trained):
        allowed = [".graph.initializer[%s]." % t for t in trained | STATISTICS]
        allowed += [".metadata_props[%s]." % k for k in OWN_METADATA]
        return [path for path in changes(before, after)
                if not any(path.startswith(a) for a in allowed)]

    def types_of(self, content):
        return {t.name: t.data_type for t in onnx.ModelProto.FromString(content).graph.initializer}

    def numbers(self, content):
        return {t.name: t.SerializeToString()
                for t in onnx.ModelProto.FromString(content).graph.initializer}

    def keeps(self, name, content, normalise):
        path, out = self.write(name, content), self.folder / (name + "_out.onnx")
        still = self.train(path, out, "--lr", 0, "--weight-decay", 0, "--epochs", 1, *normalise)
        odd = self.unexpected(content, still, set())
        self.say(still != b"" and not odd, "%s at rate 0: only statistics differ %s" % (name, odd))
        self.say(UNKNOWN in still, "%s: unknown fields are there" % name)
        trained = {"s", "t", "g", "h"}
        moved = self.train(path, out, "--lr", 0.05, "--epochs", 2, "--freeze", "w", "--freeze", "k",
                           *normalise)
        odd = self.unexpected(content, moved, trained)
        old, new = self.numbers(content), self.numbers(moved)
        self.say(not odd and all(old[t] != new[t] for t in trained) and
                 self.types_of(content) == self.types_of(moved),
                 "%s: what is trained differs, in its own type %s" % (name, odd))
        run = self.folder / (name + "_out.run")
        self.train(path, out, "--lr", 0.05, "--epochs", 1, "--freeze", "w", "--freeze", "k",
                   *normalise)
        status, _, messages = self.program("train", "--resume", "--run", run, "--epochs", 2)
        self.say(status == 0 and out.read_bytes() == moved,
                 "%s: resumed, it is the run that was not interrupted %s" % (name,
                                                                            messages.strip()))

    def logits(self, name, content, reference, images):
        """Of a file and of ONNX Runtime's for the same numbers in float32."""
        path, source = self.write(name, content), self.folder / "images"
        images.astype("<f4").tofile(source)
        status, _, messages = self.program("run", path, "--input", source, "-o",
                                           self.folder / "logits")
        if status:
            return self.say(False, "%s: %s" % (name, messages))
        session = onnxruntime.InferenceSession(reference, providers=["CPUExecutionProvider"])
        want = session.run(None, {"x": images})[0]
        got = np.fromfile(self.folder / "logits", "<f4").reshape(want.shape)
        far = float(np.abs(got - want).max())
        return self.say(far < 1e-5, "%s: logits differ by %.2g from ONNX Runtime's" % (name, far))


def upcast(content):
    """The same numbers, in float32 all through."""
    model = onnx.ModelProto.FromString(content)
    del model.graph.value_info[:]
    for t in model.graph.initializer:
        if t.data_type == TensorProto.BFLOAT16:
            bits = np.frombuffer(t.raw_data, np.uint16) if t.raw_data else \
                np.array(t.int32_data, np.uint16)
            array = (bits.astype(np.uint32) << 16).view(np.float32).reshape(tuple(t.dims))
        else:
            array = numpy_helper.to_array(t).astype(np.float32)
        t.CopyFrom(numpy_helper.from_array(array, t.name))
    for port in [*model.graph.input, *model.graph.output]:
        port.type.tensor_type.elem_type = TensorProto.FLOAT
    return model.SerializeToString()


def main(binary, folder):
    check = Check(Program(binary, folder))
    plain = ["--mean", "0.2", "--std", "0.3"]
    for name, kind in TYPES.items():
        content = network(kind)
        check.keeps(name, content, plain)
        check.logits(name, content, upcast(content), check.program.data.test[:5])
    check.keeps("typed_float16", network(TensorProto.FLOAT16, raw=False), plain)
    content = network(TensorProto.FLOAT, bytes_in=True)
    check.keeps("bytes", content, [])
    images = np.random.default_rng(0).integers(0, 256, (5, 1, 8, 8)).astype(np.uint8)
    check.logits("bytes", content, content, images)
    status, _, messages = check.program("train", check.folder / "bytes.onnx", "-o",
                                        check.folder / "no.onnx", "--data", check.data, *plain)
    check.say(status == 3 and "normalises them itself" in messages, "refused: " + messages.strip())
    return 1 if check.failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
