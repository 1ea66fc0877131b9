"""The Zendesk double: a help desk with the invented companies, and its API over a socket.

desk          organizations, users, tickets with their changes, ratings
inventing     the desk of the invented companies
exports       incremental exports by cursor and by time
refusals      errors in Zendesk's shape
double        the API itself
webhooks      signed deliveries
"""

from hub.sandbox.zendesk.desk import Desk, Row
from hub.sandbox.zendesk.double import ZendeskDouble
from hub.sandbox.zendesk.inventing import invent_desk
from hub.sandbox.zendesk.webhooks import ZendeskWebhook

__all__ = ["Desk", "Row", "ZendeskDouble", "ZendeskWebhook", "invent_desk"]
