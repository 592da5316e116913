"""A configuration, and a ledger for commands to tell of."""

import asyncio
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from envision_worker.ledger.records import ApprovalRecord, ApprovalStatus, Arrival, EffectOutcome, Link, State, Word
from envision_worker.ledger.sqlite import SqliteLedger, open_ledger
from envision_worker.vocabulary import DeskKind, DeskTicketId, EnsonoTicketNumber, MessageId, PartnerTicketNumber
from process.real_worker import toml

INCIDENT = EnsonoTicketNumber("e-CS0879727")
CHANGE = EnsonoTicketNumber("e-CHG0031111")
WAITING = EnsonoTicketNumber("e-CS0879800")
SIGNED = "https://bucket.s3.amazonaws.com/f?X-Amz-Signature=5ecret&X-Amz-Expires=7200"
START = 1_790_000_000.0
"""When the story of the ledger below begins, epoch seconds."""


def configuration(folder: Path, **settings: Mapping[str, Any]) -> Path:
    """A configuration whose peers are not there, with the ledger in this folder."""
    tables: dict[str, Any] = {
        "ensono": {
            "base_url": "http://127.0.0.1:9/testclient57",
            "environment": "dev",
            "client_name": "testClient",
            "api_key": "an-api-key",
        },
        "desk": {
            "base_url": "http://127.0.0.1:9",
            "auth_token": "an-authtoken",
            "ensono_number_field": "udf_sline_301",
            "ensono_change_number_field": "udf_sline_501",
            "default_requester": {"email_id": "ensono@example.com"},
        },
        "attachments": {"spool_dir": str(folder / "spool")},
        "state": {"url": f"sqlite:///{folder / 'ledger.db'}"},
        "http": {"listen": "127.0.0.1:0"},
    }
    for table, keys in settings.items():
        tables[table] = {**tables.get(table, {}), **keys}
    path = folder / "worker.toml"
    path.write_text(toml(tables), encoding="utf-8")
    return path


def eventful_ledger(path: Path) -> None:
    """An incident whose note the desk refused while an update waits behind it, a change with the same number, one that waits."""

    async def fill() -> None:
        ledger = open_ledger(str(path), committed=lambda _, __: None, clock=time.monotonic)
        try:
            await _incident(ledger)
            await _change(ledger)
            await _others(ledger)
        finally:
            await ledger.close()

    asyncio.run(fill())


def arrival(message_id: str, ticket: str, what: str, minute: int, *, receive: int = 1, body: Any = None) -> Arrival:
    message = {
        "MessageId": message_id,
        "Body": body or {},
        "Attributes": {"MessageGroupId": ticket, "TransactionType": what},
    }
    return Arrival(
        message_id=MessageId(message_id),
        ticket=EnsonoTicketNumber(ticket),
        transaction_type=what,
        ticket_type="Change" if "CHG" in ticket else "Incident",
        sent_ms=round((START + 60 * minute) * 1000),
        sequence=minute,
        receive_count=receive,
        content_key=message_id,
        raw=json.dumps(message),
    )


