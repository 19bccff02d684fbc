"""Chat templates of unknown families: the program inside the file is run, and contents never pass through it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personae.core import InputError, ModelError
from personae.models import GenerateRequest, Message
from personae.models._jinja import JinjaTemplate, pick_template
from personae.models._prompt import CHATML, GEMMA, LLAMA3, PLAIN, Content, Control
from personae.models._shown import PromptForm

SYSTEM, USER, SAID, AGAIN = (
    Message("system", "Be kind."),
    Message("user", "Hi"),
    Message("assistant", "Yes?"),
    Message("user", "Go on"),
)
CHAT = (SYSTEM, USER, SAID, AGAIN)

SMOL = (
    "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}"
    "{{ '<|im_start|>system\nYou are Tiny<|im_end|>\n' }}{% endif %}"
    "{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
LLAMA = (
    "{{ bos_token }}{% for message in messages %}"
    "{{ '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n' + message['content'] | trim + '<|eot_id|>' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"
)
MISTRAL = """{%- if messages[0]['role'] == 'system' %}{{ raise_exception('no system role here') }}{% endif -%}
{{ bos_token }}{% for message in messages %}
{%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('roles must alternate') }}{% endif %}
{%- if message['role'] == 'user' %}[INST] {{ message['content'] | trim }} [/INST]
{%- else %} {{ message['content'] }}{{ eos_token }}{% endif %}{% endfor %}"""
ZEPHYR = """{% for message in messages %}{% if message['role'] == 'user' %}
{{ '<|user|>\n' + message['content'] + eos_token }}
{% elif message['role'] == 'system' %}
{{ '<|system|>\n' + message['content'] + eos_token }}
{% elif message['role'] == 'assistant' %}
{{ '<|assistant|>\n'  + message['content'] + eos_token }}
{% endif %}{% if loop.last and add_generation_prompt %}
{{ '<|assistant|>' }}
{% endif %}{% endfor %}"""
DEFAULTING = """{% if messages[0]['role'] == 'system' %}
{% set s = messages[0]['content'] %}{% set rest = messages[1:] %}
{% else %}
{% set s = 'You are Robo.' %}{% set rest = messages %}
{% endif %}
{{ '#S ' + s + '\n' }}{% for m in rest %}
{{ ('#U ' if m['role'] == 'user' else '#A ') + m['content'] + '\n' }}
{%- endfor %}
{{ '#A' }}"""
DROPPING = "{% for m in messages if m['role'] != 'system' %}{{ '<' + m['role'] + '>' + m['content'] }}{% endfor %}<bot>"

PROGRAMS = {"mistral": MISTRAL, "zephyr": ZEPHYR, "defaulting": DEFAULTING, "dropping": DROPPING}


def spelled(template, messages, **options) -> str:
    return "".join(s.text for s in template.render(messages, **options))


@pytest.fixture(params=PROGRAMS)
def own(request) -> JinjaTemplate:
    template = pick_template(PROGRAMS[request.param], bos="<s>", eos="</s>")
    assert isinstance(template, JinjaTemplate)
    return template


def test_known_families_are_used_where_the_file_agrees_with_them() -> None:
    found = pick_template(SMOL)
    assert found.name == "chatml"
    assert found.default_system == "You are Tiny"
    assert pick_template(LLAMA, bos="<|begin_of_text|>") == LLAMA3
    assert pick_template(None, start="<s>").start == "<s>"
    assert pick_template(None).name == PLAIN.name


@pytest.mark.parametrize(
    ("source", "bos"),
    [
        (SMOL.replace("'<|im_end|>' + '\n'", "'<|im_end|>'"), ""),  # ChatML without line ends
        (LLAMA, "<s>"),  # begins with another token
        (SMOL.replace("<|im_start|>assistant\n", "<|im_start|>assistant\n<think>\n\n</think>\n\n"), ""),
    ],
)
def test_a_file_that_only_looks_like_a_family_is_taken_at_its_word(source: str, bos: str) -> None:
    found = pick_template(source, bos=bos)
    assert isinstance(found, JinjaTemplate)
    assert spelled(found, CHAT) == found.spell(CHAT)


def test_a_program_writes_what_it_would_have_written(own: JinjaTemplate) -> None:
    for chat in ((USER,), (USER, SAID, AGAIN)):
        assert spelled(own, chat, system_default=True) == own.spell(chat)
    if own.has_system:
        assert spelled(own, CHAT) == own.spell(CHAT)
    assert spelled(own, (USER,), prefill="Well", system_default=True).endswith("Well")


def test_without_a_system_role_the_first_user_carries_the_system_text() -> None:
    for source in (MISTRAL, DROPPING):
        template = pick_template(source, bos="<s>", eos="</s>")
        assert not template.has_system
        joined = Message("user", f"{SYSTEM.content}\n\n{USER.content}")
        assert spelled(template, CHAT) == spelled(template, (joined, SAID, AGAIN))
        assert spelled(template, (Message("system", ""), USER)) == spelled(template, (USER,))
        assert spelled(template, (SYSTEM,)) == spelled(template, (Message("user", SYSTEM.content),))


def test_a_default_system_text_is_found_and_left_out_where_nobody_asked_for_it() -> None:
    template = pick_template(DEFAULTING)
    assert template.default_system == "You are Robo."
    assert spelled(template, (USER,), system_default=True) == "#S You are Robo.\n#U Hi\n#A"
    assert spelled(template, (USER,)) == "#S \n#U Hi\n#A"
    assert spelled(template, (SYSTEM, USER)) == "#S Be kind.\n#U Hi\n#A"
    assert pick_template(ZEPHYR, eos="</s>").default_system is None


def test_contents_are_trimmed_only_where_the_program_trims() -> None:
    mistral, zephyr = (pick_template(s, bos="<s>", eos="</s>") for s in (MISTRAL, ZEPHYR))
    wide = (Message("user", "  Hi \n"),)
    assert spelled(mistral, wide) == "<s>[INST] Hi [/INST]"
    assert "  Hi \n</s>" in spelled(zephyr, wide)


HOSTILE = st.text(
    alphabet=st.sampled_from(list("{}%[]INST/<>|su \n'\"\\ab\ue000\ue0010")) | st.characters(codec="utf-8"), max_size=30
)


@given(st.sampled_from(sorted(PROGRAMS)), HOSTILE, HOSTILE)
@settings(max_examples=150, deadline=None)
def test_contents_stay_contents(name: str, one: str, two: str) -> None:
    """Law: control text never depends on what was said, and every content is there whole."""
    template = pick_template(PROGRAMS[name], bos="<s>", eos="</s>")

    def parts(a: str, b: str):
        chat = (Message("user", a), Message("assistant", b), Message("user", "end"))
        segments = [s for group in template.turns(chat) for s in group]
        return (
            [s.text for s in segments if isinstance(s, Control)],
            [s.text for s in segments if isinstance(s, Content)],
        )

    control, content = parts(one, two)
    assert control == parts("x", "y")[0]
    expected = [t for t in (one, two, "end") if t]
    stripped = [t for t in (one.strip(), two.strip(), "end") if t]
    assert content in (expected, stripped)


def test_what_the_program_refuses_is_a_clear_error() -> None:
    mistral = pick_template(MISTRAL, bos="<s>", eos="</s>")
    with pytest.raises(ModelError, match=r"refuses the roles user, user: roles must alternate"):
        mistral.turns((USER, AGAIN))
    silent = JinjaTemplate("{% for m in messages if m['role'] == 'user' %}<u>{{ m['content'] }}{% endfor %}<a>")
    with pytest.raises(ModelError, match=r"leaves out a message of the assistant: 'Yes\?'"):
        silent.turns((USER, SAID, AGAIN))


@pytest.mark.parametrize(
    "source",
    [
        "[INST] {{ messages }} [/INST]",
        "{% for m in messages %}",
        "{{ messages.__class__.__mro__[1].__subclasses__() }}",
        "{{ ''.join(messages) }}",
        "no message at all",
    ],
)
def test_what_cannot_be_run_or_shows_no_message_is_refused(source: str) -> None:
    with pytest.raises(InputError, match="belongs to no family that is known"):
        pick_template(source)


def test_dates_do_not_change_a_prompt() -> None:
    template = pick_template("{{ strftime_now('%d %b %Y') }} {% for m in messages %}|{{ m['content'] }}{% endfor %}")
    assert spelled(template, (USER,)) == "01 Jan 2025 |Hi"


def test_groups_end_with_their_content_and_a_form_reads_back(own: JinjaTemplate) -> None:
    groups = own.turns((USER, SAID, AGAIN))
    assert [g[-1].text for g in groups[-4:-1]] == ["Hi", "Yes?", "Go on"]
    longer = own.turns((USER, SAID, AGAIN, Message("assistant", "Done"), Message("user", "!")))
    assert longer[: len(groups) - 1] == groups[:-1]
    form = PromptForm("tokens", own)
    again = PromptForm.from_json(form.to_json())
    assert again == form
    assert again.show(GenerateRequest((USER,))) == form.show(GenerateRequest((USER,)))
    for family in (CHATML, LLAMA3, GEMMA):
        known = PromptForm("tokens", family)
        assert PromptForm.from_json(known.to_json()) == known
    assert own.digest != JinjaTemplate(own.source, "<other>", own.eos).digest
