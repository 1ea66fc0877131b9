"""The Salesforce double: an org with the invented companies, and its APIs over a socket.

org, fields, ids      what an org holds: records with stamps, deletions, merges
inventing             the org of the invented companies
soql                  the part of SOQL that a hub asks in; the rest is refused
tokens                signing in: JWT bearer and client credentials
rendering, refusals   records as JSON and as CSV; errors in Salesforce's shape
bulk                  query jobs of Bulk API 2.0
double                the REST API itself
outbound              outbound messages, with retries and repetitions
"""

from hub.sandbox.salesforce.double import SalesforceDouble
from hub.sandbox.salesforce.inventing import invent_org
from hub.sandbox.salesforce.org import Org, Record
from hub.sandbox.salesforce.outbound import OutboundMessages, Sent

__all__ = ["Org", "OutboundMessages", "Record", "SalesforceDouble", "Sent", "invent_org"]
