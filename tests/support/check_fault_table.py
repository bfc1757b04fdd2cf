"""Whether the fault table names tests that exist.

    python3 tests/support/check_fault_table.py

The last cell of each row in tests/integration/README.md, under "Faults", names
tests in backquotes, as `Suite`, `Suite.Case`, `Case`, or the name of a table
test's parameter. Prints each name that stands in no test, and exits with 1.
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
TABLE = ROOT / "tests" / "integration" / "README.md"


def named_tests(text):
    """(line number, name) of each test named in the last cell of a row."""
    faults = False
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("## "):
            faults = line == "## Faults"
        if not faults or not line.startswith("|"):
            continue
        # An escaped bar is part of its cell.
        cells = re.split(r"(?<!\\)\|", line.rstrip().rstrip("|"))
        for name in re.findall(r"`([^`]+)`", cells[-1]):
            yield number, name


def main():
    words = set()
    for folder in ("tests", "examples"):
        for kind in ("*.cc", "*.h", "*.sh", "*.py"):
            for path in (ROOT / folder).rglob(kind):
                words.update(re.findall(r"\w+", path.read_text()))
                words.add(path.stem)
    missing = [(number, name)
               for number, name in named_tests(TABLE.read_text())
               if not all(part in words for part in re.split(r"[./*]", name)
                          if part)]
    for number, name in missing:
        print(f"{TABLE.relative_to(ROOT)}:{number}: no such test: {name}")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
