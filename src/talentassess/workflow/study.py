"""The psychologist's job: from raw answers to keyed responses, item analysis, calibration, scores and norms."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from talentassess.bank.answers import RawAnswers
from talentassess.bank.keys import derive_keys
from talentassess.bank.schema import ItemBank
from talentassess.bank.scoring import key_answers
from talentassess.calibration import Progress, calibrate
from talentassess.calibration.crosscheck import CrossCheck, cross_check
from talentassess.calibration.girth_engine import girth_refusals
from talentassess.core.arrays import FloatArray
from talentassess.core.calibration import Calibration
from talentassess.core.provenance import Provenance
from talentassess.core.responses import MISSING, Responses
from talentassess.core.scores import Scores
from talentassess.core.status import Status
from talentassess.core.tabular import Columns, Tabular
from talentassess.ctt import ItemAnalysis, OptionAnalysis, OptionSettings, analyze_items, analyze_options
from talentassess.norming import NormTable, fit_norms, norm_card
from talentassess.scoring import score


@dataclass(frozen=True, eq=False, kw_only=True)
class Study(Tabular):
    """Everything a pilot study yields, in the order it was made.

    Attributes
    ----------
    answers : raw answers; bank : the bank with the keys that were used; responses : keyed answers.
    analysis : item statistics; options : raw choices of each situational item against the other items of its scale.
    calibration : one calibration per scale; check : the second estimator's results, per scale it could take.
    scores, norms : of the same people.
    """

    answers: RawAnswers
    bank: ItemBank
    responses: Responses
    analysis: ItemAnalysis
    options: tuple[OptionAnalysis, ...]
    calibration: Calibration
    check: dict[str, CrossCheck]
    scores: Scores
    norms: NormTable

    def __repr__(self) -> str:
        return (
            f"Study({self.bank.id}: {self.responses.n_persons} persons, {self.responses.n_items} items, "
            f"{len(self.calibration.dimensions)} scales, {self.calibration.status.value}, {self.provenance.label})"
        )

    @property
    def provenance(self) -> Provenance:
        """Where the answers came from."""
        return self.responses.provenance

    def tables(self) -> dict[str, Columns]:
        """Return ``scores``, then the tables of the item analysis, the calibration and the norms, each by its part."""
        parts = {"analysis": self.analysis, "calibration": self.calibration, "norms": self.norms}
        named = {f"{part}: {name}": table for part, result in parts.items() for name, table in result.tables().items()}
        return {**self.scores.tables(), **named}


@dataclass(frozen=True, slots=True)
class NormGroup:
    """Who the answers come from, in words for the norm card.

    Attributes
    ----------
    population : the people the norms speak for.
    sample : how they were got.
    collected : first and last date of collection, ISO 8601 as far as known.
    notes : limits a reader should know.
    """

    population: str
    sample: str
    collected: tuple[str, str]
    notes: str = ""


def _silent(message: str) -> None:
    """Say nothing."""


def run_study(
    answers: RawAnswers,
    bank: ItemBank,
    norm_group: NormGroup,
    *,
    model: str = "graded",
    second_estimator: bool = True,
    say: Callable[[str], None] = _silent,
) -> Study:
    """Run a pilot study from raw answers to norms.

    Situational items without a key get the sample-consensus key, which the key's source then says.

    Parameters
    ----------
    answers : from ``read_answers(table, bank)``.
    bank : the items; its keys are kept where there are any.
    norm_group : who the people are.
    model : item response model for every scale.
    second_estimator : also calibrate with girth and keep the comparison.
    say : called with a short message as the work goes on.

    Raises
    ------
    TalentAssessError : whatever its steps raise; nothing is left half done.
    """
    keyed = derive_keys(answers, bank)
    responses = key_answers(answers, keyed)
    say(f"{responses!r}")
    analysis = analyze_items(responses)
    options = analyze_situational(answers, keyed, responses)
    say(f"Item analysis: {len(analysis.findings)} finding(s)")
    calibration = calibrate(responses, model, progress=_narrator(say))
    if calibration.status is Status.INTERRUPTED:
        raise KeyboardInterrupt  # a study made of half-finished estimates would mislead
    check = second_opinion(calibration, responses) if second_estimator else {}
    scores = score(calibration, responses)
    card = norm_card(
        scores,
        population=norm_group.population,
        sample=norm_group.sample,
        collected=norm_group.collected,
        notes=norm_group.notes,
    )
    norms = fit_norms(scores, card=card)
    say(f"Scores and norms of {card.n} persons")
    return Study(
        answers=answers,
        bank=keyed,
        responses=responses,
        analysis=analysis,
        options=options,
        calibration=calibration,
        check=check,
        scores=scores,
        norms=norms,
    )


def _narrator(say: Callable[[str], None]) -> Callable[[Progress], None]:
    """Say once per dimension that its calibration has begun."""
    begun: set[str] = set()

    def tell(progress: Progress) -> None:
        if progress.dimension not in begun:
            begun.add(progress.dimension)
            say(f"Calibrating {progress.dimension}")

    return tell


def second_opinion(calibration: Calibration, responses: Responses) -> dict[str, CrossCheck]:
    """Compare each scale with girth; scales that girth cannot take are left out."""
    found = {}
    for scale in responses.scale_names:
        part = responses.select(responses.items_of(scale))
        rows = np.flatnonzero(part.answered.all(axis=1))
        models = _models_of(calibration, scale)
        if len(rows) and len(models) == 1 and not girth_refusals(part.take(rows), models[0]):
            complete = part.take(rows)
            found[scale] = cross_check(calibrate(complete, models[0]), complete)
    return found


def _models_of(calibration: Calibration, scale: str) -> list[str]:
    dimension = calibration.dimensions.index(scale)
    return sorted({b.variant or b.model.name for b in calibration.blocks if b.dims == (dimension,)})


def analyze_situational(answers: RawAnswers, bank: ItemBank, responses: Responses) -> tuple[OptionAnalysis, ...]:
    """Set the raw choices of every pick-best and most/least item against the mean of the scale's other items."""
    found = []
    for item in bank.situational:
        if item.id not in answers.situational or item.format not in ("pick_best", "most_least"):
            continue
        raw = answers.situational[item.id]
        picks = {name: raw[:, part] for part, name in enumerate(item.answer_parts)}
        settings = OptionSettings(labels=item.option_ids, provenance=responses.provenance)
        rest = rest_mean(responses, item.id, responses.items_of(item.scale))
        found.append(analyze_options(picks, rest, len(item.options), item=item.id, settings=settings))
    return tuple(found)


