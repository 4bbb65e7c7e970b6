"""``naq config``: the settings, where each comes from, and what is wrong with them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from naq_tui.cli.context import EXIT_USAGE, command
from naq_tui.cli.format import Format

if TYPE_CHECKING:
    from collections.abc import Callable

    from naq_runtime.config import ReadSettings
    from naq_runtime.config_layers import Source

__all__ = ["app"]

app = typer.Typer(help="Show the settings, and check them.", no_args_is_help=True, rich_markup_mode=None)

FormatOption = Annotated[Format, typer.Option("--format", "-f", help="How to print.")]


def show(
    key: Annotated[str, typer.Argument(metavar="[KEY]", help="Only this setting, or those of this section.")] = "",
    *,
    format: FormatOption = Format.TABLE,
    read: Callable[[], ReadSettings],
    source: Source,
) -> None:
    """Print every setting with its value, and where that comes from; nothing is asked of the server.

    Secrets are hidden. The highest wins: an option, --context and --profile, a variable, NAQ_CONTEXT and NAQ_PROFILE,
    the file, the default.

    Example: naq config show nats --context staging
    """
    from naq_runtime.errors import NotFound
    from naq_tui.cli.config_page import print_settings
    from naq_tui.cli.output import note
    from naq_tui.cli.settings_known import known_settings, of_section, top_settings

    found, top = read(), top_settings(source)
    settings = of_section(known_settings(found, top), key)
    if not settings:
        raise NotFound(f"there is no setting {key!r}; 'naq config show' prints all of them")
    for mistake in (*found.mistakes, *top.mistakes):
        note(f"left out: {mistake}")
    print_settings(settings, format)


def check(
    file: Annotated[
        Path | None,
        typer.Argument(metavar="[FILE]", help="A TOML file, checked alone; all settings as they are when left out."),
    ] = None,
    *,
    format: FormatOption = Format.TABLE,
    read: Callable[[], ReadSettings],
    source: Source,
) -> None:
    """Print all mistakes in the settings; nothing is asked of the server.

    Each says where it is, the key, what was expected and what came. All profiles of the file are checked, too, and what
    belongs to naq-top. Exit code 2 when there is a mistake.

    Example: naq config check deploy/naq.toml
    """
    from naq_runtime.config_layers import config_file, file_layer
    from naq_tui.cli.config_page import print_mistakes
    from naq_tui.cli.settings_known import all_mistakes

    checked = file or config_file(source)
    layer = file_layer(checked) if checked else None
    mistakes = all_mistakes(layer, None if file else read(), source)
    print_mistakes(mistakes, str(checked or ""), format)
    if mistakes:
        raise typer.Exit(EXIT_USAGE)


app.command("show")(command(show))
app.command("check")(command(check))
