"""The tree that users catch by."""

from __future__ import annotations

import inspect

from tessellar import errors


def test_everything_can_be_caught_as_one():
    classes = [value for _, value in inspect.getmembers(errors, inspect.isclass) if value.__module__ == errors.__name__]
    assert all(issubclass(each, errors.TessellarError) for each in classes)
    assert {each.__name__ for each in classes if each.retryable} == {
        "Unavailable", "TimedOut", "RateLimited", "Interrupted", "IntegrityError",
    }  # fmt: skip


def test_python_s_own_kinds_are_kept():
    assert issubclass(errors.InputError, ValueError)
    assert issubclass(errors.MissingInput, FileNotFoundError)
    assert not issubclass(errors.Unrecognised, errors.Corrupt)


def test_the_drawing_in_the_docstring_names_every_class():
    classes = [value for _, value in inspect.getmembers(errors, inspect.isclass) if value.__module__ == errors.__name__]
    assert all(each.__name__ in errors.__doc__ for each in classes)
