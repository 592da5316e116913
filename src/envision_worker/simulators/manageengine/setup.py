"""What an administrator has configured: lookup tables, users, and user-defined fields."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from envision_worker.simulators.manageengine.flavour import Kind

NewId = Callable[[str], str]


@dataclass
class Row:
    """A row of a lookup table.

    Attributes:
        extra: what it carries beside id and name, as it is shown.
        parent: the row of another table that it belongs to (the stage of a status, the category of a subcategory).
        closes: tickets in this status are closed. cancels: they are cancelled.
        in_use: off: it can't be chosen any more.
    """

    id: str
    name: str
    extra: dict[str, Any] = field(default_factory=dict)
    parent: str | None = None
    closes: bool = False
    cancels: bool = False
    in_use: bool = True


@dataclass
class User:
    """Someone who has an account.

    Attributes:
        technician: works on the desk, not only asks it.
        approves: has the permission to decide approvals.
    """

    id: str
    name: str
    email: str | None
    phone: str | None = None
    mobile: str | None = None
    technician: bool = False
    approves: bool = True


class Setup:
    """The configuration of one desk.

    Attributes:
        users: all accounts by id.
        udfs: the user-defined fields of requests and of changes.
    """

    def __init__(self, new_id: NewId) -> None:
        self._new_id = new_id
        self._tables: dict[str, dict[str, Row]] = {}
        self.users: dict[str, User] = {}
        self.udfs: dict[Kind, set[str]] = {"request": set(), "change": set()}

    def tables(self) -> Iterable[str]:
        """The names of the lookup tables."""
        return self._tables.keys()

    def rows(self, table: str) -> Iterator[Row]:
        """The rows of a lookup table, in the order in which they were added."""
        return iter(self._tables.get(table, {}).values())

    def add(
        self, table: str, name: str, *, parent: str = "", closes: bool = False, cancels: bool = False, **extra: Any
    ) -> Row:
        """Add a row; `parent` is the id of the row it belongs to."""
        row = Row(self._new_id(table), name, extra, parent or None, closes, cancels)
        self._tables.setdefault(table, {})[row.id] = row
        return row

    def row(self, table: str, row_id: str) -> Row:
        """One row by its id; a KeyError where there is none."""
        return self._tables[table][row_id]

    def find(self, table: str, *, row_id: str | None = None, name: str | None = None) -> list[Row]:
        """The rows in use with this id or, where none is given, exactly this name."""
        if row_id is not None:
            return [row for row in self.rows(table) if row.id == row_id and row.in_use]
        return [row for row in self.rows(table) if row.name == name and row.in_use]

    def named(self, table: str, name: str) -> Row:
        """The first row with this name.

        Raises:
            KeyError: there is none.
        """
        for row in self.rows(table):
            if row.name == name:
                return row
        raise KeyError(f"{table} has no {name!r}")

    def remove(self, table: str, name: str) -> None:
        """Take a row out of use; tickets that have it keep it."""
        self.named(table, name).in_use = False

    def rename(self, table: str, name: str, new_name: str) -> None:
        """Give a row another name, as an administrator may at any time."""
        self.named(table, name).name = new_name

    def add_user(
        self,
        email: str | None,
        name: str = "",
        *,
        phone: str | None = None,
        technician: bool = False,
        approves: bool = True,
    ) -> User:
        """Add an account."""
        user = User(
            self._new_id("users"),
            name or (email or "nobody").partition("@")[0],
            email,
            phone,
            None,
            technician,
            approves,
        )
        self.users[user.id] = user
        return user

    def remove_user(self, email: str) -> None:
        """Take an account away; what it did keeps its name."""
        user = self.user_by_email(email)
        if user is not None:
            user.email = None

    def user_by_email(self, email: str) -> User | None:
        """The account with this address, whatever its case."""
        for user in self.users.values():
            if user.email is not None and user.email.lower() == email.lower():
                return user
        return None

    def user_by_name(self, name: str) -> User | None:
        """The first account with exactly this name."""
        return next((user for user in self.users.values() if user.name == name), None)

    def add_udf(self, kind: Kind, name: str) -> None:
        """Add a user-defined field; its name tells its type: `udf_sline_301`, `udf_date_7`, `txt_number`, `bool_x`."""
        self.udfs[kind].add(name)

    def remove_udf(self, kind: Kind, name: str) -> None:
        """Take a user-defined field away."""
        self.udfs[kind].discard(name)
