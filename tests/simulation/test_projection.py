"""Projection law: complementary roles, order and content kept, nothing of the partner's leaks."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from personae.core import Conversation
from personae.simulation import OPENING, egocentric, project

lines = st.lists(st.tuples(st.sampled_from(["ana", "bo"]), st.text(max_size=40)), max_size=12)


def log_of(spoken: list[tuple[str, str]], names: tuple[str, ...] = ("ana", "bo")) -> Conversation:
    log = Conversation(key="k", participants=names)
    for speaker, text in spoken:
        log = log.append("utterance", speaker, text)
    return log


@given(lines)
@settings(deadline=None, max_examples=150)
def test_two_projections_are_complementary_and_keep_order_and_content(spoken: list[tuple[str, str]]) -> None:
    log = log_of(spoken)
    mine, theirs = egocentric(log, "ana"), egocentric(log, "bo")
    assert [h.text for h in mine] == [h.text for h in theirs] == [text for _, text in spoken]
    assert all({a.voice, b.voice} == {"self", "partner"} for a, b in zip(mine, theirs, strict=True))


@given(lines)
@settings(deadline=None, max_examples=150)
def test_projecting_changes_nothing_and_gives_the_same_again(spoken: list[tuple[str, str]]) -> None:
    log = log_of(spoken)
    before = log.digest
    assert project(log, "ana") == project(log, "ana")
    assert log.digest == before


@given(lines, st.lists(st.text(min_size=8, max_size=20, alphabet="ABCDEFGH"), min_size=1, max_size=3))
@settings(deadline=None, max_examples=100)
def test_private_events_never_reach_the_partner(spoken: list[tuple[str, str]], secrets: list[str]) -> None:
    log = log_of(spoken)
    for secret in secrets:
        log = log.append("utterance", "bo", secret, to=("bo",)).append("note", "bo", secret)
    for mode in ("ecp", "concat"):
        assert project(log, "ana", mode) == project(log_of(spoken), "ana", mode)
    assert all(any(secret in m.content for m in project(log, "bo")) for secret in secrets)


def test_neighbouring_events_of_one_role_are_one_message() -> None:
    log = log_of([("bo", "Hi."), ("bo", "You there?"), ("ana", "Yes."), ("bo", "Good.")])
    assert [(m.role, m.content) for m in project(log, "ana")] == [
        ("user", "Hi.\nYou there?"),
        ("assistant", "Yes."),
        ("user", "Good."),
    ]


def test_who_opens_is_told_so_and_the_log_does_not_change() -> None:
    log = log_of([])
    assert [(m.role, m.content) for m in project(log, "ana")] == [("user", OPENING)]
    spoken = log.append("utterance", "ana", "Hello.")
    assert [m.role for m in project(spoken, "ana")] == ["user", "assistant"]


def test_the_shared_transcript_differs_from_ecp_only_in_the_roles_of_the_first_speaker() -> None:
    log = log_of([("ana", "Hello."), ("bo", "Hi."), ("ana", "I am tired.")])
    assert project(log, "bo", "concat") == project(log, "bo", "ecp")
    ana = project(log, "ana", "concat")
    assert [(m.role, m.content) for m in ana] == [("user", "Hello."), ("assistant", "Hi."), ("user", "I am tired.")]


def test_with_three_speakers_partners_keep_their_names() -> None:
    log = log_of([("ana", "One."), ("bo", "Two."), ("cy", "Three.")], ("ana", "bo", "cy"))
    assert next(m.content for m in project(log, "cy")) == "ana: One.\nbo: Two."
    assert project(log, "cy")[-1].content == "Three."
