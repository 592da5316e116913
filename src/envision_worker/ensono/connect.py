"""Envision Connect: the queue and the tickets API, one method for each call of the guide."""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, wait_exponential

from envision_worker.ensono.answers import PEER, AnswerReader
from envision_worker.ensono.calls import (
    APPROVE,
    GET_TICKET,
    REJECT,
    RETURN_PTN,
    UPLOAD_URL,
    TicketCall,
    decision,
    identity,
    path_segment,
)
from envision_worker.ensono.settings import EnsonoSettings, Environment
from envision_worker.errors import KeyRefused, Malformed, PeerError, Refused, RefusedFor, Throttled, Unreachable, Unsure
from envision_worker.vocabulary import EnsonoTicketNumber, PartnerTicketNumber, ReceiptHandle, TicketType
from envision_worker.wire import Wire, clock_skew

IMPOSSIBLE_HANDLE = ReceiptHandle("envision-worker-asks-whether-address-and-key-are-right")
"""No receipt handle of SQS looks like this; deleting it can delete nothing."""
IMPOSSIBLE_TICKET = EnsonoTicketNumber("e-CS0000000")
"""Looks like a ticket number, but counting begins at one; Ensono answers that it is none of this company's."""
TICKETS_PROBE = "probe_tickets"

_DELETE_WAIT = wait_exponential(multiplier=0.5, max=5)


@dataclass(frozen=True, slots=True)
class QueueRead:
    """What one GET /queue brought.

    Attributes:
        messages: the elements of `messages[]`, decoded from JSON and otherwise untouched.
        sent_at, answered_at: monotonic seconds; the messages' visibility window counts from `sent_at`.
    """

    messages: tuple[object, ...]
    sent_at: float
    answered_at: float


