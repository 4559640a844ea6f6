"""The command line: parse, call the library, show. Exit code 2 and a plain message on bad input."""

from __future__ import annotations

import sys

from talentassess.core.errors import TalentAssessError


def main() -> None:
    """Run the command line program."""
    from talentassess.cli.app import app

    try:
        app()
    except TalentAssessError as error:
        print(f"Error: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    except KeyboardInterrupt:
        print("Stopped. Files are written whole or not at all; nothing was left half done.", file=sys.stderr)
        raise SystemExit(130) from None
