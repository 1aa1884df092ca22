"""Writes pillow.txt: what torchvision's RandAugment and ColorJitter make of an image, with Pillow.

    python3 pillow.py > pillow.txt

A line is the change, the image's mode, the level of 31 (of a hue: hundredths of the circle), the
sign, and FNV-1a of 64 bits over the bytes. Written with torchvision 0.14.1 and Pillow 9.4.0.
"""
import numpy
import torchvision
from PIL import Image, __version__
from torchvision.transforms import InterpolationMode
from torchvision.transforms.functional import adjust_hue
from torchvision.transforms.autoaugment import RandAugment, _apply_op

HEIGHT, WIDTH = 37, 52


def picture(channels):
    y, x, c = numpy.mgrid[:HEIGHT, :WIDTH, :channels]
    values = 30 + (x * (3 + c) + y * (5 - c) + (x * y * (7 + c)) % 41) % 200
    values = values.astype(numpy.uint8)
    return Image.fromarray(values if channels == 3 else values[:, :, 0])


def fnv(data):
    value = 0xCBF29CE484222325
    for byte in data:
        value = (value ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return value


print(f"# torchvision {torchvision.__version__}, Pillow {__version__}: change, mode, level, sign, "
      "hash")
space = RandAugment()._augmentation_space(31, (WIDTH, HEIGHT))
# Which side comes first has changed between versions.
if space["TranslateX"][0][-1] < space["TranslateY"][0][-1]:
    space = RandAugment()._augmentation_space(31, (HEIGHT, WIDTH))
for turn in (0, 1, 7, 10, 25, 49):
    for channels in (3, 1):
        for sign in (1, -1):
            changed = adjust_hue(picture(channels), sign * turn / 100)
            print("Hue", changed.mode, turn, sign, f"{fnv(changed.tobytes()):016x}")
for name, (levels, signed) in space.items():
    for channels in (3, 1):
        image = picture(channels)
        for level in (0, 1, 5, 9, 14, 15, 16, 23, 30) if levels.ndim else (0,):
            for sign in (1, -1) if signed else (1,):
                magnitude = sign * (float(levels[level].item()) if levels.ndim else 0.0)
                changed = _apply_op(image, name, magnitude, InterpolationMode.NEAREST, None)
                print(name, image.mode, level, sign, f"{fnv(changed.tobytes()):016x}")
