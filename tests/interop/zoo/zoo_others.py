"""Classifiers of exporters that few use, and of options that few set; zoo_files.py calls this.

    torch    torch's older exporter with NET+OPTION: an opset, training form, inputs for weights
    jax      Flax and Equinox by jax2onnx
    jaxtf    Flax by jax2tf and tf2onnx
    script   written in onnxscript, with functions of their own
    keras2   Keras 2 (tf-keras) by tf2onnx
    hand     as Caffe2, MXNet and CNTK left files, written by hand in their idioms
    mltools  LightGBM, CatBoost and scikit-learn by onnxmltools
"""
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

CLASSES = 10
DRAW = np.random.default_rng(0)


def weights(*shape):
    scale = np.sqrt(2 / max(1, np.prod(shape[1:])))
    return (DRAW.standard_normal(shape) * scale).astype(np.float32)


# ---- torch's older exporter ----


def torch_net(name):
    import torch
    from torch import nn
    import torchvision
    torch.manual_seed(0)
    block = lambda a, b, s: [nn.Conv2d(a, b, 3, s, 1, bias=False), nn.BatchNorm2d(b), nn.ReLU()]
    if name == "cnn":
        made = nn.Sequential(*block(3, 8, 1), *block(8, 16, 2), nn.MaxPool2d(2), nn.Dropout(0.2),
                             nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, CLASSES))
    elif name == "up":
        made = nn.Sequential(*block(3, 8, 2), nn.Upsample(scale_factor=2, mode="nearest"),
                             *block(8, 16, 2), nn.Hardswish(), nn.AdaptiveAvgPool2d(2),
                             nn.Flatten(), nn.Linear(64, CLASSES), nn.LogSoftmax(1))
    elif name == "attention":
        layer = nn.TransformerEncoderLayer(16, 2, 32, 0.1, batch_first=True, activation="gelu")
        made = nn.Sequential(nn.Conv2d(3, 16, 8, 8), nn.Flatten(2), Turn(), layer,
                             nn.LayerNorm(16), Mean(), nn.Linear(16, CLASSES))
    else:
        made = torchvision.models.get_model(name, weights=None, num_classes=CLASSES)
    for module in made.modules():
        if getattr(module, "running_var", None) is not None:
            nn.init.uniform_(module.running_var, 0.5, 1.5)
    return made


try:
    import torch

    class Turn(torch.nn.Module):
        def forward(self, x):
            return x.transpose(1, 2)

    class Mean(torch.nn.Module):
        def forward(self, x):
            return x.mean(1)
except ImportError:
    pass


def export_torch(name, path):
    net, _, option = name.partition("+")
    made, images = torch_net(net), torch.randn(2, 3, 32, 32)
    more = {"opset_version": int(option[2:]) if option.startswith("op") else 13, "dynamo": False,
            "input_names": ["x"], "output_names": ["y"]}
    if not option.endswith("fixed"):
        more["dynamic_axes"] = {"x": {0: "n"}, "y": {0: "n"}}
    if option == "training":
        made.train()
        more.update(training=torch.onnx.TrainingMode.TRAINING, do_constant_folding=False)
    else:
        made.eval()
    if option == "keep":
        more.update(keep_initializers_as_inputs=True, opset_version=9)
    if option == "script":
        made = torch.jit.script(made)
    if option == "sizes":
        size = torch.export.Dim("side", min=16, max=64)
        more = {"dynamo": True, "external_data": False, "optimize": True, "verbose": False,
                "input_names": ["x"], "output_names": ["y"],
                "dynamic_shapes": ({0: torch.export.Dim("n"), 2: size, 3: size},)}
    torch.onnx.export(made, (images,), str(path), **more)


# ---- JAX ----