def rest_mean(responses: Responses, item: str, items: Sequence[str]) -> FloatArray:
    """Return (N,) mean of a person's other answers in the scale, each scaled 0..1; NaN where there is none."""
    others = responses.select([other for other in items if other != item])
    scaled = np.where(others.x == MISSING, np.nan, others.x / (others.n_cat - 1))
    known = ~np.isnan(scaled)
    total: FloatArray = np.nansum(scaled, axis=1)
    count = known.sum(axis=1)
    mean: FloatArray = np.divide(total, count, out=np.full(len(total), np.nan), where=count > 0)
    return mean


def take_answers(answers: RawAnswers, n: int) -> RawAnswers:
    """Return the first n persons' answers (for a quick look; the provenance says so)."""
    if n >= answers.n_persons:
        return answers
    return replace(
        answers,
        person_ids=answers.person_ids[:n],
        self_report={item: x[:n] for item, x in answers.self_report.items()},
        situational={item: x[:n] for item, x in answers.situational.items()},
        seconds={item: s[:n] for item, s in answers.seconds.items()},
        group=None if answers.group is None else answers.group[:n],
        weight=None if answers.weight is None else answers.weight[:n],
        provenance=replace(answers.provenance, source=f"{answers.provenance.source} (first {n} persons)", data_hash=""),
    )
