"""Person covariates, checked once, and what a latent regression says about them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from talentassess.core.arrays import FloatArray
from talentassess.core.errors import DataError
from talentassess.core.tabular import Columns


@dataclass(frozen=True, eq=False, slots=True)
class Covariates:
    """Numbers known about the persons beside their answers.

    Attributes
    ----------
    names : (P,) covariates.
    values : (N, P) as given: nothing is centred, scaled or coded.
    """

    names: tuple[str, ...]
    values: FloatArray


@dataclass(frozen=True, eq=False, slots=True)
class LatentRegression:
    """Regression of the latent dimensions on covariates: theta_i ~ Normal(mean_g + beta' z_i, sd_g^2).

    Attributes
    ----------
    names : (P,) covariates.
    beta, se : (D, P) coefficients, logits per unit of the covariate, and their standard errors.
    mean, sd : (G, D) intercepts and residual standard deviations per group, logits.
    explained : (G, D) share of the latent variance that the covariates account for in the calibration sample.
    """

    names: tuple[str, ...]
    beta: FloatArray
    se: FloatArray
    mean: FloatArray
    sd: FloatArray
    explained: FloatArray

    def table(self, dimensions: Sequence[str]) -> Columns:
        """Return a row per dimension and covariate: estimate, standard error, z."""
        cells = [(d, p) for d in range(len(dimensions)) for p in range(len(self.names))]
        beta = np.array([self.beta[c] for c in cells])
        se = np.array([self.se[c] for c in cells])
        return {
            "dimension": [dimensions[d] for d, _ in cells],
            "covariate": [self.names[p] for _, p in cells],
            "estimate": beta,
            "se": se,
            "z": np.divide(beta, se, out=np.full_like(beta, np.nan), where=se > 0),
        }


def read_covariates(covariates: Mapping[str, ArrayLike], person_ids: Sequence[str]) -> Covariates:
    """Take named columns of numbers (N,), one number per person.

    Parameters
    ----------
    covariates : name -> (N,) numbers; a data frame or a structured array of named columns will do.
    person_ids : (N,) labels in the order of the answers.

    Raises
    ------
    DataError : no column, a column of another length, texts, or a missing number, naming covariate and person.

    Examples
    --------
    >>> read_covariates({"age": [31, 40]}, ["ann", "bo"]).values
    array([[31.], [40.]])
    """
    fields = (
        covariates.dtype.names if isinstance(covariates, np.ndarray) else tuple(getattr(covariates, "keys", tuple)())
    )
    if not fields:
        raise DataError("covariates must map names to one number per person, e.g. {'age': [...]}; found no column.")
    columns = [_column(str(name), covariates[name], person_ids) for name in fields]
    return Covariates(tuple(str(name) for name in fields), np.column_stack(columns))


def _column(name: str, given: ArrayLike, person_ids: Sequence[str]) -> FloatArray:
    raw = np.asarray(given)
    if raw.shape != (len(person_ids),):
        raise DataError(
            f"covariate '{name}' has shape {raw.shape}; one number per person is needed, ({len(person_ids)},)."
        )
    try:
        column = raw.astype(np.float64)
    except (TypeError, ValueError):
        raise DataError(
            f"covariate '{name}' holds texts or objects such as '{raw.flat[0]}'. Code it in numbers first, e.g. "
            "one 0/1 column per category but one."
        ) from None
    missing = np.flatnonzero(~np.isfinite(column))
    if len(missing):
        raise DataError(
            f"covariate '{name}' is not known for {len(missing)} person(s). Leave these persons out with "
            "responses.take(...), or leave the covariate out.",
            [f"person '{person_ids[int(i)]}': {name} is {column[i]}" for i in missing],
        )
    return column
