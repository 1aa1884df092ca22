"""The page docs/conformance.md, made of what test-onnx-vectors says of onnx's node vectors."""
import re
from collections import Counter, defaultdict

OUTCOMES = ("passed", "refused", "skipped", "failed")


def version_line(version):
    return "Version of the package: onnx %s." % version


def operator_of(name, operators):
    """An operator that is written as others is told by the vector that it stands for."""
    whole = re.sub("_expanded.*$", "", name)
    return operators.get(whole) or operators[name]


def reason_of(text):
    """Without the path of the model."""
    text = re.sub("^.*model[.]onnx: ", "", text)
    return re.sub(" '[^']*':", ":", text, count=1).replace("|", "/")


def read(lines, operators):
    """(outcome, vector, operator, reason) of each; outcome "other": no operator carries it out."""
    for line in lines:
        found = re.match("(passed|skipped|REFUSED|FAILED|other) node/([^:]*): ?(.*)$", line)
        if found:
            outcome, name, reason = found.groups()
            yield outcome.lower(), name, operator_of(name, operators), reason_of(reason)


def table(head, rows):
    yield "| " + " | ".join(head) + " |"
    yield "|" + "---|" * len(head)
    for row in rows:
        yield "| " + " | ".join(map(str, row)) + " |"


def by_operator(results):
    counts = defaultdict(Counter)
    for outcome, _, operator, _ in results:
        if outcome != "other":
            counts[operator][outcome] += 1
    return [(operator, *(c[o] or "" for o in OUTCOMES)) for operator, c in sorted(counts.items())]


INTRODUCTION = """# Conformance

The onnx project's test vectors of single operators, imported and run forward, compared with the
expected outputs to 1e-5. `tests/interop/vectors/node_vectors.py` makes the page, and compares it.
"""
NOTES = """
A vector of an operator in its expanded form, as ONNX defines it by others, counts for the operator
itself. Outputs behind the first are compared where the operator has them. Whole numbers that are
inputs of a vector are constants here: what follows from them alone is computed while importing.

## By operator
"""
OTHERS = """
## Not supported

Vectors with an operator that is none of [those that are](operators.md), nor folded, by what they
stand for:
"""


def page(lines, operators, left_out, version):
    results = list(read(lines, operators))
    total = Counter(outcome for outcome, *_ in results)
    others = Counter(operator for outcome, _, operator, _ in results if outcome == "other")
    skipped = Counter(reason for outcome, _, _, reason in results if outcome == "skipped")
    refused = sorted((operator, name, reason) for outcome, name, operator, reason in results
                     if outcome == "refused")
    outcomes = [("passed", total["passed"]), ("refused, with the reason below", total["refused"]),
                *(("skipped: " + reason, count) for reason, count in sorted(skipped.items())),
                ("failed", total["failed"]),
                ("of operators that are not supported", total["other"]),
                ("with inputs or outputs that are no tensors, or rounded", left_out)]
    return "\n".join([
        INTRODUCTION, version_line(version), "", *table(("outcome", "vectors"), outcomes), NOTES,
        *table(("operator",) + OUTCOMES, by_operator(results)), "", "## Refused", "",
        *table(("operator", "vector", "reason"), refused), OTHERS,
        ", ".join("%s (%d)" % one for one in sorted(others.items())) + ".", ""])