def flax_net(name):
    from flax import linen as nn
    import jax.numpy as jnp

    class Cnn(nn.Module):
        @nn.compact
        def __call__(self, x):
            for width in (8, 16):
                x = nn.Conv(width, (3, 3), use_bias=False)(x)
                x = nn.BatchNorm(use_running_average=True)(x)
                x = nn.avg_pool(nn.relu(x), window_shape=(2, 2), strides=(2, 2))
            return nn.Dense(CLASSES)(nn.swish(nn.Dense(24)(x.reshape((x.shape[0], -1)))))

    class ResNet(nn.Module):
        @nn.compact
        def __call__(self, x):
            norm = lambda: nn.BatchNorm(use_running_average=True)
            x = nn.relu(norm()(nn.Conv(8, (3, 3), use_bias=False)(x)))
            for width, stride in ((8, 1), (16, 2)):
                y = nn.relu(norm()(nn.Conv(width, (3, 3), (stride, stride), use_bias=False)(x)))
                y = norm()(nn.Conv(width, (3, 3), use_bias=False)(y))
                if width != x.shape[-1]:
                    x = norm()(nn.Conv(width, (1, 1), (stride, stride), use_bias=False)(x))
                x = nn.relu(x + y)
            return nn.Dense(CLASSES)(jnp.mean(x, (1, 2)))

    class Vit(nn.Module):
        @nn.compact
        def __call__(self, x):
            x = nn.Conv(16, (8, 8), (8, 8), padding="VALID")(x)
            x = x.reshape((x.shape[0], 16, 16))
            x = x + self.param("places", nn.initializers.normal(0.02), (1, 16, 16))
            for _ in range(2):
                x = x + nn.MultiHeadDotProductAttention(2)(*[nn.LayerNorm()(x)] * 2)
                x = x + nn.Dense(16)(nn.gelu(nn.Dense(32)(nn.LayerNorm()(x))))
            return nn.Dense(CLASSES)(nn.LayerNorm()(x)[:, 0])

    class Mlp(nn.Module):
        @nn.compact
        def __call__(self, x):
            x = x.reshape((x.shape[0], -1))
            return nn.log_softmax(nn.Dense(CLASSES)(nn.tanh(nn.Dense(32)(x))))

    return {"cnn": Cnn, "resnet": ResNet, "vit": Vit, "mlp": Mlp}[name]()


def flax_function(name):
    import jax
    module = flax_net(name)
    held = module.init(jax.random.PRNGKey(0), jax.numpy.zeros((1, 32, 32, 3)))
    return lambda x: module.apply(held, x)


def nnx_net(name):
    from flax import nnx
    import jax.numpy as jnp
    keys = nnx.Rngs(0)

    class Cnn(nnx.Module):
        def __init__(self):
            self.first = nnx.Conv(3, 8, (3, 3), rngs=keys)
            self.norm = nnx.BatchNorm(8, rngs=keys, use_running_average=True)
            self.second = nnx.Conv(8, 16, (3, 3), strides=(2, 2), rngs=keys)
            self.group = nnx.GroupNorm(16, num_groups=4, rngs=keys)
            self.head = nnx.Linear(16, CLASSES, rngs=keys)

        def __call__(self, x):
            x = nnx.relu(self.norm(self.first(x)))
            x = nnx.max_pool(x, window_shape=(2, 2), strides=(2, 2))
            return self.head(jnp.mean(nnx.gelu(self.group(self.second(x))), (1, 2)))

    class Vit(nnx.Module):
        def __init__(self):
            self.patches = nnx.Conv(3, 16, (8, 8), strides=(8, 8), padding="VALID", rngs=keys)
            self.before = nnx.LayerNorm(16, rngs=keys)
            self.attention = nnx.MultiHeadAttention(2, 16, decode=False, rngs=keys)
            self.between = nnx.LayerNorm(16, rngs=keys)
            self.wide, self.narrow = nnx.Linear(16, 32, rngs=keys), nnx.Linear(32, 16, rngs=keys)
            self.head = nnx.Linear(16, CLASSES, rngs=keys)

        def __call__(self, x):
            x = self.patches(x)
            x = x.reshape((-1, 16, 16))
            x = x + self.attention(self.before(x))
            x = x + self.narrow(nnx.gelu(self.wide(self.between(x))))
            return self.head(x.mean(1))

    return {"nnxcnn": Cnn, "nnxvit": Vit}[name]()


