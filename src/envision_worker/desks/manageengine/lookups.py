"""Names that must exist on the desk: statuses, groups, users, UDFs and the rest; asked when a configuration is checked."""

from collections.abc import Mapping

import httpx

from envision_worker.desks.manageengine.answers import PEER
from envision_worker.desks.manageengine.client import Client
from envision_worker.desks.manageengine.flavour import Flavour
from envision_worker.desks.manageengine.shapes import Json, name, part, text
from envision_worker.desks.manageengine.tickets import COLLECTION
from envision_worker.errors import Refused, RefusedFor
from envision_worker.vocabulary import DeskKind

_UNKNOWN_LIST = frozenset({RefusedFor.NOT_FOUND, RefusedFor.CONFIGURATION})


class Lookups:
    """The desk's lists of names and of people."""

    def __init__(self, client: Client, flavour: Flavour) -> None:
        self._client = client
        self._flavour = flavour
        self._people: dict[str, Json] = {}

    async def user_id(self, email: str) -> str | None:
        """The id of the user with this address; None where none of the lists of users that this build has knows one.

        Raises:
            Refused: `CONFIGURATION`: the desk has none of the lists.
        """
        user = await self._user(email)
        return text(user["id"]) if user else None

    async def phone(self, email: str) -> str:
        """The telephone number of the user with this address; empty where none is known."""
        user = await self._user(email, "phone", "mobile") or {}
        return text(user.get("phone")) or text(user.get("mobile"))

    async def person(self, identifier: str) -> Json | None:
        """The user with this id, asked for once; None where none of the lists has one."""
        if identifier not in self._people:
            found = await self._user_with("id", identifier, "phone", "mobile")
            if found is None:
                return None
            self._people[identifier] = found
        return self._people[identifier]

    async def _user(self, email: str, *shown: str) -> Json | None:
        return await self._user_with("email_id", email, *shown)

    async def _user_with(self, field: str, value: str, *shown: str) -> Json | None:
        criterion = {"field": field, "condition": "is", "value": value.strip()}
        criteria = [criterion] if self._flavour.search_form == "array" else criterion
        list_info = {"fields_required": ["id", "name", "email_id", *shown], "search_criteria": criteria}
        wanted, has_lists = value.strip().casefold(), False
        for listed in self._flavour.user_lists:
            rows = await self._rows("find_user", listed, list_info)
            has_lists = has_lists or rows is not None
            for row in rows or []:
                if text(row.get(field)).strip().casefold() == wanted and text(row.get("id")):
                    return row
        if not has_lists:
            detail = f"the desk has none of {', '.join(self._flavour.user_lists)}"
            raise Refused(PEER, "find_user", detail, why=RefusedFor.CONFIGURATION)
        return None

    async def names(self, *lists: str) -> frozenset[str] | None:
        """All names in those of these lists that this build publishes; None where it publishes none."""
        pages = [await self._rows(f"list_{lists[0]}", each, None) for each in lists]
        known = [page for page in pages if page is not None]
        return frozenset(name(row) for page in known for row in page) if known else None

    async def udfs(self, kind: DeskKind) -> frozenset[str]:
        """The UDFs of requests or changes, by the metadata of the module."""
        body = await self._client.get(f"read_{kind}_metainfo", COLLECTION[kind], "_metainfo")
        known = part(body, "metainfo", "fields", "udf_fields", "fields")
        return frozenset(known) if isinstance(known, Mapping) else frozenset()

    async def _rows(self, operation: str, listed: str, list_info: Json | None) -> list[Json] | None:
        """The rows of a list; None where this build has no such address, which differs between builds."""
        try:
            return await self._client.rows(operation, listed, keys=[listed], list_info=list_info)
        except Refused as exc:
            if exc.why in _UNKNOWN_LIST and exc.status != httpx.codes.UNAUTHORIZED:
                return None
            raise
