"""Networks as users of Keras write them, and Keras's own applications, weights at random.

NETS is {name: function of nothing}; `network` makes those of keras.applications, too: NAME@SIZE.
"""
import keras
import numpy as np
from keras import layers

SEED = 0


def small_cnn(end):
    return keras.Sequential([
        keras.Input((28, 28, 1)), layers.Conv2D(8, 3, activation="relu"), layers.MaxPooling2D(),
        layers.Conv2D(16, 3, activation="relu"), layers.MaxPooling2D(), layers.Flatten(),
        layers.Dropout(0.5), layers.Dense(10, activation=end)])


def cifar_cnn():
    net = keras.Sequential([keras.Input((32, 32, 3))])
    for width in (8, 16, 32):
        net.add(layers.Conv2D(width, 3, padding="same", use_bias=False))
        net.add(layers.BatchNormalization())
        net.add(layers.Activation("relu"))
        net.add(layers.Conv2D(width, 3, strides=2, padding="same", activation="elu"))
        net.add(layers.BatchNormalization())
        net.add(layers.Dropout(0.2))
    net.add(layers.GlobalAveragePooling2D())
    net.add(layers.Dense(32, activation="relu"))
    net.add(layers.Dense(10, activation="softmax"))
    return net


def augmented():
    """Layers that draw, of which Keras writes nodes that ONNX does not have."""
    return keras.Sequential([
        keras.Input((32, 32, 3)), layers.RandomFlip("horizontal"), layers.RandomRotation(0.1),
        layers.Conv2D(8, 3, activation="relu"), layers.Flatten(), layers.Dense(5)])


def preprocessed():
    normal = layers.Normalization(mean=[0.5, 0.4, 0.3], variance=[0.1, 0.2, 0.3])
    return keras.Sequential([
        keras.Input((32, 32, 3)), layers.Rescaling(1 / 127.5, offset=-1), normal,
        layers.Conv2D(8, 3, padding="same", activation="relu"), layers.AveragePooling2D(2),
        layers.Conv2D(16, 3, padding="valid", strides=2, activation="relu"), layers.Flatten(),
        layers.Dense(32, activation="relu"), layers.Dense(5)])


def resized():
    return keras.Sequential([
        keras.Input((40, 48, 3)), layers.Resizing(32, 32), layers.CenterCrop(28, 28),
        layers.Conv2D(8, 3, activation="relu"), layers.GlobalMaxPooling2D(), layers.Dense(5)])


def separable():
    x = keras.Input((32, 32, 3))
    y = layers.SeparableConv2D(16, 3, padding="same", activation="relu")(x)
    y = layers.DepthwiseConv2D(5, strides=2, padding="same", depth_multiplier=2)(y)
    y = layers.BatchNormalization()(y)
    y = layers.LeakyReLU(0.1)(y)
    y = layers.SpatialDropout2D(0.1)(layers.ZeroPadding2D(1)(y))
    y = layers.Conv2D(16, 3, dilation_rate=2, padding="same", activation="swish")(y)
    y = layers.PReLU(shared_axes=[1, 2])(y)
    y = layers.MaxPooling2D(3, strides=2, padding="same")(y)
    return keras.Model(x, layers.Dense(6)(layers.GlobalAveragePooling2D()(y)))


def transposed():
    x = keras.Input((16, 16, 3))
    y = layers.Conv2D(8, 3, strides=2, padding="same", activation="relu")(x)
    y = layers.Conv2DTranspose(8, 3, strides=2, padding="same", activation="relu")(y)
    y = layers.UpSampling2D(2)(y)
    y = layers.UpSampling2D(2, interpolation="bilinear")(y)
    y = layers.Cropping2D(2)(y)
    y = layers.Conv2D(8, 3, strides=4, activation="gelu")(y)
    return keras.Model(x, layers.Dense(6, activation="softmax")(layers.Flatten()(y)))


def normalised():
    x = keras.Input((32, 32, 3))
    y = layers.Conv2D(8, 3, strides=2, padding="same")(x)
    y = layers.Activation("gelu")(layers.LayerNormalization()(y))
    y = layers.Conv2D(16, 3, strides=2, padding="same")(y)
    y = layers.Activation("silu")(layers.GroupNormalization(4)(y))
    y = layers.Conv2D(16, 3, padding="same")(y)
    y = layers.Activation("relu6")(layers.GroupNormalization(-1)(y))
    y = layers.UnitNormalization()(layers.GlobalAveragePooling2D()(y))
    return keras.Model(x, layers.Dense(6)(y))


