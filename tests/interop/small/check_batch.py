"""Nodes over axis 0: a file gives for a batch what ONNX Runtime gives image by image, or nothing.
"""
import numpy as np

import small
from small import node

CONSTANTS = {name: np.array(value, np.int64) for name, value in {
    "a0": [0], "a1": [1], "s0": [0], "s1": [1], "s2": [2],
    "three": [3], "all": [1 << 40], "m1": [-1],
    "one": [1, 144], "rows": [-1, 144], "maps": [-1, 36], "back": [-1, 4, 36], "swap": [144, -1],
    "four": [4, -1], "two": [2, 144], "p": [0, 0, 1, 0], "halves": [-1, 2, 2, 36],
    "tokens": [-1, 4, 36], "quarters": [4, -1, 36]}.items()}
CONSTANTS.update({"k": small.weights(144, 144, scale=0.1), "row": small.weights(1, 144),
                  "pair": small.weights(2, 144), "k36": small.weights(36, 36, scale=0.1),
                  "l36": small.weights(36, 36, scale=0.2)})

TOKENS_FIRST = [node("Reshape", "f tokens", "t"), node("Transpose", "t", "u", perm=[1, 0, 2])]

# (what, opset, nodes from f [n,144] to z [n,144] or to y [n,3], the words of the refusal; none: it
# must agree; "3 WORDS", "n WORDS": at a fixed batch of three, at an open one; "more WORDS": not at
# a fixed batch of one)
NETS = [
    ("ReduceMean", 17, [node("ReduceMean", "f", "m", axes=[0]), node("Sub", "f m", "z")],
     "ReduceMean"),
    ("ReduceMean of 18", 18, [node("ReduceMean", "f a0", "m"), node("Add", "f m", "z")],
     "ReduceMean"),
    ("ReduceMean without axes", 17, [node("ReduceMean", "f", "m"), node("Add", "f m", "z")],
     "ReduceMean"),
    ("Softmax", 17, [node("Softmax", "f", "z", axis=0)], "Softmax"),
    ("LogSoftmax", 17, [node("LogSoftmax", "f", "z", axis=-2)], "LogSoftmax"),
    ("Softmax of 11 over all", 11, [node("Softmax", "f", "z", axis=0)], "Softmax"),
    ("Slice of the first", 17, [node("Slice", "f s0 s1 a0", "t"), node("Add", "f t", "z")],
     "Slice"),
    ("Slice that turns the batch", 17, [node("Slice", "f m1 min a0 m1", "t"),
                                        node("Add", "f t", "z")], "Slice"),
    ("Slice of the first three", 17, [node("Slice", "f s0 three a0", "z")], "Slice"),
    ("Slice of the first two", 17, [node("Slice", "f s0 s2 a0", "z")], "Slice"),
    ("Slice of all", 17, [node("Slice", "f s0 all a0", "z")], ""),
    ("Split", 13, [node("Split", "f", "t u", axis=0), node("Concat", "u t", "z", axis=0)], "Split"),
    ("Concat", 17, [node("Concat", "f f", "t", axis=0), node("Slice", "t s0 s1 a0", "u"),
                    node("Add", "f u", "z")], "Slice"),
    ("a batch kernel", 17, [node("Transpose", "f", "t", perm=[1, 0]), node("MatMul", "f t", "u"),
                            node("MatMul", "u f", "z")], "MatMul"),
    ("statistics over images", 17, [node("Transpose", "f", "t", perm=[1, 0]),
                                    node("MatMul", "t f", "u"), node("MatMul", "f u", "z")],
     "MatMul"),
    ("Gemm with transA", 17, [node("Gemm", "f f", "t", transA=1), node("MatMul", "f t", "z")],
     "Gemm"),
    ("Reshape that mixes", 17, [node("Reshape", "f swap", "t"), node("Softmax", "t", "u"),
                                node("Reshape", "u rows", "z")], "mixes"),
    ("Flatten to one row", 17, [node("Flatten", "f", "t", axis=0), node("Softmax", "t", "u"),
                                node("Reshape", "u rows", "z")], "Softmax"),
    ("Pad", 17, [node("Pad", "f p", "t"), node("Slice", "t s0 m1 a0", "z")], ""),
    ("Slice that turns the batch and columns", 17, [
        node("Slice", "f columns_on turned_on a10 steps_on", "t"),
        node("Add", "f t", "z")], "Slice"),
    ("Slice that turns the batch, no axis named", 17, [
        node("Slice", "f m1 min - m1", "t"), node("Add", "f t", "z")], "Slice"),
    ("Pad that moves the images on", 17, [node("Pad", "f shift", "z")], "Pad"),
    ("Squeeze of the batch", 17, [node("Squeeze", "f a0", "t"), node("Unsqueeze", "t a0", "z")],
     "Squeeze"),
    ("a constant for each place", 17, [node("Add", "f pair", "z")], "Add"),
    ("a constant row", 17, [node("Add", "f row", "z")], ""),
    ("there and back", 17, [node("Transpose", "f", "t", perm=[1, 0]), node("Relu", "t", "u"),
                            node("Transpose", "u", "z", perm=[1, 0])], ""),
    ("batch second", 17, [node("Transpose", "f", "t", perm=[1, 0]), node("MatMul", "k t", "u"),
                          node("Transpose", "u", "z", perm=[1, 0])], ""),
    ("maps as images", 17, [node("Reshape", "f maps", "t"), node("MatMul", "t k36", "u"),
                            node("Softmax", "u", "v"), node("Reshape", "v rows", "z")], ""),
    ("attention", 17, [node("Reshape", "f tokens", "t"),
                       node("Transpose", "t", "u", perm=[0, 2, 1]),
                       node("MatMul", "t u", "v"), node("Softmax", "v", "w1"),
                       node("MatMul", "w1 t", "o"), node("Reshape", "o rows", "z")], ""),
    ("tokens first", 17, [node("Reshape", "f tokens", "t"), node("Transpose", "t", "u",
                                                                  perm=[1, 0, 2]),
                          node("MatMul", "u k36", "v"), node("Softmax", "v", "s", axis=0),
                          node("Transpose", "s", "o", perm=[1, 0, 2]),
                          node("Reshape", "o rows", "z")], ""),
    ("layers that are alike", 17, TOKENS_FIRST + [
        node("MatMul", "u k36", "v"), node("Softmax", "v", "s", axis=0),
        node("MatMul", "s l36", "v1"), node("Softmax", "v1", "q", axis=0),
        node("Transpose", "q", "o", perm=[1, 0, 2]), node("Reshape", "o rows", "z")], ""),
    ("layers alike but for the axis", 17, TOKENS_FIRST + [
        node("Softmax", "u", "s", axis=0), node("Softmax", "s", "q", axis=1),
        node("Transpose", "q", "o", perm=[1, 0, 2]), node("Reshape", "o rows", "z")], "Softmax"),
    ("layers alike but for whose numbers come", 17, TOKENS_FIRST + [
        node("Softmax", "u", "s", axis=0), node("Transpose", "s", "o", perm=[1, 0, 2]),
        node("Reshape", "o rows", "r1"), node("Reshape", "r1 quarters", "m"),
        node("Softmax", "m", "q", axis=0), node("Reshape", "q rows", "z")], "Softmax"),
    ("ReduceSum", 13, [node("ReduceSum", "f a0", "m"), node("Add", "f m", "z")], "ReduceSum"),
    ("ReduceMax", 17, [node("ReduceMax", "f", "m", axes=[0]), node("Sub", "f m", "z")],
     "ReduceMax"),
    ("ReduceMin of 18", 18, [node("ReduceMin", "f a0", "m"), node("Sub", "f m", "z")],
     "ReduceMin"),
    ("ReduceLogSumExp", 17, [node("ReduceLogSumExp", "f", "m", axes=[0]),
                             node("Sub", "f m", "z")], "ReduceLogSumExp"),
    ("comparison over tokens first", 17, [
        node("Reshape", "f tokens", "t"), node("Transpose", "t", "u", perm=[1, 0, 2]),
        node("Greater", "u tenth", "v"), node("Where", "v u tenth", "s"),
        node("Transpose", "s", "o", perm=[1, 0, 2]), node("Reshape", "o rows", "z")], ""),
    ("steps and the first image", 17, [
        node("Reshape", "f tokens", "t"), node("Transpose", "t", "u", perm=[1, 0, 2]),
        node("Sign", "u", "v"), node("Slice", "v s0 s1 a1", "first"),
        node("Greater", "u first", "v1"), node("Where", "v1 u first", "s"),
        node("Transpose", "s", "o", perm=[1, 0, 2]), node("Reshape", "o rows", "z")], "Slice"),
    ("updates at one image", 18, [node("ScatterElements", "f place added", "z", axis=1,
                                       reduction="add")], "ScatterElements"),
    ("updates at one image, tokens first", 13, TOKENS_FIRST + [
        node("Relu", "u", "v"), node("ScatterND", "v spot spot_", "s"),
        node("Transpose", "s", "o", perm=[1, 0, 2]), node("Reshape", "o rows", "z")], "ScatterND"),
    ("normalised rows, several of an image", 17, [
        node("Reshape", "f maps", "t"), node("LayerNormalization", "t k36row", "u"),
        node("Reshape", "u rows", "z")], ""),
    ("normalised rows, tokens first", 17, TOKENS_FIRST + [
        node("LayerNormalization", "u k36row", "v"), node("Transpose", "v", "o", perm=[1, 0, 2]),
        node("Reshape", "o rows", "z")], ""),
    ("rows with zeros behind, several of an image", 17, [
        node("Reshape", "f maps", "t"), node("Pad", "t behind", "u"),
        node("Reshape", "u wider", "v"), node("Slice", "v s0 width a1", "z")], ""),
    ("a token for each image, tokens first", 17, TOKENS_FIRST + [
        node("Shape", "f", "n2"), node("Slice", "n2 s0 s1 a0", "n"),
        node("Concat", "s1 n w36", "shape", axis=0), node("Expand", "token shape", "e"),
        node("Concat", "e u", "v", axis=0),
        node("Softmax", "v", "s", axis=0), node("Slice", "s s1 all a0", "q"),
        node("Transpose", "q", "o", perm=[1, 0, 2]), node("Reshape", "o rows", "z")], ""),
    ("a triangle over the batch", 14, [node("Trilu", "f", "z")], "Trilu"),
    ("places of other images", 13, [node("GatherElements", "f turned", "z", axis=0)], "3 Gather"),
    ("places that differ by image", 13, [node("GatherElements", "f places", "z", axis=1)],
     "3 the same for every image"),
    ("lists that differ by image", 13, [node("GatherND", "f lists", "z", batch_dims=1)],
     "3 the same for every image"),
    ("lists of other images", 13, [node("GatherND", "f numbered", "z")],
     "3 the same for every image"),
    ("lists of images", 13, [node("GatherND", "f numbers", "z")], "3 not images"),
    ("images along two axes", 17, [
        node("Reshape", "f turn_a", "a"), node("Reshape", "f turn_b", "b"), node("Add", "a b", "t"),
        node("ReduceMean", "t", "z", axes=[1], keepdims=0)], "more Add"),
    ("a constant for each of the batch's groups", 17, [
        node("Reshape", "f swap", "t"), node("Add", "t column", "u"),
        node("Reshape", "u rows", "z")], "n Add"),
    ("groups of the batch's size that turn", 17, [
        node("Reshape", "f swap", "t"), node("Transpose", "t", "u", perm=[1, 0]),
        node("Transpose", "u", "v", perm=[1, 0]), node("Reshape", "v rows", "z")], ""),
    ("rows of images in turn", 17, TOKENS_FIRST + [
        node("Reshape", "u maps", "r1"), node("Gemm", "r1 k36 k36row", "v", transB=1),
        node("LayerNormalization", "v k36row", "l"), node("Reshape", "l quarters", "q"),
        node("Transpose", "q", "o", perm=[1, 0, 2]), node("Reshape", "o rows", "z")], "n "),
    ("rows of images in turn taken for an image's", 17, TOKENS_FIRST + [
        node("Reshape", "u maps", "r1"), node("Reshape", "r1 tokens", "v"),
        node("Softmax", "v", "s", axis=1), node("Reshape", "s rows", "z")], "n Softmax"),
    ("rows of images in turn are not the images", 17, TOKENS_FIRST + [
        node("Reshape", "u maps", "r1"), node("Reshape", "r1 rows", "z")], "Gemm"),
    ("rows of images in turn and in order", 17, TOKENS_FIRST + [
        node("Reshape", "u maps", "r1"), node("Reshape", "f maps", "v"), node("Add", "r1 v", "s"),
        node("Reshape", "s rows", "z")], "n Add"),
    ("windows", 17, [
        node("Reshape", "f windows", "t"), node("Transpose", "t", "u", perm=[0, 2, 1, 3]),
        node("Reshape", "u pairs", "w1"), node("Transpose", "w1", "w2", perm=[0, 2, 1]),
        node("MatMul", "w1 w2", "p1"), node("Softmax", "p1", "q"), node("MatMul", "q w1", "v"),
        node("ReduceMean", "v", "m", axes=[-1]), node("Sub", "v m", "d"),
        node("Reshape", "d windows", "b"), node("Transpose", "b", "o", perm=[0, 2, 1, 3]),
        node("Reshape", "o rows", "z")], ""),
    ("a softmax over windows", 17, [
        node("Reshape", "f pairs", "t"), node("Softmax", "t", "u", axis=0),
        node("Reshape", "u rows", "z")], "Softmax"),
    ("a mean over windows", 17, [
        node("Reshape", "f pairs", "t"), node("ReduceMean", "t", "m", axes=[0, 2]),
        node("Sub", "t m", "u"), node("Reshape", "u rows", "z")], "ReduceMean"),
    ("the first image's window", 17, [
        node("Reshape", "f pairs", "t"), node("Slice", "t s0 s1 a0", "w1"),
        node("Add", "t w1", "u"), node("Reshape", "u rows", "z")], "Slice"),
    ("windows that turn", 17, [
        node("Reshape", "f pairs", "t"), node("Slice", "t s1 all a0", "u"),
        node("Slice", "t s0 s1 a0", "v"), node("Concat", "u v", "o", axis=0),
        node("Reshape", "o rows", "z")], "Slice"),
    ("a product of windows and a stack", 17, [
        node("Reshape", "f halves", "t"), node("Transpose", "t", "u", perm=[2, 0, 1, 3]),
        node("MatMul", "u stack", "v"), node("Transpose", "v", "o", perm=[1, 2, 0, 3]),
        node("Reshape", "o rows", "z")], ""),
    ("products of images along rows", 17, TOKENS_FIRST + [
        node("Transpose", "u", "r1", perm=[0, 2, 1]), node("MatMul", "u r1", "p1"),
        node("MatMul", "p1 u", "v"), node("Transpose", "v", "o", perm=[1, 0, 2]),
        node("Reshape", "o rows", "z")], "MatMul"),
    ("products over images", 17, TOKENS_FIRST + [
        node("Transpose", "u", "r1", perm=[0, 2, 1]), node("MatMul", "r1 u", "p1"),
        node("MatMul", "u p1", "v"), node("Transpose", "v", "o", perm=[1, 0, 2]),
        node("Reshape", "o rows", "z")], "MatMul"),
    ("means and tokens, tokens first", 17, TOKENS_FIRST + [
        node("ReduceMean", "u", "m", axes=[0, 2]), node("Sub", "u m", "d"),
        node("ReduceMax", "d", "e", axes=[0], keepdims=0), node("Gather", "d one0", "g1", axis=0),
        node("Gather", "d places2", "g2", axis=0),
        node("ReduceSum", "g2 a01", "g3", keepdims=0), node("Sum", "e g1 g3", "s"),
        node("Concat", "s e g1 g3", "z", axis=1)], ""),
    ("an image, tokens first", 17, TOKENS_FIRST + [
        node("Gather", "u one0", "g1", axis=1), node("Unsqueeze", "g1 a1", "g2"),
        node("Add", "u g2", "s"), node("Transpose", "s", "o", perm=[1, 0, 2]),
        node("Reshape", "o rows", "z")], "Gather"),
    ("normalised over images, tokens first", 17, TOKENS_FIRST + [
        node("LayerNormalization", "u k1", "v", axis=0),
        node("Transpose", "v", "o", perm=[1, 0, 2]), node("Reshape", "o rows", "z")], "LayerNorm"),
    ("Softmax of 11 from the tokens on", 11, TOKENS_FIRST + [
        node("Softmax", "u", "v", axis=0), node("Transpose", "v", "o", perm=[1, 0, 2]),
        node("Reshape", "o rows", "z")], "Softmax"),
    ("Softmax of 11 within a token", 11, TOKENS_FIRST + [
        node("Softmax", "u", "v", axis=2), node("Transpose", "v", "o", perm=[1, 0, 2]),
        node("Reshape", "o rows", "z")], ""),
    ("sums up to a token and to an image", 17, TOKENS_FIRST + [
        node("CumSum", "u a0", "v"), node("CumSum", "v a1", "s"),
        node("Transpose", "s", "o", perm=[1, 0, 2]), node("Reshape", "o rows", "z")], "CumSum"),
    ("pieces, tokens first", 13, TOKENS_FIRST + [
        node("Split", "u", "h1 h2", axis=0), node("Concat", "h2 h1", "v", axis=0),
        node("Transpose", "v", "o", perm=[1, 0, 2]), node("Reshape", "o rows", "z")], ""),
    ("rows that hold parts of all images", 17, [
        node("Reshape", "f sixths", "t"), node("Transpose", "t", "u", perm=[1, 0, 2]),
        node("Reshape", "u four", "v"), node("Softmax", "v", "s", axis=0),
        node("Reshape", "s sixths_first", "o"), node("Transpose", "o", "p1", perm=[1, 0, 2]),
        node("Reshape", "p1 rows", "z")], "n Softmax"),
    ("copies for images, taken for others' at their places", 17, [
        node("Shape", "f", "n2"), node("Slice", "n2 s0 s1 a0", "n"),
        node("Concat", "three n w48", "shape", axis=0), node("Expand", "trio shape", "e"),
        node("Reshape", "e rows", "d"), node("Add", "f d", "z")], "n Add"),
    ("zeros behind, tokens first", 17, TOKENS_FIRST + [
        node("Pad", "u behind3", "v"), node("Slice", "v s0 w36 a2", "s"),
        node("Transpose", "s", "o", perm=[1, 0, 2]), node("Reshape", "o rows", "z")], ""),
    ("zeros behind, rows of tokens first", 17, [
        node("Reshape", "f halves", "t"), node("Transpose", "t", "u", perm=[1, 2, 0, 3]),
        node("Pad", "u behind4", "v"), node("Slice", "v s0 w36 a3", "s"),
        node("Transpose", "s", "o", perm=[2, 0, 1, 3]), node("Reshape", "o rows", "z")], ""),
    ("images beside copies for images", 17, [
        node("Slice", "f s0 s1 a1", "v"), node("Shape", "f", "n2"),
        node("Slice", "n2 s0 s1 a0", "n"), node("Concat", "s1 n", "shape", axis=0),
        node("Expand", "number shape", "e"), node("Add", "v e", "square"),
        node("MatMul", "square f", "z")], "n Add"),
    ("logits in another order", 17, [
        node("MatMul", "f logits", "t"), node("Transpose", "t", "u", perm=[1, 0]),
        node("Reshape", "u threes", "y")], "rows are not the images"),
    ("Reshape to the fixed batch", 17, [node("Reshape", "f one", "z")], "frozen"),
]
CONSTANTS["place"], CONSTANTS["added"] = np.array([[3, 7]]), small.weights(1, 2)
CONSTANTS["spot"], CONSTANTS["spot_"] = np.array([[1, 0]]), small.weights(1, 36)
CONSTANTS.update(behind=np.array([0, 0, 0, 4]), wider=np.array([-1, 160]),
                 width=np.array([144]), w36=np.array([36]), token=small.weights(1, 1, 36))
