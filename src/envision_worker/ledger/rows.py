"""Rows of the ledger as values, and values as rows."""

import json
import sqlite3
import zlib
from collections.abc import Callable, Sequence
from dataclasses import astuple
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from envision_worker.ledger.records import (
    ApprovalRecord,
    ApprovalStatus,
    Effect,
    EffectOutcome,
    Kept,
    Link,
    State,
    Word,
)
from envision_worker.vocabulary import DeskKind, DeskTicketId, EnsonoTicketNumber, MessageId, PartnerTicketNumber

P = ParamSpec("P")
T = TypeVar("T")

SEQUENCE_DIGITS = 40  # 128 bits have 39

KEPT = (
    "message_id, ticket, transaction_type, ticket_type, sent_ms, sequence, content_key, state, raw, reason, detail, attempts, "
    "unclean_ends, held, receive_count, first_received, last_received, next_attempt, settled, acknowledged, gone"
)
EFFECT = "id, ticket, message_id, key, peer, what, known, intent, outcome, answer, finished, attempts"
LINK = (
    "ticket, generation, kind, desk_id, number, created, created_by, adopted, complete, state, comments_only, returned"
)
APPROVAL = (
    "approval_id, ticket, round, desk_id, approver, approver_name, desk_approvers, level_id, requested, status, reminded, "
    "decided, decided_by, comment, via, sent, words"
)


def _of(
    table: str,
) -> Callable[[Callable[Concatenate[Sequence[Any], P], T]], Callable[Concatenate[Sequence[Any], P], T]]:
    """A row that can't be read is damage like any other that SQLite finds by itself, and told as such: `sqlite3.DatabaseError`."""

    def reads(read: Callable[Concatenate[Sequence[Any], P], T]) -> Callable[Concatenate[Sequence[Any], P], T]:
        @wraps(read)
        def row_read(row: Sequence[Any], /, *args: P.args, **kwargs: P.kwargs) -> T:
            try:
                return read(row, *args, **kwargs)
            except (zlib.error, ValueError, TypeError) as exc:
                raise sqlite3.DatabaseError(f"{table}: the row of {row[0]!r} can't be read: {exc}") from exc

        return row_read

    return reads


def packed(raw: str) -> bytes:
    """A raw message as it is stored."""
    return zlib.compress(raw.encode(), level=6)


@_of("messages")
def kept(row: Sequence[Any], *, seen_count: int = 0) -> Kept:
    """A row of `KEPT`."""
    return Kept(
        message_id=MessageId(row[0]),
        ticket=EnsonoTicketNumber(row[1]),
        transaction_type=row[2],
        ticket_type=row[3],
        sent_ms=row[4],
        sequence=int(row[5]),
        content_key=row[6],
        state=State(row[7]),
        raw=zlib.decompress(row[8]).decode(),
        reason=row[9],
        detail=row[10],
        attempts=row[11],
        unclean_ends=row[12],
        held=bool(row[13]),
        receive_count=row[14],
        seen_count=seen_count,
        first_received=row[15],
        last_received=row[16],
        next_attempt=row[17],
        settled=row[18],
        acknowledged=row[19],
        gone=row[20],
    )


@_of("effects")
def effect(row: Sequence[Any]) -> Effect:
    """A row of `EFFECT`."""
    return Effect(
        id=row[0],
        ticket=EnsonoTicketNumber(row[1]),
        message_id=MessageId(row[2]),
        key=row[3],
        peer=row[4],
        what=row[5],
        known=json.loads(row[6]),
        intent=row[7],
        outcome=EffectOutcome(row[8]) if row[8] else None,
        answer=json.loads(row[9]),
        finished=row[10],
        attempts=row[11],
    )


@_of("links")
def link(row: Sequence[Any]) -> Link:
    """A row of `LINK`."""
    return Link(
        ticket=EnsonoTicketNumber(row[0]),
        generation=row[1],
        kind=DeskKind(row[2]),
        desk_id=DeskTicketId(row[3]),
        number=PartnerTicketNumber(row[4]),
        created=row[5],
        created_by=MessageId(row[6]),
        adopted=bool(row[7]),
        complete=bool(row[8]),
        state=row[9],
        comments_only=bool(row[10]),
        returned=row[11],
    )


def link_row(value: Link) -> tuple[Any, ...]:
    """The values of `LINK`."""
    return (
        value.ticket, value.generation, value.kind.value, value.desk_id, value.number, value.created, value.created_by,
        int(value.adopted), int(value.complete), value.state, int(value.comments_only), value.returned,
    )  # fmt: skip


@_of("approvals")
def approval(row: Sequence[Any]) -> ApprovalRecord:
    """A row of `APPROVAL`."""
    name, email, phone = json.loads(row[12])
    return ApprovalRecord(
        approval_id=row[0],
        ticket=EnsonoTicketNumber(row[1]),
        round=row[2],
        desk_id=DeskTicketId(row[3]),
        approver=row[4],
        approver_name=row[5],
        desk_approvers=tuple(json.loads(row[6])),
        level_id=row[7],
        requested=row[8],
        status=ApprovalStatus(row[9]),
        reminded=row[10],
        decided=row[11],
        decided_by=(name, email, phone),
        comment=row[13],
        via=row[14],
        sent=row[15],
        words=tuple(_word(each) for each in json.loads(row[16])),
    )


def approval_row(value: ApprovalRecord) -> tuple[Any, ...]:
    """The values of `APPROVAL`."""
    return (
        value.approval_id, value.ticket, value.round, value.desk_id, value.approver, value.approver_name,
        json.dumps(value.desk_approvers), value.level_id, value.requested, value.status.value, value.reminded, value.decided,
        json.dumps(value.decided_by), value.comment, value.via, value.sent, json.dumps([astuple(each) for each in value.words]),
    )  # fmt: skip


def _word(said: Sequence[Any]) -> Word:
    on, status, (name, email), at, comment, too_late = said
    return Word(on, ApprovalStatus(status), (name, email), at, comment, too_late)
