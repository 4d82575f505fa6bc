"""``ccp doctor``: find out what does not work, and what to do about it."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ccp_core.cli.start import (
    complete_provider,
    config_option,
    counted,
    json_option,
    load,
    load_plugins,
    make_gateway,
    stop,
)

if TYPE_CHECKING:
    from ccp_core.cli.doctor.findings import Section
    from ccp_core.cli.doctor.probe import Observer
    from ccp_core.config.sources import LoadedSettings
    from ccp_core.gateway import Gateway
    from ccp_core.host import PluginHost


@click.command(short_help="Find out what does not work, and what to do about it.")
@click.argument("provider", required=False, shell_complete=complete_provider)
@click.option("--timeout", default=60.0, metavar="SECONDS", help="How long a model may take. [default: 60]")
@config_option
@json_option
def command(provider: str | None, timeout: float, config: Path | None, as_json: bool) -> None:
    """Look at this machine and ask the configured providers, or PROVIDER alone.

    Every model that the settings name gets one small request, on the way that Claude Code's requests
    take: does it answer, stream, call a tool, think? That costs about a hundred tokens a model. Each
    problem has its cure; the exit status is 1 when there is one.
    """
    plugins = load_plugins()
    loaded = load(config, plugins)
    sections, spent = asyncio.run(_examine(loaded, plugins, provider, timeout, quiet=as_json))
    from ccp_core.cli.doctor.findings import count

    problems = count(sections, "problem")
    if as_json:
        click.echo(_json(sections, spent))
    else:
        warnings = counted(count(sections, "warning"), "warning")
        found = f"{count(sections, 'ok')} ok, {warnings}, {counted(problems, 'problem')}"
        click.echo(f"{found}. {counted(spent, 'token')} spent.")
    sys.exit(1 if problems else 0)


async def _examine(
    loaded: LoadedSettings, plugins: PluginHost, provider: str | None, timeout: float, *, quiet: bool
) -> tuple[list[Section], int]:
    from ccp_core.cli.doctor.probe import Observer

    sections, spent = [], 0
    observer = Observer()
    plugins.add(observer, name="doctor")
    gateway = make_gateway(_without_retries(loaded), plugins, refresh_models=False)
    try:
        async for section, tokens in _sections(gateway, observer, loaded, provider, timeout):
            sections.append(section)
            spent += tokens
            if not quiet:
                for line in section.lines():
                    click.echo(line)
                click.echo()
    finally:
        await gateway.close()
    return sections, spent


def _without_retries(loaded: LoadedSettings) -> LoadedSettings:
    """Settings with which a failure is told at once; and the doctor's few requests need no pace."""
    from attrs import evolve

    limits = evolve(loaded.settings.limits, retries=0, rate=0)
    return evolve(loaded, settings=evolve(loaded.settings, limits=limits))


async def _sections(
    gateway: Gateway, observer: Observer, loaded: LoadedSettings, provider: str | None, timeout: float
) -> AsyncIterator[tuple[Section, int]]:
    from ccp_core.cli.doctor.machine import check_machine
    from ccp_core.cli.doctor.providers import check_provider, routed_models
    from ccp_core.cli.model_rows import to_ask
    from ccp_core.config.checks import unknown_provider

    routed = {} if gateway.is_demo else routed_models(gateway)
    if provider is None:
        yield await check_machine(gateway, loaded, os.environ), 0
        asked = [
            upstream
            for upstream in to_ask(gateway)
            if upstream.provider.id in {*routed, *gateway.settings.providers}
        ]
    elif provider in gateway.upstreams:
        asked = [gateway.upstreams[provider]]
    else:
        reason = gateway.unusable.get(provider)
        stop(reason or unknown_provider(provider, gateway.settings, gateway.host.providers))
    checks = [
        asyncio.create_task(
            check_provider(gateway, upstream, observer, routed.get(upstream.provider.id, []), timeout)
        )
        for upstream in asked
    ]
    for check in checks:
        for section in await check:
            yield section


def _json(sections: list[Section], spent: int) -> str:
    import orjson
    from attrs import asdict

    body = {"sections": [asdict(section) for section in sections], "tokens": spent}
    return orjson.dumps(body, option=orjson.OPT_INDENT_2).decode()
