"""The rows of the comparison. A row names the measurements that it needs (measure.py) and makes of
the best of each its figures, one number with a goal at the end."""
import photograph_cases
from rivals import rival_cases
from row import Row, mebibytes, milliseconds
from zoo import zoo_cases

LAST = {"lenet": ("fc1",), "resnet32": ("layer3.4.conv2",)}
STAGES = ("layer1.4.conv2", "layer2.4.conv2", "layer3.4.conv2")
METHODS = {"plain": "base", "mfm": "mfm"}
BATCHES = tuple(2**i for i in range(10))


def ours(network, step, batch, threads, layers=()):
    return ("step", network, METHODS.get(step, step), batch, layers, threads)


def step_rows(option, case, network, step, batch, goal, layers=()):
    """Our step beside each PyTorch's."""
    mine = ours(network, step, batch, option.threads, layers)
    where = ", modulated after " + ", ".join(layers) if layers else ""
    rows = []
    for peer in option.pythons:
        other = ("torch", peer, network, step, batch, layers, option.threads)
        rows.append(Row(case, "%s step, %s, batch %d%s; %s" %
                        (step, network, batch, where, peer),
                        (mine, other), lambda best, m=mine, o=other: (
                            milliseconds(best(m)), milliseconds(best(o)),
                            best(o)["seconds"] / best(m)["seconds"]), goal, True))
    return rows


def ratio_row(option, network, layers, case, what):
    plain = ours(network, "plain", 100, option.threads)
    mfm = ours(network, "mfm", 100, option.threads, layers)
    return Row(case, what, (plain, mfm), lambda best: (
        milliseconds(best(mfm)), milliseconds(best(plain)) + " plain",
        best(mfm)["seconds"] / best(plain)["seconds"]), 3.4, False)


def rate_row(option):
    step, peak = ours("resnet32", "plain", 100, option.threads), ("sgemm", option.threads)
    rate = lambda figures: "%.0f GFLOP/s" % figures["gflop_per_second"]
    return Row("rate", "arithmetic of the plain step, resnet32, beside sgemm's peak", (step, peak),
               lambda best: (rate(best(step)), rate(best(peak)), best(step)["gflop_per_second"] /
                             best(peak)["gflop_per_second"]), 0.6, True)


def memory_rows(option):
    mine = ours("resnet32", "mfm", 100, option.threads, LAST["resnet32"])
    rows = []
    for peer in option.pythons:
        other = ("torch", peer, "resnet32", "mfm", 100, LAST["resnet32"], option.threads)
        rows.append(Row("memory", "peak memory of the MFM step, resnet32, %s" % peer,
                        (mine, other), lambda best, o=other: (
                            mebibytes(best(mine)["peak_rss_bytes"]),
                            mebibytes(best(o)["peak_rss_bytes"]),
                            best(mine)["peak_rss_bytes"] / best(o)["peak_rss_bytes"]), 0.35, False))
    return rows


def eval_rows(option):
    rows = []
    for network, batch in (("resnet32", 100), ("resnet50", 1), ("resnet50", 16), ("vgg11", 1)):
        mine = ours(network, "forward", batch, option.threads)
        other = ("ort", network, batch, option.threads)
        rows.append(Row("eval", "inference, %s, batch %d, ONNX Runtime" % (network, batch),
                        (mine, other), lambda best, m=mine, o=other: (
                            milliseconds(best(m)), milliseconds(best(o)),
                            best(o)["seconds"] / best(m)["seconds"]), 1, True))
    return rows


def thread_rows(option):
    """The last row is what the machine itself can give: two of its processors may share a core."""
    rows = []
    for network in ("resnet32", "lenet"):
        for step, layers in (("plain", ()), ("mfm", LAST[network])):
            one, two = (ours(network, step, 100, n, layers) for n in (1, 2))
            rows.append(Row("threads", "%s step, %s, threads 1 to 2" % (step, network), (one, two),
                            lambda best, a=one, b=two: (
                                milliseconds(best(b)), milliseconds(best(a)) + " on one",
                                best(a)["seconds"] / best(b)["seconds"]), 1.85, True))
    one, two = ("sgemm", 1), ("sgemm", 2)
    rows.append(Row("threads", "the machine itself: sgemm, threads 1 to 2", (one, two),
                    lambda best: (milliseconds(best(two)), milliseconds(best(one)) + " on one",
                                  best(one)["seconds"] / best(two)["seconds"]), 1.85, True))
    return rows