def equinox_net(name):
    import equinox as eqx
    import jax
    keys = jax.random.split(jax.random.PRNGKey(0), 4)
    if name == "eqxmlp":
        made = eqx.nn.MLP(64, CLASSES, 32, 2, activation=jax.nn.gelu, key=keys[0])
        return jax.vmap(made), [("B", 64)]
    made = eqx.nn.Sequential([
        eqx.nn.Conv2d(3, 8, 3, padding=1, key=keys[0]), eqx.nn.Lambda(jax.nn.relu),
        eqx.nn.MaxPool2d(2, 2), eqx.nn.Conv2d(8, 16, 3, key=keys[1]),
        eqx.nn.Lambda(jax.nn.silu), eqx.nn.AdaptiveAvgPool2d(1),
        eqx.nn.Lambda(lambda x: x.reshape(-1)), eqx.nn.Linear(16, CLASSES, key=keys[2])])
    return jax.vmap(made), [("B", 3, 32, 32)]


def export_jax(name, path):
    from jax2onnx import to_onnx
    kind, _, option = name.partition("+")
    images = [("B", 32, 32, 3)]
    if kind.startswith("eqx"):
        made, images = equinox_net(kind)
    else:
        made = nnx_net(kind) if kind.startswith("nnx") else flax_function(kind)
    more = {"inputs_as_nchw": [0]} if option == "nchw" else {}
    onnx.save(to_onnx(made, images, model_name=kind, **more), str(path))


def export_jaxtf(name, path):
    import tensorflow
    import tf2onnx
    from jax.experimental import jax2tf
    made = jax2tf.convert(flax_function(name), with_gradient=False,
                          polymorphic_shapes=["(b, 32, 32, 3)"], native_serialization=False)
    images = tensorflow.TensorSpec((None, 32, 32, 3), tensorflow.float32, "x")
    whole = tensorflow.function(made, autograph=False)
    tf2onnx.convert.from_function(whole, [images], opset=15, output_path=str(path))


# ---- onnxscript ----


def export_script(name, path):
    import zoo_script
    proto = getattr(zoo_script, name).to_model_proto()
    given = {"w": weights(8, 3, 3, 3), "b": weights(8, 1)[:, 0] * .1, "v": weights(8, 8, 3, 3),
             "c": weights(8, 1)[:, 0] * .1, "g": weights(8, CLASSES),
             "h": weights(CLASSES, 1)[:, 0] * .1}
    kept = [i for i in proto.graph.input if i.name not in given]
    del proto.graph.input[:]
    proto.graph.input.extend(kept)
    proto.graph.initializer.extend(numpy_helper.from_array(v, k) for k, v in given.items())
    onnx.save(proto, str(path))


# ---- Keras 2 ----


def export_keras2(name, path):
    import tensorflow
    import tf2onnx
    import tf_keras
    from tf_keras import layers
    tf_keras.utils.set_random_seed(0)
    kind, _, size = name.partition("@")
    made = {
        "cnn": lambda: tf_keras.Sequential([
            layers.InputLayer((32, 32, 3)), layers.Rescaling(1 / 255.),
            layers.Conv2D(8, 3, padding="same", use_bias=False), layers.BatchNormalization(),
            layers.ReLU(6.), layers.MaxPooling2D(), layers.SeparableConv2D(16, 3, strides=2),
            layers.PReLU(shared_axes=[1, 2]), layers.Dropout(0.2),
            layers.GlobalAveragePooling2D(), layers.Dense(CLASSES, activation="softmax")]),
        "padded": lambda: tf_keras.Sequential([
            layers.InputLayer((30, 30, 1)), layers.ZeroPadding2D(1),
            layers.Conv2D(6, 5, strides=2, padding="valid", activation="elu"),
            layers.Conv2DTranspose(6, 3, strides=2, padding="same", activation="tanh"),
            layers.Cropping2D(2), layers.AveragePooling2D(3, 2, padding="same"),
            layers.LayerNormalization(), layers.Flatten(), layers.Dense(CLASSES)]),
    }.get(kind)
    if made is None:
        made = lambda: getattr(tf_keras.applications, kind)(
            weights=None, classes=CLASSES, input_shape=(int(size), int(size), 3))
    model = made()
    tf2onnx.convert.from_keras(model, opset=13, output_path=str(path))


# ---- by hand ----


def node(op, inputs, outputs, **attributes):
    return helper.make_node(op, inputs.split(), outputs.split(), **attributes)


