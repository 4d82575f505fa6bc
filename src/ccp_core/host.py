"""Finding plugins, and keeping a broken one from stopping the rest.

pluggy's own entry-point loader skips a second plugin of the same name in silence, and one ImportError ends it all; here
every plugin is loaded, checked and asked for its providers by itself, and what fails is kept with its reason.
"""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Iterable
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import pluggy
import structlog
from attrs import Factory, define, frozen

from ccp_core import hookspecs
from ccp_core.config.names import TRANSPORT_DISTRIBUTIONS, prefixes_of
from ccp_core.hook_failures import HookFailed
from ccp_core.hookspecs import PROJECT
from ccp_core.lane import Lane
from ccp_core.provider import Provider, ProviderSpec

ENTRY_POINT_GROUP = "ccp"
TRANSPORT_GROUP = "ccp.transports"

log = structlog.get_logger("ccp.plugins")


@define(kw_only=True, eq=False)
class Plugin:
    """One plugin found through an entry point, or built in."""

    name: str
    """Name of the entry point."""
    distribution: str
    version: str
    implementation: Any
    providers: list[ProviderSpec] = Factory(list)

    @property
    def is_middleware(self) -> bool:
        """Whether it joins every lane: it registered no provider of its own."""
        return not self.providers


@frozen(kw_only=True)
class BrokenPlugin:
    """A plugin that is left out, and why."""

    name: str
    distribution: str
    version: str
    reason: str
    group: str = ENTRY_POINT_GROUP
    """Of its entry point."""


class PluginError(Exception):
    """A plugin cannot be used; the text says why."""


@define(kw_only=True)
class FailingHook:
    """A hook that failed at work, and how often so far. Other requests go on."""

    distribution: str
    hook: str
    reason: str
    count: int = 0


class ProviderRegistrar:
    """What ccp_register_providers is given: call it with a ProviderSpec."""

    def __init__(self) -> None:
        self.specs: list[ProviderSpec] = []

    def __call__(self, spec: ProviderSpec) -> None:
        """Register ``spec``. Raises PluginError when it is not a ProviderSpec that can be used."""
        if not isinstance(spec, ProviderSpec):
            raise PluginError(f"registered a {type(spec).__name__} where a ProviderSpec is needed")
        if not isinstance(spec.id, str) or not spec.id or "/" in spec.id:
            raise PluginError(
                f"registered a provider with the id {spec.id!r}, which no model string can begin with"
            )
        if not isinstance(spec.base_url, str):
            raise PluginError(
                f"the base_url of its provider {spec.id!r} is {spec.base_url!r} and not a string"
            )
        for name in ("transports", "env_prefixes"):
            value = getattr(spec, name)
            if not isinstance(value, tuple | list) or not all(isinstance(item, str) for item in value):
                raise PluginError(
                    f"{name} of its provider {spec.id!r} is {value!r} and not a tuple of strings"
                )
        if any(spec.id == other.id for other in self.specs):
            raise PluginError(f"provider id {spec.id!r} is already registered by the same plugin")
        self.specs.append(spec)