class EnvisionConnect:
    """One client stack in one environment. No call but `delete` tries again by itself."""

    def __init__(self, settings: EnsonoSettings, wire: Wire) -> None:
        self.clock_skew_s: float | None = None
        """Our clock minus the Date of Ensono's last answer, in seconds; None before the first."""
        self._settings = settings
        self._wire = wire

    # --- the queue ---------------------------------------------------------------------------------------------------

    async def read_queue(self) -> QueueRead:
        """The next up to ten messages (guide, Reading from the queue).

        Reading is no harmless call: it hides the messages and costs each of them a receive.

        Raises:
            Unreachable, Throttled, KeyRefused, Refused: nothing was read.
            Unsure, Malformed: the answer was lost or can't be read; up to ten messages may be hidden now.
        """
        operation = "read_queue"
        request = self._request("GET", self._settings.queue_url)
        async with self._wire.observed(operation, writes=True):
            sent_at = self._wire.clock.monotonic()
            answer = await self._send(operation, request, writes=True)
            return QueueRead(_messages(answer), sent_at, self._wire.clock.monotonic())

    async def delete(self, handle: ReceiptHandle, *, within_s: float) -> None:
        """Take a message off the queue (guide, Deleting from the queue); tries again while that may still help.

        Args:
            within_s: seconds from now after which nothing is sent any more; the first call is always made.

        Raises:
            Refused: HANDLE_EXPIRED: the message will be read again, with a new handle. HANDLE_INVALID: it never was one.
            Unreachable, Throttled, KeyRefused, Unsure, Malformed: as in the last call.
        """
        ends_at = self._wire.clock.monotonic() + within_s
        try:
            await self._delete_once(handle)
        except PeerError as exc:
            if not _may_pass(exc):
                raise
            await self._delete_again(handle, exc, ends_at)

    async def _delete_again(self, handle: ReceiptHandle, failure: PeerError, ends_at: float) -> None:
        """After a first failure; apart, because hardly any delete comes here."""
        clock, failures = self._wire.clock, [failure]

        async def attempt() -> None:
            if failures:
                raise failures.pop()
            await self._delete_once(handle)

        attempts = AsyncRetrying(
            sleep=clock.sleep,
            retry=retry_if_exception(_may_pass),
            wait=_delete_wait,
            stop=lambda state: clock.monotonic() + state.upcoming_sleep >= ends_at,
            reraise=True,
        )
        await attempts(attempt)

    async def probe(self) -> None:
        """Returns when address and key are right; proves nothing about `client_name`, and costs no message a receive.

        Raises: as `delete`, but never `Unsure`; `Malformed` also where the impossible handle was accepted.
        """
        operation = "probe"
        request = self._delete_request(operation, IMPOSSIBLE_HANDLE)
        async with self._wire.observed(operation, writes=False):
            answer = await self._send(operation, request, writes=False)
            try:
                answer.document()
            except Refused as exc:
                if exc.why is RefusedFor.HANDLE_INVALID:
                    return
                raise
            raise answer.malformed("an impossible receipt handle was accepted: look at ensono.base_url")

    async def probe_tickets(self) -> None:
        """Returns when the tickets API answers, whatever it says.

        It is asked for an upload address of an impossible ticket, which changes nothing. Worth it only where one of its calls failed.

        Raises: as `probe`, but never `Refused`.
        """
        request = self._ticket_request(UPLOAD_URL, IMPOSSIBLE_TICKET)
        async with self._wire.observed(TICKETS_PROBE, writes=False):
            answer = await self._send(TICKETS_PROBE, request, writes=False)
            with contextlib.suppress(Refused):
                answer.document()

    async def _delete_once(self, handle: ReceiptHandle) -> None:
        operation = "delete_message"
        request = self._delete_request(operation, handle)
        async with self._wire.observed(operation, writes=True):
            answer = await self._send(operation, request, writes=True)
            if answer.says_nothing():  # a yes without a word: what was not deleted comes again
                return
            if not isinstance(answer.document().get("DeleteMessageResponse"), dict):
                raise answer.malformed("no DeleteMessageResponse")

    def _delete_request(self, operation: str, handle: ReceiptHandle) -> httpx.Request:
        segment = path_segment(handle)
        if segment is None:
            raise Refused(PEER, operation, "no usable receipt handle", why=RefusedFor.HANDLE_INVALID)
        return self._request("DELETE", f"{self._settings.queue_url}/{segment}")

    # --- the tickets API ---------------------------------------------------------------------------------------------

    async def return_ptn(
        self, ticket: EnsonoTicketNumber, ticket_type: TicketType, number: PartnerTicketNumber
    ) -> None:
        """Tell Ensono the counterpart's number (guide, Return client ticket number to Ensono). May be sent again unchanged.

        Raises:
            Refused: CONFIGURATION, or OTHER for this ticket.
            Unreachable, Throttled, KeyRefused: nothing happened.
            Unsure, Malformed: it may have happened; the guide wants a pause before it is sent again (`resend_after_s`).
        """
        await self._confirmed(RETURN_PTN, ticket, identity(ticket_type, number))

    async def approve(
        self,
        ticket: EnsonoTicketNumber,
        number: PartnerTicketNumber,
        *,
        approver: str,
        approval_id: str,
        comment: str,
    ) -> None:
        """Approve a change (guide, Approving a change). Ensono goes by the first answer, so it may be sent again unchanged.

        Args:
            approver, approval_id: `approverEmail` and `approvalId` of the Approval Request.
            comment: who decided, when and why.

        Raises: as `return_ptn`.
        """
        await self._confirmed(
            APPROVE, ticket, decision(number, approver=approver, approval_id=approval_id, comment=comment)
        )

    async def reject(
        self,
        ticket: EnsonoTicketNumber,
        number: PartnerTicketNumber,
        *,
        approver: str,
        approval_id: str,
        comment: str,
    ) -> None:
        """Reject a change (guide, Rejecting a change). Arguments, errors and repeating as with `approve`."""
        await self._confirmed(
            REJECT, ticket, decision(number, approver=approver, approval_id=approval_id, comment=comment)
        )

    async def get_ticket(self, ticket: EnsonoTicketNumber) -> Mapping[str, Any]:
        """All that Ensono has on a ticket (guide, Get ticket); for people, in dev only.

        Raises:
            Refused: CONFIGURATION in any other environment, without a call; else as `return_ptn`.
            Unreachable, Throttled, KeyRefused, Malformed: nothing was read.
        """
        if self._settings.environment is not Environment.DEV:
            detail = "Ensono shows tickets in dev only: look at ensono.environment"
            raise Refused(PEER, GET_TICKET.operation, detail, why=RefusedFor.CONFIGURATION)
        request = self._ticket_request(GET_TICKET, ticket)
        async with self._wire.observed(GET_TICKET.operation, writes=GET_TICKET.writes):
            answer = await self._send(GET_TICKET.operation, request, writes=GET_TICKET.writes)
            shown = answer.document().get("Response")
            if not isinstance(shown, dict):
                raise answer.malformed("no object in Response")
            return shown

    async def _confirmed(self, call: TicketCall, ticket: EnsonoTicketNumber, fields: Mapping[str, Any]) -> str:
        """Make a call that Ensono confirms with a text, and return that: `PTN added`, or the number of a new ticket."""
        request = self._ticket_request(call, ticket, fields)
        async with self._wire.observed(call.operation, writes=call.writes):
            answer = await self._send(call.operation, request, writes=call.writes)
            said = answer.document().get("Response")
            if not isinstance(said, str) or not said.strip():
                raise answer.malformed("no text in Response")
            return said.strip()

    def _ticket_request(
        self, call: TicketCall, ticket: EnsonoTicketNumber, fields: Mapping[str, Any] | None = None
    ) -> httpx.Request:
        segment = path_segment(ticket)
        if segment is None:
            raise Refused(PEER, call.operation, "no usable ticket number")
        payload = None if fields is None else {"clientName": self._settings.client_name, **fields}
        return self._request(call.method, f"{self._settings.tickets_url}/{segment}{call.tail}", payload)

    # --- both --------------------------------------------------------------------------------------------------------

    def _request(self, method: str, url: str, payload: Mapping[str, Any] | None = None) -> httpx.Request:
        headers = {"x-api-key": self._settings.api_key.get_secret_value()}
        body = None if payload is None else {"payload": payload}
        return self._wire.request(method, url, headers=headers, json=body)

    async def _send(self, operation: str, request: httpx.Request, *, writes: bool) -> AnswerReader:
        response = await self._wire.send(operation, request, writes=writes)
        skew_s = clock_skew(response.headers, self._wire.clock)
        self.clock_skew_s = self.clock_skew_s if skew_s is None else skew_s
        return AnswerReader(operation, response, writes, self._wire.clock)


def _messages(answer: AnswerReader) -> tuple[object, ...]:
    """The messages of either nesting that the guide prints; `null`, missing and `[]` alike."""
    level = answer.document().get("ReceiveMessageResponse")
    if not isinstance(level, dict):
        raise answer.malformed("no ReceiveMessageResponse")
    while isinstance(level, dict):
        messages = level.get("messages")
        if isinstance(messages, list) and messages:
            return tuple(messages)
        if messages:
            raise answer.malformed("messages is no list")
        level = level.get("ReceiveMessageResult")
    return ()


def _may_pass(exc: BaseException) -> bool:
    """Whether the same delete may go through a moment later; deleting twice is harmless."""
    return isinstance(exc, (Unreachable, Unsure, Malformed)) and not isinstance(exc, KeyRefused)


def _delete_wait(state: RetryCallState) -> float:
    wait = _DELETE_WAIT(state)
    failure = state.outcome.exception() if state.outcome else None
    return max(wait, failure.retry_after or 0.0) if isinstance(failure, Throttled) else wait
