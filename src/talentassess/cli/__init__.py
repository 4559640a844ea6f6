"""The command line: parse, call the library, show. Exit code 2 and a plain message on bad input."""

from __future__ import annotations

import io
import sys
from pathlib import Path

from talentassess.core.errors import TalentAssessError

INTERRUPTED = 130  # what shells expect of a program stopped by ctrl-C
STOPPED = "Stopped. Files are written whole or not at all; nothing was left half done."


def main() -> None:
    """Run the command line program."""
    _write_any_character()
    try:
        _run()
    except TalentAssessError as error:
        from talentassess.cli.console import as_options

        _leave(2, f"Error: {as_options(str(error))}")
    except OSError as error:
        where = f"'{Path(str(error.filename2 or error.filename)).name}': " if error.filename else ""
        _leave(2, f"Error: {where}{error.strerror or error}. Check the path, its permissions and the free space.")
    except KeyboardInterrupt:
        _leave(INTERRUPTED, STOPPED)


def _run() -> None:
    from talentassess.cli.app import app

    try:
        app()
    except SystemExit as leaving:
        if leaving.code == INTERRUPTED:  # typer turns ctrl-C into this code and says nothing
            _leave(INTERRUPTED, STOPPED)
        raise


def _leave(code: int, message: str) -> None:
    print(message, file=sys.stderr)
    raise SystemExit(code) from None


def _write_any_character() -> None:
    """Let a terminal that lacks a character show its code point; a name must not end the program."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