def save(path, nodes, tensors, opset, ir, classes="y", batch=1, more=(), size=16):
    """As files were before version 4 of the format: initialisers are inputs, too."""
    value = lambda k, s: helper.make_tensor_value_info(k, TensorProto.FLOAT, s)
    inputs = [value("data_0", [batch, 3, size, size])]
    inputs += [helper.make_tensor_value_info(k, helper.np_dtype_to_tensor_dtype(v.dtype), v.shape)
               for k, v in tensors.items()]
    graph = helper.make_graph(nodes, "net", inputs, [value(classes, [batch, CLASSES])],
                              [numpy_helper.from_array(v, k) for k, v in tensors.items()])
    onnx.save(helper.make_model(graph, ir_version=ir, producer_name="by hand",
                                opset_imports=[helper.make_opsetid("", opset)]), str(path))


def norm(prefix, count):
    return {prefix + "_s": 1 + .1 * weights(count, 1)[:, 0], prefix + "_b": weights(count, 1)[:, 0],
            prefix + "_m": weights(count, 1)[:, 0],
            prefix + "_v": 1 + weights(count, 1)[:, 0]**2}


def caffe2(path):
    """Opset 8 or 9: SpatialBN as BatchNormalization, Scale as Mul and Add, FC through Reshape."""
    nodes = [node("Conv", "data_0 w1 b1", "conv1_1", kernel_shape=[3, 3], strides=[1, 1],
                  pads=[1, 1, 1, 1]), node("Relu", "conv1_1", "conv1_2"),
             node("LRN", "conv1_2", "norm1_1", size=5, alpha=1e-4, beta=.75, bias=1.),
             node("MaxPool", "norm1_1", "pool1_1", kernel_shape=[3, 3], strides=[2, 2],
                  pads=[0, 0, 1, 1]),
             node("Conv", "pool1_1 w2 b2", "conv2_1", kernel_shape=[3, 3], group=2,
                  pads=[1, 1, 1, 1]),
             node("BatchNormalization", "conv2_1 n_s n_b n_m n_v", "bn2_1", epsilon=1e-5),
             node("Mul", "bn2_1 scale", "scale2_1"), node("Add", "scale2_1 shift", "scale2_2"),
             node("Relu", "scale2_2", "conv2_3"),
             node("AveragePool", "conv2_3", "pool5_1", kernel_shape=[8, 8]),
             node("Reshape", "pool5_1 list", "OC2_DUMMY_0"),
             node("Gemm", "OC2_DUMMY_0 fw fb", "fc6_1", transB=1),
             node("Relu", "fc6_1", "fc6_2"), node("Dropout", "fc6_2", "fc6_3 mask", ratio=.5),
             node("Gemm", "fc6_3 gw gb", "fc8_1", transB=1), node("Softmax", "fc8_1", "prob_1")]
    tensors = {"w1": weights(8, 3, 3, 3), "b1": weights(8, 1)[:, 0], "w2": weights(8, 4, 3, 3),
               "b2": weights(8, 1)[:, 0], **norm("n", 8), "scale": weights(8, 1, 1),
               "shift": weights(8, 1, 1), "list": np.array([1, 8]), "fw": weights(12, 8),
               "fb": weights(12, 1)[:, 0], "gw": weights(CLASSES, 12),
               "gb": weights(CLASSES, 1)[:, 0]}
    save(path, nodes, tensors, 8, 3, "prob_1")


