"""What the guide promises: its snippets sign as the connector does, and the default colours are legible."""

from __future__ import annotations

import re
import subprocess
from importlib.resources import files
from pathlib import Path

import pytest
from hub_inapp import InApp
from hub_inapp.connector import sign
from playwright._impl._driver import compute_driver_executable

README = (Path(__file__).parent.parent / "README.md").read_text("utf-8")
SECRET = "0123456789abcdef0123456789abcdef"
USER = "u-7 é"


def snippet(language: str) -> str:
    """The guide's snippet that signs."""
    found = re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)
    return next(text for text in found if "sha256" in text)


def test_the_python_snippet_signs() -> None:
    """A server in Python that copies it is believed."""
    names: dict[str, object] = {}
    exec(snippet("python"), names)
    signing = names["sign"]
    assert callable(signing)
    assert signing(SECRET, USER) == sign(SECRET, USER)


def test_the_node_snippet_signs() -> None:
    """A server in Node.js that copies it is believed; the Node.js is the one that comes with the browser's driver."""
    node = str(compute_driver_executable()[0])
    code = f'{snippet("js")}\nconsole.log(sign("{SECRET}", "{USER}"));'
    ran = subprocess.run([node, "-e", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == sign(SECRET, USER)


def test_the_guide_names_every_field_and_property() -> None:
    """What can be sent and what can be themed is all in the guide."""
    css = files("hub_inapp").joinpath("inapp.css").read_text("utf-8")
    fields = InApp.actions["send_message"].input.model_fields
    for name in {*fields, *re.findall(r"var\((--hub-[a-z-]+)", css)}:
        assert f"`{name}`" in README, name


def luminance(colour: str) -> float:
    """Relative luminance, WCAG 2.2."""
    digits = colour if len(colour) == 6 else "".join(2 * digit for digit in colour)
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize(
    ("ink", "paper"), [("text", "surface"), ("on-accent", "accent"), ("accent", "surface"), ("border", "surface")]
)
def test_the_default_colours_are_legible(ink: str, paper: str) -> None:
    """At least 4.5 to 1 (WCAG 2.2, 1.4.3) wherever one colour stands on another."""
    css = files("hub_inapp").joinpath("inapp.css").read_text("utf-8")
    colours = dict(re.findall(r"var\(--hub-([a-z-]+), #([0-9a-f]{3,6})\)", css))
    dark, light = sorted((luminance(colours[ink]), luminance(colours[paper])))
    assert (light + 0.05) / (dark + 0.05) >= 4.5
