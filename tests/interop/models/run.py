#!/usr/bin/env python3
"""Checks the program's files and answers with the onnx checker, ONNX Runtime and torch's exports.

    python3 run.py BINARY FOLDER [--torch-python PYTHON] [--cache CACHE] [--only CASE]

BINARY is the onnx-mfm program, FOLDER where files may be written, unless TMPDIR is. The cases are
the lines of cases.txt, called lenet or torch-resnet18-eval-13; CTest runs each by itself. torch's
exports are made by the Python that has torch (/usr/bin/python3) and stay in CACHE. One line per
check: "ok - what holds", "FAILED - ...", "skipped - ...", and a summary. Exits with 1 when anything
failed, and with 77 when nothing ran, or onnx or ONNX Runtime are missing.
"""
import argparse
import filecmp
import fnmatch
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

try:
    import numpy as np
    import onnx

    import check_injected
    import compare
    import oracle
except ImportError as error:
    print("skipped: %s" % error)
    sys.exit(77)

HERE = Path(__file__).resolve().parent
BATCH = 3
# Bytes. Up to SMALL every layer is tried by each of its names, beyond that three of them by one.
SMALL = 2 << 20


FORMS = ["--no-scale", "--no-shift", "--modulation scaled-sigmoid", "--modulation film --no-shift",
         "--modulation scaled-sigmoid --hash-dim 3", "--no-scale --hash-dim 3",
         "--modulation attention", "--modulation gated --position conv"]


class Failure(Exception):
    """A check that does not hold; the text says what was found."""


class Tally:
    """Runs checks, prints a line each, and goes on after one that fails."""

    def __init__(self, only):
        self.only, self.count = only, {"ok": 0, "FAILED": 0, "skipped": 0}

    def say(self, verdict, name, detail=""):
        self.count[verdict] += 1
        print("%s - %s%s" % (verdict, name, detail and ": " + detail), flush=True)

    def wants(self, subject):
        return fnmatch.fnmatch(subject, self.only)

    def check(self, name, function, *arguments):
        """True when the function returns; what it raises becomes the line of a failure."""
        try:
            function(*arguments)
        except Exception as error:  # onnx, ONNX Runtime and the files raise too many kinds
            self.say("FAILED", name, "%s: %s" % (type(error).__name__, str(error).strip()[:500]))
            return False
        self.say("ok", name)
        return True

    def summary(self):
        print("%(ok)d passed, %(FAILED)d failed, %(skipped)d skipped" % self.count)
        if self.count["FAILED"]:
            return 1
        if self.count["ok"]:
            return 0
        return 77 if self.count["skipped"] else 1


class Program:
    """The command line, with every argument a string and every failure an exception."""

    def __init__(self, binary):
        self.binary = binary

    def __call__(self, *arguments):
        call = [str(self.binary), *map(str, arguments)]
        done = subprocess.run(call, capture_output=True, text=True)
        if done.returncode != 0:
            raise Failure("%s: status %d: %s" % (" ".join(call[1:]), done.returncode,
                                                 done.stderr.strip()))
        return done.stdout

    def layers(self, model):
        """For each layer of a model, the list of names that --layer takes."""
        listed = json.loads(self("inspect", model, "--json"))["layers"]
        layers = [[layer["id"], *layer["aliases"]] for layer in listed]
        if not layers or not all(layers):
            raise Failure("inspect lists no layers, or one without a name")
        return layers

    def inject(self, model, out, layers, *more):
        arguments = [part for layer in layers for part in ("--layer", layer)]
        self("inject", model, "-o", out, *arguments, *more)


def same(path, other):
    """Byte for byte."""
    return filecmp.cmp(path, other, shallow=False)


def fresh(folder, *names):
    """Paths in the folder at which no file of an earlier check is left."""
    paths = [folder / name for name in names]
    for path in paths:
        path.unlink(missing_ok=True)
    return paths


def strip_restores(program, model, layers, folder):
    injected, stripped = fresh(folder, "injected.onnx", "stripped.onnx")
    program.inject(model, injected, layers)
    if same(injected, model):
        raise Failure("the injected file is the plain file")
    program("strip", injected, "-o", stripped)
    if not same(stripped, model):
        raise Failure("the stripped file differs from the plain file")


