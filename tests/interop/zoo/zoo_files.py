#!/usr/bin/env python3
"""Classifiers of others as ONNX files, for zoo.py, weights at random.

    python3 zoo_files.py FOLDER tv NAME...        torchvision, the installed torch's older exporter
    python3 zoo_files.py FOLDER dyn NAME...       torchvision, torch's newest exporter
    python3 zoo_files.py FOLDER timm NAME...      timm, the older exporter
    python3 zoo_files.py FOLDER timmdyn NAME...   timm, the newest exporter
    python3 zoo_files.py FOLDER light             the onnx project's light models
    python3 zoo_files.py FOLDER keras NAME...     Keras 3's own export; NAME@SIZE is an application
    python3 zoo_files.py FOLDER tf NAME...        of a SavedModel, by tf2onnx's newest opset
    python3 zoo_files.py FOLDER tf13 NAME...      by its opset 13
    python3 zoo_files.py FOLDER tfnchw NAME...    with --inputs-as-nchw
    python3 zoo_files.py FOLDER tflite NAME...    through TensorFlow Lite
    python3 zoo_files.py FOLDER sim FILE...       what onnxsim makes of files
    python3 zoo_files.py FOLDER slim FILE...      what OnnxSlim makes of files
    python3 zoo_files.py FOLDER paddle NAME...    Paddle, paddle2onnx (zoo_paddle.py)
    python3 zoo_files.py FOLDER hf NAME...        transformers, the older exporter (zoo_hf.py)
    python3 zoo_files.py FOLDER hfdyn NAME...     transformers, the newest exporter
    python3 zoo_files.py FOLDER tables NAME...    tables, the older exporter, or skl2onnx for
                                                  names that begin with skl (zoo_tables.py)
    python3 zoo_files.py FOLDER tabledyn NAME...  tables, the newest exporter
    python3 zoo_files.py FOLDER GROUP NAME...     torch, jax, jaxtf, script, keras2, hand, mltools:
                                                  zoo_others.py
    python3 zoo_files.py FOLDER tool NAME FILE... what a converter makes of files (zoo_tools.py)

writes FOLDER/GROUP_NAME.onnx where that does not exist. NAME@SIZE is a network of torchvision for
images of SIZE x SIZE, which tries the same nodes in less time. The light models have
ConstantOfShape nodes in the place of their weights: those of more than one number become
initialisers, drawn at random.
"""
import logging
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

import zoo_others

warnings.filterwarnings("ignore")
logging.disable(logging.WARNING)
KERAS = ["keras", "tf", "tf13", "tfnchw", "tflite"]
DYNAMIC = {"x": {0: "n"}, "y": {0: "n"}}


def awake(network):
    """Matrices that begin at zero, as heads do, would give any images the same logits."""
    import torch
    for parameter in network.parameters():
        if parameter.dim() > 1 and not parameter.any():
            torch.nn.init.normal_(parameter, std=0.02)
    return network


def network(group, name):
    import torch
    torch.manual_seed(0)
    torch.set_num_threads(1)
    if group.startswith("hf"):
        import zoo_hf
        return zoo_hf.model(name)
    if group.startswith("table"):
        import zoo_tables
        return zoo_tables.model(name)
    if group.startswith("timm"):
        import timm
        made = timm.create_model(name, pretrained=False, exportable=True)
        return awake(made), made.default_cfg["input_size"]
    import torchvision
    name, _, size = name.partition("@")
    size = int(size or (299 if name == "inception_v3" else 224))
    more = {"init_weights": True} if name in ("googlenet", "inception_v3") else {}
    if name.startswith("vit_"):
        more = {"image_size": size}
    return awake(torchvision.models.get_model(name, weights=None, **more)), (3, size, size)


def export(group, name, path):
    if group in zoo_others.EXPORT:
        zoo_others.EXPORT[group](name, path)
        return
    if group == "paddle":
        import zoo_paddle
        zoo_paddle.export(name, path)
        return
    if name.startswith("skl"):
        import zoo_tables
        zoo_tables.export_scikit(name, path)
        return
    import torch
    model, size = network(group, name)
    model.eval()
    images = torch.randn(2, *size)
    if group.endswith("dyn"):
        torch.onnx.export(model, (images,), str(path), dynamo=True, external_data=False,
                          input_names=["x"], output_names=["y"], optimize=True,
                          dynamic_shapes=({0: torch.export.Dim("n")},), verbose=False)
    else:
        more = {"dynamo": False} if torch.__version__ >= "2.5" else {}
        opset = 18 if group == "hf" else 17 if more else 13
        torch.onnx.export(model, images, str(path), opset_version=opset,
                          do_constant_folding=False,
                          training=torch.onnx.TrainingMode.PRESERVE, input_names=["x"],
                          output_names=["y"], dynamic_axes=DYNAMIC, **more)


