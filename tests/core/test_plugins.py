"""Plugins: found, checked, confined to their lanes; a broken one never stops the rest."""

from importlib.metadata import EntryPoint
from types import SimpleNamespace

import pytest

from ccp_core import (
    BuildOptions,
    MessagesRequest,
    ProviderSpec,
    Route,
    UpstreamRequest,
    Verdict,
    VerdictKind,
    hookimpl,
)
from ccp_core.errors import UpstreamFailure
from ccp_core.hook_failures import HookFailed
from ccp_core.host import PluginError, PluginHost
from ccp_core.provider import Provider

REQUEST = MessagesRequest({"model": "m", "messages": [{"role": "user", "content": "hi"}]})


def spec(provider_id="alpha", **changes):
    values = {
        "id": provider_id,
        "name": provider_id.title(),
        "base_url": "http://127.0.0.1:1/v1",
        "transports": ("openai",),
        "env_prefixes": (provider_id.upper(),),
    }
    return ProviderSpec(**(values | changes))


class Base:
    """A transport base."""

    @hookimpl(trylast=True)
    def ccp_build_request(self, provider, request, route, options):
        return UpstreamRequest(path="/base", body={})


class ProviderPlugin:
    """A provider; keywords become its hooks."""

    def __init__(self, provider_id="alpha"):
        self.provider_id = provider_id

    @hookimpl
    def ccp_register_providers(self, register):
        register(spec(self.provider_id))


class OwnBuild(ProviderPlugin):
    @hookimpl
    def ccp_build_request(self, provider, request, route, options):
        return UpstreamRequest(path=f"/own/{provider.id}", body={})


class Middleware:
    @hookimpl(wrapper=True)
    def ccp_build_request(self, provider, request, route, options):
        built = yield
        return UpstreamRequest(path=built.path + "+middleware", body=built.body)


class Misspelt:
    @hookimpl
    def ccp_bild_request(self, provider):
        return None


class Raises(ProviderPlugin):
    @hookimpl
    def ccp_build_request(self, provider, request, route, options):
        raise KeyError("secret-thing")


def host_with(*plugins):
    host = PluginHost()
    host.transports["openai"] = Base()
    for number, plugin in enumerate(plugins):
        host.add(plugin, name=f"p{number}", distribution=f"dist-{number}")
    return host


def lane(host, provider_id="alpha"):
    provider = Provider(spec=host.providers[provider_id], base_url="http://127.0.0.1:1", transport="openai")
    return host.lane(provider, [])


def path_built(lane):
    route = Route(provider_id="alpha", model="m")
    return lane.build_request(REQUEST, route, BuildOptions()).path


def test_the_transport_base_answers_when_the_provider_declines():
    assert path_built(lane(host_with(ProviderPlugin()))) == "/base"


def test_a_providers_own_hook_comes_before_the_transport_base():
    assert path_built(lane(host_with(OwnBuild()))) == "/own/alpha"


def test_middleware_joins_every_lane_and_wraps_its_answers():
    assert path_built(lane(host_with(ProviderPlugin(), Middleware()))) == "/base+middleware"


def test_a_provider_never_sees_another_providers_traffic():
    host = host_with(OwnBuild("alpha"), ProviderPlugin("beta"))
    assert path_built(lane(host, "beta")) == "/base"


def test_a_misspelt_hook_is_refused_with_its_name():
    with pytest.raises(Exception, match="ccp_bild_request"):
        host_with(Misspelt())


def test_a_second_plugin_for_a_provider_id_is_refused_and_names_the_first():
    with pytest.raises(PluginError, match=r"'alpha' is already registered by dist-0"):
        host_with(ProviderPlugin(), ProviderPlugin())


def test_registering_something_else_than_a_spec_is_refused():
    class Wrong:
        @hookimpl
        def ccp_register_providers(self, register):
            register("alpha")

    with pytest.raises(PluginError, match="a str where a ProviderSpec is needed"):
        host_with(Wrong())


def test_an_exception_in_a_hook_becomes_an_error_that_names_distribution_and_hook_but_no_content():
    with pytest.raises(HookFailed) as caught:
        path_built(lane(host_with(Raises())))
    assert "dist-0 failed in ccp_build_request" in caught.value.message
    assert "secret-thing" not in caught.value.message


def test_a_failure_that_nobody_classifies_is_a_server_error_worth_a_retry():
    verdict = lane(host_with(ProviderPlugin())).classify_error(UpstreamFailure(cause="status", status=500))
    assert verdict == Verdict(kind=VerdictKind.SERVER_ERROR, retry=True)


def test_a_missing_transport_names_the_package_to_install():
    host = host_with(ProviderPlugin())
    host.transports.clear()
    with pytest.raises(PluginError, match="pip install ccp-openai-compat"):
        lane(host)


def test_the_order_of_a_lane_can_be_shown():
    order = lane(host_with(OwnBuild(), Middleware())).order("ccp_build_request")
    assert order == ["dist-1 (wrapper)", "dist-0", "ccp-openai-compat"]


class FakeEntryPoint(SimpleNamespace):
    dist = None
    group = "ccp"

    def load(self):
        if isinstance(self.result, Exception):
            raise self.result
        return self.result


def test_a_plugin_that_cannot_be_imported_is_reported_and_the_others_are_loaded():
    host = PluginHost.load(
        [
            FakeEntryPoint(name="broken", result=ImportError("no module named x")),
            FakeEntryPoint(name="alpha", result=ProviderPlugin()),
            FakeEntryPoint(name="odd", result=Misspelt()),
            FakeEntryPoint(name="wordy", result=ValueError("a table\nneeds one line")),
        ]
    )
    assert list(host.providers) == ["alpha"]
    assert [(b.name, b.reason) for b in host.broken] == [
        ("broken", "ImportError: no module named x"),
        ("odd", "there is no hook 'ccp_bild_request'; did you mean ccp_build_request?"),
        ("wordy", "ValueError: a table needs one line"),
    ]


def test_the_installed_plugins_are_found_through_their_entry_points():
    found = EntryPoint(name="demo", value="ccp_core.builtins.demo", group="ccp")
    assert "demo" in PluginHost.load([found]).providers
