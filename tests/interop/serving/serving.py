#!/usr/bin/env python3
"""The README's lines for serving a model give the classes that `predict` gives.

    python3 serving.py BINARY BUILD README FOLDER [--python-only]

Takes the code blocks out of the README as they are. The Python one runs by itself; the C one within
serve.c, against an installation of the build, with ONNX Runtime's header if the compiler finds it
and else with ort/onnxruntime_c_api.h, and its library, that of the Python package. Exits with 77
where onnx, onnxruntime or Pillow are missing.
"""
import contextlib
import glob
import io
import json
import os
import random
import re
import shutil
import subprocess
import sys
from pathlib import Path

try:
    import numpy
    import onnx
    import onnxruntime
    from PIL import Image, ImageDraw, ImageOps
except ImportError as error:
    print("skipped: %s" % error)
    sys.exit(77)

HERE = Path(__file__).resolve().parent
CLASSES = ("dots", "lines", "noise")
SIZES = ((64, 64), (300, 200), (90, 260), (33, 31), (512, 384), (40, 640))

# The lines are C++ as well.
CPP = """#include <onnxruntime_c_api.h>
#include <cstddef>
#include <cstdint>
float first(const char *model, float *image, const int64_t *shape, std::size_t numbers,
            const char *input_name, const char *output_name);
float first(const char *model, float *image, const int64_t *shape, std::size_t numbers,
            const char *input_name, const char *output_name)
{
#include "serve_lines.h"
    return logits[0];
}
"""


