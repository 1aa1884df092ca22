"""Classifiers of tables and of series as ONNX files, of PyTorch and scikit-learn.

Named by MODELS (PyTorch) or SCIKIT; zoo_files.py exports them.
"""
import numpy as np

FEATURES, CLASSES = 12, 4


def torch_models():
    import torch
    from torch import nn
    import torch.nn.functional as F

    class Residual(nn.Module):
        """The ResNet of Gorishniy et al., Revisiting Deep Learning Models for Tabular Data."""

        def __init__(self, width=24, depth=3):
            super().__init__()
            self.first = nn.Linear(FEATURES, width)
            self.blocks = nn.ModuleList(
                nn.Sequential(nn.BatchNorm1d(width), nn.Linear(width, 2 * width), nn.ReLU(),
                              nn.Dropout(0.1), nn.Linear(2 * width, width), nn.Dropout(0.1))
                for _ in range(depth))
            self.last = nn.Sequential(nn.BatchNorm1d(width), nn.ReLU(), nn.Linear(width, CLASSES))

        def forward(self, x):
            x = self.first(x)
            for block in self.blocks:
                x = x + block(x)
            return self.last(x)

    class Tokens(nn.Module):
        """FT-Transformer of the same paper: each column a token."""

        def __init__(self, width=16, depth=2, heads=4):
            super().__init__()
            self.weight = nn.Parameter(torch.randn(FEATURES, width))
            self.bias = nn.Parameter(torch.randn(FEATURES, width))
            self.token = nn.Parameter(torch.randn(1, 1, width))
            layer = lambda: nn.TransformerEncoderLayer(width, heads, 2 * width, batch_first=True,
                                                       norm_first=True, activation="gelu")
            self.layers = nn.ModuleList(layer() for _ in range(depth))
            self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, CLASSES)

        def forward(self, x):
            x = x.unsqueeze(-1) * self.weight + self.bias
            x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], 1)
            for layer in self.layers:
                x = layer(x)
            return self.head(F.relu(self.norm(x[:, 0])))

    class Gated(nn.Module):
        """What TabNet is made of: steps of a mask of columns by softmax, and gated units."""

        def __init__(self, width=16, steps=3):
            super().__init__()
            self.norm = nn.BatchNorm1d(FEATURES)
            self.shared = nn.Linear(FEATURES, 2 * width, bias=False)
            self.own = nn.ModuleList(nn.Linear(width, 2 * width, bias=False)
                                     for _ in range(steps))
            self.norms = nn.ModuleList(nn.BatchNorm1d(2 * width) for _ in range(steps))
            self.masks = nn.ModuleList(nn.Linear(width, FEATURES) for _ in range(steps))
            self.width, self.head = width, nn.Linear(width, CLASSES)

        def forward(self, x):
            x = self.norm(x)
            prior, total = torch.ones_like(x), 0
            a = F.glu(self.shared(x), dim=-1)
            for own, norm, mask in zip(self.own, self.norms, self.masks):
                m = torch.softmax(mask(a) * prior, -1)
                prior = prior * (1.3 - m)
                h = F.glu(self.shared(m * x), dim=-1)
                a = (h + F.glu(norm(own(h)), dim=-1)) * 0.5 ** 0.5
                total = total + F.relu(a)
            return self.head(total)

    class Columns(nn.Module):
        """Three columns are categories, which are embedded; all columns are one input."""

        def __init__(self, width=8):
            super().__init__()
            self.tables = nn.ModuleList(nn.Embedding(5, width) for _ in range(3))
            self.norm = nn.BatchNorm1d(FEATURES - 3)
            self.net = nn.Sequential(nn.Linear(FEATURES - 3 + 3 * width, 32), nn.ReLU(),
                                     nn.Linear(32, CLASSES))

        def forward(self, x):
            kinds = [t(x[:, i].clamp(0, 4).long()) for i, t in enumerate(self.tables)]
            return self.net(torch.cat(kinds + [self.norm(x[:, 3:])], 1))

    class OneHot(Columns):
        """The same, as a product with the one-hot form, which trains."""

        def forward(self, x):
            kinds = [(x[:, i:i + 1] == torch.arange(5.0)).float() @ t.weight
                     for i, t in enumerate(self.tables)]
            return self.net(torch.cat(kinds + [self.norm(x[:, 3:])], 1))

    class Series(nn.Module):
        """Convolutions along a line, of one channel made of the columns."""

        def __init__(self):
            super().__init__()
            self.net = nn.Sequential(
                nn.Conv1d(1, 8, 3, padding=1), nn.BatchNorm1d(8), nn.ReLU(), nn.MaxPool1d(2),
                nn.Conv1d(8, 16, 3, padding=1), nn.BatchNorm1d(16), nn.ReLU(),
                nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(16, CLASSES))

        def forward(self, x):
            return self.net(x.unsqueeze(1))

    class Mixer(nn.Module):
        """Rows of columns, mixed along either axis."""

        def __init__(self, width=8):
            super().__init__()
            self.first = nn.Linear(1, width)
            self.along = nn.Sequential(nn.LayerNorm(FEATURES), nn.Linear(FEATURES, FEATURES),
                                       nn.GELU())
            self.across = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width), nn.GELU())
            self.head = nn.Linear(width, CLASSES)

        def forward(self, x):
            x = self.first(x.unsqueeze(-1))
            x = x + self.along(x.transpose(1, 2)).transpose(1, 2)
            x = x + self.across(x)
            return self.head(x.mean(1))

    mlp = lambda *layers: nn.Sequential(*layers)
    return {
        "mlp": lambda: mlp(nn.Linear(FEATURES, 32), nn.ReLU(), nn.Dropout(0.1), nn.Linear(32, 16),
                           nn.ReLU(), nn.Linear(16, CLASSES)),
        "mlp_norm": lambda: mlp(nn.BatchNorm1d(FEATURES), nn.Linear(FEATURES, 32),
                                nn.BatchNorm1d(32), nn.SiLU(), nn.Linear(32, 16),
                                nn.BatchNorm1d(16), nn.PReLU(), nn.Linear(16, CLASSES),
                                nn.Softmax(-1)),
        "mlp_self": lambda: mlp(nn.Linear(FEATURES, 32), nn.SELU(), nn.AlphaDropout(0.1),
                                nn.Linear(32, CLASSES), nn.LogSoftmax(-1)),
        "linear": lambda: nn.Linear(FEATURES, CLASSES),
        "resnet": Residual, "ft_transformer": Tokens, "tabnet": Gated, "embeddings": Columns,
        "one_hot": OneHot, "conv1d": Series, "mixer": Mixer,
    }


