"""The update rule of Lookahead around another rule."""

from __future__ import annotations

from typing import Any

from autoopt.catalogue.entry import State, UpdateRule
from autoopt.catalogue.rules.terms import Settings, number


def lookahead_rule(inner: UpdateRule) -> UpdateRule:
    """Return the rule that takes steps of ``inner`` and now and then returns a part of the way."""

    def init(parameter: Any, settings: Settings) -> State:
        return {"slow": parameter * 1.0, "inner": inner.init(parameter, settings)}

    def step(parameter: Any, gradient: Any, state: State, settings: Settings, step: int) -> Any:
        parameter, within = inner.step(parameter, gradient, state["inner"], settings, step)
        if step % int(number(settings, "sync_steps", 5)):
            return parameter, {**state, "inner": within}
        slow = state["slow"] + (parameter - state["slow"]) * number(settings, "slow_share", 0.5)
        return slow, {"slow": slow, "inner": within}

    return UpdateRule(init, step)