def draw(kind, width, height, r):
    image = Image.new("RGB", (width, height), tuple(r.randrange(256) for _ in range(3)))
    pen = ImageDraw.Draw(image)
    for _ in range(60):
        x, y = r.randrange(width), r.randrange(height)
        colour = tuple(r.randrange(256) for _ in range(3))
        if kind == "dots":
            pen.ellipse([x, y, x + width // 8, y + height // 8], fill=colour)
        elif kind == "lines":
            pen.line([0, y, width, y], fill=colour, width=2)
        else:
            pen.point([(r.randrange(width), r.randrange(height)) for _ in range(200)], fill=colour)
    return image


def make_photos(folder):
    """Of many sizes and forms; some are turned by EXIF."""
    r = random.Random(1)
    for kind in CLASSES:
        (folder / kind).mkdir(parents=True)
        for i in range(12):
            image = draw(kind, *SIZES[i % len(SIZES)], r)
            exif = Image.Exif()
            exif[0x0112] = 1 + i % 8
            if i % 4 == 3:
                image.convert("P" if i % 8 == 3 else "L").save(folder / kind / ("%d.png" % i))
            else:
                image.save(folder / kind / ("%d.jpg" % i), quality=90, exif=exif)


def make_grey(folder):
    """An IDX dataset, whose images have one size: such a model tells no size to resize to."""
    folder.mkdir()
    r = random.Random(2)
    for part, count in (("train", 30), ("t10k", 6)):
        images = b"".join(draw(CLASSES[i % 3], 28, 28, r).convert("L").tobytes()
                          for i in range(count))
        head = b"".join(n.to_bytes(4, "big") for n in (0x803, count, 28, 28))
        (folder / (part + "-images-idx3-ubyte")).write_bytes(head + images)
        (folder / (part + "-labels-idx1-ubyte")).write_bytes(
            b"".join(n.to_bytes(4, "big") for n in (0x801, count)) +
            bytes(i % 3 for i in range(count)))


def run(*words, **how):
    done = subprocess.run([str(word) for word in words], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, **how)
    if done.returncode:
        sys.exit("failed: %s\n%s%s" % (" ".join(map(str, words)), done.stdout, done.stderr))
    return done.stdout


def blocks(readme):
    """The only block of each language in the section."""
    text = readme.read_text(encoding="utf-8")
    section = text.split("## Serving the model\n")[1].split("\n## ")[0]
    found = {}
    for language in ("python", "c"):
        code = re.findall(r"^```%s\n(.*?)^```$" % language, section, re.M | re.S)
        if len(code) != 1:
            sys.exit("the README has %d blocks of %s" % (len(code), language))
        found[language] = code[0]
    return found


def build_c(code, build, folder):
    """The program, and the environment that it runs in."""
    prefix, library = folder / "prefix", folder / "ort"
    run("cmake", "--install", build, "--prefix", prefix)
    library.mkdir()
    capi = os.path.join(os.path.dirname(onnxruntime.__file__), "capi")
    real = glob.glob(os.path.join(capi, "libonnxruntime.so*"))
    if not real:
        sys.exit("no libonnxruntime.so in " + capi)
    os.symlink(real[0], library / "libonnxruntime.so")
    os.symlink(real[0], library / "libonnxruntime.so.1")
    (folder / "serve_lines.h").write_text(code, encoding="utf-8")
    own = subprocess.run(["cc", "-E", "-xc", "-include", "onnxruntime_c_api.h", "/dev/null"],
                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    include = [] if own.returncode == 0 else ["-I%s" % (HERE / "ort")]
    (folder / "serve.cpp").write_text(CPP, encoding="utf-8")
    run("c++", "-std=c++11", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", "-I%s" % folder,
        *include, folder / "serve.cpp")
    pc = next(prefix.rglob("onnx-mfm.pc")).parent
    flags = run("pkg-config", "--cflags", "--libs", "onnx-mfm",
                env={**os.environ, "PKG_CONFIG_PATH": str(pc)}).split()
    run("cc", "-std=c11", "-Wall", "-Werror", HERE / "serve.c", "-o", folder / "serve",
        "-I%s" % folder, *include, *flags, library / "libonnxruntime.so", "-lm")
    paths = "%s:%s" % (library, pc.parent)
    return folder / "serve", {**os.environ, "LD_LIBRARY_PATH": paths}


def turn_rows(path):
    """Channels last, and the features as a first output, which is not the classifier's."""
    model = onnx.load(str(path))
    graph = model.graph
    image = graph.input[0]
    node = onnx.helper.make_node("Transpose", ["rows"], [image.name], perm=[0, 3, 1, 2])
    graph.node.insert(0, node)
    image.name = "rows"
    sizes = [d.dim_value for d in image.type.tensor_type.shape.dim]
    for d, size in zip(image.type.tensor_type.shape.dim[1:], sizes[2:] + sizes[1:2]):
        d.dim_value = size
    classifier = next(n for n in graph.node if n.output[0] == graph.output[0].name)
    graph.output.insert(0, onnx.helper.make_empty_tensor_value_info(classifier.input[0]))
    graph.output[0].type.CopyFrom(
        onnx.helper.make_tensor_type_proto(onnx.TensorProto.FLOAT, ["n", 84]))
    onnx.save(model, str(path))


# Name, input of the model, dataset, options of training; what is done to the file before it.
FORMS = (("of one size", "1,28,28", "grey", (), None),
         ("in black", "3,40,37", "grey", ("--pad", ), None),
         ("fitted", "1,24,36", "photos", (), None),
         ("channels last, of two outputs", "3,24,36", "photos", (), turn_rows))


def check_form(binary, folder, code, form):
    """predict's classes are those of the README's lines, and its probabilities."""
    name, shape, data, options, change = form
    place = folder / name.split()[-1]
    place.mkdir()
    run(binary, "new", "lenet", "-o", place / "m.onnx", "--classes", len(CLASSES), "--seed", 3,
        "--input", shape)
    if change:
        change(place / "m.onnx")
        options = ("--logits", onnx.load(str(place / "m.onnx")).graph.output[1].name)
    where = ("idx:%s" % (folder / data), ) if data == "grey" else ("folder:%s" % (folder / data),
                                                                   "--test-part", 0.3)
    run(binary, "train", place / "m.onnx", "-o", place / "t.onnx", "--data", *where, "--method",
        "base", "--epochs", 6, "--batch", 6, "--lr", 0.02, "--milestones", "none", "--threads", 1,
        *options)
    said = json.loads(run(binary, "predict", place / "t.onnx", folder / "photos", "--json"))
    wrong, off = [], 0
    for image in said["images"]:
        words, sys.argv = sys.argv, ["serve.py", str(place / "t.onnx"), image["path"]]
        names, out = {}, io.StringIO()
        with contextlib.redirect_stdout(out):
            exec(code, names)
        sys.argv = words
        if out.getvalue().strip() != image["classes"][0]["name"]:
            wrong.append(image["path"])
        width, height = ImageOps.exif_transpose(Image.open(image["path"])).size
        if height > 2 * width: # Pillow 13 filters such by columns first: bytes may be off by one
            continue
        share = numpy.exp(names["logits"].ravel().astype(float))
        share /= share.sum()
        off = max(off, *(abs(share[c["class"]] - c["probability"]) for c in image["classes"]))
    print("Python, images %s: %d classes differ from predict's, probabilities by %.1e%s" %
          (name, len(wrong), off, "".join("\n  " + path for path in wrong)))
    return not wrong and off < 1e-5


def main():
    binary, build, readme, folder = sys.argv[1], sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4])
    shutil.rmtree(folder, ignore_errors=True)
    make_photos(folder / "photos")
    model, code = folder / "trained.onnx", blocks(readme)
    run(binary, "new", "lenet", "-o", folder / "m.onnx", "--classes", len(CLASSES), "--input",
        "3,48,32", "--seed", 3)
    run(binary, "train", folder / "m.onnx", "-o", model, "--data",
        "folder:%s" % (folder / "photos"), "--test-part", 0.3, "--method", "base",
        "--epochs", 6, "--batch", 8, "--lr", 0.02, "--milestones", "none", "--threads", 1)
    make_grey(folder / "grey")
    said = json.loads(run(binary, "predict", model, folder / "photos", "--top", 1, "--json"))
    right = {image["path"]: image["classes"][0]["name"] for image in said["images"]}
    script = folder / "serve.py"
    script.write_text(code["python"], encoding="utf-8")
    ways = {"Python": lambda path: run(sys.executable, script, model, path).strip()}
    if "--python-only" not in sys.argv:
        program, environment = build_c(code["c"], build, folder)
        session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
        ends = session.get_inputs()[0].name, session.get_outputs()[0].name
        ways["C"] = lambda path: run(program, model, path, *ends, env=environment).strip()
    good = len(set(right.values())) > 1
    for form in FORMS:
        good &= check_form(binary, folder, code["python"], form)
    print("%d images, predicted as %s" % (len(right), ", ".join(sorted(set(right.values())))))
    for way, classify in ways.items():
        wrong = [path for path, name in list(right.items())[::2] if classify(path) != name]
        print("%s: %d classes differ from predict's%s" % (way, len(wrong), "".join(
            "\n  " + path for path in wrong)))
        good &= not wrong
    return 0 if good else 1


sys.exit(main())
