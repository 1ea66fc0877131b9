"""Plays, as the rest of the house asks for them.

Accounts are looked at in `following` and enrolled in `enrolling`; what a run then does, step by step, is in `steps`.
People act by `controls` on runs, by `switching` on whole plays, and by `tasks`; `effect` says whether a play works.
"""

from hub.plays.closing import OpenTasks
from hub.plays.controls import cancel, pause_run, resume_run, run_again, skip_step, start_play, try_again
from hub.plays.enrolling import TO_ADVANCE, enrol, enrol_for_fact, enrol_if_wanted
from hub.plays.following import follow
from hub.plays.previewing import Said, preview
from hub.plays.put_aside import TO_START, drain_plays_to_start
from hub.plays.reaching import Reach, reach, start_many
from hub.plays.rehearsing import End, Outcome, Rehearsal, Word
from hub.plays.simulating import MOST_AT_ONCE, Simulation, simulate
from hub.plays.switching import Switched, pause_play, resume_play, switch_off, switch_on
from hub.plays.tasks import assign_task, comment_on_task, complete_task, decide_approval, tick_task
from hub.plays.together import together
from hub.plays.trigger_kinds import Existing
from hub.plays.twins import tell_twins

__all__ = [
    "MOST_AT_ONCE",
    "TO_ADVANCE",
    "TO_START",
    "End",
    "Existing",
    "OpenTasks",
    "Outcome",
    "Reach",
    "Rehearsal",
    "Said",
    "Simulation",
    "Switched",
    "Word",
    "assign_task",
    "cancel",
    "comment_on_task",
    "complete_task",
    "decide_approval",
    "drain_plays_to_start",
    "enrol",
    "enrol_for_fact",
    "enrol_if_wanted",
    "follow",
    "pause_play",
    "pause_run",
    "preview",
    "reach",
    "resume_play",
    "resume_run",
    "run_again",
    "simulate",
    "skip_step",
    "start_many",
    "start_play",
    "switch_off",
    "switch_on",
    "tell_twins",
    "tick_task",
    "together",
    "try_again",
]
