"""The switches of the local answers."""

import pytest
from attrs import evolve, fields

from ccp_core.config.settings import LocalAnswerSettings, Settings

SCHEMA = {"type": "object", "properties": {"title": {"type": "string"}}}


def said(text):
    return [{"role": "user", "content": text}]


PROBES = {
    "quota": {"max_tokens": 1, "messages": said("quota")},
    "prefix": {"system": "<policy_spec></policy_spec>", "messages": said("Command: ls")},
    "title": {"output_config": {"format": {"schema": SCHEMA}}, "messages": said("<session>a</session>")},
    "suggestion": {"messages": said("[SUGGESTION MODE: x]")},
    "filepaths": {"system": "Extract any file paths.", "messages": said("Command: cat a\nOutput: b")},
}


def test_there_is_a_probe_for_each_switch():
    assert set(PROBES) == {field.name for field in fields(LocalAnswerSettings)}


@pytest.mark.parametrize("name", PROBES)
def test_a_probe_is_counted_under_the_name_of_its_switch(ask, name):
    answered_as, _ = ask(PROBES[name])
    assert answered_as == name


@pytest.mark.parametrize("name", PROBES)
def test_a_switch_turns_off_its_own_probe_only(ask, name):
    settings = Settings(local_answers=evolve(LocalAnswerSettings(), **{name: False}))
    assert ask(PROBES[name], settings) is None
    for other in PROBES.keys() - {name}:
        assert ask(PROBES[other], settings) is not None


def classifier(**changes):
    """The auto mode's safety classifier: a transcript in pieces, with and without stop sequences."""
    pieces = ["<transcript>\n", "User: <policy_spec></policy_spec>\nCommand: ls quota\n", "</transcript>\n"]
    content = [{"type": "text", "text": piece} for piece in pieces]
    return {
        "max_tokens": 64,
        "system": "file paths",
        "messages": [{"role": "user", "content": content}],
        **changes,
    }


@pytest.mark.parametrize(
    "body",
    [
        classifier(stop_sequences=["</block>"]),
        classifier(stop_sequences=["</severity>"]),
        classifier(max_tokens=256),
        {"messages": said("Web page content:\n---\nquota\n---\nSummarise the page.")},
        {"messages": said("CRITICAL: Respond with TEXT ONLY. Do NOT call any tools.")},
        {"messages": said("<system-reminder>This is a side question.</system-reminder>")},
    ],
)
def test_what_decides_something_always_goes_upstream(ask, body):
    assert ask(body) is None
