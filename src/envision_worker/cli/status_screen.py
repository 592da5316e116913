"""The screen that `status` shows to people: is it fine, what waits and why, and what to type next."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from envision_worker.cli.terminal import duration, moment, printable, say, table
from envision_worker.config.model import Config
from envision_worker.ledger.reports import Standing, Waiting

_LABEL_WIDTH = 18
_LATE_APPROVAL_S = 86400.0
GATE_WORDS = {
    "probe_failed": "it does not answer",
    "throttled": "it wants fewer calls",
    "key_refused": "it refuses our key",
    "writes_fail": "it answers, but the writes of several tickets failed",
    "number_not_taken": "it answers, but does not take a ticket's number",
    "configuration": "its address or the client's name is wrong",
}
"""What closes a gate (`intake.reasons.Reason`), in words."""


@dataclass(frozen=True, slots=True)
class Screen:
    """What is known, at one moment.

    Attributes:
        path: the configuration's file, for commands to type.
        live: what the daemon says of itself; None: there is none; empty: it does not answer.
        summary: as `status --json` prints it. now: epoch seconds.
    """

    config: Config
    path: Path
    stands: Standing
    live: Mapping[str, Any] | None
    summary: Mapping[str, Any]
    now: float

    def show(self, dead: Sequence[Waiting], others: Sequence[Waiting]) -> None:
        """Print it, with the first of the tickets that are blocked and of those that wait."""
        lines = list(self._lines())
        say(printable(f"{self.path}, {self.config.ensono.environment}'s queue, {moment(self.now)}"))
        amiss = [label for label, _, wrong in lines if wrong]
        verdict = f"NO: {', '.join(amiss)}" if amiss else "yes"
        for label, text, wrong in [("is it fine?", verdict, bool(amiss)), *lines]:
            colour = "red" if wrong else "green" if text == "yes" else None
            shown = click.style(printable(text), fg=colour, bold=True) if colour else printable(text)
            say(f"{label:{_LABEL_WIDTH}}{shown}")
        self._tickets("blocked by a dead letter", dead, len(self.stands.blocked))
        self._tickets("waiting", others, None)
        hints = list(self._hints(dead, others))
        if hints:
            say(click.style("\nnext", bold=True))
        for hint in hints:
            say(f"  {hint}")

    # --- lines -------------------------------------------------------------------------------------------------------

    def _lines(self) -> Iterator[tuple[str, str, bool]]:
        """Label, text, and whether it is something to act on."""
        backlog, live = self.stands.backlog, self.live or {}
        yield "daemon", *self._daemon()
        yield "ensono", *_up(live.get("ensono_up"), live.get("ensono_gate"))
        yield "desk", *_up(live.get("desk_up"), live.get("desk_gate"))
        yield "reading", *self._reading()
        drained = self.stands.drained
        emptied = "never read empty yet" if drained is None else f"last read empty {self._ago(drained)}"
        yield "last read", f"{self._ago(live.get('last_read'))}; the queue was {emptied}", False
        counts = self.summary["messages"]
        some = ", ".join(f"{count} {state.replace('_', ' ')}" for state, count in counts.items() if count)
        yield "messages", some or "none received yet", False
        oldest = self.summary["oldest_unapplied_seconds"]
        yield "oldest unapplied", "none" if oldest is None else f"{duration(oldest)} old", False
        yield "in the queue", self._unacknowledged(), False
        yield "dead letters", str(backlog.dead_letters or "none"), bool(backlog.dead_letters)
        age = self.now - backlog.approvals_oldest if backlog.approvals_oldest is not None else 0.0
        approvals = f"{backlog.approvals_waiting}, the oldest for {duration(age)}"
        yield "approvals waiting", approvals if backlog.approvals_waiting else "none", age > _LATE_APPROVAL_S

    def _daemon(self) -> tuple[str, bool]:
        if self.live is None:
            return "STOPPED" + (" (and paused)" if self.stands.paused else ""), True
        if not self.live:
            return "running, but DOES NOT ANSWER", True
        text = f"{self.summary['daemon']}, pid {self.live['pid']}, for {duration(self.now - self.live['started'])}"
        late = self.live["late_s"]
        return (f"{text}; its loop HANGS, {duration(late)} late", True) if late else (text, False)

    def _reading(self) -> tuple[str, bool]:
        if not self.live:
            return "no" if self.live is None else "unknown", True
        if self.live["gate_open"]:
            return f"yes; tickets in hand: {self.live['working_on']}", False
        closed = [
            f"the {peer}'s gate is closed for {duration(self.live[f'{peer}_gate_closed_s'])} ({self.live[f'{peer}_gate']})"
            for peer in ("desk", "ensono")
            if self.live[f"{peer}_gate"]
        ]
        return f"NO: {'; '.join(['an operator paused it'] * bool(self.live['paused']) + closed)}", True

    def _unacknowledged(self) -> str:
        backlog = self.stands.backlog
        if not backlog.unacknowledged:
            return "nothing that was received"
        age = duration(self.now - backlog.oldest_sent) if backlog.oldest_sent is not None else "?"
        receives = f"{backlog.receive_count_max} of {self.config.queue.max_receives} receives used"
        return f"{backlog.unacknowledged} received and not acknowledged, the oldest {age} old, up to {receives}"

    def _ago(self, epoch_s: float | None) -> str:
        return f"{duration(max(self.now - epoch_s, 0.0))} ago" if epoch_s is not None else "not known"

    # --- tickets -----------------------------------------------------------------------------------------------------

    def _tickets(self, title: str, tickets: Sequence[Waiting], number: int | None) -> None:
        if not tickets:
            return
        more = f", the first {len(tickets)} of {number}" if number is not None and number > len(tickets) else ""
        say(click.style(f"\n{title}{more}", bold=True))
        columns = ("ticket", "for", "kept", "first", "why")
        table(columns, [self._ticket(each) for each in tickets])

    def _ticket(self, each: Waiting) -> tuple[object, ...]:
        why = ": ".join(part for part in (each.reason or each.state.value, each.detail) if part)
        return each.ticket, duration(self.now - each.sent), each.messages, each.transaction_type, why

    # --- what to type next -------------------------------------------------------------------------------------------

    def _hints(self, dead: Sequence[Waiting], others: Sequence[Waiting]) -> Iterator[str]:
        live = self.live or {}
        if self.live is None:
            yield f"{self._command('run')}   (or start its service)"
        if live.get("paused"):
            yield self._command("resume")
        if live.get("desk_gate") or live.get("ensono_gate") or False in (live.get("desk_up"), live.get("ensono_up")):
            yield self._command("check --connect")
        if dead:
            ticket = shlex.quote(dead[0].ticket)
            yield self._command(f"dead-letters show {ticket}")
            yield f"{self._command(f'dead-letters retry {ticket}')}   (once it is mended; or discard)"
        if others:
            yield self._command(f"history {shlex.quote(others[0].ticket)}")
        if self.stands.backlog.approvals_waiting:
            yield self._command("approvals list")

    def _command(self, what: str) -> str:
        return f"envision-worker {what} --config {shlex.quote(str(self.path))}"


def _up(value: bool | None, gate: str | None) -> tuple[str, bool]:  # noqa: FBT001 - a value that is shown
    if gate:
        return f"NO: {GATE_WORDS.get(gate, gate)}", True
    if value is None:
        return "not known", False
    return ("answers", False) if value else ("DOES NOT ANSWER", True)
