"""`status`: how things stand, on one screen."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from envision_worker.cli.configured import config_option, configured, json_option, reading
from envision_worker.cli.terminal import duration, say, say_json
from envision_worker.config.model import Config
from envision_worker.ledger.records import State
from envision_worker.ledger.reports import Standing, standing


@click.command()
@config_option
@json_option
def command(config_path: Path, *, as_json: bool) -> int:
    """How things stand, on one screen."""
    config = configured(config_path)
    with reading(config) as db:
        stands = standing(db)
    live = _live(config)
    shown = summary(stands, live, now=time.time())
    if as_json:
        say_json(shown)
    else:
        _show(shown, live)
    return 0


def summary(stands: Standing, live: Mapping[str, Any] | None, *, now: float) -> dict[str, Any]:
    """What `status --json` prints; what only a daemon knows is null without one."""
    backlog = stands.backlog
    paused = live["paused"] if live else stands.paused
    return {
        "daemon": ("paused" if paused else "running") if live else "stopped",
        "messages": {state.value: stands.messages.get(state.value, 0) for state in State},
        "oldest_unapplied_seconds": _age(backlog.oldest_unapplied, now),
        "blocked_tickets": list(stands.blocked),
        "dead_letters": backlog.dead_letters,
        "approvals_waiting": backlog.approvals_waiting,
        "desk_up": live["desk_up"] if live else None,
        "ensono_up": live["ensono_up"] if live else None,
        "gate_open": live["gate_open"] if live else None,
    }


def _age(oldest: float | None, now: float) -> float | None:
    return max(now - oldest, 0.0) if oldest is not None else None


def _live(config: Config) -> Mapping[str, Any] | None:
    from envision_worker.control import NoDaemon, live_status  # noqa: PLC0415 - loads the whole worker

    try:
        return live_status(config.state.path)
    except NoDaemon:
        return None


def _show(shown: Mapping[str, Any], live: Mapping[str, Any] | None) -> None:
    oldest = shown["oldest_unapplied_seconds"]
    messages = ", ".join(f"{count} {state.replace('_', ' ')}" for state, count in shown["messages"].items() if count)
    lines = [
        ("daemon", shown["daemon"]),
        ("ensono", _up(shown["ensono_up"])),
        ("desk", _up(shown["desk_up"])),
        ("reading", _gate(shown, live)),
        ("messages", messages or "none received yet"),
        ("oldest not applied", f"{duration(oldest)} old" if oldest is not None else "none"),
        ("dead letters", _dead(shown)),
        ("approvals waiting", str(shown["approvals_waiting"])),
    ]
    for name, value in lines:
        say(f"{name:20}{value}")


def _up(value: bool | None) -> str:  # noqa: FBT001 - a value that is shown
    return "unknown" if value is None else "answers" if value else "DOES NOT ANSWER"


def _gate(shown: Mapping[str, Any], live: Mapping[str, Any] | None) -> str:
    if live is None:
        return "no: the daemon is stopped"
    if shown["gate_open"]:
        return "yes"
    if live["paused"]:
        return "no: an operator paused it"
    closed = [f"{name} {live[f'{name}_gate']}" for name in ("desk", "ensono") if live[f"{name}_gate"]]
    return f"no: {', '.join(closed)}"


def _dead(shown: Mapping[str, Any]) -> str:
    if not shown["dead_letters"]:
        return "none"
    return f"{shown['dead_letters']}; blocked: {', '.join(shown['blocked_tickets'][:5])} (see dead-letters list)"
