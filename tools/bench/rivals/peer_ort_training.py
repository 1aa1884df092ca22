#!/usr/bin/env python3
"""Times a training step of ONNX Runtime's on-device training.

It makes the training graph of the file itself (BatchNormalization over the batch), keeps the state
and runs the update. Its SGD has no momentum. Its Python package imports PyTorch, for other parts of
it. The command line is that of training.py.
"""
import os
import tempfile

import training


class Rival:
    notes = "SGD without momentum: it has none"

    def __init__(self, option, folder):
        import onnx
        import onnxruntime
        from onnxruntime.training import api, artifacts
        onnxruntime.set_default_logger_severity(3)
        model = onnx.load(option.model)
        names = training.trained(model)
        fixed = [name for name in training.floats(model) if name not in names]
        training.quietly(2, lambda: artifacts.generate_artifacts(
            model, requires_grad=names, frozen_params=fixed, artifact_directory=folder,
            loss=artifacts.LossType.CrossEntropyLoss, optimizer=artifacts.OptimType.SGD))
        at = lambda name: os.path.join(folder, name)
        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads, settings.inter_op_num_threads = option.threads, 1
        self.state = api.CheckpointState.load_checkpoint(at("checkpoint"))
        self.module = api.Module(at("training_model.onnx"), self.state, session_options=settings)
        self.optimizer = api.Optimizer(at("optimizer_model.onnx"), self.module)
        self.optimizer.set_learning_rate(option.rate)
        self.module.train()
        self.batch = training.Batch(option, model)
        self.version = "onnxruntime-training " + onnxruntime.__version__

    def forward_backward(self):
        return self.module(self.batch.images, self.batch.labels)

    def gradients(self):
        self.forward_backward()
        found = {name: value.grad for name, value in self.state.parameters if value.requires_grad}
        self.module.lazy_reset_grad()
        return found

    def step(self):
        loss = self.forward_backward()
        self.optimizer.step()
        self.module.lazy_reset_grad()
        return loss


if __name__ == "__main__":
    OPTION = training.options(__doc__)
    with tempfile.TemporaryDirectory() as FOLDER:
        training.measure(OPTION, Rival(OPTION, FOLDER))
