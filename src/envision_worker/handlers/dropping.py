"""What is given up of some fields, step by step, while the desk refuses them (contract, P6)."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from envision_worker.desks.desk import Fields
from envision_worker.errors import Refused, RefusedFor
from envision_worker.handlers.texts import label, rare_named, without_rare
from envision_worker.handlers.work import Work

NEVER_DROPPED = frozenset({"title", "description", "requester", "ensono_number"})
ABOUT_VALUES = frozenset({RefusedFor.FIELDS, RefusedFor.OTHER})
"""Refusals that other values may overcome."""
_UDF = "udf_fields"
_TOGETHER = frozenset({"stage", "status"})


class Dropping:
    """Fields that are tried again with less after each refusal.

    In this order, and only what the error names where it names any: the message's optional values; the message's requester, for
    the default one; what the configuration adds, which comes late because a template demands it, and stays where the message's
    value for the same field was dropped; last the characters that an old database can't hold, which are written out.

    Attributes:
        wanted: what to try now. dropped: what was given up, as `label: value` for people.
    """

    def __init__(self, work: Work, wanted: Fields) -> None:
        self.wanted = wanted
        self.dropped: list[str] = []
        self._work = work
        self._written_out = False

    def after(self, refused: Refused) -> None:
        """Give up the next. Raises the refusal again where nothing of what it is about can be given up."""
        given_up = self._give_up(frozenset(refused.fields)) if refused.why in ABOUT_VALUES else frozenset()
        if not given_up:
            raise refused
        self._work.peers.facts.field_dropped(
            ticket=self._work.transaction.ticket, fields=sorted(given_up), detail=refused.detail
        )

    def in_its_characters(self, html: str) -> str:
        """Some HTML in characters that this desk takes, as far as is known by now."""
        return without_rare(html) if self._written_out else html

    def _give_up(self, named: frozenset[str]) -> frozenset[str]:
        return self._values(named) or self._requester(named) or self._configured(named) or self._rare(named)

    def _values(self, named: frozenset[str]) -> frozenset[str]:
        own = replace(self.wanted, extra={}).names() - NEVER_DROPPED
        out = own & named if named else own
        if (
            not out and named & _TOGETHER
        ):  # a status belongs to its stage: without the one the other may be refused for it
            out = own & _TOGETHER
        self.dropped += [f"{label(name)}: {getattr(self.wanted, name)}" for name in sorted(out)]
        self.wanted = replace(self.wanted.without(out), extra=self.wanted.extra)
        return out

    def _requester(self, named: frozenset[str]) -> frozenset[str]:
        default = self._work.peers.settings.default_requester
        asked = self.wanted.requester
        if (named and "requester" not in named) or asked is None or asked == default:
            return frozenset()
        self.dropped.append(f"Requester: {_said(asked)}")
        self.wanted = replace(self.wanted, requester=default)
        return frozenset({"requester"})

    def _configured(self, named: frozenset[str]) -> frozenset[str]:
        extra = {name: value for name, value in self.wanted.extra.items() if name != _UDF}
        udfs = {f"{_UDF}.{name}": value for name, value in (self.wanted.extra.get(_UDF) or {}).items()}
        flat = extra | udfs
        meant = named | (udfs.keys() if _UDF in named else frozenset())
        out = frozenset(flat.keys() & meant if named else flat)
        self.dropped += [f"{name}: {_said(flat[name])}" for name in sorted(out)]
        left = {name: value for name, value in extra.items() if name not in out}
        left_udfs = {name.removeprefix(f"{_UDF}."): value for name, value in udfs.items() if name not in out}
        self.wanted = replace(self.wanted, extra={**left, _UDF: left_udfs} if left_udfs else left)
        return out

    def _rare(self, named: frozenset[str]) -> frozenset[str]:
        title, html = self.wanted.title, self.wanted.description
        simple = replace(self.wanted, title=title and rare_named(title), description=html and without_rare(html))
        about = {name for name in ("title", "description") if getattr(simple, name) != getattr(self.wanted, name)}
        if named and not named & about:
            return frozenset()
        self.wanted, self._written_out = simple, True
        return frozenset(about)


def _said(value: Any) -> str:
    """A value of the desk's API for people: its name or address where it has one."""
    if isinstance(value, Mapping):
        return str(next((value[key] for key in ("name", "email_id", "value", "id") if value.get(key)), dict(value)))
    return str(value)
