"""Student records in bulk: slots under quotas, levels drawn under the anchors and rules, paragraphs by grammar.

Student k is a function of (seed, n, settings, k, attempt) alone. A later attempt is somebody else in the same slot.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from personae.core import FitRow, InputError, derive_seed, sha256_hex
from personae.creation._columns import Column
from personae.creation._draws import Floats, Indexes, pick, uniforms
from personae.creation._packs import RulePack, load_pack
from personae.creation._phrases import Coded, PhraseGrammar, load_phrases
from personae.creation._population import Population
from personae.creation._recipe import Recipe
from personae.creation._rules import Rule

PARAGRAPHS: Final = ("personality", "values", "social_relations", "creativity", "mental_health")
SLOT: Final = ("grade", "sex", "subject_cluster", "academic_level")
SOCIAL_CHARS: Final = (160, 260)
"""Length of the social paragraph that the grammar keeps, in characters (HACHIMI gives it in Chinese characters)."""

_PLEASANT: Final = np.array([0.16, 0.27, 0.24, 0.19, 0.09, 0.05])
_RISKY: Final = np.array([0.02, 0.05, 0.08, 0.15, 0.25, 0.45])
"""Shares of the six levels, best word first, before tilt and anchors; ours. Risks are mostly low."""
_TILT: Final = 0.12
"""How much each step of academic level moves the log-odds of a step of level; ours."""
_TRIES: Final = 2000
_DAYS: Final = 2
_RISKS: Final = ("health_depression", "health_anxiety")

_SURNAMES: Final = (
    "li3 wang2 zhang1 liu2 chen2 yang2 zhao4 huang2 zhou1 wu2 xu2 sun1 hu2 zhu1 gao1 lin2 he2 guo1 ma3 luo2 "
    "liang2 song4 zheng4 xie4 han2 tang2 feng2 yu2 dong3 xiao1 cheng2 cao2 yuan2 deng4 fu4 shen3 zeng1 peng2 lu3 su1"
)
_GIVEN: Final = {
    "female": "mei3 lan2 xue3 ting2 yan4 fang1 jing4 na4 li4 hua2 juan1 qing2 yue4 ying1 xia2 dan1 rui3 ning2 yi2 "
    "shu1 xin1 jia1 wen2 ke3 ya3 lu4 yun2 qian4 min3 han2 zhen1 ran3",
    "male": "wei3 qiang2 jun1 jie2 tao1 ming2 chao1 lei3 peng2 hao4 bo1 gang1 yong3 bin1 long2 jian4 feng1 kai3 yu3 "
    "zhi4 hai3 rui4 ze2 xuan1 cheng2 yi4 shan1 lin2 bao3 tian1 kang1 ning2",
}
_SUBJECTS: Final = {
    ("science", "lower"): ("mathematics", "science", "computing", "technology"),
    ("science", "upper"): ("mathematics", "physics", "chemistry", "computer science"),
    ("humanities", "lower"): ("reading", "social studies", "history", "local studies"),
    ("humanities", "upper"): ("history", "geography", "civics", "literature"),
    ("arts and sports", "lower"): ("art", "music", "physical education", "drama"),
    ("arts and sports", "upper"): ("art", "music", "physical education", "design"),
    ("languages and biology", "lower"): ("English", "spelling", "nature study", "gardening"),
    ("languages and biology", "upper"): ("English", "biology", "French", "ecology"),
}
SKILLS: Final = {
    "creativity_fluency": "fluency",
    "creativity_novelty": "novelty",
    "creativity_flexibility": "flexibility",
    "creativity_feasibility": "feasibility",
    "creativity_finding": "problem finding",
    "creativity_analysis": "problem analysis",
    "creativity_proposing": "proposing solutions",
    "creativity_improving": "improving solutions",
}


def student_slots(n: int, seed: int, mix: Sequence[float] = (0.25, 0.25, 0.25, 0.25)) -> Population:
    """Slots over grade, sex, subject cluster and academic level with every margin a hard quota.

    Counts follow the largest remainder and are exact for each margin; the joint table is as even as whole people allow.

    Args:
        n: how many slots.
        seed: decides who stands in which slot.
        mix: shares of the four academic levels, best first.

    Raises:
        RecipeError: shares that cannot be met.
        InputError: not four shares.
    """
    pack = load_pack("student")
    levels = pack.vocab["academic"].words
    if len(mix) != len(levels) or min(mix) < 0 or not sum(mix) > 0:
        raise InputError(f"mix {tuple(mix)!r} given, expected {len(levels)} shares, one each for {', '.join(levels)}.")
    labels = {
        "grade": [str(g) for g in range(1, 13)],
        "sex": list(pack.vocab["sex"].words),
        "subject_cluster": list(pack.vocab["cluster"].words),
        "academic_level": list(levels),
    }
    shares = {name: dict.fromkeys(words, 1 / len(words)) for name, words in labels.items()}
    total = sum(mix)
    shares["academic_level"] = {word: share / total for word, share in zip(levels, mix, strict=True)}
    body = {
        "name": "student_slots",
        "n": n,
        "seed": seed,
        "variables": {name: {"values": words} for name, words in labels.items()},
        "margins": [{"vars": [name], "table": table, "hard": True} for name, table in shares.items()],
    }
    return Population(Recipe.of(body), n=n, seed=seed)


@dataclass(slots=True)
class Draws:
    """How often structured values were drawn, and which rules sent them back."""

    rows: int = 0
    rejected: Counter[str] = field(default_factory=Counter[str])


class StudentSource:
    """Students as columns.

    Args:
        n: how many.
        seed: root seed.
        mix: shares of the academic levels, best first.
        anchors: whether the anti-optimism anchors bind the levels.
        stratified: whether slots are quotas; False draws them independently.
        grammar: phrases: a grammar, or the name of a shipped one.
    """

    def __init__(
        self,
        n: int,
        seed: int,
        *,
        mix: Sequence[float] = (0.25, 0.25, 0.25, 0.25),
        anchors: bool = True,
        stratified: bool = True,
        grammar: PhraseGrammar | str = "student.en",
    ) -> None:
        self.n, self.seed, self.mix = n, seed, tuple(mix)
        self.anchors, self.stratified = anchors, stratified
        self.grammar = load_phrases(grammar) if isinstance(grammar, str) else grammar
        self.pack: RulePack = load_pack("student")
        self.slots = student_slots(n, seed, mix)
        self.draws = Draws()

    @cached_property
    def hash(self) -> str:
        """Content hash of everything that decides the records."""
        return sha256_hex(
            [self.n, self.seed, list(self.mix), self.anchors, self.stratified, self.grammar.hash, self.slots.hash]
        )

    @cached_property
    def levels(self) -> tuple[str, ...]:
        """Names of the level fields: values, creativity, health."""
        groups = ("value_dimensions", "creativity_dimensions", "health_dimensions")
        return tuple(name for group in groups for name in self.pack.groups[group])

    @cached_property
    def rules(self) -> tuple[Rule, ...]:
        """Rules that levels alone decide: they bind the draw."""
        known = {*self.levels, "academic_level"}
        return tuple(
            rule
            for rule in self.pack.rules
            if set(rule.fields) <= known
            and set(rule.fields) & set(self.levels)
            and (self.anchors or not rule.code.startswith("anchor_"))
        )

    def slot_codes(self, k: Indexes) -> dict[str, Coded]:
        """The slot of each student."""
        variables = self.slots.recipe.labels
        if self.stratified:
            columns = self.slots.columns(k, details=False)
            return {
                name: Coded(np.searchsorted(np.sort(labels), columns[name]), tuple(np.sort(labels).tolist()))
                for name, labels in variables.items()
            }
        draws = uniforms(derive_seed(self.seed, "slots"), k, 0, len(variables))
        shares = {m.vars[0]: np.array([m.shares[w] for w in variables[m.vars[0]]]) for m in self.slots.recipe.margins}
        return {
            name: Coded(pick(draws[:, lane], shares[name]), tuple(labels))
            for lane, (name, labels) in enumerate(variables.items())
        }

    def columns(self, k: Indexes, attempts: Indexes | int = 0) -> dict[str, Any]:
        """Whole records: lists, arrays and `Coded` columns by field name of the pack, and the slot as `target_…`."""
        structured, values, rows, attempt_of = self._blocks(k, attempts)
        for name in PARAGRAPHS:
            structured[name] = self._write(name, values, rows, attempt_of)
        return structured

    def texts(self, k: Indexes, attempts: Indexes | int = 0) -> list[str]:
        """What near-copies are judged by: the five paragraphs of each student, joined."""
        _, values, rows, attempt_of = self._blocks(k, attempts)
        parts = [self._write(name, values, rows, attempt_of).tolist() for name in PARAGRAPHS]
        return [" ".join(row) for row in zip(*parts, strict=True)]

    def fit(self, columns: Mapping[str, Any], *, unit: str) -> tuple[FitRow, ...]:
        """How many students each quota has, by the fields themselves (not by the slots they were drawn for)."""
        out: list[FitRow] = []
        n = 0
        for margin in self.slots.recipe.margins:
            (name,) = margin.vars
            column = columns[{"subject_cluster": "target_cluster"}.get(name, name)]
            words = column.texts().tolist() if isinstance(column, Coded) else [str(v) for v in column]
            counts, n = Counter(map(str, words)), len(words)
            quotas = self.slots.counts.quotas[margin.name]
            for label, quota in zip(self.slots.recipe.labels[name], quotas.tolist(), strict=True):
                share = margin.shares[label]
                out.append(
                    FitRow(unit=unit, margin=margin.name, cell=label, target_share=share, target_count=float(quota),
                           count=counts[label], hard=True)
                )  # fmt: skip
        del n
        return tuple(out)

    # How students are made -------------------------------------------------------------------------------------------

    def _blocks(self, k: Indexes, attempts: Indexes | int) -> tuple[dict[str, Any], dict[str, Any], Indexes, Indexes]:
        attempt_of = np.broadcast_to(np.asarray(attempts, dtype=np.int64), k.shape)
        slot = self.slot_codes(k)
        levels = self._levels(k, attempt_of, slot)
        out, values = self._structure(k, attempt_of, slot, levels)
        return out, values, k, attempt_of

    def _uniforms(self, what: str, k: Indexes, attempts: Indexes, lanes: int, turn: int = 0) -> Floats:
        key = derive_seed(self.seed, "student", what, turn)
        out = np.empty((len(k), lanes))
        for attempt in np.unique(attempts).tolist():
            rows = attempts == attempt
            out[rows] = uniforms(key, k[rows], attempt, lanes)
        return out

    @cached_property
    def _edges(self) -> Floats:
        """Cumulative shares of the levels by academic level and field, shape (4, fields, 5)."""
        score = np.arange(5, -1, -1) - 2.5
        tilt = np.array([1.5, 0.5, -0.5, -1.5]) * _TILT
        out = np.empty((4, len(self.levels), 6))
        for place, name in enumerate(self.levels):
            sign, base = (-1.0, _RISKY) if name in _RISKS else (1.0, _PLEASANT)
            weights = base[None, :] * np.exp(sign * tilt[:, None] * score[None, :])
            out[:, place] = np.cumsum(weights / weights.sum(axis=1, keepdims=True), axis=1)
        return out[:, :, :5]

    @cached_property
    def _words(self) -> tuple[str, ...]:
        return self.pack.vocab["level"].words

    def _levels(self, k: Indexes, attempts: Indexes, slot: Mapping[str, Coded]) -> NDArray[np.int64]:
        """Level codes (0 = best word), shape (rows, fields): drawn until no rule that binds them is broken."""
        academic = slot["academic_level"]
        order = np.array([self.pack.vocab["academic"].words.index(w) for w in academic.words])
        rank = order[academic.codes]
        codes = np.zeros((len(k), len(self.levels)), dtype=np.int64)
        owner_of = {rule.code: rule.owner for rule in self.rules}
        owners = {name: owner for owner, names in self.pack.owners.items() for name in names}
        parts = {
            owner: np.array([owners[name] == owner for name in self.levels])
            for owner in dict.fromkeys(owners[name] for name in self.levels)
        }
        open_ = {owner: np.arange(len(k), dtype=np.int64) for owner in parts}
        self.draws.rows += len(k)
        for turn in range(_TRIES):
            touched = np.unique(np.concatenate(list(open_.values())))
            if not len(touched):
                return codes
            fresh = self._uniforms("levels", k[touched], attempts[touched], len(self.levels), turn)
            drawn = (fresh[:, :, None] > self._edges[rank[touched]]).sum(axis=2)
            for owner, rows in open_.items():
                inside = np.isin(touched, rows, assume_unique=True)
                codes[np.ix_(touched[inside], np.flatnonzero(parts[owner]))] = drawn[inside][:, parts[owner]]
            columns = {name: Column(list(self._words), codes[touched, c]) for c, name in enumerate(self.levels)}
            columns["academic_level"] = Column(list(academic.words), academic.codes[touched])
            again: dict[str, NDArray[np.bool_]] = {o: np.zeros(len(touched), dtype=np.bool_) for o in parts}
            for rule in self.rules:
                broken = rule.mask(columns)
                count = int(broken.sum())
                if count:
                    self.draws.rejected[rule.code] += count
                    again[str(owner_of[rule.code])] |= broken
            open_ = {owner: touched[mask] for owner, mask in again.items()}
        raise InputError(
            f"levels of {sum(map(len, open_.values()))} students still break a rule after {_TRIES} draws.",
            hint="The rules leave nearly nothing: look at the counts of rejections.",
        )

    def _structure(
        self, k: Indexes, attempts: Indexes, slot: Mapping[str, Coded], levels: NDArray[np.int64]
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """(fields of the record, variables of the grammar)."""
        u = self._uniforms("enrolment", k, attempts, 20)
        grade = np.array([int(w) for w in slot["grade"].words])[slot["grade"].codes]
        age = grade + 5 + (u[:, 0] * _DAYS).astype(np.int64)
        female = np.array([w == "female" for w in slot["sex"].words])[slot["sex"].codes]
        name, handle = self._called(u[:, 1:5], female)
        strong, weak = self._subjects(u[:, 5:12], slot["subject_cluster"], grade)
        piaget = np.where(age < 12, "concrete operational", "formal operational").astype(object)
        erikson = np.where(age < 12, "industry vs inferiority", "identity vs role confusion").astype(object)
        kohlberg = np.select(
            [age <= 9, (age <= 11) & (u[:, 12] < 0.5), (age >= 15) & (u[:, 12] < 0.25)],
            ["pre-conventional", "pre-conventional", "post-conventional"],
            "conventional",
        ).astype(object)
        own = {field: Coded(levels[:, c], self._words) for c, field in enumerate(self.levels)}
        out: dict[str, Any] = {
            "k": k, "attempt": attempts.copy(), "name": name, "handle": handle, "age": age, "sex": slot["sex"],
            "grade": grade, "piaget": piaget, "erikson": erikson, "kohlberg": kohlberg, "strong_subjects": strong,
            "weak_subjects": weak, "academic_level": slot["academic_level"], **own, "target_grade": grade.copy(),
            "target_sex": slot["sex"], "target_cluster": slot["subject_cluster"],
            "target_level": slot["academic_level"],
        }  # fmt: skip
        creative = levels[:, [c for c, f in enumerate(self.levels) if f in SKILLS]]
        dims = np.array(list(SKILLS.values()), dtype=object)
        risks = levels[:, [self.levels.index(f) for f in _RISKS]]
        mean = np.asarray(creative.mean(axis=1), dtype=np.float64).reshape(-1)
        values: dict[str, Any] = {
            "name": np.array([n.split(" ", 1)[1] for n in name.tolist()], dtype=object),
            "age": age.astype(object), "grade": grade.astype(object), "sex": slot["sex"],
            "cluster": slot["subject_cluster"], "academic_level": slot["academic_level"], **own,
            "strong": _firsts(strong), "weak": _firsts(weak),
            "stage": Coded((age >= 11).astype(np.int64) + (age >= 15), ("child", "early", "late")),
            "sociability": Coded((u[:, 13] * 3).astype(np.int64), ("outgoing", "balanced", "reserved")),
            "creative_band": Coded(
                np.searchsorted(np.array([1.7, 2.8]), np.asarray(mean), side="left").astype(np.int64),
                ("rich", "mixed", "poor"),
            ),
            "risk_band": Coded(np.asarray((risks < 4).any(axis=1)).astype(np.int64), ("none", "some")),
            "peak": dims[_first_of(creative == creative.min(axis=1, keepdims=True), u[:, 14])],
            "dip": dims[_first_of(creative == creative.max(axis=1, keepdims=True), u[:, 15])],
        }  # fmt: skip
        return out, values

    def _called(self, u: Floats, female: NDArray[np.bool_]) -> tuple[NDArray[np.object_], NDArray[np.object_]]:
        """Invented names in pinyin, and handles with tone digits."""
        surname = np.array(_SURNAMES.split(), dtype=object)[(u[:, 0] * len(_SURNAMES.split())).astype(np.int64)]
        given: list[NDArray[np.object_]] = []
        for lane in (1, 2):
            tables = [np.array(_GIVEN[s].split(), dtype=object) for s in ("male", "female")]
            picks = [t[(u[:, lane] * len(t)).astype(np.int64)] for t in tables]
            given.append(np.where(female, picks[1], picks[0]))
        short = u[:, 3] < 0.25
        names, handles = np.empty(len(u), dtype=object), np.empty(len(u), dtype=object)
        rows = zip(surname.tolist(), given[0].tolist(), given[1].tolist(), short.tolist(), strict=True)
        for row, (family, first, second, brief) in enumerate(rows):
            call = first if brief else first + second
            handles[row] = f"{family}_{call}"
            names[row] = f"{family[:-1].capitalize()} {(first[:-1] + ('' if brief else second[:-1])).capitalize()}"
        return names, handles

    def _subjects(self, u: Floats, cluster: Coded, grade: Indexes) -> tuple[NDArray[np.object_], NDArray[np.object_]]:
        """One to three strong subjects of the cluster, one or two weak ones of two others."""
        size = len(cluster.words)
        upper = (grade >= 7).astype(np.int64)
        strong_sets = [[_triples(_SUBJECTS[word, band]) for word in cluster.words] for band in ("lower", "upper")]
        strong, weak = np.empty(len(u), dtype=object), np.empty(len(u), dtype=object)
        other = (cluster.codes + 1 + (u[:, 2] * (size - 1)).astype(np.int64)) % size
        third = (cluster.codes + 1 + (u[:, 3] * (size - 1)).astype(np.int64)) % size
        picks = (u[:, :2] * 24).astype(np.int64)
        lots = (u[:, 4] * 3).astype(np.int64) + 1
        plain = zip(
            upper.tolist(), cluster.codes.tolist(), other.tolist(), third.tolist(), picks[:, 0].tolist(),
            picks[:, 1].tolist(), lots.tolist(), (u[:, 5] < 0.5).tolist(), strict=True,
        )  # fmt: skip
        for row, (band, own, far, more, a, b, count, two) in enumerate(plain):
            strong[row] = strong_sets[band][own][a][:count]
            low = strong_sets[band][far][b][:1]
            weak[row] = (*low, strong_sets[band][more][a][0]) if two and more != far else low
        return strong, weak

    def _write(self, name: str, values: Mapping[str, Any], k: Indexes, attempts: Indexes) -> NDArray[np.object_]:
        out = np.empty(len(k), dtype=object)
        least, most = SOCIAL_CHARS if name == "social_relations" else (0, 0)
        for attempt in np.unique(attempts).tolist():
            rows = np.flatnonzero(attempts == attempt)
            own = values if len(rows) == len(k) else {
                n: c.take(rows) if isinstance(c, Coded) else c[rows] for n, c in values.items()
            }  # fmt: skip
            out[rows] = self.grammar.write(name, own, k[rows], seed=self.seed, attempt=attempt, least=least, most=most)
        return out


def record_rows(columns: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Records as plain mappings of fields, from columns."""
    plain: dict[str, list[Any]] = {}
    for name, column in columns.items():
        plain[name] = column.texts().tolist() if isinstance(column, Coded) else column.tolist()
    return [dict(zip(plain, row, strict=True)) for row in zip(*plain.values(), strict=True)]


def _triples(words: Sequence[str]) -> list[tuple[str, ...]]:
    """The 24 ordered triples of four words."""
    return [(a, b, c) for a in words for b in words for c in words if len({a, b, c}) == 3]


def _firsts(column: NDArray[np.object_]) -> NDArray[np.object_]:
    out = np.empty(len(column), dtype=object)
    out[:] = [words[0] for words in column.tolist()]
    return out


def _first_of(mask: NDArray[np.bool_], u: Floats) -> Indexes:
    """One of the places where each row of `mask` is true, drawn by `u`."""
    wanted = (u * mask.sum(axis=1)).astype(np.int64) + 1
    return np.argmax(mask.cumsum(axis=1) >= wanted[:, None], axis=1)
