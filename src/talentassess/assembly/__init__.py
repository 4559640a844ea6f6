"""Forms put together from a bank by integer programming.

Follow a forced-choice form through the files: ``triplets`` (which statements could stand together), ``forced_choice``
(choose the blocks), ``form`` (the result and its audit), ``answers`` (read and score what people chose).
"""

from talentassess.assembly.answers import score_forced_choice
from talentassess.assembly.forced_choice import ForcedChoiceDesign, build_forced_choice
from talentassess.assembly.form import ForcedChoiceBlock, ForcedChoiceForm, Statement, load_forced_choice

__all__ = [
    "ForcedChoiceBlock",
    "ForcedChoiceDesign",
    "ForcedChoiceForm",
    "Statement",
    "build_forced_choice",
    "load_forced_choice",
    "score_forced_choice",
]
