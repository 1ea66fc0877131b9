"""The conformance kit: sixteen checks that a connector keeps the contract, offline, on the plugin's own fixtures.

```python
TestAcme = sdk.testing.conformance(Acme)          # tests/test_conformance.py: one test for each check
```

    fixtures, vendor          what a plugin brings: files, and a double of its vendor
    plugin                    the plugin under test, found from a class or a folder
    weather, hosting, watch   faults in front of the double, the hub's own client led to it, what a connector touches
    reading                   streams read as the host reads them, and killed
    checks/                   the sixteen
    verdicts, conformance     what was found, what is excused, which tier that makes; the test class
"""

from hub.sdk.testing.conformance import CHECKS, conformance
from hub.sdk.testing.fixtures import as_json, expected_events, golden_pairs, normalized
from hub.sdk.testing.plugin import NotAPlugin, Plugin
from hub.sdk.testing.vendor import Row, Vendor
from hub.sdk.testing.verdicts import Check, Finding, State, Verdict, judge, tier_reached

__all__ = [
    "CHECKS",
    "Check",
    "Finding",
    "NotAPlugin",
    "Plugin",
    "Row",
    "State",
    "Vendor",
    "Verdict",
    "as_json",
    "conformance",
    "expected_events",
    "golden_pairs",
    "judge",
    "normalized",
    "tier_reached",
]
