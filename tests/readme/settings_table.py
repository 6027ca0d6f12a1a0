"""The README's table of settings, made from the settings themselves.

``python -m tests.readme.settings_table`` writes it anew.
"""

from pathlib import Path

from pydantic.fields import FieldInfo

from broker.app.settings import Settings
from broker.app.sources import variable
from broker.core import durations

README = Path(__file__).parents[2] / "README.md"
BEGIN, END = "<!-- settings: begin -->", "<!-- settings: end -->"


def table() -> str:
    """Return the table in Markdown: every setting, its default, its meaning."""
    rows = ["| setting | default | meaning |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        rows.append(f"| `{variable(name)}` | {_default(field)} | {field.description} |")
    return "\n".join(rows)


def _default(field: FieldInfo) -> str:
    value = field.default
    text = getattr(value, "get_secret_value", lambda: value)()
    if text in ("", None, ()):
        return ""
    if isinstance(text, tuple):
        return f"`{','.join(text)}`"
    if any("seconds" in str(mark) for mark in field.metadata):
        return f"`{durations.show(text)}`" if text else "`0`"
    return f"`{text}`"


def in_readme() -> str:
    """Return the table as the README has it."""
    return README.read_text("utf-8").split(BEGIN)[1].split(END)[0].strip()


if __name__ == "__main__":
    whole = README.read_text("utf-8")
    before, rest = whole.split(BEGIN)
    README.write_text(f"{before}{BEGIN}\n{table()}\n{END}{rest.split(END)[1]}", "utf-8")
