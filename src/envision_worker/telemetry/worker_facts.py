"""Facts about the worker itself: its life, its gates, its peers, its ledger."""

from typing import Literal

from envision_worker.errors import KeyRefused
from envision_worker.telemetry.gauges import Gauges
from envision_worker.telemetry.metrics import CALL_RESULTS, PEERS, known
from envision_worker.telemetry.telling import ERROR, INFO, WARNING, Telling
from envision_worker.wire import Call

Gate = Literal["desk", "ensono", "operator"]

_A_MINUTE = 60.0
_REPEATED_TRIAL_S = 600.0


class WorkerFacts(Telling):
    """Each method tells one fact: it writes the line and moves the metrics."""

    def daemon_started(self, *, version: str, environment: str, desk: str, listen: str) -> None:
        """The daemon is up and about to read."""
        self._metrics.started.set(self._clock.now().timestamp())
        self._log.info("daemon_started", version=version, environment=environment, desk=desk, listen=listen)

    def daemon_stopping(self, signal: str) -> None:
        """The daemon was told to stop: no further read."""
        self._log.info("daemon_stopping", signal=signal)

    def daemon_stopped(self, *, clean: bool) -> None:
        """The daemon ends; not `clean`: what was still out after the grace was cut off and recorded as unknown."""
        self._log.log(INFO if clean else WARNING, "daemon_stopped", clean=clean)

    def configuration_warning(self, key: str, problem: str) -> None:
        """A configured value is accepted but stands outside the guide's advice."""
        self._log.warning("configuration_warning", key=key, problem=problem)

    def gate_closed(self, *, gate: Gate, reason: str, detail: str) -> None:
        """The queue is not read for work until this gate opens again."""
        self._metrics.gate_closed.labels(gate).set(1)
        self._metrics.gate_closings.labels(gate).inc()
        level = INFO if gate == "operator" else WARNING
        self._log.log(level, "gate_closed", gate=gate, reason=reason, detail=detail)

    def gate_opened(self, gate: Gate, after_seconds: float) -> None:
        """This gate no longer keeps the queue from being read."""
        self._metrics.gate_closed.labels(gate).set(0)
        self._log.info("gate_opened", gate=gate, after_seconds=round(after_seconds, 1))

    def gate_trial(self, *, gate: Gate, message_id: str | None, ok: bool, detail: str) -> None:
        """A closed gate was tried, with a kept message or (None) with a cheap read."""
        fields = {"gate": gate, "message_id": message_id, "ok": ok, "detail": detail}
        every_s = 0.0 if ok else _REPEATED_TRIAL_S
        self._tell_rationed(INFO if ok else WARNING, "gate_trial", (gate, ok), every_s, **fields)

    def key_refused(self, peer: str, detail: str) -> None:
        """A peer does not accept our key; only a person can mend it."""
        self._metrics.key_refused.labels(known(peer, PEERS)).set(1)
        self._tell_rationed(ERROR, "key_refused", peer, self._key_refused_every_s, peer=peer, detail=detail)

    def call_finished(self, call: Call) -> None:
        """An outgoing call is over; failures are written once a minute for each peer, operation and result."""
        result = "ok" if call.error is None else known(call.error.result, CALL_RESULTS)
        peer = known(call.peer, PEERS)
        operation = self._metrics.operation_label(call.operation)
        self._metrics.calls.labels(peer, operation, result).observe(call.seconds)
        if isinstance(call.error, KeyRefused) or call.error is None:
            self._metrics.key_refused.labels(peer).set(0 if call.error is None else 1)
        fields = {"peer": call.peer, "operation": call.operation, "result": result, "seconds": round(call.seconds, 3)}
        if call.error is None:
            self._log.debug("call_finished", **fields)
            return
        kind = (call.peer, call.operation, result)
        answer = {"status": call.error.status, "detail": call.error.detail}
        self._tell_rationed(WARNING, "call_failed", kind, _A_MINUTE, **fields, **answer)

    def loop_ticked(self, now: float) -> None:
        """The intake loop turned, at this epoch second: it began a read or a rest."""
        self._metrics.loop_tick.set(now)

    def set_gauges(self, gauges: Gauges) -> None:
        """What stands at the moment; moves gauges only."""
        self._metrics.set_gauges(gauges)

    def ledger_failed(self, detail: str) -> None:
        """The ledger can't be read or written: nothing may be done that it can't keep, so the daemon ends."""
        self._log.error("ledger_failed", detail=detail)

    def ledger_checked(self, seconds: float, *, complete: bool) -> None:
        """The last process ended because the ledger failed, so it was looked through, as far as there was time for it, and is whole."""
        self._log.log(INFO if complete else WARNING, "ledger_checked", seconds=round(seconds, 1), complete=complete)

    def ledger_committed(self, seconds: float, writes: int) -> None:
        """One commit, the wait for the disk included, carried so many writes; moves metrics only."""
        self._metrics.commits.observe(seconds)
        self._metrics.ledger_writes.inc(writes)
