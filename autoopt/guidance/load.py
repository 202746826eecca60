"""The knowledge files, read and checked: a slip in a rule is an error on load, not odd advice later."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from functools import cache
from importlib.resources import files
from typing import Any, Literal, get_args, get_origin, get_type_hints

from autoopt.catalogue import OPTIMIZERS
from autoopt.errors import GuidanceError
from autoopt.guidance.checks import (
    as_list,
    as_mapping,
    as_texts,
    check_choice,
    check_fields,
    check_known,
    check_unique,
)
from autoopt.guidance.evidence import parse_citations
from autoopt.guidance.rule import (
    Condition,
    Document,
    Effect,
    Evidence,
    Figure,
    Kind,
    Question,
    Rule,
    Strength,
    Verdict,
)
from autoopt.tasks.profile import TaskProfile


@cache
def load_rules() -> tuple[Rule, ...]:
    """Return every rule of the documents, in the order of the file.

    Raises:
        GuidanceError: the file has a mistake; the message names the rule and the field.
    """
    return parse_rules(read_knowledge("rules.yaml"), load_documents())


@cache
def load_documents() -> Mapping[str, Document]:
    """Return what the rules cite, by id: the articles D1–D5 and the published measurements."""
    entries = read_knowledge("documents.yaml")["documents"]
    documents = {}
    for name, data in entries.items():
        check_fields(data, _names(Document), f"document {name!r}", needed=("title", "kind"))
        documents[name] = Document(id=name, **data)
    return documents


@cache
def load_effects() -> tuple[Effect, ...]:
    """Return what is worth tuning, in the order in which it pays.

    Raises:
        GuidanceError: the file has a mistake.
    """
    documents = load_documents()
    effects = []
    for entry in as_list(read_knowledge("effects.yaml"), "effects"):
        where = f"effect {str(entry.get('name') if isinstance(entry, Mapping) else entry)[:60]!r}"
        check_fields(entry, _names(Effect), where, needed=_names(Effect))
        figures = parse_figures(entry["figures"], documents, where)
        effects.append(Effect(entry["name"], as_texts(entry["settings"], f"settings of {where}"), figures))
    return tuple(effects)


def read_knowledge(file_name: str) -> Any:
    """Read one YAML file of the package, in a checkout and in a wheel alike."""
    import yaml  # costs 20 ms, so only when knowledge is asked for

    text = (files("autoopt.guidance") / "knowledge" / file_name).read_text(encoding="utf-8")
    return yaml.safe_load(text)


def parse_rules(entries: Any, documents: Mapping[str, Document]) -> tuple[Rule, ...]:
    """Turn plain data into rules.

    Raises:
        GuidanceError: an unknown field or optimizer, a missing citation, a condition that cannot be met.
    """
    rules = tuple(_rule(entry, documents) for entry in as_list(entries, "rules"))
    check_unique([rule.id for rule in rules], "rule")
    return rules


def _rule(entry: Any, documents: Mapping[str, Document]) -> Rule:
    where = f"rule {entry.get('id', str(entry)[:60])!r}" if isinstance(entry, Mapping) else "a rule"
    check_fields(entry, _names(Rule), where, needed=("id", "kind", "says", "documents"))
    as_texts([entry["id"], entry["says"]], f"the id and sentence of {where}")
    check_choice(entry["kind"], Kind, f"the kind of {where}")
    check_choice(entry.get("strength", "fair"), Strength, f"the strength of {where}")
    if entry.get("tested_by") is not None:
        check_choice(entry["tested_by"], Question, f"'tested_by' of {where}")
    cited = check_known(entry["documents"], documents, "document", where)
    if not cited:
        raise GuidanceError(
            f"{where} cites nothing: name at least one of {', '.join(documents)} in 'documents'"
        )
    optimizers = {
        field: check_known(entry.get(field, []), OPTIMIZERS, "optimizer", where)
        for field in ("favours", "over")
    }
    needed = {"choice": "favours", "alike": "favours", "symptom": "remedies"}.get(entry["kind"])
    if needed and not entry.get(needed):
        raise GuidanceError(f"{where} is a {entry['kind']} and names nothing in {needed!r}")
    return Rule(**{
        **entry, **optimizers,
        "documents": cited,
        "when": parse_conditions(entry.get("when", {}), where),
        "evidence": _evidence(entry.get("evidence", {"verdict": "no data"}), documents, where),
        "remedies": as_texts(entry.get("remedies", []), f"remedies of {where}"),
    })  # fmt: skip


def parse_conditions(data: Any, where: str) -> tuple[Condition, ...]:
    """Turn ``{field: value, list of values or bounds}`` into conditions that fit the profile's fields."""
    types = get_type_hints(TaskProfile)
    check_known(list(as_mapping(data, f"'when' of {where}")), types, "profile field", where)
    return tuple(_condition(field, value, types[field], where) for field, value in data.items())


def _condition(field: str, value: Any, field_type: Any, where: str) -> Condition:
    if isinstance(value, Mapping):
        check_known(list(value), ("at_least", "below"), "bound", where)
        if not value or field_type not in _COUNTS or not all(_is_number(v) for v in value.values()):
            raise GuidanceError(f"{where} bounds {field!r} by {dict(value)}: write numbers for a count")
        return Condition(field, at_least=value.get("at_least"), below=value.get("below"))
    values = tuple(value) if isinstance(value, list) else (value,)
    if not values or not all(_fits(v, field_type) for v in values):
        known = ", ".join(map(str, get_args(field_type)))
        told = f"; known: {known}" if get_origin(field_type) is Literal else ""
        raise GuidanceError(f"{where} asks for {field!r} {value!r}, which no profile has{told}")
    return Condition(field, one_of=values)


_COUNTS = (int, int | None, float | None)


def _names(shape: type[Any]) -> list[str]:
    return [field.name for field in fields(shape)]


def _fits(value: Any, field_type: Any) -> bool:
    if get_origin(field_type) is Literal:
        return value in get_args(field_type)
    return isinstance(value, bool) if field_type is bool else _is_number(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _evidence(data: Any, documents: Mapping[str, Document], where: str) -> Evidence:
    check_fields(data, _names(Evidence), f"the evidence of {where}", needed=("verdict",))
    check_choice(data["verdict"], Verdict, f"the verdict of {where}")
    figures = parse_figures(data.get("figures", []), documents, where)
    if bool(figures) == (data["verdict"] == "no data"):
        raise GuidanceError(f"{where}: verdict {data['verdict']!r} with {len(figures)} figures does not fit")
    return Evidence(data["verdict"], figures)


def parse_figures(entries: Any, documents: Mapping[str, Document], where: str) -> tuple[Figure, ...]:
    """Turn ``[{says, source}]`` into figures whose sources exist."""
    figures = []
    for entry in as_list(entries, f"figures of {where}"):
        check_fields(entry, _names(Figure), f"a figure of {where}", needed=("says", "source"))
        as_texts([entry["says"], entry["source"]], f"a figure of {where}")
        check_known([entry["source"]], documents, "source", where)
        figures.append(Figure(entry["says"], entry["source"], parse_citations(entry.get("cites", []), where)))
    return tuple(figures)
