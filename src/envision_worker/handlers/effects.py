"""Effects happen once: the intent is durable before the call, the outcome after it, and where the outcome is unknown we look first.

Desks know no idempotency key. So after an intent without outcome (the answer was lost, or the process ended) the ticket waits until
the write must have shown on the desk, looks for it there, and only then writes again (contract, P3).
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from envision_worker.clock import Clock
from envision_worker.errors import Malformed, Refused, Unreachable, Unsure
from envision_worker.ledger.ledger import Effects as EffectRecords
from envision_worker.ledger.records import Effect, EffectOutcome
from envision_worker.telemetry.facts import Facts
from envision_worker.vocabulary import EnsonoTicketNumber, MessageId

Answer = Mapping[str, Any]
"""What a write brought back, as it is kept: `{"id": "71", …}`."""
Write = Callable[[], Awaitable[Answer]]
Look = Callable[[Mapping[str, Any]], Awaitable[Answer | None]]
"""Given what was known before the write: what the write brought, if it happened after all; else None."""

DESK = "desk"
ENSONO = "ensono"


class StillUnknown(Exception):
    """An earlier write's outcome is unknown and may still show; look again after `wait_s` seconds."""

    def __init__(self, wait_s: float) -> None:
        super().__init__(f"an earlier write's answer was lost; it may still show for {wait_s:.0f} s")
        self.wait_s = wait_s


class Unsettled:
    """Until when each ticket has to wait for a write whose outcome is unknown. Monotonic, so that no clock's jump cuts it short."""

    def __init__(
        self, clock: Clock, settle_s: Mapping[str, float], left_open: list[tuple[EnsonoTicketNumber, str]]
    ) -> None:
        """`settle_s` by peer; `left_open` is what the process before this one left: it may have ended just now."""
        self._clock = clock
        self._settle_s = settle_s
        self._until: dict[EnsonoTicketNumber, float] = {}
        for ticket, peer in left_open:
            self.given_up(ticket, peer)

    def given_up(self, ticket: EnsonoTicketNumber, peer: str) -> None:
        """A write for this ticket may show from now on until the peer's time to settle has passed."""
        until = self._clock.monotonic() + self._settle_s[peer]
        self._until[ticket] = max(until, self._until.get(ticket, until))

    def wait_s(self, ticket: EnsonoTicketNumber) -> float:
        """Seconds that this ticket still has to wait, 0 where nothing is unknown or everything must have shown."""
        until = self._until.get(ticket)
        if until is None:
            return 0.0
        left = until - self._clock.monotonic()
        if left <= 0:
            del self._until[ticket]
        return max(left, 0.0)


