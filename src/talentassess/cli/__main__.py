"""Run the command line as ``python -m talentassess.cli``."""

from talentassess.cli import main

main()