def residual():
    x = keras.Input((32, 32, 3))
    y = layers.Conv2D(16, 3, padding="same", use_bias=False)(x)
    for width, stride in ((16, 1), (32, 2), (64, 2)):
        z = layers.Conv2D(width, 3, strides=stride, padding="same", use_bias=False)(y)
        z = layers.ReLU()(layers.BatchNormalization()(z))
        z = layers.Conv2D(width, 3, padding="same", use_bias=False)(z)
        z = layers.BatchNormalization()(z)
        if stride > 1:
            y = layers.Conv2D(width, 1, strides=stride, use_bias=False)(y)
            y = layers.BatchNormalization()(y)
        y = layers.ReLU()(layers.Add()([z, y]))
    s = layers.GlobalAveragePooling2D(keepdims=True)(y)
    s = layers.Dense(64, activation="sigmoid")(layers.Dense(8, activation="relu")(s))
    y = layers.Multiply()([y, s])
    y = layers.Concatenate()([layers.GlobalAveragePooling2D()(y), layers.GlobalMaxPooling2D()(y)])
    return keras.Model(x, layers.Dense(10, activation="softmax")(y))


class Patches(layers.Layer):
    """The example of Keras's documentation."""

    def call(self, images):
        patches = keras.ops.image.extract_patches(images, size=8)
        return keras.ops.reshape(patches, (-1, 16, 8 * 8 * 3))


class Positions(layers.Layer):
    def build(self, shape):
        self.table = layers.Embedding(shape[1], shape[2])
        self.table.build((None,))
        self.count = shape[1]

    def call(self, x):
        return x + self.table(keras.ops.arange(self.count))


class ClassToken(layers.Layer):
    def build(self, shape):
        self.token = self.add_weight(shape=(1, 1, shape[2]), initializer="random_normal")

    def call(self, x):
        token = keras.ops.broadcast_to(self.token, (keras.ops.shape(x)[0], 1, x.shape[2]))
        return keras.ops.concatenate([token, x], axis=1)


def vit(token):
    x = keras.Input((32, 32, 3))
    if token:
        y = layers.Conv2D(32, 8, strides=8)(x)
        y = Positions()(ClassToken()(layers.Reshape((-1, 32))(y)))
    else:
        y = Positions()(layers.Dense(32)(Patches()(x)))
    for _ in range(2):
        z = layers.LayerNormalization(epsilon=1e-6)(y)
        z = layers.MultiHeadAttention(4, key_dim=8, dropout=0.1)(z, z)
        y = layers.Add()([z, y])
        z = layers.Dense(64, activation="gelu")(layers.LayerNormalization(epsilon=1e-6)(y))
        y = layers.Add()([layers.Dense(32)(layers.Dropout(0.1)(z)), y])
    y = layers.LayerNormalization(epsilon=1e-6)(y)
    y = y[:, 0] if token else layers.Dropout(0.5)(layers.Flatten()(y))
    return keras.Model(x, layers.Dense(7)(y))


def lines():
    return keras.Sequential([
        keras.Input((64, 2)), layers.Conv1D(8, 3, padding="same", activation="relu"),
        layers.BatchNormalization(), layers.MaxPooling1D(2),
        layers.Conv1D(16, 3, padding="causal", activation="relu"),
        layers.SeparableConv1D(16, 5, strides=2, activation="relu"),
        layers.GlobalAveragePooling1D(), layers.Dense(4, activation="softmax")])


def table():
    normal = layers.Normalization(mean=np.arange(12) / 10, variance=1 + np.arange(12) / 5)
    net = keras.Sequential([keras.Input((12,)), normal])
    for width in (32, 16):
        net.add(layers.Dense(width))
        net.add(layers.BatchNormalization())
        net.add(layers.Activation("relu"))
        net.add(layers.Dropout(0.3))
    net.add(layers.Dense(3, activation="softmax"))
    return net


def recurrent(kind):
    return keras.Sequential([
        keras.Input((28, 28)), kind(16, return_sequences=True), kind(8), layers.Dense(10)])


def binary():
    return keras.Sequential([
        keras.Input((32, 32, 3)), layers.Conv2D(8, 3, activation="relu"), layers.MaxPooling2D(),
        layers.Flatten(), layers.Dense(16, activation="relu"),
        layers.Dense(1, activation="sigmoid")])


def two_heads():
    x = keras.Input((32, 32, 3))
    y = layers.Conv2D(8, 3, strides=2, activation="relu")(x)
    y = layers.GlobalAveragePooling2D()(y)
    return keras.Model(x, [layers.Dense(5, activation="softmax", name="kind")(y),
                           layers.Dense(3, activation="softmax", name="colour")(y)])


