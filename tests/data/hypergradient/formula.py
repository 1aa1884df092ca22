"""The numbers of core/base/random.c in numpy: Philox4x32-10, uniform, normal, below.

A tensor of the fixture is a formula {draw, scale, offset}: element i, counted in ONNX's row-major
order, is offset + scale * draw(i), computed in double and rounded once to float32.
"""
import numpy as np

STREAM_TEST = 6
MASK64 = (1 << 64) - 1
MASK32 = np.uint64(0xFFFFFFFF)
SHIFT32 = np.uint64(32)


def _mix(x):
    """The finaliser of SplitMix64."""
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9 & MASK64
    x = (x ^ (x >> 27)) * 0x94D049BB133111EB & MASK64
    return x ^ (x >> 31)


def philox(counter, key):
    """counter: four uint64 arrays below 2^32; key: two ints. Four such arrays."""
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(10):
        p0 = np.uint64(0xD2511F53) * c0
        p1 = np.uint64(0xCD9E8D57) * c2
        c0 = (p1 >> SHIFT32) ^ c1 ^ np.uint64(k0)
        c2 = (p0 >> SHIFT32) ^ c3 ^ np.uint64(k1)
        c1 = p1 & MASK32
        c3 = p0 & MASK32
        k0 = (k0 + 0x9E3779B9) & 0xFFFFFFFF
        k1 = (k1 + 0xBB67AE85) & 0xFFFFFFFF
    return c0, c1, c2, c3


def words(seed, node, step, count):
    """mfm_random4 for index 0 .. count-1."""
    index = np.arange(count, dtype=np.uint64)
    full = lambda value: np.full(count, value, dtype=np.uint64)
    spread = _mix((seed + 0x9E3779B97F4A7C15 * (1 + node)) & MASK64)
    counter = (index & MASK32, index >> SHIFT32, full(step & 0xFFFFFFFF),
               full((step >> 32) & 0xFFFF | STREAM_TEST << 16))
    return philox(counter, (spread & 0xFFFFFFFF, spread >> 32))


def _unit(high, low):
    return ((high << SHIFT32 | low) >> np.uint64(11)).astype(np.float64) * 2.0 ** -53


def uniform(seed, node, step, count):
    w = words(seed, node, step, count)
    return _unit(w[0], w[1])


def normal(seed, node, step, count):
    w = words(seed, node, step, count)
    return np.sqrt(-2 * np.log(1 - _unit(w[0], w[1]))) * np.cos(2 * np.pi * _unit(w[2], w[3]))


def below(seed, node, step, count, bound):
    return (uniform(seed, node, step, count) * bound).astype(np.int64)


def tensor(seed, entry):
    """The tensor that an entry of the manifest's list "tensors" describes."""
    count = int(np.prod(entry["shape"]))
    if entry["draw"] == "below":
        return below(seed, entry["node"], 0, count, entry["bound"]).reshape(entry["shape"])
    draw = {"normal": normal, "uniform": uniform}[entry["draw"]]
    value = entry["offset"] + entry["scale"] * draw(seed, entry["node"], 0, count)
    return value.astype(np.float32).reshape(entry["shape"])


def self_check():
    """Two published answers of Philox4x32-10: all zero bits, all one bits."""
    known = {0: "6627e8d5 e169c58d bc57ac4c 9b00dbd8",
             0xFFFFFFFF: "408f276d 41c83b0e a20bc7c6 6d5451fd"}
    for word, answer in known.items():
        got = philox([np.array([word], dtype=np.uint64)] * 4, (word, word))
        if " ".join("%08x" % int(w[0]) for w in got) != answer:
            raise SystemExit("Philox4x32-10 differs from its published answers")
