"""What a connector's failure looks like to whoever has to mend it: where and what, without a secret."""

from __future__ import annotations

import traceback
from collections.abc import Iterable
from pathlib import PurePath

from hub.sdk.secrecy import printable


def described(error: BaseException, secrets: Iterable[str] = ()) -> str:
    """`KeyError: 'id' (connector.py:41 in surveys)`: the type, the text, and the innermost place."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({PurePath(frames[-1].filename).name}:{frames[-1].lineno} in {frames[-1].name})" if frames else ""
    return printable(f"{type(error).__name__}: {error}{place}", secrets)