def mxnet(path):
    """As mx2onnx writes: fix_gamma, an input normalised by its own BatchNormalization, Flatten."""
    first = dict(norm("d", 3), d_s=np.ones(3, np.float32))
    nodes = [node("BatchNormalization", "data_0 d_s d_b d_m d_v", "bn_data", epsilon=2e-5,
                  momentum=.9, spatial=1),
             node("Conv", "bn_data w1", "conv0", dilations=[1, 1], group=1, kernel_shape=[3, 3],
                  pads=[1, 1, 1, 1], strides=[1, 1]),
             node("BatchNormalization", "conv0 n_s n_b n_m n_v", "bn0", epsilon=2e-5, momentum=.9,
                  spatial=1), node("Relu", "bn0", "relu0"),
             node("Conv", "relu0 w2", "conv1", dilations=[1, 1], group=1, kernel_shape=[3, 3],
                  pads=[1, 1, 1, 1], strides=[2, 2]),
             node("Conv", "relu0 w3", "sc1", dilations=[1, 1], group=1, kernel_shape=[1, 1],
                  pads=[0, 0, 0, 0], strides=[2, 2]),
             node("Add", "conv1 sc1", "_plus0"),
             node("PRelu", "_plus0 slope", "relu1"),
             node("GlobalAveragePool", "relu1", "pool1"), node("Flatten", "pool1", "flatten0"),
             node("Gemm", "flatten0 gw gb", "fc1", alpha=1., beta=1., transA=0, transB=1),
             node("Softmax", "fc1", "softmax", axis=1)]
    tensors = {**first, **norm("n", 8), "w1": weights(8, 3, 3, 3), "w2": weights(16, 8, 3, 3),
               "w3": weights(16, 8, 1, 1), "slope": .2 + .1 * weights(16, 1, 1),
               "gw": weights(CLASSES, 16), "gb": weights(CLASSES, 1)[:, 0]}
    save(path, nodes, tensors, 8, 3, "softmax", "None")


def cntk(path):
    """Preprocessing as Sub and Mul, auto_pad, a Reshape and a MatMul of rank 4 weights."""
    nodes = [node("Sub", "data_0 mean", "Minus"), node("Mul", "Minus part", "Times"),
             node("Conv", "Times w1", "Conv1", auto_pad="SAME_UPPER", kernel_shape=[5, 5],
                  dilations=[1, 1], group=1, strides=[1, 1]),
             node("Add", "Conv1 b1", "Plus1"), node("Relu", "Plus1", "ReLU1"),
             node("MaxPool", "ReLU1", "Pool1", auto_pad="NOTSET", kernel_shape=[2, 2],
                  pads=[0] * 4, strides=[2, 2]),
             node("Reshape", "Pool1 list", "Flat"), node("Reshape", "w2 rows", "Rows"),
             node("MatMul", "Flat Rows", "Times2"), node("Add", "Times2 b2", "Plus_Output")]
    tensors = {"mean": np.full((3, 1, 1), 127.5, np.float32),
               "part": np.full((), 1 / 128, np.float32), "w1": weights(8, 3, 5, 5),
               "b1": weights(8, 1, 1), "list": np.array([1, 512]),
               "w2": weights(8, 8, 8, CLASSES) * 5, "rows": np.array([512, CLASSES]),
               "b2": weights(1, CLASSES)}
    save(path, nodes, tensors, 7, 3, "Plus_Output")


def export_hand(name, path):
    {"caffe2": caffe2, "mxnet": mxnet, "cntk": cntk}[name](path)


# ---- onnxmltools ----


def export_mltools(name, path):
    import onnxmltools
    from skl2onnx.common.data_types import FloatTensorType
    x = DRAW.standard_normal((200, 12)).astype(np.float32)
    y = x[:, :4].argmax(1)
    rows = [("x", FloatTensorType([None, 12]))]
    if name == "catboost":
        from catboost import CatBoostClassifier
        made = CatBoostClassifier(iterations=5, depth=3, verbose=0,
                                  allow_writing_files=False).fit(x, y)
        made.save_model(str(path), format="onnx")
        return
    if name == "lightgbm":
        from lightgbm import LGBMClassifier
        from onnxmltools.convert.common.data_types import FloatTensorType as Floats
        made = LGBMClassifier(n_estimators=5, verbose=-1).fit(x, y)
        proto = onnxmltools.convert_lightgbm(made, initial_types=[("x", Floats([None, 12]))],
                                             zipmap=False)
    else:
        from sklearn import ensemble, neural_network
        made = {"forest": lambda: ensemble.RandomForestClassifier(5),
                "mlp": lambda: neural_network.MLPClassifier((16,), max_iter=20)}[name]().fit(x, y)
        proto = onnxmltools.convert_sklearn(made, initial_types=rows)
    onnx.save(proto, str(path))


EXPORT = {"torch": export_torch, "jax": export_jax, "jaxtf": export_jaxtf, "script": export_script,
          "keras2": export_keras2, "hand": export_hand, "mltools": export_mltools}