def growth_row(option, n, key, first):
    """How the peak grows from batch 1, beside how inspect says that the memory grows."""
    told, told_first = (("memory", "resnet32", "base", batch, (), option.threads)
                        for batch in (n, BATCHES[0]))
    grown = lambda best: best(key)["peak_rss_bytes"] - best(first)["peak_rss_bytes"]
    predicted = lambda best: best(told)["planned_bytes"] - best(told_first)["planned_bytes"]
    return Row("batches", "growth of memory from batch 1 to %d beside inspect's word" % n,
               (key, first, told, told_first), lambda best: (
                   mebibytes(grown(best)), mebibytes(predicted(best)) + " told",
                   grown(best) / predicted(best)), 1.05, False)


def batch_rows(option):
    """Time per image beside the best of the smaller batches, and memory beside the prediction."""
    rows = []
    steps = [(n, ours("resnet32", "plain", n, option.threads)) for n in BATCHES]
    per_image = lambda best, i: best(steps[i][1])["seconds"] / steps[i][0]
    for i, (n, key) in list(enumerate(steps))[1:]:
        least = lambda best, i=i: min(per_image(best, j) for j in range(i))
        rows.append(Row("batches", "time per image, plain step, resnet32, batch %d" % n,
                        tuple(key for _, key in steps[:i + 1]), lambda best, i=i, least=least: (
                            "%.3f ms" % (1e3 * per_image(best, i)),
                            "%.3f ms before" % (1e3 * least(best)),
                            per_image(best, i) / least(best)), 1, False))
        rows.append(growth_row(option, n, key, steps[0][1]))
    return rows


def start_row(option):
    key = ours("lenet", "plain", 100, option.threads)
    return Row("start", "process start to the end of the first step, lenet, s", (key,),
               lambda best: ("%.2f s" % best(key)["first_step_seconds"], "",
                             best(key)["first_step_seconds"]), 0.3, False)


def file_rows(option):
    inspect, forward = ("inspect", "vgg11"), ours("vgg11", "forward", 1, option.threads)
    size = lambda best: best(inspect)["file_bytes"]
    return [Row("files", "inspect of vgg11's file, s", (inspect,),
                lambda best: (milliseconds(best(inspect)), mebibytes(size(best)) + " of file",
                              best(inspect)["seconds"]), 0.1, False),
            Row("files", "import of vgg11's file, s", (inspect, forward),
                lambda best: ("%.0f ms" % (1e3 * best(forward)["import_seconds"]),
                              mebibytes(size(best)) + " of file",
                              best(forward)["import_seconds"]), 0.6, False),
            Row("files", "peak memory of the import beside the file", (inspect, forward),
                lambda best: (mebibytes(best(forward)["import_peak_rss_bytes"]),
                              mebibytes(size(best)) + " of file",
                              best(forward)["import_peak_rss_bytes"] / size(best)), 1.15, False)]


def rows(option):
    last = LAST["resnet32"]
    return [
        *step_rows(option, "resnet32", "resnet32", "mfm", 100, 4, last),
        *step_rows(option, "resnet32", "resnet32", "plain", 100, 1.6),
        ratio_row(option, "resnet32", last, "resnet32", "MFM / plain step, resnet32"),
        *step_rows(option, "stages", "resnet32", "mfm", 100, 4, STAGES),
        *step_rows(option, "lenet", "lenet", "mfm", 100, 4.5, LAST["lenet"]),
        *step_rows(option, "lenet", "lenet", "plain", 100, 2),
        ratio_row(option, "lenet", LAST["lenet"], "lenet", "MFM / plain step, lenet"),
        *step_rows(option, "photographs", "resnet18", "plain", 8, 1.2),
        *step_rows(option, "photographs", "resnet50", "plain", 8, 1.2),
        *step_rows(option, "photographs", "vgg11", "plain", 8, 1.2),
        rate_row(option), *memory_rows(option), *eval_rows(option), *thread_rows(option),
        *batch_rows(option), start_row(option), *file_rows(option),
        *photograph_cases.rows(option), *rival_cases.rows(option), *zoo_cases.rows(option)]
