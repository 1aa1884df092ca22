#!/usr/bin/env python3
"""Times a training step of JAX over jaxonnxruntime's functions of the file, compiled as one.

jaxonnxruntime 0.3.0 has BatchNormalization in its inference form alone ("training_mode was not
implemented yet"): it is spelled out by other operators first. JAX takes the processors that the
process may use. The command line is that of training.py.
"""
import os

import training


class Rival:
    notes = "BatchNormalization and Flatten spelled out before"

    def __init__(self, option):
        import jax
        import onnx
        from jaxonnxruntime import call_onnx, config
        config.update("jaxort_only_allow_initializers_as_static_args", False)
        numbers, self.jax = jax.numpy, jax
        model = onnx.load(option.model)
        names, batch = training.trained(model), training.Batch(option, model)
        training.Rewriting(model).apply()
        port = model.graph.input[0].name
        call, values = call_onnx.call_onnx_model(model, {port: batch.images})
        fixed = {name: value for name, value in values.items() if name not in names}

        def loss(weights):
            logits = call({**fixed, **weights}, {port: batch.images})[0]
            log = jax.nn.log_softmax(logits)
            return -numbers.mean(numbers.take_along_axis(log, batch.labels[:, None], 1))

        def update(weights, momentum):
            value, slopes = jax.value_and_grad(loss)(weights)
            momentum = {name: training.MOMENTUM * momentum[name] + slopes[name] for name in names}
            moved = {name: weights[name] - option.rate * momentum[name] for name in names}
            return moved, momentum, value

        self.update = jax.jit(update, donate_argnums=(0, 1))
        self.weights = {name: numbers.asarray(values[name]) for name in names}
        self.momentum = {name: numbers.zeros_like(self.weights[name]) for name in names}
        self.loss = loss
        self.version = "jax %s, jaxonnxruntime 0.3.0" % jax.__version__

    def gradients(self):
        return self.jax.device_get(self.jax.jit(self.jax.grad(self.loss))(self.weights))

    def step(self):
        self.weights, self.momentum, value = self.update(self.weights, self.momentum)
        return value.block_until_ready()


if __name__ == "__main__":
    OPTION = training.options(__doc__)
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:OPTION.threads])
    training.measure(OPTION, Rival(OPTION))
