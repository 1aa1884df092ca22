"""Random networks: what is accepted computes and trains as ONNX Runtime says, what is refused says
why, and inject and strip leave the file as it was.

COUNT networks from FIRST on; more, or others, are tried by hand with these two changed.
"""
import json

import numpy as np
import onnx

import random_nets
import small

FIRST, COUNT = 0, 40
FORMS = ("scaled-softmax", "scaled-sigmoid", "film", "attention", "gated")


def log_probabilities(outputs, ends):
    """Of what ONNX Runtime gives for a net with these ends."""
    values = outputs.astype(np.float64)
    if "LogSoftmax" in ends:
        return values
    if "Softmax" in ends:
        with np.errstate(divide="ignore"):
            return np.log(values)
    values = values - values.max(1, keepdims=True)
    return values - np.log(np.exp(values).sum(1, keepdims=True))


def runtime(net, path, images, **more):
    """Image by image where the file fixes the batch."""
    size = net.batch if isinstance(net.batch, int) else len(images)
    return np.concatenate([small.runtime(path, images[i:i + size], **more)
                           for i in range(0, len(images), size)]).reshape(len(images), -1)


def apart(a, b):
    return float(np.abs(a - b).max() / max(1, np.abs(b).max()))


def unlike(net, got, want):
    """How far logits that the program gives are from what the file gives. Logits are told before a
    Softmax at the end, which leaves the same constant open in all of them."""
    if "Softmax" not in net.ends:
        return apart(got, want)
    floor = -80  # probabilities below have no logarithm in float32
    return apart(np.maximum(log_probabilities(got, ""), floor),
                 np.maximum(log_probabilities(want, net.ends), floor))


def refusal(messages):
    """"" when a refusal says something about something."""
    return "" if messages.startswith("onnx-mfm") and messages.count(":") > 1 else \
        "refused with '%s'" % messages.strip()


def trained(program, net, line, path):
    """The last line of the metrics against the written file."""
    labels = program.data.labels
    outputs = runtime(net, path, program.data.test)
    rows = log_probabilities(outputs, net.ends)
    loss = -rows[np.arange(len(labels)), labels].mean()
    # A probability of almost 0 has lost its digits; its logarithm is not compared.
    if loss < 16 and abs(loss - line["test_loss"]) > 2e-4 * max(1, loss):
        return "test_loss is %g, by ONNX Runtime %g" % (line["test_loss"], loss)
    top = np.sort(rows, 1)
    ties = int((top[:, -1] - top[:, -2] < 1e-5).sum())
    error = 100 * np.mean(rows.argmax(1) != labels)
    if abs(error - line["test_error"]) > 100 * ties / len(labels) + 1e-3:
        return "test_error is %g, by ONNX Runtime %g" % (line["test_error"], error)
    return ""


def train(program, net, path, *options):
    status, lines, messages, out = program.train(path, "--epochs", 2, "--batch", 15, "--lr", 0.02,
                                                 *options)
    return refusal(messages) if status else trained(program, net, lines[-1], out)


def injected(program, net, path, want, options):
    put, back = program.folder / "injected.onnx", program.folder / "stripped.onnx"
    status, _, messages = program("inject", path, "-o", put, *options)
    if status:
        return refusal(messages)
    onnx.checker.check_model(str(put), full_check=True)
    if apart(runtime(net, put, program.data.test), want) > 1e-5:
        return "the injected file differs with the switch at 0"
    if program("strip", put, "-o", back)[0] or back.read_bytes() != path.read_bytes():
        return "strip does not leave the file before"
    return ""


def checks(program):
    for seed in range(FIRST, FIRST + COUNT):
        net, model = random_nets.make(seed)
        path = program.folder / "net.onnx"
        onnx.save(model, str(path))
        want = runtime(net, path, program.data.test)
        name = "net %d, opset %d, batch %s: " % (seed, net.opset, net.batch)
        if not np.isfinite(want).all() or np.abs(want).max() > 1e4:
            continue
        got, messages = program.logits(path, program.data.test)
        if got is None:
            yield name + "a refusal gives its reason", refusal(messages)
            continue
        far = unlike(net, got, want)
        yield name + "run", "" if far < 1e-4 else "the logits differ by %g" % far
        yield name + "base", train(program, net, path, "--method", "base")
        layers = [one["id"] for one in json.loads(program("inspect", path, "--json")[1])["layers"]]
        modulator = ["--layer", net.pick.choice(layers), "--modulation", net.pick.choice(FORMS)]
        yield name + "mfm", train(program, net, path, "--method", "mfm", "--meta-batch", 6,
                                  "--meta-per-class", 4, *modulator)
        yield name + "inject and strip", injected(program, net, path, want, modulator)