PLACES = np.tile(np.arange(144), (3, 1))
CONSTANTS.update(places=(PLACES + [[0], [1], [0]]) % 144, turned=PLACES * 0 + [[1], [2], [0]],
                 lists=np.array([PLACES[0], PLACES[0], PLACES[0][::-1]])[:, :, None],
                 numbered=np.stack([PLACES * 0 + [[1], [0], [2]], PLACES], -1),
                 numbers=np.array([[1], [0], [2]]))
CONSTANTS["k36row"] = small.weights(36) + 1
CONSTANTS.update(turn_a=np.array([-1, 1, 144]), turn_b=np.array([1, -1, 144]),
                 column=small.weights(144, 1), windows=np.array([-1, 2, 2, 36]),
                 pairs=np.array([-1, 2, 36]),
                 stack=small.weights(2, 1, 36, 36), one0=np.array(1), a01=np.array([0, 1]),
                 places2=np.array([[0, 2], [3, 1]]), k1=small.weights(36))
CONSTANTS.update(sixths=np.array([-1, 6, 24]), sixths_first=np.array([6, -1, 24]),
                 number=small.weights(1, 1), behind3=np.array([0, 0, 0, 0, 0, 4]),
                 behind4=np.array([0, 0, 0, 0, 0, 0, 0, 4]), a2=np.array([2]), a3=np.array([3]),
                 w48=np.array([48]), trio=small.weights(3, 1, 48),
                 columns_on=np.array([0, -1]), turned_on=np.array([1 << 40, -(1 << 40)]),
                 a10=np.array([1, 0]), steps_on=np.array([1, -1]),
                 shift=np.array([1, 0, -1, 0]), logits=small.weights(144, 3),
                 threes=np.array([-1, 3]))
