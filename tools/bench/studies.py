"""What study.py trains: name -> model, data, epochs, seeds, options common to all rows, rows.

A row is its options, or {"start": the row whose model it trains on, or "modulator": the row whose
modulator it takes, "epochs", "split", "options"}; "split" says how many images each class has.

tail100    each method, loss, sampler and so on, by itself: LeNet on Fashion-MNIST with 6000 to 60
           images a class, 30 epochs
tail1000   LeNet on Fashion-MNIST with 6000 to 6 images a class, 200 epochs: the setting of the
           paper's table 6
search1000 combinations in that setting, in shorter runs, to choose from by validation images
transfer   ResNet-20 on Fashion-MNIST at imbalance 200 and 10, with modulators trained at the
           other one: the question of the paper's table 3, in short runs
"""
LENET = ["lenet", "--input", "1,28,28", "--classes", "10"]
MFM = "--method mfm --layer fc:1"
ADJUSTED = "--method base --loss logit-adjustment"
FREE = "--method mfm-free --layer fc:1"
NOISY = "--method mw-net --weighting-optimizer adam --weighting-lr 1e-3 " \
        "--weighting-weight-decay 1e-4"
BALANCED = "--class-weights class-balanced"
LAST = "--recipe mfm-development --layer last_conv"
FIXED = LAST + " --freeze-modulator"

