"""What pip-audit knows about the installed packages, and whether it could look at all.

Of packages that its index has no advisories on, pip-audit says "no known vulnerabilities found" and ends with 0;
so it does of all where PyPI is reached through a mirror, which has the files and not the advisories. Options are
pip-audit's own: `--vulnerability-service osv --osv-url URL` asks a copy of the OSV database instead of PyPI.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from paddlevideo.utils.command import run_command

EDITABLE = "distribution marked as editable"  # packages that --skip-editable leaves out, which are ours


def findings(packages: Sequence[Mapping[str, Any]]) -> list[str]:
    """A line for each vulnerability that is known."""
    return [
        f"{package['name']} {package['version']}: {found['id']}, mended in {', '.join(found['fix_versions']) or 'none'}"
        for package in packages
        for found in package.get("vulns", ())
    ]


def check(report: str, said: str) -> None:
    """Tell what a report of pip-audit says.

    Args:
        report: in json.
        said: what pip-audit said besides.

    Raises:
        ValueError: a package has a vulnerability, or was not looked up.
    """
    try:
        packages = json.loads(report)["dependencies"]
    except (ValueError, KeyError, TypeError) as error:
        reason = said.strip().rpartition("\n")[2]
        raise ValueError(
            f"pip-audit gave no report: {reason}; `make audit` installs it, and it has to reach Python's package index"
        ) from error
    unknown = [f"{p['name']} ({p['skip_reason']})" for p in packages if p.get("skip_reason", EDITABLE) != EDITABLE]
    compared = [package for package in packages if "vulns" in package]
    print(f"{len(compared)} packages were compared with the known advisories, {len(unknown)} could not be.")
    if found := findings(compared):
        raise ValueError("\n".join(["vulnerabilities are known; update these packages:", *found]))
    if unknown:
        raise ValueError(
            f"nothing is known about {len(unknown)} packages, of which the first is {unknown[0]}. A copy of "
            "Python's package index has no advisories: run this where the index itself is asked, or ask a copy of the "
            'OSV database: make audit AUDIT="--vulnerability-service osv --osv-url URL"'
        )


def run(arguments: Sequence[str] | None = None) -> None:
    """Audit the packages that this Python has, apart from those that are installed as editable."""
    parser = argparse.ArgumentParser(description=__doc__, usage="%(prog)s [-h] [option of pip-audit ...]")
    _, options = parser.parse_known_args(arguments)
    command = [sys.executable, "-m", "pip_audit", "--skip-editable", "--format", "json", "--progress-spinner", "off"]
    done = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
    check(done.stdout, done.stderr)


if __name__ == "__main__":
    sys.exit(run_command(run))
