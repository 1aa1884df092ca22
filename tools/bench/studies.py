"""What study.py trains: name -> model, data, options common to all rows, rows.

tail100    every method and loss, LeNet on Fashion-MNIST with 6000 to 60 images a class, 30 epochs
tail1000   LeNet on Fashion-MNIST with 6000 to 6 images a class, 200 epochs: the paper's table 6
"""
LENET = ["lenet", "--input", "1,28,28", "--classes", "10"]
MFM = "--method mfm --layer fc:1"

STUDIES = {
    "tail1000": {
        "model": LENET, "data": "fashion-mnist", "seeds": "1-5", "epochs": 200,
        "split": "--imbalance 1000",
        "common": "--data fashion-mnist --imbalance 1000 --batch 100 --lr 0.05 "
                  "--milestones 160,180",
        "rows": {
            "base": "--method base",
            "mfm": MFM,
        },
    },
}
