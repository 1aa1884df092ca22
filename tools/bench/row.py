"""What a row of the comparison is, and how its figures are written."""
from collections import namedtuple

# needs: measurements; figures(best): (ours, theirs, number) with texts for the first two;
# at_least: whether the goal is a floor.
Row = namedtuple("Row", "case what needs figures goal at_least")


def milliseconds(figures):
    return "%.4g ms" % (1e3 * figures["seconds"])


def mebibytes(number):
    return "%.0f MiB" % (number / 2**20)
