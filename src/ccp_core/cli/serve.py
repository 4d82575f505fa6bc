"""``ccp serve``: start the proxy."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

import click

from ccp_core.cli.start import config_option, load, load_plugins, make_gateway, note, read, stop


@click.command(short_help="Start the proxy.")
@click.option("--host", help="Address to listen on. [default: 127.0.0.1]")
@click.option("--port", type=int, help="Port to listen on; 0 takes a free one. [default: 8082]")
@config_option
@click.option("--workers", type=int, help="Processes that share the port. [default: 1]")
@click.option("--log-level", help="debug, info, warning or error. [default: info]")
@click.option("--insecure", is_flag=True, default=None, help="Allow a public address without a token.")
def command(
    host: str | None,
    port: int | None,
    config: Path | None,
    workers: int | None,
    log_level: str | None,
    insecure: bool | None,
) -> None:
    """Start the proxy, and print what to paste for running Claude Code against it.

    Ctrl-C ends it when the answers under way are finished; a second Ctrl-C does not wait for them. SIGHUP
    or `ccp reload` makes it read its configuration again.
    """
    import structlog
    from attrs import asdict

    from ccp_core import logs
    from ccp_core.cli.banner import banner
    from ccp_core.config.secrets import secrets_of
    from ccp_core.server import workers as several
    from ccp_core.server.listening import CannotListen
    from ccp_core.server.run import run, run_in_loop

    plugins = load_plugins()
    flags = {
        "server.host": host,
        "server.port": port,
        "server.workers": workers,
        "server.insecure": insecure,
        "logging.level": log_level,
    }
    loaded = load(config, plugins, flags)
    gateway = make_gateway(loaded, plugins)
    log = structlog.get_logger("ccp.plugins")
    file = logs.configure(loaded.settings.logging, secrets_of(loaded.settings))
    for broken in plugins.broken:  # nothing was logged before this
        log.error("plugin_broken", **asdict(broken))

    def ready(url: str) -> None:
        for line in banner(gateway, loaded, url, file):
            click.echo(line)

    again = partial(read, config, plugins, flags)
    count = loaded.settings.server.workers
    if count > 1 and sys.platform == "win32":
        note(f"server.workers = {count}: on Windows only one process can serve the port, so it is 1.")
        count = 1
    try:
        if count > 1:
            run_in_loop(several.run(loaded.settings, again, ready))
        else:
            run_in_loop(run(gateway, again, ready))
    except (CannotListen, several.CannotStart) as error:
        stop(error)
    except KeyboardInterrupt:
        sys.exit(130)
