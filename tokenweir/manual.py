"""The manual's pages that are made from the code: `python -m tokenweir.manual > docs/settings.md`.

A test holds the page against what this prints.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from typing import get_args, get_origin

import msgspec

from connectors.secret import Secret
from connectors.vendors.registry import known
from flows.settings import Settings, environment_names, with_vendors


def _presets() -> Iterator[str]:
    for vendor in known().values():
        for section, fields in vendor.preset.items():
            yield f"    {vendor.name:10} [{section}]  " + ", ".join(
                f"{key} = {_toml(each)}" for key, each in fields.items()
            )


def _toml(value: object) -> str:
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{name} = {_toml(each)}' for name, each in value.items())} }}"
    return msgspec.json.encode(value).decode()


_HEAD = f"""# Settings

A TOML file first (`--settings FILE`, else `TOKENWEIR_SETTINGS`, else `./tokenweir.toml`), then the environment. Every
setting has a variable of its own, `TOKENWEIR__SECTION__KEY`, such as `TOKENWEIR__WINDOW__TIMEOUT=3`; a list is written
as TOML, such as `["one", "two"]`. These have names of their own besides:

{chr(10).join(f"    {name:22} {'.'.join(keys)}" for name, keys in environment_names().items())}

An error names the setting, what it should be, and the file or the variables that it came from, never its value.
What a vendor's contract asks for lies beneath the settings of its jobs:

{chr(10).join(_presets())}

This page is what `python -m tokenweir.manual` prints. Each promise of it is named in [promises.md](promises.md), with
the tests that hold it.
"""


def settings_page() -> str:
    """docs/settings.md: every section with its fields' meaning and defaults."""
    parts = [_HEAD, "## Above all sections\n", *_section(Settings, only=("blocklist_file",))]
    for field in msgspec.structs.fields(with_vendors()):
        kind, title = field.type, f"[{field.name}]"
        if get_origin(kind) is dict:
            kind, title = get_args(kind)[1], f"[{field.name}.NAME]"
        if get_origin(kind) is tuple:
            kind, title = get_args(kind)[0], f"[{title}]"
        for each in get_args(kind) or (kind,):  # of several kinds, where packages bring more
            if isinstance(each, type) and issubclass(each, msgspec.Struct):
                parts += [f"## {title}\n", *_section(each)]
    return "\n".join(parts)


def _section(kind: type[msgspec.Struct], only: tuple[str, ...] = ()) -> list[str]:
    """A section's own words, then its defaults as TOML."""
    fields = [field for field in msgspec.structs.fields(kind) if field.name in only or not only]
    words = inspect.cleandoc(kind.__doc__ or "")
    defaults = [_default(field) for field in fields]
    return ["```text", words, "```", "", "```toml", *defaults, "```", ""]


def _default(field: msgspec.structs.FieldInfo) -> str:
    if field.required:
        return f"# {field.name} is needed"
    value = field.default if field.default is not msgspec.NODEFAULT else field.default_factory()
    if value is None:
        return f"# {field.name} is unset"
    plain = msgspec.to_builtins(value, enc_hook=lambda each: "" if isinstance(each, Secret) else str(each))
    text = msgspec.json.encode(plain).decode()
    return f"{field.name} = {text}" if len(text) <= 90 else f"# {field.name} = {text[:80]} …"


if __name__ == "__main__":
    sys.stdout.write(settings_page())