class Effects:
    """The effects of one message."""

    def __init__(
        self,
        records: EffectRecords,
        unsettled: Unsettled,
        clock: Clock,
        facts: Facts,
        *,
        ticket: EnsonoTicketNumber,
        message_id: MessageId,
    ) -> None:
        self._records = records
        self._unsettled = unsettled
        self._clock = clock
        self._facts = facts
        self._ticket = ticket
        self._message_id = message_id

    async def add(
        self,
        key: str,
        what: str,
        write: Write,
        look: Look,
        *,
        known: Mapping[str, Any] | None = None,
        look_first: bool = False,
    ) -> Answer:
        """A write that adds to the desk: carried out once, whatever happens; returns its answer, an earlier one's too.

        Args:
            key: names the effect within the ticket; the same for every message that would bring the same about.
            known: what `look` needs to tell what is new from what stood there before.
            look_first: look also where no attempt is known (a ledger before this one may have made one); `look` is given nothing then.

        Raises:
            StillUnknown: an attempt's answer was lost and it may still show.
            PeerError: as in `write` and `look`.
        """
        effect = await (
            self._records.find(self._ticket, key) if look_first else self._claim(key, DESK, what, known or {})
        )
        if isinstance(effect, int):
            return await self._carry_out(effect, DESK, what, write)
        found = await self._found(effect, key, what, look, look_first=look_first)
        return found if found is not None else await self._send(key, DESK, what, write, known or {})

    async def look_for(self, key: str, what: str, look: Look, *, look_first: bool) -> Answer | None:
        """What an earlier attempt of such a write brought, None where nothing shows: for when it can't be sent (again).

        Args:
            look_first: as for `add`.

        Raises:
            StillUnknown: an attempt's answer was lost and it may still show.
            PeerError: as in `look`.
        """
        effect = await self._records.find(self._ticket, key)
        return await self._found(effect, key, what, look, look_first=look_first)

    async def set(self, key: str, what: str, write: Callable[[], Awaitable[None]], *, peer: str = DESK) -> None:
        """A write that sets a value: may be sent again unchanged, but not while an earlier one may still show."""

        async def send() -> Answer:
            await write()
            return {}

        effect = await self._claim(key, peer, what, {})
        if isinstance(effect, int):
            await self._carry_out(effect, peer, what, send)
        elif effect is None or effect.outcome is not EffectOutcome.DONE:
            await self._send(key, peer, what, send, {})

    async def answer(self, key: str) -> Answer | None:
        """What an effect of this key brought back, if it was carried out."""
        effect = await self._records.find(self._ticket, key)
        return effect.answer if effect and effect.outcome is EffectOutcome.DONE else None

    async def claimed(self, prefix: str) -> frozenset[str]:
        """The desk's ids of everything that this ledger's effects with such keys brought about: not to be taken for another's."""
        answers = await self._records.answers(self._ticket, prefix)
        return frozenset(str(answer["id"]) for answer in answers if "id" in answer)

    async def _found(
        self, effect: Effect | None, key: str, what: str, look: Look, *, look_first: bool
    ) -> Answer | None:
        if effect and effect.outcome is EffectOutcome.DONE:
            return effect.answer
        if effect and effect.outcome is None:
            return await self._look_after(effect, look)
        if not look_first or (found := await look({})) is None:
            return None
        effect_id = await self._intend(key, DESK, what, {})
        await self._finish(effect_id, EffectOutcome.DONE, found)
        return found

    async def _look_after(self, effect: Effect, look: Look) -> Answer | None:
        if wait_s := self._unsettled.wait_s(self._ticket):
            raise StillUnknown(wait_s)
        found = await look(effect.known)
        self._facts.outcome_found(
            message_id=self._message_id, ticket=self._ticket, effect=effect.what, happened=found is not None
        )
        if found is not None:
            await self._finish(effect.id, EffectOutcome.DONE, found)
        return found

    async def _claim(self, key: str, peer: str, what: str, known: Mapping[str, Any]) -> int | Effect | None:
        """The intent's id where the write may go out now; else the effect as it stands, None where there is none yet."""
        if self._unsettled.wait_s(self._ticket):
            return await self._records.find(self._ticket, key)
        return await self._records.claim(
            self._ticket, self._message_id, key, peer=peer, what=what, known=known, at=self._now()
        )

    async def _send(self, key: str, peer: str, what: str, write: Write, known: Mapping[str, Any]) -> Answer:
        if wait_s := self._unsettled.wait_s(self._ticket):
            raise StillUnknown(wait_s)
        return await self._carry_out(await self._intend(key, peer, what, known), peer, what, write)

    async def _carry_out(self, effect_id: int, peer: str, what: str, write: Write) -> Answer:
        try:
            answer = await write()
        except Refused as exc:
            await self._finish(effect_id, EffectOutcome.REFUSED, {"refused": exc.detail})
            raise
        except Unreachable as exc:
            await self._finish(effect_id, EffectOutcome.NOT_SENT, {"not_sent": exc.detail})
            raise
        except (Unsure, Malformed) as exc:
            self._unsettled.given_up(self._ticket, peer)
            self._facts.outcome_unknown(
                message_id=self._message_id, ticket=self._ticket, effect=what, detail=exc.detail
            )
            await self._records.lost(effect_id, exc.detail, at=self._now())
            raise
        except BaseException:  # cut off at the end of the grace: the call may be on its way
            self._unsettled.given_up(self._ticket, peer)
            raise
        await self._finish(effect_id, EffectOutcome.DONE, answer)
        return answer

    async def _intend(self, key: str, peer: str, what: str, known: Mapping[str, Any]) -> int:
        return await self._records.intend(
            self._ticket, self._message_id, key, peer=peer, what=what, known=known, at=self._now()
        )

    async def _finish(self, effect_id: int, outcome: EffectOutcome, answer: Answer) -> None:
        await self._records.finish(effect_id, outcome, answer, at=self._now())

    def _now(self) -> float:
        return self._clock.now().timestamp()