async def _incident(ledger: SqliteLedger) -> None:
    await ledger.messages.store([arrival("m-create", INCIDENT, "Create", 0)], at=START + 1)
    await ledger.messages.begin(MessageId("m-create"))
    effect = await ledger.effects.intend(
        INCIDENT, MessageId("m-create"), "create:1", peer="desk", what="create request", known={}, at=START + 2
    )
    await ledger.effects.finish(effect, EffectOutcome.DONE, {"id": "71", "number": "71"}, at=START + 3)
    await ledger.links.save(
        Link(
            ticket=INCIDENT,
            generation=1,
            kind=DeskKind.REQUEST,
            desk_id=DeskTicketId("71"),
            number=PartnerTicketNumber("71"),
            created=START + 3,
            created_by=MessageId("m-create"),
            returned=START + 4,
        )
    )
    await ledger.messages.settle(MessageId("m-create"), State.APPLIED, at=START + 5)
    await ledger.messages.acknowledged(MessageId("m-create"), at=START + 6)
    body = {"notes": {"body": f"see {SIGNED}", "name": "\x1b[31mred\x9b31m\u202e\ud800 Jürgen"}}
    notes = arrival("m-notes", INCIDENT, "Notes", 1, body=body)
    await ledger.messages.store([notes, arrival("m-update", INCIDENT, "Update", 2)], at=START + 121)
    await ledger.messages.store([arrival("m-notes", INCIDENT, "Notes", 1, receive=2)], at=START + 152)
    for attempt in (1, 2):
        await ledger.messages.begin(MessageId("m-notes"))
        effect = await ledger.effects.intend(
            INCIDENT, MessageId("m-notes"), "note:1", peer="desk", what="add note", known={}, at=START + 120 + attempt
        )
        refused = {"refused": f"400{attempt} notes Invalid Input"}
        await ledger.effects.finish(effect, EffectOutcome.REFUSED, refused, at=START + 122 + attempt)
        await ledger.messages.settle(
            MessageId("m-notes"),
            State.DEAD_LETTER,
            at=START + 124 + attempt,
            reason="refused_by_desk",
            detail=f"400{attempt} notes Invalid Input\x1b[2J; see {SIGNED}",
            next_attempt=START + 300,
        )


async def _change(ledger: SqliteLedger) -> None:
    await ledger.messages.store([arrival("m-change", CHANGE, "Create", 3)], at=START + 181)
    await ledger.messages.settle(MessageId("m-change"), State.APPLIED, at=START + 185)
    await ledger.links.save(
        Link(
            ticket=CHANGE,
            generation=1,
            kind=DeskKind.CHANGE,
            desk_id=DeskTicketId("71"),
            number=PartnerTicketNumber("71"),
            created=START + 183,
            created_by=MessageId("m-change"),
            state="assess",
        )
    )
    asked = ApprovalRecord(
        approval_id="a-1",
        ticket=CHANGE,
        round=1,
        desk_id=DeskTicketId("71"),
        approver="cab@ensono.example",
        approver_name="CAB",
        desk_approvers=("cab@example.com",),
        level_id="5",
        requested=START + 184,
    )
    decided = ApprovalRecord(
        approval_id="a-2",
        ticket=EnsonoTicketNumber("e-CHG0030000"),
        round=1,
        desk_id=DeskTicketId("12"),
        approver="cab@ensono.example",
        approver_name="CAB",
        desk_approvers=("cab@example.com",),
        level_id="4",
        requested=START - 5000,
        status=ApprovalStatus.REJECTED,
        decided=START - 4000,
        decided_by=("Carla Board", "cab@example.com", ""),
        comment="Not in December.",
        via="the desk",
        words=(
            Word(
                "9",
                ApprovalStatus.REJECTED,
                ("Carla Board", "cab@example.com"),
                START - 4000,
                "Not in December.",
                False,
            ),
            Word("9", ApprovalStatus.APPROVED, ("Carla Board", "cab@example.com"), START - 3000, "All right.", True),
        ),
    )
    await ledger.approvals.save(asked, decided)


async def _others(ledger: SqliteLedger) -> None:
    await ledger.messages.store([arrival("m-later", WAITING, "Create", 4, receive=3)], at=START + 241)
    await ledger.messages.settle(
        MessageId("m-later"), State.RETRY_LATER, at=START + 242, reason="desk_unreachable", detail="create: no answer"
    )
    await ledger.messages.store([arrival("m-scope", "e-CS0879900", "Create", 5)], at=START + 301)
    await ledger.messages.settle(MessageId("m-scope"), State.OUT_OF_SCOPE, at=START + 302, reason="rule 1")
    await ledger.messages.acknowledged(MessageId("m-scope"), at=START + 303)
