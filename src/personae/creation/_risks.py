"""What may go wrong with a persona: six risks, each with a status, what it rests on, and what to do.

Everything is seen by rules over fields and words; a rule that finds nothing has looked, it has not proven safety.
Source of the six: Chen et al. 2024, From Persona to Personalization (risks of each kind).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final, Literal, TypeAlias, get_args

from personae.core import PII, Fact, Frozen, Persona, PersonaKind, plain
from personae.creation._kinds import PersonaKinds, classify
from personae.creation._names import is_public_name
from personae.text import find_contacts

RiskName: TypeAlias = Literal["toxicity", "bias", "hallucination", "privacy", "consent", "impersonation"]
RISKS: Final[tuple[RiskName, ...]] = get_args(RiskName)
RiskStatus: TypeAlias = Literal["nothing found", "attention", "high"]

_HARM: Final = re.compile(
    r"\b(?:(?:hates?|despises?|wants? to (?:kill|hurt|destroy)|kills?) (?:all|every|those|these) \w+|subhuman"
    r"|vermin|scum"
    r"|(?:racist|sexist|homophobic|violent|sadistic|abusive) (?:and|man|woman|person|remarks?|jokes?|outbursts?)"
    r"|enjoys? (?:hurting|humiliating|torturing)|insults? (?:everyone|everybody|people|strangers)|slurs?)\b",
    re.IGNORECASE,
)
_GROUP: Final = (
    r"(?:women|men|girls|boys|immigrants|foreigners|muslims|jews|christians|asians|blacks|whites|latinos|africans|"
    r"arabs|old people|young people|teenagers|americans|germans|italians|chinese|indians|mexicans|poor people|"
    r"rich people|gays?)"
)
_STEREOTYPE: Final = re.compile(
    rf"\b(?:(?:like|as) (?:all|most|every|any) (?:\w+ )?{_GROUP}|all {_GROUP} (?:are|is|love|hate|want)|typical(?:ly)? "
    rf"(?:\w+ )?(?:woman|man|girl|immigrant|asian|italian|german|american|mexican|muslim|jew|african|boomer|millennial|"
    rf"for (?:her|his) (?:sex|race|people))|because (?:she|he|they) (?:is|are) an? (?:woman|man|immigrant|asian|"
    rf"muslim|jew|"
    rf"black|latino)|naturally (?:submissive|aggressive|lazy|criminal|maternal)|women's work|{_GROUP} (?:are|is) "
    rf"(?:lazy|stupid|dangerous|inferior|emotional|greedy|violent|criminals?))\b",
    re.IGNORECASE,
)


class Risk(Frozen):
    """One risk of a persona. `evidence` names fields and what was seen, never the sensitive value itself."""

    status: RiskStatus
    evidence: tuple[str, ...] = ()
    mitigations: tuple[str, ...] = ()


class RiskReport(Frozen):
    """All six risks."""

    toxicity: Risk
    bias: Risk
    hallucination: Risk
    privacy: Risk
    consent: Risk
    impersonation: Risk

    def items(self) -> Iterable[tuple[RiskName, Risk]]:
        """(name, risk) in a fixed order."""
        return ((name, getattr(self, name)) for name in RISKS)


def risk_report(persona: Persona, kinds: PersonaKinds | None = None) -> RiskReport:
    """Look for six risks by rule; `kinds` saves classifying the persona again."""
    found = kinds or classify(persona)
    texts = _texts(persona)
    return RiskReport.model_construct(
        toxicity=_worded(
            texts,
            _HARM,
            "harmful attitude",
            "Give the persona refused topics, and check answers before they are shown.",
        ),
        bias=_bias(persona, texts, found.mix),
        hallucination=_hallucination(persona, found.mix),
        privacy=_privacy(persona, texts),
        consent=_consent(persona, found.mix),
        impersonation=_impersonation(persona),
    )


def _texts(p: Persona) -> list[tuple[str, str]]:
    out: list[tuple[str, str]] = []
    for path, leaf in p.leaves():
        value = plain(leaf)
        for part in value if isinstance(value, tuple) else (value,):
            word = plain(part)
            if isinstance(word, str):
                out.append((path, word))
    out += [(f"demonstrations.{k}", line.text) for k, d in enumerate(p.demonstrations) for line in d.lines]
    out += [(f"evidence.{k}", one.text) for k, one in enumerate(p.evidence)]
    return out


@lru_cache(maxsize=4096)
def _contact_kinds(text: str) -> tuple[str, ...]:
    return tuple(str(span.kind) for span in find_contacts(text))


def _worded(texts: list[tuple[str, str]], words: re.Pattern[str], what: str, mitigation: str) -> Risk:
    seen = tuple(f"{path}: {what}" for path, text in texts if words.search(text))
    return Risk(status="high" if seen else "nothing found", evidence=seen, mitigations=(mitigation,) if seen else ())


def _bias(p: Persona, texts: list[tuple[str, str]], mix: tuple[PersonaKind, ...]) -> Risk:
    worded = _worded(texts, _STEREOTYPE, "a trait is said of a group", "Say it of the person, or take it out.")
    groups = [n for n in ("social.ethnicity", "social.religion", "social.politics", "social.nationality") if p.get(n)]
    bare = groups and "demographic" in mix and not (p.personal.big_five or p.personal.values or p.context.interests)
    if worded.status == "high" or not bare:
        return worded
    return Risk(
        status="attention",
        evidence=tuple(f"{name}: a group label with nothing personal beside it" for name in groups),
        mitigations=("Add personal fields, so that the model does not fill them from the group.",
                     "Compare answers with the same persona without the label."),
    )  # fmt: skip


def _hallucination(p: Persona, mix: tuple[PersonaKind, ...]) -> Risk:
    guessed = tuple(
        f"{path}: guessed by a model" + ("" if leaf.confidence is not None else ", no confidence given")
        for path, leaf in p.leaves()
        if isinstance(leaf, Fact) and leaf.source is not None and leaf.source.kind == "model"
    )
    if "character" in mix and p.knowledge.boundary is None:
        return Risk(
            status="high",
            evidence=("knowledge.boundary: not set", *guessed),
            mitigations=("Set the time or world beyond which nothing is known.", "Ask questions from beyond it."),
        )
    if guessed:
        return Risk(
            status="attention", evidence=guessed, mitigations=("Keep what a model guessed apart from what is known.",)
        )
    return Risk(status="nothing found")


def _privacy(p: Persona, texts: list[tuple[str, str]]) -> Risk:
    contacts = tuple(f"{path}: {kind}" for path, text in texts for kind in _contact_kinds(text))
    classes = p.pii()
    real = not p.synthetic
    sensitive = tuple(f"{path}: sensitive" for path, pii in classes.items() if pii is PII.SENSITIVE)
    direct = tuple(f"{path}: identifies alone" for path, pii in classes.items() if pii is PII.DIRECT) if real else ()
    marked = real or p.consent is not None or bool(p.evidence)
    if contacts or (sensitive and real):
        return Risk(
            status="high",
            evidence=(*contacts, *sensitive, *direct),
            mitigations=("Redact before anything is exported (personae export --anonymise).",
                         "Take sensitive fields out unless the consent names them."),
        )  # fmt: skip
    if direct or (sensitive and marked) or (real and p.policy.retention is None):
        kept = () if p.policy.retention else ("policy.retention: not set",)
        return Risk(
            status="attention",
            evidence=(*direct, *sensitive, *kept),
            mitigations=("Set a retention, and use a handle instead of the name.",),
        )
    return Risk(status="nothing found")


def _consent(p: Persona, mix: tuple[PersonaKind, ...]) -> Risk:
    if "individualized" not in mix and p.synthetic:
        return Risk(status="nothing found")
    if p.consent is None:
        return Risk(
            status="high" if p.evidence else "attention",
            evidence=("consent: not recorded, though the record tells of one user",),
            mitigations=("Record who consented to what and when, or say that the user is invented.",),
        )
    if not p.consent.scope.strip() or not p.consent.date.strip():
        return Risk(
            status="attention", evidence=("consent: scope or date is empty",), mitigations=("Complete the record.",)
        )
    return Risk(status="nothing found")


def _impersonation(p: Persona) -> Risk:
    known = [n for n in (p.name, *map(str, p.names.aliases)) if is_public_name(n)]
    if known:
        return Risk(
            status="attention" if p.provenance.licence else "high",
            evidence=("names.full: name of a widely known person",),
            mitigations=("Say that it is a simulation in every answer.", "Name the rights, or change the name."),
        )
    if not p.synthetic:
        return Risk(
            status="attention",
            evidence=("synthetic: false, a real person is played",),
            mitigations=("Disclose it to everybody in the conversation.",),
        )
    return Risk(status="nothing found")
