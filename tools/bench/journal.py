"""Measurements as they come, one JSON line each, so that a run that was cut short goes on."""
import json
import os
import sys


def listed(key):
    return [list(part) if isinstance(part, tuple) else part for part in key]


class Journal:
    """path may be None: nothing is kept. of tells what was measured, in the first line: another
    program's figures are not mixed with these. A last line that was cut off is dropped."""

    def __init__(self, path, of):
        self.path, self.known = path, {}
        if not path:
            return
        if not os.path.exists(path) or not os.path.getsize(path):
            with open(path, "w", encoding="utf-8") as file:
                file.write(json.dumps({"of": of}) + "\n")
        with open(path, encoding="utf-8") as file:
            lines = file.read().split("\n")
        whole = "".join(line + "\n" for line in lines[:-1])
        if lines[-1]:
            with open(path, "w", encoding="utf-8") as file:
                file.write(whole)
        if not lines[:-1] or json.loads(lines[0]) != {"of": of}:
            sys.exit("%s holds figures of another program or of other iterations: name another file"
                     % path)
        for line in lines[1:-1]:
            entry = json.loads(line)
            self.known.setdefault(json.dumps(entry["key"]), []).append(entry["figures"])

    def runs(self, key):
        return self.known.setdefault(json.dumps(listed(key)), [])

    def add(self, key, figures):
        self.runs(key).append(figures)
        if self.path:
            with open(self.path, "a", encoding="utf-8") as file:
                file.write(json.dumps({"key": listed(key), "figures": figures}) + "\n")
