"""Outbound messages: what an org sends when records change, for a day and as often as it takes.

SOAP 1.1, up to a hundred notifications in a message, each with an id of its own that stays the same in repetitions.
What is not acknowledged comes again, later and perhaps together with others.
Source: https://developer.salesforce.com/docs/atlas.en-us.api.meta/api/sforce_api_om_outboundmessaging_wsdl.htm
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Final
from xml.sax.saxutils import escape

import httpx

from hub.sandbox import faults as network
from hub.sandbox.faults import Fault, Faults
from hub.sandbox.salesforce.ids import make_id
from hub.sandbox.salesforce.org import Org, Record

MOST: Final = 100

_MESSAGE: Final = """<?xml version="1.0" encoding="UTF-8"?>
<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" \
xmlns:xsd="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
 <soapenv:Body>
  <notifications xmlns="http://soap.sforce.com/2005/09/outbound">
   <OrganizationId>{org}</OrganizationId>
   <ActionId>04kA000000000lZIAQ</ActionId>
   <SessionId xsi:nil="true"/>
   <EnterpriseUrl>{url}/services/Soap/c/62.0/{org}</EnterpriseUrl>
   <PartnerUrl>{url}/services/Soap/u/62.0/{org}</PartnerUrl>
{notifications}
  </notifications>
 </soapenv:Body>
</soapenv:Envelope>"""

_NOTIFICATION: Final = """   <Notification>
    <Id>{id}</Id>
    <sObject xsi:type="sf:{kind}" xmlns:sf="urn:sobject.enterprise.soap.sforce.com">
{fields}
    </sObject>
   </Notification>"""


@dataclass(frozen=True, slots=True)
class Pending:
    """A notification that was not acknowledged yet."""

    id: str
    kind: str
    record: Record


@dataclass(frozen=True, slots=True)
class Sent:
    """One attempt: the notifications' ids, the status of the answer (None if none came), and whether it was an Ack."""

    ids: tuple[str, ...]
    status: int | None
    acknowledged: bool


@dataclass(slots=True)
class OutboundMessages:
    """The messages of an org to one address. `fields` are sent besides the id."""

    org: Org
    url: str
    http: httpx.AsyncClient
    fields: tuple[str, ...] = ()
    organization: str = ""
    faults: Faults = field(default_factory=Faults)
    pending: list[Pending] = field(default_factory=list)
    _rng: Random = field(default_factory=lambda: Random("notifications"))  # noqa: S311 - ids of an invented org

    def watch(self, *kinds: str) -> None:
        """From now on a change of a record of these objects is a notification."""

        def note(kind: str, record: Record) -> None:
            if kind in kinds:
                self.queue(kind, record)

        self.org.changed.append(note)

    def queue(self, kind: str, record: Record) -> str:
        """A notification about this record; returns its id."""
        self.pending.append(Pending(make_id(self._rng, "Notification"), kind, record))
        return self.pending[-1].id

    async def deliver(self, attempts: int = 1) -> list[Sent]:
        """Sends what is pending, and once more what was not acknowledged, up to `attempts` times."""
        sent: list[Sent] = []
        for _ in range(attempts):
            due, self.pending = self.pending, []
            for start in range(0, len(due), MOST):
                batch = due[start : start + MOST]
                sent.append(await self.send(batch))
                if not sent[-1].acknowledged:
                    self.pending += batch
        return sent

    async def send(self, batch: Sequence[Pending]) -> Sent:
        """One message."""
        ids = tuple(one.id for one in batch)
        fault = self.faults.draw(httpx.URL(self.url).path)
        headers = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": '""'}
        request = self.http.build_request("POST", self.url, content=self.body(batch), headers=headers)
        try:
            answer = await network.send(self.http, request, fault)
        except httpx.TransportError:
            return Sent(ids, None, False)
        return Sent(ids, answer.status_code, fault is not Fault.EXPIRED and b"<Ack>true</Ack>" in answer.content)

    def body(self, batch: Iterable[Pending]) -> bytes:
        """The message as it goes over the wire."""
        org = self.organization or self.org.id
        parts = [_NOTIFICATION.format(id=one.id, kind=one.kind, fields=self._fields(one.record)) for one in batch]
        url = f"https://{org.lower()}.my.salesforce.com"
        return _MESSAGE.format(org=org, url=url, notifications="\n".join(parts)).encode()

    def _fields(self, record: Record) -> str:
        shown = {name: record[name] for name in ("Id", *self.fields) if record.get(name) is not None}
        return "\n".join(f"     <sf:{name}>{escape(str(value))}</sf:{name}>" for name, value in shown.items())
