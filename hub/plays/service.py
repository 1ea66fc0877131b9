"""Plays, as the rest of the house asks for them.

Accounts are looked at in `following` and enrolled in `enrolling`; what a run then does, step by step, is in `steps`.
People act by `controls` and `tasks`; `effect` says whether a play works.
"""

from hub.plays.controls import cancel, go_on_without, start_play, try_again
from hub.plays.enrolling import TO_ADVANCE, enrol, enrol_for_fact, enrol_if_wanted
from hub.plays.following import follow
from hub.plays.tasks import assign_task, comment_on_task, complete_task, decide_approval, tick_task
from hub.plays.together import together

__all__ = [
    "TO_ADVANCE",
    "assign_task",
    "cancel",
    "comment_on_task",
    "complete_task",
    "decide_approval",
    "enrol",
    "enrol_for_fact",
    "enrol_if_wanted",
    "follow",
    "go_on_without",
    "start_play",
    "tick_task",
    "together",
    "try_again",
]
