import inspect

import pytest

import personae.core as core
from personae.core import EndpointError, MissingDependencyError, PersonaeError, UnknownKeyError
from personae.core import _errors as home

TREE = [c for _, c in inspect.getmembers(home, inspect.isclass) if issubclass(c, PersonaeError)]


def test_every_error_is_exported_and_drawn_in_the_tree():
    for error in TREE:
        assert getattr(core, error.__name__) is error
        assert error.__name__ in home.__doc__


def test_codes_are_unique_and_exit_codes_are_inherited():
    assert len({e.code for e in TREE}) == len(TREE)
    for error in TREE:
        assert 1 <= error.exit_code <= 6
        parent = error.__bases__[0]
        if issubclass(parent, PersonaeError) and parent is not PersonaeError:
            assert error.exit_code == parent.exit_code


def test_the_message_ends_in_the_hint():
    assert str(PersonaeError("It broke.", hint="Mend it.")) == "It broke. Mend it."
    assert str(PersonaeError("It broke.")) == "It broke."


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (UnknownKeyError.of("agee", ["age", "sex"], where="x.yaml"), "x.yaml: unknown key 'agee'. Did you mean 'age'?"),
        (UnknownKeyError.of("zzz", ["age", "sex"], where="x"), "x: unknown key 'zzz'. Known keys: age, sex."),
        (MissingDependencyError.of("torch", "torch"), "'torch' is not installed. Run: pip install 'personae[torch]'"),
    ],
)
def test_messages_say_what_to_do(error, text):
    assert str(error) == text


def test_endpoint_errors_say_whether_to_try_again():
    error = EndpointError("down", transient=True, retry_after=2.0)
    assert error.transient
    assert error.retry_after == 2.0
    assert not EndpointError("no").transient