def every_layer_strips(program, model, folder):
    """One layer after the other, of large files the first, the middle one and the last, then all
    at once."""
    layers, small = program.layers(model), model.stat().st_size <= SMALL
    single = layers if small else [layers[0], layers[len(layers) // 2], layers[-1]]
    names = [name for layer in single for name in (layer if small else layer[:1])]
    for name in names:
        try:
            strip_restores(program, model, [name], folder)
        except Failure as failure:
            raise Failure("layer %s: %s" % (name, failure))
    strip_restores(program, model, [layer[0] for layer in layers], folder)


def engine_logits(program, model, images, folder, *more):
    """The path of the raw logits."""
    (out,) = fresh(folder, "logits")
    program("run", model, "--input", images, *more, "-o", out)
    return out


def agrees_with_runtime(program, model, images, folder):
    found = compare.compare(model, images, engine_logits(program, model, images, folder))
    if not found <= oracle.TOLERANCE:
        raise Failure("relative difference %.3g: at most %g" % (found, oracle.TOLERANCE))


def injected_is_valid(program, model, layers, folder):
    (injected,) = fresh(folder, "injected.onnx")
    program.inject(model, injected, layers)
    oracle.check(injected)


def injected_agrees(program, model, images, classes, layers, folder, *more):
    """The injected file is valid and means the same to the engine and to ONNX Runtime."""
    shape = oracle.image_shape(onnx.load(model))
    soft = np.random.default_rng(3).dirichlet(np.ones(classes), len(
        oracle.read_images(images, shape))).astype("<f4")
    soft.tofile(folder / "soft")
    untrained, injected = fresh(folder, "untrained.onnx", "injected.onnx")
    program.inject(model, untrained, layers, *more)
    oracle.check(untrained)
    check_injected.give_modulator_weights(untrained, injected)
    logits = engine_logits(program, injected, images, folder, "--soft-label", folder / "soft",
                           "--switch", 1)
    broken = check_injected.breaches(model, injected, images, folder / "soft", logits)
    if broken:
        raise Failure("; ".join(broken))


def new_model(program, name, image, classes, model):
    model.unlink(missing_ok=True)
    program("new", name, "-o", model, "--classes", classes, "--input", ",".join(map(str, image)),
            "--seed", 4)
    oracle.check(model)


def check_new(tally, program, folder, name, image, classes):
    """An architecture that `new` makes."""
    image, classes = tuple(map(int, image.split(","))), int(classes)
    model, images = folder / (name + ".onnx"), folder / "images"
    random = np.random.default_rng(1)
    random.standard_normal((BATCH, *image)).astype("<f4").tofile(images)
    if not tally.check(name + ": new writes a valid file", new_model, program, name, image, classes,
                       model):
        return
    tally.check(name + ": answers as ONNX Runtime does", agrees_with_runtime, program, model,
                images, folder)
    for layers in (["last_conv"], ["first_conv", "last_conv", "fc:1"]):
        tally.check("%s: modulated after %s, answers as ONNX Runtime does" %
                    (name, " ".join(layers)), injected_agrees, program, model, images, classes,
                    layers, folder)
    tally.check(name + ": strip undoes inject, bit for bit, at every layer", every_layer_strips,
                program, model, folder)
    model.unlink()


def agrees_with_torch(program, model, images, expected, folder):
    batch = len(oracle.read_images(images, oracle.image_shape(onnx.load(model))))
    got = oracle.read_logits(engine_logits(program, model, images, folder), batch)
    found = oracle.difference(got, oracle.read_logits(expected, batch))
    if not found <= oracle.TOLERANCE:
        raise Failure("relative difference %.3g: at most %g" % (found, oracle.TOLERANCE))


def check_export(tally, program, export, name, folder):
    """One of torch's files. Those for training draw dropout masks, which no two programs share:
    the engine answers as the served model does, and ONNX Runtime is not asked."""
    about = json.loads((export / "about.json").read_text())
    model, images, expected = export / "model.onnx", export / "input", export / "logits"
    tally.check(name + ": answers as torch does", agrees_with_torch, program, model, images,
                expected, folder)
    if about["mode"] == "train":
        tally.check(name + ": valid with a modulator", injected_is_valid, program, model,
                    ["last_conv"], folder)
    else:
        tally.check(name + ": modulated, answers as ONNX Runtime does", injected_agrees, program,
                    model, images, about["classes"], ["last_conv"], folder)
    tally.check(name + ": strip undoes inject, bit for bit", every_layer_strips, program, model,
                folder)


def check_torch(tally, program, folder, name, arguments, python, cache):
    made = subprocess.run([python, str(HERE / "make_torch_models.py"), str(cache), *arguments],
                          capture_output=True, text=True)
    if made.returncode == 77:
        tally.say("skipped", name, made.stderr.strip())
    elif made.returncode != 0:
        tally.say("FAILED", name, made.stderr.strip()[-300:])
    else:
        check_export(tally, program, Path(made.stdout.splitlines()[-1]), name, folder)


def cases():
    """(kind, name, arguments) of each line of cases.txt."""
    for line in (HERE / "cases.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            kind, *words = line.split()
            yield kind, words[0] if kind == "new" else "torch-" + "-".join(words), words


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("binary", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--torch-python", default="/usr/bin/python3")
    parser.add_argument("--cache", type=Path, help="where torch's exports stay (FOLDER/torch)")
    parser.add_argument("--only", default="*", help="cases, as a glob")
    arguments = parser.parse_args()
    tally, program = Tally(arguments.only), Program(arguments.binary.resolve())
    for kind, name, words in cases():
        if not tally.wants(name):
            continue
        folder = Path(os.environ.get("TMPDIR") or arguments.folder) / ("models-" + name)
        folder.mkdir(parents=True, exist_ok=True)
        if kind == "new":
            check_new(tally, program, folder, *words)
        else:
            check_torch(tally, program, folder, name, words, arguments.torch_python,
                        arguments.cache or arguments.folder / "torch")
        shutil.rmtree(folder)
    return tally.summary()


if __name__ == "__main__":
    sys.exit(main())
