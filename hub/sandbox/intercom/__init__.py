"""The Intercom double: a workspace in which the invented companies' people talk to support, over Intercom's API.

workspace, invented     what it holds, what can happen in it, and what happened in the base's history
shapes                  how Intercom writes it: unix seconds in the API, ISO texts in notifications
searching               the search, which compares days in the workspace's time zone
double                  the server
notifications           signed deliveries of what happens
"""

from hub.sandbox.intercom.double import IntercomDouble
from hub.sandbox.intercom.invented import invent_workspace
from hub.sandbox.intercom.notifications import NotificationEndpoint
from hub.sandbox.intercom.workspace import Happened, Workspace

__all__ = ["Happened", "IntercomDouble", "NotificationEndpoint", "Workspace", "invent_workspace"]
