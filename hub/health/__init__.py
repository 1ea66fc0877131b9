"""Health: scores that add up and can be explained, bands with memory, alerts, and the watch list.

The decisions (`scoring`, `rating`, `bands`, `alerts`, `watching`, `explain`) are pure functions over tables or frozen
values, `service` carries them out for a batch of accounts in a fixed number of statements, `history` answers for any
moment, and `jobs` works on the list of accounts to score.

What people do stands in `overriding` (bands), `handling` (alerts) and `saving` (the watch list); `moments` ends what
time alone ends. `trends` and `rollups` read many scores as few numbers.
"""
