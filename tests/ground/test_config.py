"""Argument beats environment beats file beats default; bad values say where they stand."""

from __future__ import annotations

import pytest

from tessellar import config
from tessellar.errors import ConfigError


def write_settings(text: str) -> None:
    folder = config.config_folder()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / config.FILE_NAME).write_text(text)


def test_the_order_of_sources(monkeypatch):
    assert config.load().connections == 8
    write_settings('connections = 3\narchive = "http://127.0.0.1:1"\n')
    assert config.load().connections == 3
    monkeypatch.setenv("TESSELLAR_CONNECTIONS", "2")
    assert config.load().connections == 2
    assert config.load(connections=1).connections == 1
    assert config.load(connections=None).connections == 2
    assert config.load().archive == "http://127.0.0.1:1"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("conections = 3", "conections"),
        ('connections = "many"', "connections"),
        ("connections = true", "connections"),
        ("connections = 0", "at least 1"),
        ("connections = 2.5", "whole number"),
        ("idle_timeout = -1", "idle_timeout"),
        ("= 3", "TOML"),
    ],
)
def test_bad_files_say_what_and_where(text, told):
    write_settings(text)
    with pytest.raises(ConfigError, match=told):
        config.load()


def test_a_bad_variable_is_named(monkeypatch):
    monkeypatch.setenv("TESSELLAR_PAGE_SIZE", "x")
    with pytest.raises(ConfigError, match="TESSELLAR_PAGE_SIZE"):
        config.load()
