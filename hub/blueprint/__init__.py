"""The blueprint: the versioned document that says what this business means by health, journey and play.

Reading (`reading`) turns YAML into values that remember their lines, checking (`checking`) holds them against
the model that each room owns for its section, and `service` keeps the versions. Nothing in here knows what a
section means.
"""
