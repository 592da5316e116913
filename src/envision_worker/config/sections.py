"""The sections of the configuration that belong to no product: worker, scope, policy, approvals, hooks."""

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, model_validator

from envision_worker.config.frozen import Section
from envision_worker.config.mapping import fold
from envision_worker.desks.approval import ApprovalRule
from envision_worker.vocabulary import TicketType, TransactionType

_A_YEAR_S = 366 * 86400

Seconds = Annotated[float, Field(gt=0, le=_A_YEAR_S, allow_inf_nan=False)]
"""A time in seconds, whole or fractional."""

_EMAIL = re.compile(r"[^\s@<>,;]+@[^\s@<>,;]+")


def _email(text: str) -> str:
    if _EMAIL.fullmatch(text.strip()) is None:
        raise ValueError("should be one e-mail address, for example cab@example.com")
    return text.strip()


Email = Annotated[str, AfterValidator(_email)]
"""An e-mail address without a display name, as written; compare it in any case."""


class WorkerSettings(Section):
    """How much is done side by side, and how long a stop may take."""

    parallel_tickets: int = Field(default=16, ge=1, le=1000, description="Tickets handled side by side.")
    shutdown_grace_s: Seconds = Field(
        default=20, description="Seconds that running work may take to finish after SIGTERM before it is cut off."
    )


def _spelled_by(words: type[StrEnum]) -> BeforeValidator:
    """Takes the guide's words trimmed and in any case."""

    def spelled(value: Any) -> Any:
        if not isinstance(value, str):
            return value
        return next((word for word in words if fold(word) == fold(value)), value)

    return BeforeValidator(spelled)


def _as_text(value: Any) -> Any:
    """A priority may be written as a number, too; in messages it is text."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


class ScopeRule(Section):
    """Transactions that are out of scope: all keys given must equal, trimmed and in any case."""

    ticket_type: Annotated[TicketType, _spelled_by(TicketType)] | None = Field(
        default=None, description="Incident, Request or Change."
    )
    transaction_type: Annotated[TransactionType, _spelled_by(TransactionType)] | None = Field(
        default=None, description="The guide's TransactionType, for example Notes."
    )
    group: str | None = Field(default=None, description="The message's group.")
    ensono_group: str | None = Field(default=None, description="The message's ensonoGroup.")
    category: str | None = Field(default=None, description="The message's category.")
    priority: Annotated[str, BeforeValidator(_as_text, json_schema_input_type=str | int)] | None = Field(
        default=None, description="The message's priority."
    )

    @model_validator(mode="after")
    def _says_something(self) -> "ScopeRule":
        if not self.model_fields_set:
            raise ValueError("is empty and would match everything: give at least one key")
        return self

    def matches(self, transaction: Mapping[str, str]) -> bool:
        """Whether every key of the rule equals; a value that the transaction lacks equals an empty one.

        Args:
            transaction: the rule's keys (`ticket_type`, `transaction_type`, `group`…) with the message's values.
        """
        wanted = self.model_dump(exclude_none=True)
        return all(fold(value) == fold(transaction.get(key, "")) for key, value in wanted.items())


class ScopeSettings(Section):
    """Transactions that are deleted unprocessed (guide, Out-of-scope transactions)."""

    out_of_scope: tuple[ScopeRule, ...] = Field(
        default=(),
        description="Matching transactions are deleted unprocessed, logged and counted. All keys of a rule must equal, any rule suffices.",
    )


class Reopen(StrEnum):
    """What to do when Ensono opens a ticket again whose counterpart is resolved or closed (guide, Re-open)."""

    REOPEN = "reopen"
    NEW_TICKET = "new_ticket"
    COMMENTS = "comments"


class PolicySettings(Section):
    """What the company has agreed with Ensono."""

    reopen: Reopen = Field(
        default=Reopen.REOPEN,
        description="When Ensono opens a ticket again whose counterpart is resolved or closed: reopen it, make a new_ticket and return its number, or take all later updates as comments.",
    )


def _approvers(lines: Mapping[str, tuple[str, ...]]) -> Mapping[str, tuple[str, ...]]:
    if len({fold(address) for address in lines}) < len(lines):
        raise ValueError("names an address twice: upper and lower case make no difference here")
    return lines


def _somebody(addresses: tuple[str, ...]) -> tuple[str, ...]:
    if not addresses:
        raise ValueError("is empty: name an approver, or remove the line")
    return addresses


class FallbackApprover(Section):
    """Who is asked for an approver whom the desk doesn't know."""

    email_id: Email = Field(description="E-mail address of a user of the desk.")


class ApprovalsSettings(Section):
    """How Ensono's approval requests reach people on the desk, and how often their decisions are looked for."""

    poll_interval_s: Seconds = Field(
        default=60, description="Seconds between two looks at the open approvals on the desk."
    )
    rule: ApprovalRule = Field(
        default=ApprovalRule.ANYONE,
        description="anyone: the first decision counts; everyone: the outcome of the level counts.",
    )
    remind_after_s: Seconds = Field(
        default=86400, description="Seconds after which the desk reminds those who have not decided."
    )
    fallback_approver: FallbackApprover | None = Field(
        default=None, description='Asked for an approver whom the desk doesn\'t know: { email_id = "…" }.'
    )
    approvers: Annotated[
        Mapping[Email, Annotated[tuple[Email, ...], AfterValidator(_somebody)]], AfterValidator(_approvers)
    ] = Field(
        default_factory=dict,
        description="Ensono's approver address (any case) = the desk's approvers; without a line the address itself.",
    )

    def approvers_for(self, address: str) -> tuple[str, ...]:
        """The desk's approvers for an approver of Ensono; without a line the address itself."""
        lines = (desk for ensono, desk in self.approvers.items() if fold(ensono) == fold(address))
        return next(lines, (address.strip(),))


class HooksSettings(Section):
    """Calls from outside that only wake the polls."""

    manageengine_secret: SecretStr | None = Field(
        default=None,
        description="Shared secret that enables POST /hooks/manageengine; without it there is no such path.",
    )