def convert(*options):
    """tf2onnx as users call it, in a process of its own."""
    done = subprocess.run([sys.executable, "-m", "tf2onnx.convert", *map(str, options)],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        raise ValueError(done.stdout.strip().splitlines()[-1])


def export_keras(group, name, path):
    """keras_nets.py says which networks; names are Keras's own, as its exporters leave them."""
    import keras_nets
    model = keras_nets.network(name)
    if group == "keras":
        model.export(str(path), format="onnx", verbose=False)
        return
    with tempfile.TemporaryDirectory() as folder:
        if group == "tflite":
            import tensorflow
            lite = Path(folder) / "net.tflite"
            lite.write_bytes(tensorflow.lite.TFLiteConverter.from_keras_model(model).convert())
            convert("--tflite", lite, "--output", path)
            return
        model.export(folder, verbose=False)
        more = {"tf13": ["--opset", 13], "tfnchw": ["--opset", 17, "--inputs-as-nchw",
                                                   "serve_" + model.inputs[0].name + ":0"]}
        convert("--saved-model", folder, "--output", path, *more.get(group, ["--opset", 18]))


def light(folder):
    source = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"
    for path in sorted(source.glob("light_*.onnx")):
        proto, draw = onnx.load(str(path)), np.random.default_rng(0)
        known = {t.name: t for t in proto.graph.initializer}
        for node in [n for n in proto.graph.node if n.op_type == "ConstantOfShape"]:
            shape = numpy_helper.to_array(known[node.input[0]]).astype(int)
            numbers = draw.standard_normal(shape).astype(np.float32)
            numbers *= np.sqrt(2 / max(1, np.prod(shape[1:])))
            if len(shape) == 1:
                numbers = 1 + np.abs(numbers) / 10 if len(shape) else numbers
            proto.graph.node.remove(node)
            proto.graph.initializer.append(numpy_helper.from_array(numbers, node.output[0]))
            info = onnx.helper.make_tensor_value_info(node.output[0], 1, shape.tolist())
            if proto.ir_version < 4:
                proto.graph.input.append(info)
        onnx.save(proto, str(folder / path.name))


def rewrite(group, source, path):
    if group == "sim":
        import onnxsim
        made, same = onnxsim.simplify(str(source))
        if not same:
            raise ValueError("onnxsim does not vouch for it")
        onnx.save(made, str(path))
    else:
        import onnxslim
        onnxslim.slim(str(source), str(path))


def rewrite_all(folder, tool, sources):
    import zoo_tools
    for source in sources:
        path = folder / ("tool_%s-%s.onnx" % (tool, Path(source).stem))
        try:
            zoo_tools.rewrite(tool, source, path)
            print("wrote", path.name, flush=True)
        except Exception as error:  # of a converter: the next file is tried all the same
            path.unlink(missing_ok=True)
            print("cannot make %s: %s" % (path.name, str(error)[:200]), flush=True)


def main():
    folder, group, names = Path(sys.argv[1]), sys.argv[2], sys.argv[3:]
    folder.mkdir(parents=True, exist_ok=True)
    if group == "light":
        light(folder)
    if group == "tool":
        rewrite_all(folder, names[0], names[1:])
        return
    for name in names:
        path = folder / ("%s_%s.onnx" % (group, Path(name).stem.replace("_", "-", 0)))
        if path.exists():
            continue
        try:
            maker = rewrite if group in ("sim", "slim") else export
            (export_keras if group in KERAS else maker)(group, name, path)
            print("wrote", path.name, flush=True)
        except Exception as error:  # of an exporter: the next name is tried all the same
            path.unlink(missing_ok=True)
            lines = str(error).splitlines() or [type(error).__name__]
            print("cannot export %s: %s" % (name, lines[0][:200]), flush=True)


if __name__ == "__main__":
    main()
