"""The sandbox plays the outside world: invented companies, and doubles of the vendors through which they are seen.

The demo, the tests and the authors of plugins use it. It speaks the vendors' wire formats over real sockets
and knows nothing of the hub; what it knows about a company (its story) never goes over the wire, so the hub
has to find it out.

    companies, stories, names     the invented base: who there is and what is going on at each
    usage, messages, segment      what people do in the product, and the Segment client that sends it
    books, billing, clerk, shapes what a Stripe account holds, how it came about, how each API version shows it
    stripe, paging, refusals      the Stripe double; webhooks: its signed deliveries; synthetic: any number of records
    salesforce, zendesk, intercom the doubles of these, each in a folder of its own
    product                       the customer's product with the in-app script
    live, sandbox                 traffic after the history, and all of it together
    doubles                       the registry: what `hub sandbox` starts
    faults                        rate limits, errors, time-outs, cut connections, expired credentials and cursors,
                                  changed schemas, clocks that are ahead, on demand
"""

from hub.sandbox.billing import invent_books
from hub.sandbox.companies import Company, CompanyBase, Person, Role, invent
from hub.sandbox.doubles import DOUBLES, Address, Double
from hub.sandbox.faults import Fault, Faults
from hub.sandbox.intercom import IntercomDouble, NotificationEndpoint, invent_workspace
from hub.sandbox.live import Moment, Traffic
from hub.sandbox.product import InAppMessage, Product, Reaction, Report
from hub.sandbox.salesforce import OutboundMessages, SalesforceDouble, invent_org
from hub.sandbox.sandbox import Sandbox
from hub.sandbox.segment import Progress, Sender, SendingFailed, WebhookDestination
from hub.sandbox.stories import Story
from hub.sandbox.stripe import StripeDouble
from hub.sandbox.synthetic import synthetic_books
from hub.sandbox.usage import Rhythm, history
from hub.sandbox.webhooks import Delivery, Disorder, WebhookEndpoint
from hub.sandbox.zendesk import ZendeskDouble, ZendeskWebhook, invent_desk

__all__ = [
    "DOUBLES",
    "Address",
    "Company",
    "CompanyBase",
    "Delivery",
    "Disorder",
    "Double",
    "Fault",
    "Faults",
    "InAppMessage",
    "IntercomDouble",
    "Moment",
    "NotificationEndpoint",
    "OutboundMessages",
    "Person",
    "Product",
    "Progress",
    "Reaction",
    "Report",
    "Rhythm",
    "Role",
    "SalesforceDouble",
    "Sandbox",
    "Sender",
    "SendingFailed",
    "Story",
    "StripeDouble",
    "Traffic",
    "WebhookDestination",
    "WebhookEndpoint",
    "ZendeskDouble",
    "ZendeskWebhook",
    "history",
    "invent",
    "invent_books",
    "invent_desk",
    "invent_org",
    "invent_workspace",
    "synthetic_books",
]
