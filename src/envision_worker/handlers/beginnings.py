"""With which message of Ensono's a counterpart that replaced another began; it stands on the desk, for a ledger that was lost (P12)."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

from envision_worker.ensono.messages import Transaction
from envision_worker.handlers.texts import own_mark, plain
from envision_worker.vocabulary import EnsonoTicketNumber, PartnerTicketNumber

_LINE = re.compile(
    r"Continues (?P<after>[\w-]{1,40}) with what Ensono sent at (?P<sent>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z) \(ref (?P<mark>\w{8})(?P<seal>\w{8})\)"
)


@dataclass(frozen=True, slots=True)
class Beginning:
    """The first message of a round.

    Attributes:
        ticket: Ensono's.
        after: the number of the desk ticket that was replaced.
        sent: UTC, in whole milliseconds as SentTimestamp is.
        mark: tells the message's content.
    """

    ticket: EnsonoTicketNumber
    after: PartnerTicketNumber
    sent: datetime
    mark: str

    @classmethod
    def of(cls, transaction: Transaction, after: PartnerTicketNumber) -> Self:
        """A round that begins with this transaction, and follows that of this desk ticket."""
        mark = own_mark(transaction.ticket, transaction.content_key, "continues")
        return cls(transaction.ticket, after, transaction.sent, mark)

    @classmethod
    def read(cls, description: str, ticket: EnsonoTicketNumber) -> Self | None:
        """What the description of its counterpart tells; None: that replaced no other.

        A line that is another ticket's, or that somebody wrote who is not us, does not bear the right seal.
        """
        for line in _LINE.finditer(plain(description)):
            try:
                told = cls(
                    ticket, PartnerTicketNumber(line["after"]), datetime.fromisoformat(line["sent"]), line["mark"]
                )
            except ValueError:  # no such time
                continue
            if told._seal == line["seal"]:
                return told
        return None

    @property
    def line(self) -> str:
        """How it stands in the description, for people, too."""
        return f"Continues {self.after} with what Ensono sent at {self._sent} (ref {self.mark}{self._seal})"

    @property
    def _sent(self) -> str:
        return self.sent.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

    @property
    def _seal(self) -> str:
        return own_mark(self.ticket, self.after, self._sent, self.mark)

    def is_after(self, transaction: Transaction) -> bool:
        """Whether everything that this transaction says had been applied before, as order was kept: it was sent earlier."""
        return transaction.sent < self.sent

    def is_repeated_by(self, transaction: Transaction) -> bool:
        """Whether Ensono sends once more, as another message, what it was: the same with the same time of update."""
        if transaction.repeatable_key is None or transaction.sent <= self.sent:
            return False
        return self.mark == Beginning.of(transaction, self.after).mark

    def is_by(self, transaction: Transaction) -> bool:
        """Whether it was this very transaction."""
        return self == Beginning.of(transaction, self.after)
