"""`status`: how things stand, on one screen."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from envision_worker.cli import exits
from envision_worker.cli.configured import config_option, configured, json_option, reading
from envision_worker.cli.status_screen import Screen
from envision_worker.cli.terminal import complain, say_json
from envision_worker.config.model import Config
from envision_worker.control_socket import DaemonFailed, DaemonSilent, NoDaemon, call
from envision_worker.ledger.records import State
from envision_worker.ledger.reports import Standing, standing, waiting

SHOWN_AT_MOST = 5
_LIVE_WITHIN_S = 3.0


@click.command()
@config_option
@json_option
def command(config_path: Path, *, as_json: bool) -> int:
    """How things stand, on one screen."""
    config = configured(config_path)
    with reading(config) as db:
        stands = standing(db)
        dead = waiting(db, limit=SHOWN_AT_MOST, dead=True)
        others = waiting(db, limit=SHOWN_AT_MOST, dead=False)
    live = _live(config)
    shown = summary(stands, live, now=time.time())
    if as_json:
        say_json(shown)
        return exits.OK
    Screen(config, config_path, stands, live, shown, time.time()).show(dead, others)
    return exits.OK


def summary(stands: Standing, live: Mapping[str, Any] | None, *, now: float) -> dict[str, Any]:
    """What `status --json` prints; what only a daemon knows is null without one.

    Args:
        live: what the daemon says of itself; None: there is none; empty: it does not answer.
    """
    backlog, alive = stands.backlog, live or {}
    return {
        "daemon": "stopped" if live is None else "paused" if alive.get("paused", stands.paused) else "running",
        "messages": {state.value: stands.messages.get(state.value, 0) for state in State},
        "oldest_unapplied_seconds": None
        if backlog.oldest_unapplied is None
        else max(now - backlog.oldest_unapplied, 0.0),
        "blocked_tickets": list(stands.blocked),
        "dead_letters": backlog.dead_letters,
        "approvals_waiting": backlog.approvals_waiting,
        "desk_up": alive.get("desk_up"),
        "ensono_up": alive.get("ensono_up"),
        "gate_open": alive.get("gate_open"),
    }


def _live(config: Config) -> Mapping[str, Any] | None:
    """What only the daemon knows; empty where it runs but does not say, which is told on stderr."""
    try:
        return call(config.state.path, "GET", "status", {}, within_s=_LIVE_WITHIN_S)
    except NoDaemon:
        return None
    except (DaemonSilent, DaemonFailed) as exc:
        complain(f"status: {exc}")
    except OSError as exc:
        complain(f"status: the daemon can't be asked: {exc.strerror}; run this as its user")
    return {}
