"""Chains of links: from the newest form to the oldest over forms in between."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from talentassess.core.errors import CalibrationError
from talentassess.core.provenance import Provenance, hash_json
from talentassess.core.status import Finding, Severity, Status, gravest_first
from talentassess.linking.estimates import Influence, pool, total_cov
from talentassess.linking.link import Link


def chain_links(links: Sequence[Link]) -> Link:
    """Compose links: the first one's new scale is turned into the last one's old scale.

    Parameters
    ----------
    links : in the order of travel; each one's old calibration is the next one's new calibration.

    Returns
    -------
    Link with A = A_2 A_1 and B = A_2 B_1 + B_2 (and so on along the chain).

    The covariance is the delta method's. Links that share a calibration in the middle are correlated through its
    estimates, which is taken into account (Battauz 2013); different calibrations are taken as independent samples.

    Raises
    ------
    CalibrationError : no links.

    Examples
    --------
    >>> import talentassess as ta
    >>> answers = ta.simulate(ta.load_bank("service_core"), 300, seed=1).select(["ow_sr_01", "ow_sr_02", "ow_sr_03"])
    >>> calibration = ta.calibrate(answers)
    >>> link = ta.link_scales(calibration, calibration)
    >>> ta.chain_links([link, link]).method
    'chain: stocking-lord, stocking-lord'
    """
    if not links:
        raise CalibrationError("A chain needs at least one link: chain_links([new_to_middle, middle_to_old]).")
    chained = links[0]
    for step in links[1:]:
        chained = _compose(chained, step)
    if len(links) == 1:
        return chained
    worst = next((link.status for link in links if not link.status.ok), Status.CONVERGED)
    sources = {"links": ", ".join(f"A = {link.A!r}, B = {link.B!r}" for link in links)}
    return replace(
        chained,
        method="chain: " + ", ".join(link.method for link in links),
        items=tuple(dict.fromkeys(item for link in links for item in link.items)),
        agreement=(),
        status=worst,
        findings=gravest_first([*(f for link in links for f in link.findings), *_breaks(links)]),
        provenance=Provenance(
            source=" -> ".join([links[0].provenance.source, *(link.provenance.source for link in links[1:])]),
            data_hash=hash_json([link.provenance.data_hash for link in links]),
            simulated=any(link.provenance.simulated for link in links),
            options=sources,
        ),
    )


def _compose(first: Link, second: Link) -> Link:
    by_first = np.array([[second.A, 0.0], [0.0, second.A]])
    by_second = np.array([[first.A, 0.0], [first.B, 1.0]])
    parts = [Influence(one.source, by_first @ one.gradient, one.cov) for one in first.influences]
    parts += [Influence(one.source, by_second @ one.gradient, one.cov) for one in second.influences]
    influences = pool(parts)
    return replace(
        first,
        A=second.A * first.A,
        B=second.A * first.B + second.B,
        cov=total_cov(influences, 2),
        old_dimension=second.old_dimension,
        old_source=second.old_source,
        influences=influences,
    )


def _breaks(links: Sequence[Link]) -> list[Finding]:
    """Say where one link's old calibration is not the next one's new calibration."""
    broken = [k + 1 for k, (one, after) in enumerate(pairwise(links)) if one.old_source != after.new_source]
    return [
        Finding(
            "chain_break", Severity.WARNING, f"links {k} and {k + 1}",
            "The old calibration of the one is not the new calibration of the other.",
            "Right only if both are on one scale and from independent samples; otherwise put the links in order.",
        )
        for k in broken
    ]  # fmt: skip
