"""A folder of photographs with a long tail, made of Fashion-MNIST: for benchmarks and trials.

    photo_set.py FOLDER [--classes 67] [--most 738] [--least 101] [--test 20] [--side 224]
                 [--vary 0.5] [--seed 1] [--images FILE --labels FILE]

writes FOLDER/train/CLASS/NUMBER.jpg and FOLDER/test/CLASS/NUMBER.jpg. A class is a kind of garment
in one of seven colours, on a ground of blotches, turned and sized at random; numbers of training
images fall from --most to --least as a geometric series, --test of each class are for testing. The
shorter side is --side, up to --vary more, and the longer up to 1.6 times that. The same options
give the same pictures. The defaults are of the size of MIT-67's long-tailed split.
"""
import argparse
import colorsys
import gzip
import os

import numpy
from PIL import Image, ImageFilter

KINDS = ["top", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "boot"]
COLOURS = ["red", "yellow", "green", "cyan", "blue", "violet", "grey"]
HOME = "/usr/share/datasets/fashion-mnist/"


def read_idx(path):
    with (gzip.open if path.endswith(".gz") else open)(path, "rb") as file:
        raw = file.read()
    sizes = numpy.frombuffer(raw, ">i4", raw[3], 4)
    return numpy.frombuffer(raw, numpy.uint8, offset=4 + 4 * raw[3]).reshape(sizes)


def ground(draw, width, height):
    blotches = draw.integers(0, 256, (5, 5, 3), numpy.uint8)
    image = Image.fromarray(blotches).resize((width, height), Image.BICUBIC)
    noise = draw.normal(0, 12, (height, width, 3))
    return Image.fromarray(numpy.clip(numpy.asarray(image) + noise, 0, 255).astype(numpy.uint8))


def tint(colour, draw):
    if colour == len(COLOURS) - 1:
        return numpy.full(3, draw.uniform(0.7, 1))
    hue = (colour + draw.uniform(-0.25, 0.25)) / (len(COLOURS) - 1)
    return numpy.array(colorsys.hsv_to_rgb(hue % 1, draw.uniform(0.6, 1), draw.uniform(0.7, 1)))


def picture(garment, colour, draw, side, vary):
    short = int(side * draw.uniform(1, 1 + vary))
    width, height = short, int(short * draw.uniform(1, 1.6))
    if draw.random() < 0.5:
        width, height = height, width
    image = ground(draw, width, height)
    size = int(short * draw.uniform(0.5, 0.95))
    shape = Image.fromarray(garment).resize((size, size), Image.BICUBIC)
    shape = shape.rotate(draw.uniform(-20, 20), Image.BILINEAR)
    mask = shape.point(lambda v: 255 if v > 20 else 0).filter(ImageFilter.GaussianBlur(1))
    paint = numpy.asarray(shape)[:, :, None] * tint(colour, draw)
    place = (int(draw.integers(0, width - size + 1)), int(draw.integers(0, height - size + 1)))
    image.paste(Image.fromarray(paint.astype(numpy.uint8)), place, mask)
    return image


def write_class(options, number, images, order, count_train):
    name = f"{COLOURS[number // len(KINDS)]}_{KINDS[number % len(KINDS)]}"
    for part, count, first in (("train", count_train, 0), ("test", options.test, count_train)):
        folder = os.path.join(options.folder, part, name)
        os.makedirs(folder, exist_ok=True)
        for i in range(count):
            draw = numpy.random.default_rng([options.seed, number, first + i])
            garment = images[order[(first + i) % len(order)]]
            image = picture(garment, number // len(KINDS), draw, options.side, options.vary)
            image.save(os.path.join(folder, f"{i:05d}.jpg"), quality=int(draw.integers(80, 96)))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("folder")
    for name, default in (("classes", 67), ("most", 738), ("least", 101), ("test", 20),
                          ("side", 224), ("seed", 1)):
        parser.add_argument("--" + name, type=int, default=default)
    parser.add_argument("--vary", type=float, default=0.5)
    parser.add_argument("--images", default=HOME + "train-images-idx3-ubyte.gz")
    parser.add_argument("--labels", default=HOME + "train-labels-idx1-ubyte.gz")
    options = parser.parse_args()
    if not 1 <= options.classes <= len(KINDS) * len(COLOURS):
        parser.error(f"--classes: 1 to {len(KINDS) * len(COLOURS)}")
    if not 1 <= options.least <= options.most:
        parser.error("--least: 1 to --most")
    images, labels = read_idx(options.images), read_idx(options.labels)
    total = 0
    for number in range(options.classes):
        share = number / max(1, options.classes - 1)
        count = round(options.most * (options.least / options.most) ** share)
        order = numpy.flatnonzero(labels == number % len(KINDS))
        # Another garment for every picture, as long as there are: colours take turns.
        order = order[number // len(KINDS)::len(COLOURS)]
        write_class(options, number, images, order, count)
        total += count
        print(f"class {number}: {count} training images", flush=True)
    print(f"{total} training and {options.test * options.classes} test images in {options.folder}")


main()
