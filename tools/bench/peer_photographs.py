#!/usr/bin/env python3
"""Times PyTorch on a folder of photographs, as `train --data folder:DIR` reads it.

    python3 peer_photographs.py all|recompute|cached FOLDER [--batch N] [--threads T] [--workers W]
                                [--epochs N]
    python3 peer_photographs.py pillow|torchvision FOLDER [--threads T]

Prints one JSON line. The first three: the fastest epoch after the first, in seconds, of steps and
of waiting for images. `all` trains all of VGG-11; `recompute` its last layer, on features that are
computed anew each epoch, without derivatives; `cached` on features that were computed before.
Images come from a DataLoader with worker processes: decoded, resized to 256 and cropped to 224 in
the centre, normalised. The last two: images per second of that alone, in as many threads.
"""
import argparse
import json
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np

CONVOLUTIONS = (64, 0, 128, 0, 256, 256, 0, 512, 512, 0, 512, 512, 0)  # 0: pool
FULL, SIDE, FEATURES = 256, 224, 4096
MEAN, DEVIATION = np.float32([0.485, 0.456, 0.406]), np.float32([0.229, 0.224, 0.225])
LR, MOMENTUM, WEIGHT_DECAY = 1e-4, 0.9, 5e-4


def options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("all", "recompute", "cached", "pillow", "torchvision"))
    parser.add_argument("folder", help="DIR/train/CLASS/IMAGE")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=3)
    return parser.parse_args()


def list_images(folder):
    """(path, class) of the training images."""
    part = os.path.join(folder, "train")
    return [(os.path.join(part, name, file), number)
            for number, name in enumerate(sorted(os.listdir(part)))
            for file in sorted(os.listdir(os.path.join(part, name)))]


def read_pillow(path):
    from PIL import Image
    image = Image.open(path).convert("RGB")
    w, h = image.size
    size = (w * FULL // h, FULL) if w >= h else (FULL, h * FULL // w)
    left, top = (size[0] - SIDE) // 2, (size[1] - SIDE) // 2
    image = image.resize(size, Image.BILINEAR).crop((left, top, left + SIDE, top + SIDE))
    pixels = (np.asarray(image, np.float32) / 255 - MEAN) / DEVIATION
    return np.ascontiguousarray(pixels.transpose(2, 0, 1))


def read_torchvision(path):
    import torchvision
    image = torchvision.io.read_image(path)
    h, w = image.shape[1:]
    size = [FULL, w * FULL // h] if w >= h else [h * FULL // w, FULL]
    functional = torchvision.transforms.functional
    image = functional.center_crop(functional.resize(image, size, antialias=True), SIDE)
    return functional.normalize(image.float() / 255, MEAN.tolist(), DEVIATION.tolist())


# ---- decoding ------------------------------------------------------------------------------------

def time_decoding(option):
    read = read_pillow if option.what == "pillow" else read_torchvision
    if option.what == "torchvision":
        import torch
        torch.set_num_threads(1)  # each of the threads is one
    paths = [path for path, _ in list_images(option.folder)]
    with ThreadPoolExecutor(option.threads) as pool:
        list(pool.map(read, paths[:8]))
        start = time.perf_counter()
        list(pool.map(lambda path: read(path) is None, paths))
        seconds = time.perf_counter() - start
    return {"seconds": seconds / len(paths), "images_per_second": len(paths) / seconds}


# ---- training ------------------------------------------------------------------------------------

class Photographs:
    """What a DataLoader wants."""

    def __init__(self, folder):
        self.items = list_images(folder)

    def __len__(self):
        return len(self.items)

    def __getitem__(self, index):
        path, number = self.items[index]
        return read_pillow(path), number


def vgg11(nn, classes):
    """The features and the classifier."""
    layers, channels = [], 3
    for out in CONVOLUTIONS:
        if out:
            layers += [nn.Conv2d(channels, out, 3, padding=1), nn.ReLU(inplace=True)]
            channels = out
        else:
            layers.append(nn.MaxPool2d(2))
    layers.append(nn.Flatten())
    for width in (channels * 7 * 7, FEATURES):
        layers += [nn.Linear(width, FEATURES), nn.ReLU(inplace=True), nn.Dropout()]
    return nn.Sequential(*layers), nn.Linear(FEATURES, classes)


class Training:
    def __init__(self, torch, option):
        self.torch, self.option = torch, option
        images = Photographs(option.folder)
        classes = 1 + max(number for _, number in images.items)
        self.features, self.head = vgg11(torch.nn, classes)
        self.features.to(memory_format=torch.channels_last)
        self.loader = torch.utils.data.DataLoader(images, option.batch, shuffle=True,
                                                  num_workers=option.workers)
        trained = [*self.head.parameters()]
        if option.what == "all":
            trained += self.features.parameters()
        self.optimizer = torch.optim.SGD(trained, LR, MOMENTUM, weight_decay=WEIGHT_DECAY)
        if option.what == "cached":
            self.cache()

    def frozen(self, x):
        self.features.eval()
        with self.torch.no_grad():
            return self.features(x.contiguous(memory_format=self.torch.channels_last))

    def cache(self):
        """The batches of an epoch are then those of a tensor."""
        parts = [(self.frozen(x), y) for x, y in self.loader]
        features, labels = (self.torch.cat(part) for part in zip(*parts))
        self.loader = self.torch.utils.data.DataLoader(
            self.torch.utils.data.TensorDataset(features, labels), self.option.batch, shuffle=True)

    def logits(self, x):
        if self.option.what == "all":
            return self.head(self.features(x.contiguous(memory_format=self.torch.channels_last)))
        return self.head(x if self.option.what == "cached" else self.frozen(x))

    def epoch(self):
        start = time.perf_counter()
        for x, y in self.loader:
            loss = self.torch.nn.functional.cross_entropy(self.logits(x), y)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
        return time.perf_counter() - start


def time_training(option):
    import torch
    torch.set_num_threads(option.threads)
    torch.manual_seed(1)
    training = Training(torch, option)
    seconds = [training.epoch() for _ in range(option.epochs)]
    images = len(training.loader.dataset)
    if not all(value.isfinite().all() for value in training.head.parameters()):
        sys.exit("the training diverged: its times say nothing")
    best = min(seconds[1:])
    return {"seconds": best, "images": images, "images_per_second": images / best,
            "version": "torch " + torch.__version__}


def main():
    option = options()
    decodes = option.what in ("pillow", "torchvision")
    print(json.dumps(time_decoding(option) if decodes else time_training(option)))


if __name__ == "__main__":
    main()
