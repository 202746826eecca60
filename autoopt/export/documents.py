"""The whole recommendation as a document: JSON and YAML."""

from __future__ import annotations

import json

import yaml

from autoopt.verdict.recommendation import Recommendation


def write_json(recommendation: Recommendation) -> str:
    """Return the documented JSON document, which ``Recommendation.load`` reads back."""
    return json.dumps(recommendation.to_dict(), indent=2, allow_nan=False) + "\n"


def write_yaml(recommendation: Recommendation) -> str:
    """Return the same document as YAML, for ``yaml.safe_load``."""
    return str(yaml.safe_dump(recommendation.to_dict(), sort_keys=False, width=110))
