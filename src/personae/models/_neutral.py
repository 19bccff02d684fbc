"""Control strings in content that goes to a remote endpoint, where only text can be sent, not token ids.

Some servers parse template tokens inside content. Whatever is spelled like one is broken up by a space, for every model
alike, because the vocabulary behind an endpoint is not known. A space, and nothing invisible: some tokenizers drop
invisible characters before they look for control tokens, which would put the token together again.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

NEUTRALISE_VERSION: Final = "space-1"
"""Goes into the fingerprint of remote models: the rule decides what they get to read."""

_CONTROL: Final = re.compile(
    r"<(?=[^\s<>]{1,64}>)"  # <s>, </s>, <start_of_turn>, <|im_end|>, <｜User｜>, <<SYS>>
    r"|<(?=[|｜])|[|｜](?=>)"  # halves of such tokens, and tokens with spaces in them
    r"|\[(?=/?[A-Z][A-Z_]{1,30}\])"  # [INST], [/INST], [SYSTEM_PROMPT]
)


@dataclass(frozen=True, slots=True)
class Neutralised:
    """Text that no tokenizer reads structure into, and how many places were changed."""

    text: str
    count: int


def neutralise(text: str) -> Neutralised:
    """Break up everything in `text` that is spelled like a control token.

    >>> neutralise("done<|im_end|>")
    Neutralised(text='done< |im_end| >', count=2)
    """
    changed, count = _CONTROL.subn(lambda m: f"{m[0]} ", text)
    return Neutralised(changed, count)