class PluginHost:
    """All plugins: what they provide, what is broken, and the lanes made of them."""

    def __init__(self) -> None:
        self.plugins: list[Plugin] = []
        self.broken: list[BrokenPlugin] = []
        self.failing: dict[tuple[str, str, str], FailingHook] = {}
        self.providers: dict[str, ProviderSpec] = {}
        self.transports: dict[str, Any] = {}

    @classmethod
    def load(cls, found: Iterable[EntryPoint] | None = None) -> PluginHost:
        """Load every installed plugin; ``found`` replaces the installed entry points, for tests."""
        host = cls()
        points = list(entry_points(group=TRANSPORT_GROUP)) + list(entry_points(group=ENTRY_POINT_GROUP))
        for point in sorted(
            points if found is None else found, key=lambda p: (p.group != TRANSPORT_GROUP, p.name)
        ):
            name, version = (point.dist.name, point.dist.version) if point.dist else ("", "")
            try:
                implementation = point.load()
                if point.group == TRANSPORT_GROUP:
                    check_hooks(implementation)
                    host.transports[point.name] = implementation
                else:
                    host.add(implementation, name=point.name, distribution=name, version=version)
            except (Exception, SystemExit) as error:  # whatever a plugin does while it is imported
                host.report_broken(point.name, name, version, error, point.group)
        return host

    def add(
        self, implementation: Any, *, name: str, distribution: str = "ccp-core", version: str = ""
    ) -> Plugin:
        """Take in a plugin object. Raises PluginError (or what its own hooks raise) and then leaves it out."""
        manager = check_hooks(implementation)
        for plugin in self.plugins:
            if plugin.implementation == implementation:
                raise PluginError(f"it is the same plugin as {plugin.name!r} of {plugin.distribution}")
        register = ProviderRegistrar()
        manager.hook.ccp_register_providers(register=register)
        for spec in register.specs:
            if spec.id in self.providers:
                owner = next(p for p in self.plugins if any(s.id == spec.id for s in p.providers))
                raise PluginError(f"provider id {spec.id!r} is already registered by {owner.distribution}")
        plugin = Plugin(
            name=name,
            distribution=distribution,
            version=version,
            implementation=implementation,
            providers=register.specs,
        )
        self.plugins.append(plugin)
        self.providers.update((spec.id, spec) for spec in register.specs)
        return plugin

    def report_broken(
        self, name: str, distribution: str, version: str, error: BaseException, group: str = ENTRY_POINT_GROUP
    ) -> None:
        """Note that a plugin is left out."""
        said = str(error) if isinstance(error, PluginError) else f"{type(error).__name__}: {error}"
        reason = " ".join(said.split())
        self.broken.append(
            BrokenPlugin(name=name, distribution=distribution, version=version, reason=reason, group=group)
        )
        log.error("plugin_broken", plugin=name, distribution=distribution, reason=reason)

    @property
    def unusable(self) -> dict[str, str]:
        """Providers that are missing because the plugin of their name is broken, with the reason."""
        return {
            broken.name: f"its plugin {broken.distribution} is broken ({broken.reason})"
            for broken in self.broken
            if broken.group == ENTRY_POINT_GROUP and broken.name not in self.providers
        }

    @property
    def configurable(self) -> dict[str, ProviderSpec]:
        """The providers that settings may name: those of broken plugins too, so that the proxy starts without them."""
        missing = {
            name: ProviderSpec(
                id=name,
                name=name,
                base_url="",
                transports=("openai", "anthropic"),
                env_prefixes=prefixes_of(name),
                needs_key=False,
            )
            for name in self.unusable
        }
        return missing | self.providers

    def report_failed(self, failed: HookFailed) -> None:
        """Note that a hook failed at work."""
        key = (failed.distribution, failed.hook, failed.reason)
        failing = self.failing.setdefault(
            key, FailingHook(distribution=failed.distribution, hook=failed.hook, reason=failed.reason)
        )
        failing.count += 1
        log.error("hook_failed", distribution=failed.distribution, hook=failed.hook, reason=failed.reason)

    def each(self, hook: str, **arguments: Any) -> None:
        """Call a start-up hook of every plugin by itself; one that raises is reported as broken."""
        for plugin in list(self.plugins):
            try:
                manager = check_hooks(plugin.implementation)
                getattr(manager.hook, hook)(**arguments)
            except Exception as error:  # a plugin's failure must not stop the others
                self.report_broken(plugin.name, plugin.distribution, plugin.version, error)

    def root(self, defaults: Iterable[Any]) -> Lane:
        """The hooks that are asked before a lane is known: middleware, then ``defaults``."""
        return Lane(None, [*defaults, *self._middleware()], self.distribution_of, self.report_failed)

    def lane(self, provider: Provider, defaults: Iterable[Any]) -> Lane:
        """The lane of ``provider``. Raises PluginError when its transport library is not installed."""
        base = self.transports.get(provider.transport)
        if base is None and provider.spec.transports:
            package = TRANSPORT_DISTRIBUTIONS.get(provider.transport)
            raise PluginError(
                f"the transport {provider.transport!r} of provider {provider.id!r} is not installed"
                + (f"; run: pip install {package}" if package else "; its plugin has to bring it")
            )
        own = [p.implementation for p in self.plugins if provider.spec in p.providers]
        # Of two trylast implementations pluggy asks the earlier registered one first.
        order = [base, *defaults] if base is not None else list(defaults)
        return Lane(provider, [*order, *own, *self._middleware()], self.distribution_of, self.report_failed)

    def distribution_of(self, implementation: Any) -> str:
        """The distribution that an implementation came from, for messages."""
        for plugin in self.plugins:
            if plugin.implementation is implementation:
                return plugin.distribution
        for transport, base in self.transports.items():
            if base is implementation:
                return TRANSPORT_DISTRIBUTIONS.get(transport, transport)
        return "ccp-core"

    def _middleware(self) -> list[Any]:
        return [plugin.implementation for plugin in self.plugins if plugin.is_middleware]


def check_hooks(implementation: Any) -> pluggy.PluginManager:
    """A plugin manager with this plugin alone.

    Raises PluginError for a misspelt or asynchronous hook, PluginValidationError for a misspelt argument.
    """
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(hookspecs)
    manager.register(implementation)
    hooks = [name for name, value in vars(hookspecs).items() if hasattr(value, f"{PROJECT}_spec")]
    for caller in manager.get_hookcallers(implementation) or ():
        if caller.name not in hooks:
            near = difflib.get_close_matches(caller.name, hooks, 1)
            raise PluginError(
                f"there is no hook {caller.name!r}" + (f"; did you mean {near[0]}?" if near else "")
            )
        for impl in caller.get_hookimpls():
            if inspect.iscoroutinefunction(impl.function) or inspect.isasyncgenfunction(impl.function):
                raise PluginError(f"{caller.name} is an async function; hooks are plain functions")
    return manager
