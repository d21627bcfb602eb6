from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import load_script

CLEAN = {"name": "clean", "version": "1.0", "vulns": []}
BROKEN = {"name": "broken", "version": "2.0", "vulns": [{"id": "PYSEC-2026-1", "fix_versions": ["2.1"]}]}
OURS = {"name": "ours", "skip_reason": "distribution marked as editable"}
ABSENT = {"name": "absent", "skip_reason": "Dependency not found on PyPI and could not be audited: absent (3.0)"}


def check(*packages: dict[str, Any]) -> None:
    load_script("tools/audit.py").check(json.dumps({"dependencies": packages, "fixes": []}), "")


def test_packages_without_a_vulnerability_pass_and_our_own_does_not_count(capsys: pytest.CaptureFixture[str]) -> None:
    check(CLEAN, OURS)
    assert capsys.readouterr().out.startswith("1 packages were compared with the known advisories, 0 could not be")


def test_a_vulnerability_is_named_with_the_version_that_mends_it() -> None:
    with pytest.raises(ValueError, match=r"\nbroken 2\.0: PYSEC-2026-1, mended in 2\.1$"):
        check(CLEAN, BROKEN, ABSENT)


def test_what_could_not_be_looked_up_does_not_pass() -> None:
    with pytest.raises(ValueError, match=r"nothing is known about 1 packages.*absent.*has no advisories"):
        check(CLEAN, ABSENT)


def test_no_report_is_told_with_the_last_words_of_the_program() -> None:
    with pytest.raises(ValueError, match=r"no report: ConnectionError: no route; `make audit`"):
        load_script("tools/audit.py").check("", "Traceback:\nConnectionError: no route\n")


def test_options_are_given_to_pip_audit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = f"import json, sys\nprint(json.dumps({{'dependencies': [{{**{BROKEN}, 'name': sys.argv[-1]}}]}}))\n"
    (tmp_path / "pip_audit.py").write_text(program, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(ValueError, match=r"\nhttp://127\.0\.0\.1/query 2\.0: PYSEC-2026-1"):
        load_script("tools/audit.py").run(["--vulnerability-service", "osv", "--osv-url", "http://127.0.0.1/query"])