STUDIES = {
    "tail100": {
        "model": LENET, "data": "fashion-mnist", "seeds": "1-3", "epochs": 30,
        "split": "--imbalance 100",
        "common": "--data fashion-mnist --batch 100 --lr 0.05 --milestones 20,26",
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
            "CoSen": "--method base --loss cosen",
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
            "MW-Net, constants for noisy labels": NOISY,
            "L2RW": "--method l2rw",
            "L2RW, its authors' rate": "--method l2rw --lr 0.001",
            "BBN": "--method bbn --branch conv:2",
            "BBN, its authors' schedule": "--method bbn --branch conv:2 --milestones 18,24 "
                                       "--lr-decay 0.01",
            "cRT": {"start": "base", "epochs": 10, "options": "--method crt --milestones 6,8"},
            "LWS": {"start": "base", "epochs": 10, "options": "--method lws --milestones 6,8"},
            "MiSLAS": {"start": "mixup", "epochs": 10, "options":
                       "--method mislas --classifier-rate 0.5 --statistics kept --sampler "
                       "class-balanced --loss label-aware-smoothing --smoothing-head 0.3 "
                       "--smoothing-tail 0 --milestones 6,8"},
        },
    },
    "tail1000": {
        "model": LENET, "data": "fashion-mnist", "seeds": "1-5", "epochs": 200,
        "split": "--imbalance 1000",
        "common": "--data fashion-mnist --batch 100 --lr 0.05 "
                  "--milestones 160,180",
        "rows": {
            "base": "--method base",
            "logit adjustment": "--method base --loss logit-adjustment",
            "MFM": MFM,
            "MFM, free parameters": FREE,
            "MW-Net": "--method mw-net",
            "logit adjustment, lr 0.02, batch 50": ADJUSTED + " --lr 0.02 --batch 50",
        },
    },
    "search1000": {
        "model": LENET, "data": "fashion-mnist", "seeds": "11-12", "epochs": 60,
        "split": "--imbalance 1000",
        "common": "--data fashion-mnist --batch 100 --lr 0.05 "
                  "--milestones 48,54 --validation disjoint:200",
        "rows": {
            "base": "--method base",
            "LA": ADJUSTED,
            "LA, tau 0.75": ADJUSTED + " --tau 0.75",
            "LA, tau 1.25": ADJUSTED + " --tau 1.25",
            "LA, tau 1.5": ADJUSTED + " --tau 1.5",
            "LA, weight decay 2e-3": ADJUSTED + " --weight-decay 2e-3",
            "LA, weight decay 5e-3": ADJUSTED + " --weight-decay 5e-3",
            "LA, sharpness 0.05": ADJUSTED + " --sharpness 0.05",
            "LA, sharpness 0.2": ADJUSTED + " --sharpness 0.2",
            "LA, sharpness 0.5": ADJUSTED + " --sharpness 0.5",
            "LA, mixup": ADJUSTED + " --mix mixup",
            "LA, Remix": ADJUSTED + " --mix remix",
            "LA, CutMix": ADJUSTED + " --mix cutmix",
            "LA, cosine": ADJUSTED + " --schedule cosine",
            "LA, lr 0.02": ADJUSTED + " --lr 0.02",
            "LA, batch 50": ADJUSTED + " --batch 50",
            "LA, Nesterov": ADJUSTED + " --optimizer nesterov",
            "LA, AdamW": ADJUSTED + " --optimizer adamw --lr 0.001 --weight-decay 0.05",
            "LA, shift and mirror": ADJUSTED + " --augment pad-crop-flip",
            "LA, tau 0.5, square-root sampler": ADJUSTED + " --tau 0.5 --sampler square-root",
            "LA afterwards": "--method base --finish logit-adjustment",
            "LA afterwards, sharpness 0.2":
                "--method base --finish logit-adjustment --sharpness 0.2",
            "LA afterwards, CutMix": "--method base --finish logit-adjustment --mix cutmix",
            "LDAM-DRW": "--method base --loss ldam --defer-reweight 48 " + BALANCED,
            "MFM": MFM,
            "MFM, LA": MFM + " --loss logit-adjustment",
            "MFM, LA, soft label adjusted":
                MFM + " --loss logit-adjustment --soft-label-adjusted",
            "MFM, LA, meta steps to epoch 20":
                MFM + " --loss logit-adjustment --meta-until-epoch 20",
            "MFM, LA, meta steps from epoch 48":
                MFM + " --loss logit-adjustment --meta-from-epoch 48",
            "MFM, LA, rate follows": MFM + " --loss logit-adjustment --modulator-rate follow",
            "MFM, LA, meta images by class":
                MFM + " --loss logit-adjustment --meta-sampler class-aware",
            "MFM, LA afterwards tau 0.5": MFM + " --finish logit-adjustment --finish-tau 0.5",
            "MW-Net, LA": "--method mw-net --loss logit-adjustment",
            "LA, lr 0.01": ADJUSTED + " --lr 0.01",
            "LA, lr 0.02, tau 1.25": ADJUSTED + " --lr 0.02 --tau 1.25",
            "LA, lr 0.02, batch 50": ADJUSTED + " --lr 0.02 --batch 50",
            "LA, lr 0.02, CutMix": ADJUSTED + " --lr 0.02 --mix cutmix",
            "LA, lr 0.02, Remix": ADJUSTED + " --lr 0.02 --mix remix",
            "LA, lr 0.02, sharpness 0.05": ADJUSTED + " --lr 0.02 --sharpness 0.05",
            "LA, lr 0.02, CutMix, sharpness 0.05":
                ADJUSTED + " --lr 0.02 --mix cutmix --sharpness 0.05",
        },
    },
    "transfer": {
        "model": ["resnet20", "--input", "1,28,28", "--classes", "10"], "data": "fashion-mnist",
        "seeds": "1-3", "epochs": 10, "common": "--data fashion-mnist --milestones 8,9",
        "rows": {
            "200, base": {"split": "--imbalance 200", "options": "--recipe base"},
            "200, MFM": {"split": "--imbalance 200", "options": LAST},
            "10, base": {"split": "--imbalance 10", "options": "--recipe base"},
            "10, MFM": {"split": "--imbalance 10", "options": LAST},
            "200, modulator of 10, fixed":
                {"modulator": "10, MFM", "split": "--imbalance 200", "options": FIXED},
            "10, modulator of 200, fixed":
                {"modulator": "200, MFM", "split": "--imbalance 10", "options": FIXED},
        },
    },
}
