"""The conformance kit passes a sound provider, and fails each that is broken on purpose by the rule that it breaks."""

from __future__ import annotations

import re
import textwrap
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any

import ccp_anthropic_compat
import ccp_openai_compat
import pytest

from ccp_core.testing.conformance import ProviderConformance, overrides

pytest_plugins = ["pytester"]
assert {ccp_anthropic_compat, ccp_openai_compat}  # loaded here, they need not be loaded anew in every run

PLUGIN = """
import os
from attrs import evolve
from ccp_core.hookspecs import hookimpl
from ccp_core.errors import Verdict, VerdictKind
from ccp_core.protocol.events import *
from ccp_core.provider import ModelCard, ProviderSpec, UpstreamRequest

SPEC = ProviderSpec(
    id="acme",
    name="Acme",
    base_url="https://api.acme.test/v1",
    transports=("openai",),
    env_prefixes=("ACME",),
)

@hookimpl
def ccp_register_providers(register):
    register(SPEC)
"""
TEST_FILE = """
from importlib.metadata import EntryPoint
from ccp_core.testing.conformance import ProviderConformance

class TestAcme(ProviderConformance):
    provider_id = "acme"

    @classmethod
    def entry_points(cls):
        return [EntryPoint("acme", "acme_plugin", "ccp")]
"""
README = "Set ACME_API_KEY (and ACME_BASE_URL), and name models as acme/model.\n"

FIXTURES = {
    "text.sse": """\
        :# stop_reason: end_turn
        :# text: Hi
        :# output_tokens: 2

        data: {"choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":null}]}

        data: {"choices":[{"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":5,"completion_tokens":2}}

        data: [DONE]

        """,
    "error_in_stream.sse": """\
        :# verdict: overloaded

        data: {"error":{"message":"The engine is overloaded","type":"overloaded_error"}}

        """,
    "error_429_billing_quota.json": """\
        {
            "status": 429,
            "retry": false,
            "rotate_key": true,
            "body": {"error": {"message": "You exceeded your current quota", "type": "insufficient_quota"}}
        }
        """,
    "models.json": """\
        {"models": {"m-1": {"context_window": 32768}}, "body": {"data": [{"id": "m-1", "context_length": 32768}]}}
        """,
}

Run = Callable[..., dict[str, str]]


@pytest.fixture
def run_kit(pytester: pytest.Pytester) -> Run:
    """Run the kit for a plugin with further source; the rules that failed, with what was said."""

    def run(
        hooks: str = "",
        *,
        plugin: str = PLUGIN,
        test_file: str = TEST_FILE,
        readme: str = README,
        fixtures: Mapping[str, str] = {},
        rule: str = "",
    ) -> dict[str, str]:
        pytester.makepyfile(acme_plugin=plugin + textwrap.dedent(hooks), test_acme=test_file)
        pytester.path.joinpath("README.md").write_text(readme, encoding="utf-8")
        for name, text in fixtures.items():
            path = pytester.path / "fixtures" / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(textwrap.dedent(text), encoding="utf-8")
        pytester.syspathinsert()
        options = ("-o", "asyncio_default_fixture_loop_scope=function", "--tb=short", "-q", "-k", rule)
        without = [word for name in ("cacheprovider", "hypothesispytest") for word in ("-p", f"no:{name}")]
        result = pytester.inline_run(*options, *without)
        passed, skipped, failed = result.listoutcomes()
        assert passed or failed, "no test ran"
        assert not skipped
        said: dict[str, str] = defaultdict(str)
        for report in failed:
            said[re.split(r"\W", report.nodeid.split("::")[-1])[0]] += str(report.longrepr)
        return dict(said)

    return run


def test_a_sound_provider_passes(run_kit: Run) -> None:
    """A provider that is nothing but its description needs no more than the transport library to pass."""
    assert run_kit(fixtures=FIXTURES) == {}


def test_a_sound_provider_passes_over_both_transports(run_kit: Run) -> None:
    """Every transport that a provider names is tested."""
    both = PLUGIN.replace('transports=("openai",)', 'transports=("anthropic", "openai")')
    assert run_kit(plugin=both, readme=README + "ACME_TRANSPORT") == {}


def broken(rule: str, words: str, hooks: str = "", **changes: Any) -> Any:
    return pytest.param(rule, words, hooks, changes, id=f"{rule.removeprefix('test_')}-{words}")


