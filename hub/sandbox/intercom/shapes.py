"""Shapes: how Intercom writes a contact, a company, a conversation.

The API writes times as unix seconds. In the item of a notification the same times are ISO texts, while the envelope
around it keeps unix seconds. https://developers.intercom.com/docs/references/webhooks/webhook-models
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeAlias

from hub.sandbox.intercom.workspace import BOT, Company, Contact, Conversation, Happened, Part, Workspace

Json: TypeAlias = dict[str, Any]
Time: TypeAlias = Callable[[int], int | str]


def unix(at: int) -> int:
    """As the API writes a time."""
    return at


def iso(at: int) -> str:
    """As the item of a notification writes it: `2026-03-01T10:00:00.000+00:00`."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")


def contact(workspace: Workspace, one: Contact, time: Time = unix) -> Json:
    """A contact; of its companies the first ten are listed, by reference."""
    path = f"/contacts/{one.id}"
    listed = [{"id": company, "type": "company", "url": f"/companies/{company}"} for company in one.companies[:10]]
    many = len(one.companies)
    return {
        "type": "contact",
        "id": one.id,
        "workspace_id": workspace.id,
        "external_id": one.external,
        "role": one.role,
        "email": one.email,
        "phone": None,
        "name": one.name,
        "avatar": None,
        "owner_id": None,
        "social_profiles": {"type": "list", "data": []},
        "has_hard_bounced": False,
        "marked_email_as_spam": False,
        "unsubscribed_from_emails": False,
        "created_at": time(one.created),
        "updated_at": time(one.updated),
        "signed_up_at": time(one.created) if one.role == "user" else None,
        "last_seen_at": None,
        "location": {"type": "location", "country": None, "region": None, "city": None},
        "custom_attributes": {},
        "tags": {"type": "list", "data": [], "url": f"{path}/tags", "total_count": 0, "has_more": False},
        "notes": {"type": "list", "data": [], "url": f"{path}/notes", "total_count": 0, "has_more": False},
        "companies": {
            "type": "list",
            "data": listed,
            "url": f"{path}/companies",
            "total_count": many,
            "has_more": many > len(listed),
        },
    }


def company(workspace: Workspace, one: Company, time: Time = unix) -> Json:
    return {
        "type": "company",
        "id": one.id,
        "company_id": one.remote,
        "app_id": workspace.id,
        "name": one.name,
        "plan": {"type": "plan", "id": one.plan, "name": one.plan},
        "website": one.website,
        "industry": one.industry,
        "size": one.size,
        "remote_created_at": time(one.created),
        "created_at": time(one.created),
        "updated_at": time(one.updated),
        "monthly_spend": 0,
        "session_count": 0,
        "user_count": sum(one.id in contact.companies for contact in workspace.contacts.values()),
        "tags": {"type": "tag.list", "tags": []},
        "segments": {"type": "segment.list", "segments": []},
        "custom_attributes": {},
    }


def conversation(workspace: Workspace, one: Conversation, time: Time = unix, parts: list[Part] | None = None) -> Json:
    """A conversation; without `parts` as a search lists it."""
    shown: Json = {
        "type": "conversation",
        "id": one.id,
        "title": None,
        "created_at": time(one.created),
        "updated_at": time(one.updated),
        "waiting_since": None,
        "snoozed_until": None,
        "open": one.state == "open",
        "state": one.state,
        "read": True,
        "priority": "not_priority",
        "admin_assignee_id": None,
        "team_assignee_id": None,
        "source": {
            "type": "conversation",
            "id": f"{one.id}01",
            "delivered_as": "customer_initiated",
            "subject": one.subject,
            "body": f"<p>{one.body}</p>",
            "author": _author(workspace, one.author),
            "attachments": [],
            "url": None,
            "redacted": False,
        },
        "contacts": {"type": "contact.list", "contacts": [_participant(workspace, id_) for id_ in one.contacts]},
        "teammates": {"type": "admin.list", "admins": []},
        "tags": {"type": "tag.list", "tags": []},
        "custom_attributes": {},
        "conversation_rating": None,
    }
    if one.rating is not None:
        shown["conversation_rating"] = {
            "rating": one.rating.stars,
            "remark": one.rating.remark,
            "created_at": time(one.rating.at),
            "contact": {"type": "contact", "id": one.rating.contact},
            "teammate": None,
        }
    if parts is not None:
        shown["conversation_parts"] = {
            "type": "conversation_part.list",
            "conversation_parts": [_part(workspace, part, time) for part in parts],
            "total_count": len(parts),
        }
    return shown


def notification(workspace: Workspace, happened: Happened) -> Json:
    """The whole body of a notification; of a conversation it holds the part that is new."""
    match happened.thing:
        case Contact() as one:
            item = contact(workspace, one, iso)
        case Company() as one:
            item = company(workspace, one, iso)
        case Conversation() as one:
            item = conversation(workspace, one, iso, [happened.part] if happened.part else [])
    return {
        "type": "notification_event",
        "app_id": workspace.id,
        "data": {"type": "notification_event_data", "item": item},
        "links": {},
        "id": happened.id,
        "topic": happened.topic,
        "delivery_status": "pending",
        "delivery_attempts": 1,
        "delivered_at": 0,
        "first_sent_at": happened.at,
        "created_at": happened.at,
        "self": None,
    }


def _part(workspace: Workspace, part: Part, time: Time) -> Json:
    return {
        "type": "conversation_part",
        "id": part.id,
        "part_type": part.kind,
        "body": f"<p>{part.body}</p>" if part.body else None,
        "created_at": time(part.at),
        "updated_at": time(part.at),
        "notified_at": time(part.at),
        "assigned_to": None,
        "author": _author(workspace, part.author),
        "attachments": [],
        "external_id": None,
        "redacted": False,
    }


def _author(workspace: Workspace, author: tuple[str, str]) -> Json:
    kind, id_ = author
    known = workspace.contacts.get(id_)
    if known is not None:
        return {"type": kind, "id": id_, "name": known.name, "email": known.email}
    name, mail = ("Answer Bot", "bot") if id_ == BOT else ("Support", "support")
    return {"type": kind, "id": id_, "name": name, "email": f"{mail}@sandbox.example"}


def _participant(workspace: Workspace, contact_id: str) -> Json:
    known = workspace.contacts.get(contact_id)
    return {"type": "contact", "id": contact_id, "external_id": known.external if known else None}