def awaken(network):
    import torch
    for module in network.modules():
        if getattr(module, "running_var", None) is not None:
            torch.nn.init.uniform_(module.running_var, 0.5, 1.5)
            torch.nn.init.normal_(module.running_mean, std=0.1)
    return network


def model(name):
    return awaken(torch_models()[name]()), (FEATURES,)


def scikit(name):
    """An estimator that has seen a few rows, and the options of its converter."""
    from sklearn import linear_model, neural_network, pipeline, preprocessing, svm
    draw = np.random.default_rng(0)
    x = draw.standard_normal((200, FEATURES)).astype(np.float32)
    kind, _, option = name.partition("-")
    classes = 2 if option == "binary" else CLASSES
    y = (x[:, :classes] + 0.3 * draw.standard_normal((200, classes))).argmax(1)
    net = lambda **o: neural_network.MLPClassifier((16, 8), max_iter=20, random_state=0, **o)
    made = {
        "sklmlp": net,
        "sklmlp_tanh": lambda: net(activation="tanh"),
        "sklpipe": lambda: pipeline.make_pipeline(preprocessing.StandardScaler(), net()),
        "sklminmax": lambda: pipeline.make_pipeline(preprocessing.MinMaxScaler(), net()),
        "sklnormal": lambda: pipeline.make_pipeline(preprocessing.Normalizer(), net()),
        "skllogistic": lambda: linear_model.LogisticRegression(max_iter=50),
        "skllogpipe": lambda: pipeline.make_pipeline(preprocessing.StandardScaler(),
                                                     linear_model.LogisticRegression()),
        "sklsgd": lambda: linear_model.SGDClassifier(loss="log_loss", random_state=0),
        "sklsvm": lambda: svm.LinearSVC(random_state=0),
    }[kind]()
    made.fit(x, np.array(list("abcd"))[y] if option == "text" else y)
    return made, option


def export_scikit(name, path):
    import onnx
    from skl2onnx import to_onnx
    made, option = scikit(name)
    last = made[-1] if hasattr(made, "steps") else made
    options = {} if option == "map" else {id(last): {"zipmap": False}}
    if option == "raw":
        options[id(last)]["raw_scores"] = True
    rows = np.zeros((1, FEATURES), np.float32)
    proto = to_onnx(made, rows, options=options, target_opset=None if option != "old" else 12)
    onnx.save(proto, str(path))
