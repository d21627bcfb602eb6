"""Let the product read damaged files of every kind, and print what came of them: `make fuzz`."""

from __future__ import annotations

import argparse
import collections
import math
import sys
import tempfile
import time
from pathlib import Path

from tests.fuzz.worker import BAD, GOOD, Fuzzer


def main() -> int:
    """The command; 1 if an input did what none may do."""
    from tests.fuzz.targets import TARGETS  # here, as this file is imported anew by every process that is started

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=20000, help="inputs in all, shared out among the kinds")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kind", action="append", choices=TARGETS, help="only this kind; may be repeated")
    parser.add_argument("--number", type=int, help="only this input of each kind")
    args = parser.parse_args()
    kinds = args.kind or list(TARGETS)
    shares = sum(TARGETS[kind].share for kind in kinds)
    print(f"{'kind':<16}{'inputs':>8}" + "".join(f"{name:>14}" for name in (*GOOD, *BAD)) + f"{'seconds':>10}")
    totals: collections.Counter[str] = collections.Counter()
    with tempfile.TemporaryDirectory() as folder, Fuzzer(args.seed, Path(folder)) as fuzzer:
        for kind in kinds:
            start, found = time.perf_counter(), collections.Counter[str]()
            count = math.ceil(args.count * TARGETS[kind].share / shares)
            for number in range(count) if args.number is None else [args.number]:
                outcome = fuzzer(kind, number)
                found[outcome.kind] += 1
                if outcome.kind in BAD:
                    print(f"  {kind} {number}: {outcome.kind}: {outcome.text}", file=sys.stderr)
                elif args.number is not None:
                    print(outcome)
            print(_row(kind, found) + f"{time.perf_counter() - start:>10.1f}", flush=True)
            totals += found
    print(_row("all", totals))
    return int(any(totals[name] for name in BAD))


def _row(title: str, found: collections.Counter[str]) -> str:
    return f"{title:<16}{found.total():>8}" + "".join(f"{found[name]:>14}" for name in (*GOOD, *BAD))


if __name__ == "__main__":
    sys.exit(main())
