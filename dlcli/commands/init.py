"""dlcli init: a commented spec, fitted to a folder."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from dlcli.errors import UsageError
from dlcli.events import Reporter, Said

DEFAULT_TEMPLATE = "transfer"
_PLACEHOLDER = "./animals "


@dataclass(frozen=True)
class InitOptions:
    """What was typed; `folder` None keeps the template's example."""

    folder: Path | None
    output: Path
    template: str = DEFAULT_TEMPLATE
    force: bool = False


@dataclass(frozen=True)
class InitResult:
    """The spec that was written, and what was found in the folder."""

    output: Path
    template: str
    classes: tuple[str, ...]
    num_images: int


def list_templates() -> dict[str, str]:
    """The name of each template and the first sentence of what it says."""
    templates = {}
    for path in resources.files("dlcli.spec").joinpath("templates").iterdir():
        if path.name.endswith(".yaml"):
            comments = [
                line[1:].strip() for line in path.read_text().splitlines() if line[:1] == "#"
            ]
            about = " ".join(comments[2:]).split(". ")[0].split(": ")[0]
            templates[path.name.removesuffix(".yaml")] = about.rstrip(".")
    return dict(sorted(templates.items()))


def run(options: InitOptions, reporter: Reporter) -> InitResult:
    """Writes the spec.

    Raises:
        UsageError: for an unknown template, a folder that is not there, or a file that is.
    """
    from dlcli.runs.files import write_text

    text = _read_template(options.template)
    classes: tuple[str, ...] = ()
    num_images = 0
    if options.folder is not None:
        from dlcli.data.index import index_folder

        index = index_folder(options.folder)
        classes, num_images = index.class_names, len(index.files)
        counts = ", ".join(f"{name} {count}" for name, count in list(index.counts().items())[:8])
        reporter.report(Said(f"{num_images} pictures in {len(classes)} classes: {counts}"))
        text = text.replace(_PLACEHOLDER, _yaml_path(options.folder, options.output) + " ", 1)
    if options.output.exists() and not options.force:
        raise UsageError(
            "this file is there already.",
            where=str(options.output),
            fix="Overwrite it with --force, or name another with -o.",
        )
    options.output.parent.mkdir(parents=True, exist_ok=True)
    write_text(options.output, text)
    return InitResult(options.output, options.template, classes, num_images)


def _read_template(name: str) -> str:
    known = list_templates()
    if name not in known:
        import difflib

        near = difflib.get_close_matches(name, known, 1)
        hint = f"Did you mean {near[0]}?" if near else f"Known: {', '.join(known)}."
        raise UsageError(f"{name!r} is no template.", where="--template", fix=hint)
    return resources.files("dlcli.spec").joinpath("templates", f"{name}.yaml").read_text()


def _yaml_path(folder: Path, output: Path) -> str:
    """The folder as the spec file sees it: relative where it lies below, quoted as YAML wants."""
    import json

    resolved, base = folder.resolve(), output.resolve().parent
    inside = resolved.is_relative_to(base)
    path = f"./{resolved.relative_to(base).as_posix()}" if inside else str(resolved)
    plain = all(char.isalnum() or char in "./_-" for char in path)
    return path if plain else json.dumps(path, ensure_ascii=False)