WRAPPER = "@hookimpl(wrapper=True)\ndef "

BROKEN = [
    broken("test_it_registers_once_under_its_id", "acme2", plugin=PLUGIN.replace('id="acme"', 'id="acme2"')),
    broken(
        "test_it_registers_once_under_its_id",
        "already registered",
        plugin=PLUGIN.replace("register(SPEC)", "register(SPEC); register(SPEC)"),
    ),
    broken(
        "test_it_registers_once_under_its_id",
        "'acme', 'acme3'",
        plugin=PLUGIN.replace("register(SPEC)", "register(SPEC); register(evolve(SPEC, id='acme3'))"),
    ),
    broken(
        "test_it_registers_once_under_its_id",
        "0 installed distributions",
        test_file=TEST_FILE.replace('[EntryPoint("acme", "acme_plugin", "ccp")]', "[]"),
    ),
    broken("test_it_registers_once_under_its_id", "nothing_of_this_name", "import nothing_of_this_name"),
    broken(
        "test_it_registers_once_under_its_id", "ccp_bild_request", "@hookimpl\ndef ccp_bild_request(): pass"
    ),
    broken("test_its_description_is_sound", "ends with /", plugin=PLUGIN.replace("/v1", "/v1/")),
    broken("test_its_description_is_sound", "env_prefixes", plugin=PLUGIN.replace('("ACME",)', "('acme',)")),
    broken(
        "test_every_transport_has_its_library",
        "grpc",
        plugin=PLUGIN.replace('("openai",)', '("openai", "grpc")'),
        readme=README + "ACME_TRANSPORT",
    ),
    broken("test_the_readme_names_its_variables", "ACME_API_KEY", readme="acme/model ACME_BASE_URL"),
    broken(
        "test_a_request_is_json_for_the_routes_model",
        "the core reads streams",
        WRAPPER + "ccp_build_request():\n    built = yield\n    del built.body['stream']\n    return built",
    ),
    broken(
        "test_building_a_request_is_pure",
        "the client's request was changed",
        "@hookimpl\ndef ccp_build_request(request):\n    request.body['messages'][0]['role'] = 'User'",
    ),
    broken(
        "test_building_a_request_is_pure",
        "differs",
        WRAPPER
        + "ccp_build_request():\n    built = yield\n    built.body['seed'] = id(built)\n    return built",
    ),
    broken(
        "test_what_requests_share_is_left_alone",
        "another provider's request",
        WRAPPER + "ccp_build_request():\n    built = yield\n"
        "    for tool in built.body.get('tools') or ():\n        tool['function']['strict'] = True\n"
        "    return built",
    ),
    broken(
        "test_no_secret_is_in_a_request",
        "the core's business",
        WRAPPER + "ccp_build_request():\n    built = yield\n"
        "    return evolve(built, headers={'Authorization': 'Bearer x'})",
    ),
    broken(
        "test_no_secret_is_in_a_request",
        "kit-secret",
        WRAPPER + "ccp_build_request():\n    built = yield\n"
        "    built.body['user'] = os.environ.get('ACME_API_KEY')\n    return built",
    ),
    broken(
        "test_no_secret_is_in_a_request",
        "kit-secret",
        WRAPPER + "ccp_build_request(provider):\n    built = yield\n"
        "    return evolve(built, notes=(provider.base_url,))",
    ),
    broken(
        "test_the_conversation_reaches_the_upstream",
        "SECOND-RESULT",
        WRAPPER + "ccp_build_request():\n    built = yield\n"
        "    seen = [m for m in built.body['messages'] if m['role'] == 'tool'][1:]\n"
        "    built.body['messages'] = [m for m in built.body['messages'] if m not in seen]\n    return built",
    ),
    broken(
        "test_tools_reach_the_upstream",
        "Write",
        WRAPPER + "ccp_build_request():\n    built = yield\n"
        "    built.body['tools'] = (built.body.get('tools') or [])[:1]\n    return built",
    ),
    broken(
        "test_unknown_members_of_the_clients_request_are_harmless",
        "KeyError",
        "@hookimpl\ndef ccp_build_request(request):\n    for message in request.messages:\n"
        "        for block in message['content'] if isinstance(message['content'], list) else ():\n"
        "            {'text': 1, 'thinking': 2, 'tool_use': 3, 'tool_result': 4}[block['type']]",
    ),
    broken(
        "test_unknown_members_of_the_clients_request_are_harmless",
        "refuses what it does not know",
        WRAPPER + "ccp_build_request(request):\n    built = yield\n"
        "    return evolve(built, body={**request.body, **built.body})",
    ),
    broken(
        "test_each_request_of_a_session_begins_like_the_one_before",
        "turn 1 changed messages",
        WRAPPER + "ccp_build_request():\n    built = yield\n"
        "    count = {'role': 'system', 'content': str(len(built.body['messages']))}\n"
        "    built.body['messages'] = [count, *built.body['messages']]\n    return built",
    ),
    broken(
        "test_thinking_that_is_off_is_not_asked_for",
        "reasoning_effort: high",
        WRAPPER + "ccp_build_request():\n    built = yield\n"
        "    built.body['reasoning_effort'] = 'high'\n    return built",
    ),
    broken(
        "test_an_answer_reaches_the_client_whole",
        "text is 'Hi!'",
        WRAPPER + "ccp_translate_chunk():\n    events = yield\n"
        "    return [TextDelta(e.index, e.text + '!') if type(e) is TextDelta else e for e in events]",
    ),
    broken(
        "test_an_answer_reaches_the_client_whole",
        "say in the fixture",
        fixtures={"text.sse": FIXTURES["text.sse"].replace(":# stop_reason: end_turn\n", "")},
    ),
    broken(
        "test_an_answer_is_the_same_at_every_byte_split",
        "another answer",
        "@hookimpl\ndef ccp_translate_chunk(chunk):\n"
        "    if len(chunk) == 1 and b'content' not in chunk[0].data: return [TextDelta(7, '.')]",
    ),
    broken(
        "test_a_cut_answer_never_counts_as_whole",
        "ends as an answer when cut",
        WRAPPER + "ccp_finish_stream():\n    events = yield\n    return [*(events or ()), MessageStop()]",
    ),
    broken(
        "test_a_cut_answer_never_counts_as_whole",
        "half a call when cut",
        WRAPPER
        + "ccp_finish_stream():\n    events = yield\n    return events or [BlockStop(n) for n in range(9)]",
    ),
    broken(
        "test_translating_is_pure",
        "",
        "SEEN = []\n@hookimpl\ndef ccp_open_stream():\n    SEEN.clear()\n"
        "@hookimpl\ndef ccp_translate_chunk(chunk):\n    if chunk[0] in SEEN: return ()\n    SEEN.extend(chunk)",
    ),
    broken(
        "test_tool_arguments_arrive_whole",
        "lacks {'file_path'}",
        WRAPPER + "ccp_translate_chunk():\n    events = yield\n"
        "    return [e for e in events if type(e) is not InputJSONDelta]",
    ),
    broken(
        "test_tool_arguments_arrive_whole",
        "'limit': 21",
        WRAPPER + "ccp_translate_chunk():\n    events = yield\n"
        "    return [InputJSONDelta(e.index, e.partial_json.replace('20', '21'))"
        " if type(e) is InputJSONDelta else e for e in events]",
    ),
    broken(
        "test_counts_are_integers",
        "output_tokens",
        WRAPPER + "ccp_translate_chunk():\n    events = yield\n"
        "    return [evolve(e, usage=evolve(e.usage, output_tokens=2.5))"
        " if type(e) is MessageDelta else e for e in events]",
    ),
    broken(
        "test_thinking_that_is_off_is_not_shown",
        "thinking became text",
        WRAPPER
        + "ccp_translate_chunk(stream):\n    events = yield\n    if stream.options.thinking: return events\n"
        "    return [TextDelta(e.index, e.thinking) if type(e) is ThinkingDelta else e for e in events]",
    ),
    broken(
        "test_a_whole_answer_in_one_piece_is_understood",
        "taken for a cut one",
        "@hookimpl\ndef ccp_translate_chunk(chunk):\n    if b'chat.completion\"' in chunk[0].data: return ()",
    ),
    broken(
        "test_a_model_list_is_read",
        "no vendor/test-model",
        "@hookimpl\ndef ccp_list_models(payload):\n    return []",
    ),
    broken(
        "test_a_model_list_is_read",
        "context_window of m-1",
        fixtures={"models.json": FIXTURES["models.json"].replace("32768}}", "65536}}")},
    ),
    broken(
        "test_a_model_list_that_is_none_is_harmless",
        "ccp_list_models",
        "@hookimpl\ndef ccp_list_models(payload):\n    return [ModelCard(id=m['id']) for m in payload['data']]",
    ),
    broken(
        "test_a_failure_gets_a_sensible_verdict",
        "401",
        "@hookimpl\ndef ccp_classify_error(failure):\n"
        "    if failure.status == 401: return Verdict(kind=VerdictKind.SERVER_ERROR, retry=True)",
    ),
    broken(
        "test_a_failure_gets_a_sensible_verdict",
        "retry must be True",
        "@hookimpl\ndef ccp_classify_error(failure):\n"
        "    if failure.status == 503: return Verdict(kind=VerdictKind.OVERLOADED)",
    ),
    broken(
        "test_a_failure_gets_a_sensible_verdict",
        "ccp_classify_error",
        "@hookimpl\ndef ccp_classify_error(failure):\n    failure.payload['error']",
    ),
    broken(
        "test_a_failure_gets_a_sensible_verdict",
        "a str is no Verdict",
        "@hookimpl\ndef ccp_classify_error(failure):\n    return 'retry'",
    ),
    broken(
        "test_a_failure_gets_a_sensible_verdict",
        "billing is none of",
        fixtures={
            "error_429_rate_limit.json": FIXTURES["error_429_billing_quota.json"],
        },
    ),
    broken(
        "test_a_failure_gets_a_sensible_verdict",
        "say in the fixture",
        fixtures={"error_429_odd.json": FIXTURES["error_429_billing_quota.json"]},
    ),
    broken(
        "test_a_failure_gets_a_sensible_verdict",
        "nobody noticed",
        "@hookimpl\ndef ccp_translate_chunk(chunk):\n    if b'error' in chunk[0].data: return ()",
        fixtures={"error_in_stream.sse": FIXTURES["error_in_stream.sse"]},
    ),
    broken(
        "test_judging_a_failure_is_pure",
        "the request was changed",
        "@hookimpl\ndef ccp_classify_error(failure):\n    failure.request.body.pop('tools', None)",
    ),
]


