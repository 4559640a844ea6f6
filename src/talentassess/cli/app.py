"""The list of commands. Each imports what it needs when it runs, so that help appears at once."""

from __future__ import annotations

from typing import Annotated

import typer

from talentassess.cli import (
    commands_bank,
    commands_content,
    commands_data,
    commands_forms,
    commands_interview,
    commands_panel,
    commands_people,
)
from talentassess.core.kernel import kernel_name
from talentassess.core.version import VERSION

app = typer.Typer(
    name="talentassess",
    help="Psychometric engine for talent assessment: item analysis, item response models, norms, role matching.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
bank = typer.Typer(
    help="Check an item bank, keep its ledger, compare versions, trace claims, export schemas.", no_args_is_help=True
)
form = typer.Typer(help="Build a forced-choice form, or score one within persons.", no_args_is_help=True)

interview = typer.Typer(help="Plan structured interviews, make rating forms, score ratings.", no_args_is_help=True)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"talentassess {VERSION} (E-step: {kernel_name()})")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    """Psychometric engine for talent assessment: item analysis, item response models, norms, role matching."""


app.command("demo")(commands_people.demo)
app.command("items")(commands_content.items)
app.command("analyze")(commands_data.analyze)
app.command("calibrate")(commands_data.calibrate)
app.command("score")(commands_data.score)
app.command("norms")(commands_people.norms)
app.command("profile")(commands_people.profile)
app.command("match")(commands_people.match)
app.command("pool")(commands_people.pool)
app.command("report")(commands_content.report)
bank.command("check")(commands_bank.check)
bank.command("trace")(commands_bank.trace)
bank.command("diff")(commands_bank.diff)
bank.command("record")(commands_bank.record)
bank.command("advance")(commands_bank.advance)
bank.command("schemas")(commands_bank.schemas)
bank.add_typer(commands_panel.panel, name="panel")
app.add_typer(bank, name="bank")
form.command("build")(commands_forms.build)
form.command("score")(commands_forms.count)
app.add_typer(form, name="form")
interview.command("guide")(commands_interview.guide)
interview.command("form")(commands_interview.form)
interview.command("ratings")(commands_interview.ratings)
interview.command("raters")(commands_interview.raters)
app.add_typer(interview, name="interview")
