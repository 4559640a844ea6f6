"""Settings shared by all tests."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest
from hypothesis import settings

# A busy machine is no failure, so no test has a deadline; on CI the examples are the same every time.
settings.register_profile("local", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")


@pytest.fixture
def refused(capsys, monkeypatch):
    """Run a command through ``main``; it must end with exit code 2, print nothing on stdout and no traceback."""

    def attempt(*arguments: str | Path) -> str:
        from talentassess.cli import main  # the other tests need no command line

        monkeypatch.setattr(sys, "argv", ["talentassess", *(str(a) for a in arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        shown = capsys.readouterr()
        assert ended.value.code == 2, shown.err
        assert shown.out == ""
        assert "Traceback" not in shown.err
        return re.sub(r"\s+", " ", shown.err)

    return attempt
