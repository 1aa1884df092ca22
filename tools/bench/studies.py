"""What study.py trains: name -> model, data, epochs, seeds, options common to all rows, rows.

A row is its options, or {"start": the row whose model it trains on, "epochs", "options"}.

tail100    each method, loss, sampler and so on, by itself: LeNet on Fashion-MNIST with 6000 to 60
           images a class, 30 epochs
tail1000   LeNet on Fashion-MNIST with 6000 to 6 images a class, 200 epochs: the setting of the
           paper's table 6
"""
LENET = ["lenet", "--input", "1,28,28", "--classes", "10"]
MFM = "--method mfm --layer fc:1"
FREE = "--method mfm-free --layer fc:1"
BALANCED = "--class-weights class-balanced"

STUDIES = {
    "tail100": {
        "model": LENET, "data": "fashion-mnist", "seeds": "1-3", "epochs": 30,
        "split": "--imbalance 100",
        "common": "--data fashion-mnist --imbalance 100 --batch 100 --lr 0.05 --milestones 20,26",
        "rows": {
            "base": "--method base",
            "focal": "--method base --loss focal",
            "focal, sigmoid": "--method base --loss focal --focal-form sigmoid",
            "sigmoid": "--method base --loss sigmoid",
            "class-balanced": "--method base " + BALANCED,
            "class-balanced focal": "--method base --loss focal " + BALANCED,
            "class-balanced sigmoid": "--method base --loss sigmoid " + BALANCED,
            "re-weighting deferred": "--method base --defer-reweight 20 " + BALANCED,
            "LDAM": "--method base --loss ldam",
            "LDAM-DRW": "--method base --loss ldam --defer-reweight 20 " + BALANCED,
            "balanced softmax": "--method base --loss balanced-softmax",
            "logit adjustment": "--method base --loss logit-adjustment",
            "label smoothing": "--method base --loss label-smoothing",
            "label-aware smoothing": "--method base --loss label-aware-smoothing",
            "class-balanced sampler": "--method base --sampler class-balanced",
            "square-root sampler": "--method base --sampler square-root",
            "progressive sampler": "--method base --sampler progressive",
            "reversed sampler": "--method base --sampler reversed",
            "re-sampling deferred": "--method base --sampler class-balanced --defer-resample 20",
            "mixup": "--method base --mix mixup",
            "Remix": "--method base --mix remix",
            "CutMix": "--method base --mix cutmix",
            "logit adjustment afterwards": "--method base --finish logit-adjustment",
            "tau-normalisation": "--method base --finish tau-normalisation",
            "sharpness-aware": "--method base --sharpness 0.05",
            "MFM": MFM,
            "MFM, logit adjustment": MFM + " --loss logit-adjustment",
            "MFM, free parameters": FREE,
            "MW-Net": "--method mw-net",
            "L2RW": "--method l2rw",
            "BBN": "--method bbn --branch conv:2",
            "cRT": {"start": "base", "epochs": 10, "options": "--method crt --milestones 6,8"},
            "LWS": {"start": "base", "epochs": 10, "options": "--method lws --milestones 6,8"},
        },
    },
    "tail1000": {
        "model": LENET, "data": "fashion-mnist", "seeds": "1-5", "epochs": 200,
        "split": "--imbalance 1000",
        "common": "--data fashion-mnist --imbalance 1000 --batch 100 --lr 0.05 "
                  "--milestones 160,180",
        "rows": {
            "base": "--method base",
            "logit adjustment": "--method base --loss logit-adjustment",
            "MFM": MFM,
            "MFM, free parameters": FREE,
            "MW-Net": "--method mw-net",
        },
    },
}
