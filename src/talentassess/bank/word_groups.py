"""Lists of words that content review watches (English), each with the reason why it is watched.

Two kinds of list. ``WATCHED_IN_ITEMS`` holds words that an item should seldom use; a hit is to be looked at, not proof.
``TONE`` holds the words of courteous or unfriendly service language: they are welcome in options, but they must not
tell good options from poor ones, which ``blind_rules`` tests. All lists are the authors' own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WordGroup:
    """Words watched for one reason.

    Attributes
    ----------
    name : short name, used as code of findings.
    reason : why they are watched, a clause that completes "watched because ...".
    words : single words in lower case, each form by itself.
    phrases : groups of words, in lower case with single spaces.
    """

    name: str
    reason: str
    words: frozenset[str]
    phrases: tuple[str, ...] = ()


def _group(name: str, reason: str, words: str = "", phrases: str = "") -> WordGroup:
    split = tuple(re.sub(r"\s+", " ", phrase).strip() for phrase in phrases.split(";") if phrase.strip())
    return WordGroup(name, reason, frozenset(words.split()), split)


ABSOLUTES = _group(
    "absolute",
    "hardly anybody can honestly agree with a claim that allows no exception, and an option that makes one looks poor",
    """absolutely all always completely constantly entirely every everybody everyone everything everywhere impossible
    never nobody none nothing nowhere perfectly totally utterly""",
)

SENSITIVE = (
    _group(
        "health",
        "it may touch health or disability, which a selection procedure must not ask about",
        """cancer depressed depression disability disabled disease handicapped health ill illness medical medication
        pregnancy pregnant sick""",
    ),
    _group(
        "faith",
        "it may touch religion or belief",
        """allah bible catholic christian church faith god hindu islam jewish mosque muslim pray prayer priest religion
        religious synagogue temple""",
    ),
    _group(
        "family",
        "it may let family status or care duties be guessed",
        """bride child childcare children dad daughter divorce family father fiance husband marriage married mother mum
        parent parents relatives son spouse wedding wife""",
    ),
    _group(
        "age", "it may touch age, or let it be guessed", "age aged elderly pensioner retirement teenager young younger"
    ),
    _group(
        "origin",
        "it may touch origin, citizenship or skin colour",
        "birthplace citizen citizenship ethnic foreigner immigrant nationality race racial skin",
    ),
    _group("orientation", "it may touch sexual orientation or identity", "gay lesbian sexual transgender"),
    _group("politics", "it may touch political views or union membership", "political politics union vote"),
)

GENDERED = _group(
    "gendered",
    "a gendered person invites a guess about who does which work, and some readers will feel left out",
    """actress boy boys businessman chairman craftsman gentleman girl girls guy guys he her hers herself him himself his
    hostess ladies lady man men mr mrs ms salesman saleswoman she sir waitress woman women""",
)
IDIOMS = _group(
    "idiom",
    "people who learnt English late, or elsewhere, take an idiom at its word",
    phrases="""a piece of cake; above and beyond; at the drop of a hat; back to square one; ball is in; beat about the
    bush; bend over backwards; big picture; bite the bullet; bottom line; burn bridges; by the book; call it a day; cut
    corners; cut to the chase; drop the ball; get the ball rolling; go the extra mile; goes the extra mile; hit the
    ground running; in a nutshell; in the loop; in their shoes; keep a cool head; keep my cool; keep an eye on; last
    straw; learn the ropes; long shot; lose my temper; off the cuff; on my plate; on the ball; on the fly; on the same
    page; out of the blue; out of the box; over the moon; pass the buck; play it by ear; pull my weight; push the
    envelope; put out fires; read between the lines; rock the boat; rule of thumb; sit on the fence; step up to the
    plate; stick to my guns; sweep under; take it with a grain; the whole nine yards; think outside; throw in the
    towel; touch base; under the weather; up in the air; walk on eggshells; wrap my head""",
)
WATCHED_IN_ITEMS = (ABSOLUTES, *SENSITIVE, GENDERED, IDIOMS)

COURTESY = _group(
    "courtesy",
    "set phrases of politeness can be added to any option without changing what is done",
    """apologise apologised apologises apologising apology apologies courteous grateful greet greets kind kindly
    kindness pardon please polite politely regret regrets respect respectful respectfully sorry thank thanked thankful
    thanking thanks tactful tactfully welcome welcomed welcoming""",
)
WARMTH = _group(
    "warmth",
    "friendly feeling reads well, while the situation may call for something else",
    """calm calmly cheer cheerful cheerfully cheers comfort enjoy enjoys friendly gentle gently glad gladly happily
    happy joy nice nicely pleasant pleased pleasure positive relaxed smile smiles smiling sympathetic warm warmly
    wonderful""",
)
CONCERN = _group(
    "concern",
    "words of concern claim an understanding that the act itself may not show",
    """appreciate appreciates appreciated attention attentive attentively care cares caring compassion concern concerns
    considerate empathise empathy feel feelings feels help helped helpful helping helps interest listen listened
    listening listens patience patient patiently reassure reassured reassures reassuring support supportive supports
    understand understanding understands understood value valued values""",
)
ASSURANCE = _group(
    "assurance",
    "words of effort and care in work make an option sound professional whatever it does",
    """assure assured assures best better careful carefully clear clearly confident ensure ensures excellent fair fairly
    good great honest honestly improve perfect personal personally promise promised promises promptly properly quality
    reliable solution solutions solve solved thorough thoroughly together trust""",
)
REFUSAL = _group(
    "refusal",
    "a no is often the right answer and must not mark the poor option",
    """avoid cancel cannot can't deny decline don't forbid forbidden impossible must no nobody nor not nothing refuse
    refused refuses reject stop unable unless won't without""",
)
BLAME = _group(
    "blame",
    "naming a fault may be honest reporting and must not mark the poor option",
    """accuse bad blame blames complain complains criticise error errors fail failed fails fault guilty mistake mistakes
    poor wrong wrongly""",
)
COLDNESS = _group(
    "coldness",
    "harsh words make an option easy to rule out without reading the scenario",
    """abrupt angry annoyed annoying argue blunt bluntly boring cold complaint curt demand demands dismiss dismisses
    hurry ignore ignores impatient insist insists interrupt interrupts lecture rude rush sharp sharply sternly strict
    strictly unfriendly warn warns waste""",
)
HEDGES = _group(
    "hedge",
    "a guarded wording sounds wise and is easier to agree with than a definite one",
    """about almost apparently around could generally if likely mainly may maybe might mostly often partly
    perhaps possible possibly probably rather roughly seem seems should sometimes somewhat suggest suggests tend tends
    try tries unless usually whether would""",
    "as far as; if needed; if possible; where possible; in case",
)
POSITIVE_TONE = (COURTESY, WARMTH, CONCERN, ASSURANCE)
NEGATIVE_TONE = (REFUSAL, BLAME, COLDNESS)
