"""Images of files as the library fits them to a model, against Pillow: images.py FIT_IMAGES

Pillow opens, turns (EXIF), converts, resizes (bilinear, antialiased) and crops the same files.
Exits with 77 where Pillow is missing.
"""
import os
import random
import subprocess
import sys
import tempfile

try:
    from PIL import Image, ImageDraw, ImageOps
except ImportError:
    print("skipped: no Pillow")
    sys.exit(77)


def draw(width, height, seed):
    """Edges, gradients and noise."""
    r = random.Random(seed)
    image = Image.new("RGB", (width, height), tuple(r.randrange(256) for _ in range(3)))
    pen = ImageDraw.Draw(image)
    for _ in range(30):
        x, y = r.randrange(width), r.randrange(height)
        box = [x, y, x + r.randrange(width), y + r.randrange(height)]
        colour = tuple(r.randrange(256) for _ in range(3))
        (pen.ellipse if r.random() < 0.5 else pen.rectangle)(box, fill=colour)
    return image


def write(folder):
    """Files of every form and of sizes around, below and far above those of the models."""
    paths = []

    def save(image, name, **how):
        paths.append(os.path.join(folder, name))
        image.save(paths[-1], **how)

    for seed, (w, h) in enumerate([(256, 256), (300, 200), (200, 300), (31, 97), (640, 480), (5, 3),
                                   (1, 1), (1000, 40)]):
        image = draw(w, h, seed)
        save(image, f"{seed}.png")
        save(image, f"{seed}.jpg", quality=95, subsampling=2 * (seed % 2))
    image = draw(333, 251, 99)
    save(image.convert("L"), "grey.png")
    save(image.convert("L"), "grey.jpg")
    save(image.convert("P"), "palette.png")
    save(image.convert("1"), "bits.png")
    save(image.convert("RGBA"), "alpha.png")
    save(image.convert("LA"), "grey_alpha.png")
    save(image.convert("CMYK"), "cmyk.jpg", quality=95)
    save(image, "progressive.jpg", progressive=True)
    deep = Image.new("I;16", (40, 30))
    deep.putdata([i * 54 for i in range(40 * 30)])
    save(deep, "deep.png")
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        save(image, f"turned{orientation}.jpg", exif=exif)
        save(image, f"turned{orientation}.png", exif=exif)
    return paths


def expected(path, channels, height, width):
    image = ImageOps.exif_transpose(Image.open(path))
    if image.mode.startswith("I"): # 16 bits, which convert would cut off at 255
        eight = bytes((v * 2 + 257) // 514 for v in image.getdata())
        image = Image.frombytes("L", image.size, eight)
    image = image.convert("RGB")
    w, h = image.size
    full_h, full_w = height * 256 // 224, width * 256 // 224
    if w * full_h // h >= full_w:
        full_w = w * full_h // h
    else:
        full_h = max(full_h, h * full_w // w)
    image = image.resize((full_w, full_h), Image.BILINEAR)
    left, top = (full_w - width) // 2, (full_h - height) // 2
    image = image.crop((left, top, left + width, top + height))
    return (image.convert("L") if channels == 1 else image).tobytes()


def main():
    failures = 0
    with tempfile.TemporaryDirectory() as folder:
        paths = write(folder)
        for channels, height, width in [(3, 224, 224), (3, 32, 32), (1, 28, 28), (3, 100, 180)]:
            got = subprocess.run([sys.argv[1], *map(str, (channels, height, width)), *paths],
                                 stdout=subprocess.PIPE, check=True).stdout
            size = channels * height * width
            assert len(got) == size * len(paths)
            for i, path in enumerate(paths):
                want = expected(path, channels, height, width)
                have = got[i * size:(i + 1) * size]
                differ = sorted(abs(a - b) for a, b in zip(want, have))
                most, mean = differ[-1], sum(differ) / size
                print(f"{channels}x{height}x{width} {os.path.basename(path)}: most {most}, "
                      f"mean {mean:.3f}")
                # With one JPEG library the bytes are equal; others may round differently.
                if most > 2:
                    failures += 1
                    print("    FAILED")
    sys.exit(1 if failures else 0)


main()