CONSTANTS["tenth"] = np.array(0.1, np.float32)
CONSTANTS["min"] = np.array([-(1 << 40)], np.int64)


def build(path, opset, nodes, batch):
    first, made = small.features()
    first = first + [node("Flatten", "r", "f")]
    used = {n for one in nodes for n in one.input}
    made.update({k: v for k, v in CONSTANTS.items() if k in used})
    head = ([], {}) if "y" in nodes[-1].output else small.head(144, "z")
    return small.save(path, *small.join((first + nodes, made), head), opset=opset,
                      x=(batch, 1, 8, 8), y=(batch, 3))


def check(program, path, words, batch):
    images = program.data.test[:6]
    got, messages = program.logits(path, images)
    if words:
        return "" if got is None and words in messages and "batch" in messages else \
            messages or "it runs"
    if got is None:
        return messages
    size = batch if isinstance(batch, int) else 1
    want = np.concatenate([small.runtime(path, images[i:i + size]) for i in range(0, 6, size)])
    worst = float(np.abs(got - want).max())
    return "" if worst < 1e-5 else "the logits differ by %g" % worst


def checks(program):
    for batch in (1, 3, "n"):
        for what, opset, nodes, words in NETS:
            if words[:2] in ("3 ", "n "):
                if str(batch) != words[0]:
                    continue
                words = words[2:]
            if words[:5] == "more ":
                words = words[5:] if batch != 1 else ""
            if words == "frozen":
                if batch == 3:
                    continue
                words = "" if batch == 1 else "Reshape"
            if words == "mixes":
                # Of one image it takes one number at a time, of three three, and each has 144.
                words = "Softmax" if batch == "n" else ""
            name = "%s, batch %s" % (what, batch)
            path = build(program.folder / (name.replace(" ", "_") + ".onnx"), opset, nodes, batch)
            yield name + (" is refused" if words else ""), check(program, path, words, batch)