@pytest.mark.parametrize(("rule", "words", "hooks", "changes"), BROKEN)
def test_a_broken_provider_fails_by_the_rule_that_it_breaks(
    run_kit: Run, rule: str, words: str, hooks: str, changes: dict[str, Any]
) -> None:
    """The failing test is the rule's own, and what it says names the fault."""
    failed = run_kit(hooks, rule=rule, **({"fixtures": {"text.sse": FIXTURES["text.sse"]}} | changes))
    assert list(failed) == [rule]
    assert words in failed[rule]


def test_every_rule_has_a_provider_that_breaks_it() -> None:
    """A rule that no provider can break would prove nothing."""
    rules = {name for name in dir(ProviderConformance) if name.startswith("test_")}
    assert rules == {case.values[0] for case in BROKEN}


def test_a_test_is_not_overridden_without_a_reason() -> None:
    """Replacing or disabling an inherited test fails at once, and says how it is done properly."""
    with pytest.raises(TypeError, match=r'@overrides\("why"\)'):

        class TestAcme(ProviderConformance):
            test_counts_are_integers = None  # type: ignore[assignment]


def test_an_override_with_a_reason_replaces_the_test(run_kit: Run) -> None:
    """What the provider's own test says is then what counts."""
    own = TEST_FILE + (
        '    @overrides("its tools are declared in the system prompt")\n'
        "    def test_tools_reach_the_upstream(self, transport, model):\n"
        "        assert self.build(TURN, transport=transport).body['tools'], 'my own'\n"
    )
    own = own.replace("import ProviderConformance", "import ProviderConformance, TURN, overrides")
    failed = run_kit(test_file=own, rule="tools_reach")
    assert list(failed) == ["test_tools_reach_the_upstream"]
    assert "KeyError" in failed["test_tools_reach_the_upstream"]


def test_a_reason_is_a_sentence() -> None:
    """An empty reason is none."""
    with pytest.raises(ValueError, match="why"):
        overrides("flaky")
