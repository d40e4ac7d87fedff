"""Which language a text is in."""

from functools import cache

import regex
from py3langid.langid import MODEL_FILE, LanguageIdentifier

_CONFIDENCE = 0.5

UNDETERMINED = "und"


def language(text: str) -> str:
    """ISO 639-1 code of the likeliest language, or `und` where py3langid gives it less than one half.

    Emoji and digits are taken out first. Very short texts are mostly undetermined: the identifier is
    calibrated.
    """
    letters = regex.sub(r"[^\p{L}\p{M}\p{P}\s]", "", text)
    code, _ = _identifier().classify(letters)
    return str(code)


@cache
def _identifier() -> LanguageIdentifier:
    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True, min_confidence=_CONFIDENCE)