def first():
    """channels_first, with what the processor's TensorFlow carries out so: nothing but a trace."""
    x = keras.Input((3, 32, 32))
    y = layers.Conv2D(8, 3, padding="same", data_format="channels_first")(x)
    y = layers.BatchNormalization(axis=1)(y)
    y = layers.MaxPooling2D(2, data_format="channels_first")(layers.ReLU()(y))
    y = layers.Conv2D(16, 3, strides=2, data_format="channels_first", activation="relu")(y)
    y = layers.GlobalAveragePooling2D(data_format="channels_first")(y)
    return keras.Model(x, layers.Dense(6)(y))


def frozen_top(trainable=False):
    """Transfer learning: an application, called within a model as its documentation does."""
    base = keras.applications.MobileNetV2(input_shape=(96, 96, 3), include_top=False, weights=None)
    base.trainable = trainable
    x = keras.Input((96, 96, 3))
    y = keras.applications.mobilenet_v2.preprocess_input(x)
    y = layers.GlobalAveragePooling2D()(base(y, training=False))
    return keras.Model(x, layers.Dense(5)(layers.Dropout(0.2)(y)))


def preprocessed_as(module):
    """What an application's preprocess_input makes of the images, and a small network."""
    x = keras.Input((33, 37, 3))
    y = layers.GaussianNoise(1)(module.preprocess_input(x))
    y = layers.Conv2D(8, 3, strides=2, padding="same", activation="relu")(y)
    y = layers.Conv2DTranspose(8, 3, strides=2, padding="same", activation="relu")(y)
    y = layers.AveragePooling2D(3, strides=2, padding="same")(y)
    s = layers.Reshape((1, 1, 8))(layers.GlobalAveragePooling2D()(y))
    s = layers.Conv2D(8, 1, activation="hard_sigmoid")(layers.Conv2D(4, 1, activation="relu")(s))
    y = layers.Conv2D(16, 3, strides=2, activation="mish")(layers.Multiply()([y, s]))
    return keras.Model(x, layers.Dense(6)(layers.GlobalAveragePooling2D()(y)))


def mixed():
    """float16 within, as keras.mixed_precision has it."""
    keras.mixed_precision.set_global_policy("mixed_float16")
    x = keras.Input((32, 32, 3))
    y = layers.Conv2D(8, 3, strides=2, activation="relu")(x)
    y = layers.BatchNormalization()(y)
    y = layers.GlobalAveragePooling2D()(layers.Conv2D(16, 3, activation="relu")(y))
    y = layers.Dense(5, activation="softmax", dtype="float32")(y)
    keras.mixed_precision.set_global_policy("float32")
    return keras.Model(x, y)


NETS = {
    "caffe": lambda: preprocessed_as(keras.applications.resnet50),
    "torch": lambda: preprocessed_as(keras.applications.densenet), "mixed": mixed,
    "mnist-logits": lambda: small_cnn(None),
    "mnist-softmax": lambda: small_cnn("softmax"),
    "cifar": cifar_cnn, "augmented": augmented, "preprocessed": preprocessed,
    "resized": resized, "separable": separable, "transposed": transposed,
    "normalised": normalised, "residual": residual,
    "vit-patches": lambda: vit(False), "vit-token": lambda: vit(True), "conv1d": lines,
    "table": table, "lstm": lambda: recurrent(layers.LSTM), "gru": lambda: recurrent(layers.GRU),
    "binary": binary, "two-heads": two_heads, "channels-first": first, "transfer": frozen_top,
}


def draw(net):
    """Statistics, scales and shifts at random: those of a fresh network show nothing."""
    dice = np.random.default_rng(SEED)
    for layer in net._flatten_layers():
        if isinstance(layer, layers.Normalization):
            continue
        for v in layer._trainable_variables + layer._non_trainable_variables:
            name, shape = v.path.split("/")[-1], tuple(v.shape)
            if "seed" in name or not np.issubdtype(v.numpy().dtype, np.floating):
                continue
            if name in ("moving_variance", "gamma"):
                v.assign(dice.uniform(0.5, 1.2, shape))
            elif name in ("beta", "moving_mean", "bias"):
                v.assign(0.1 * dice.standard_normal(shape))
    return net


def network(name):
    """A model, of NETS or of keras.applications: NAME@SIZE."""
    keras.utils.set_random_seed(SEED)
    if name in NETS:
        made = NETS[name]()
    else:
        name, size = name.split("@")
        made = getattr(keras.applications, name)(weights=None, classes=100,
                                                 input_shape=(int(size), int(size), 3))
    made(np.zeros((1,) + made.input_shape[1:], np.float32))  # export asks for a call
    return draw(made)
