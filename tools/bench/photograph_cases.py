"""Rows of the comparison over a folder of photographs: whole epochs of VGG-11 at 224 x 224, with
everything trained and with frozen layers, decoding alone, and memory. Cases: folder frozen decode
peak."""
from row import Row, mebibytes

NETWORK, LAYER, BATCH, LARGE_BATCH = "vgg11", "last_conv", 16, 40
HEAD = "fc:-1"  # what is trained on frozen features
FEW, MANY = 8, 80  # photographs a class; on so many, what an epoch has once is no longer much


def ours(option, method, layers=(), freeze="", per_class=FEW, batch=BATCH):
    return ("epoch", NETWORK, method, layers, freeze, per_class, batch, option.threads)


def theirs(option, peer, what, per_class=FEW):
    return ("torch_epoch", peer, what, per_class, BATCH, option.threads)


def rate(figures):
    return "%.4g images/s" % figures["images_per_second"]


def epoch_rows(option):
    mine, rows = ours(option, "base"), []
    for peer in option.pythons:
        other = theirs(option, peer, "all")
        rows.append(Row("folder", "fine-tuning epoch, vgg11, everything trained; " + peer,
                        (mine, other), lambda best, o=other: (
                            rate(best(mine)), rate(best(o)),
                            best(mine)["images_per_second"] / best(o)["images_per_second"]), 1.2,
                        True))
    return rows


def frozen_rows(option):
    mine, rows = ours(option, "base", (), HEAD, MANY), []
    for peer in option.pythons:
        for what, per_class, goal in (("recompute", FEW, 20), ("cached", MANY, 1)):
            other = theirs(option, peer, what, per_class)
            rows.append(Row("frozen", "epoch on frozen features, vgg11, those of PyTorch %s; %s" %
                            ({"recompute": "computed anew", "cached": "cached"}[what], peer),
                            (mine, other), lambda best, o=other: (
                                rate(best(mine)), rate(best(o)),
                                best(mine)["images_per_second"] / best(o)["images_per_second"]),
                            goal, True))
    for batch in (BATCH, LARGE_BATCH):
        plain = ours(option, "base", (), LAYER, FEW, batch)
        mfm = ours(option, "mfm", (LAYER,), LAYER, FEW, batch)
        rows.append(Row("frozen", "MFM / plain epoch, vgg11, batch %d, frozen before the last "
                        "convolution" % batch, (plain, mfm), lambda best, p=plain, m=mfm: (
                            "%.4g s" % best(m)["seconds"], "%.4g s plain" % best(p)["seconds"],
                            best(m)["seconds"] / best(p)["seconds"]), 3.4, False))
    return rows


def decode_rows(option):
    mine, rows = ("decode", option.threads), []
    for reader in ("pillow", "torchvision"):
        other = ("peer_decode", reader, option.threads)
        rows.append(Row("decode", "photographs decoded, resized and normalised, %s" % reader,
                        (mine, other), lambda best, o=other: (
                            rate(best(mine)), rate(best(o)),
                            best(mine)["images_per_second"] / best(o)["images_per_second"]), 1,
                        True))
    return rows


def peak_row(option):
    step = ("step", NETWORK, "mfm", LARGE_BATCH, (LAYER,), option.threads)
    told = ("memory", NETWORK, "mfm", LARGE_BATCH, (LAYER,), option.threads)
    held = lambda best: best(step)["peak_rss_bytes"] - best(step)["rss_before_bytes"]
    return Row("peak", "memory of the MFM step, vgg11, batch %d, beside inspect's word" %
               LARGE_BATCH, (step, told), lambda best: (
                   mebibytes(held(best)), mebibytes(best(told)["planned_bytes"]) + " told",
                   held(best) / best(told)["planned_bytes"]), 1.05, False)


def rows(option):
    return [*epoch_rows(option), *frozen_rows(option), *decode_rows(option), peak_row(option)]
