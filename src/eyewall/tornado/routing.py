"""Routes, under Tornado's names."""

from eyewall.tornado.legacy.default_host import DefaultHostMatches
from eyewall.web.routing.router import ReversibleRouter, Router
from eyewall.web.routing.rules import (
    AnyMatches,
    HostMatches,
    Matcher,
    MethodMatches,
    PathMatches,
    Rule,
    URLSpec,
)
from eyewall.web.rule_router import ReversibleRuleRouter, RuleRouter

__all__ = [
    "AnyMatches",
    "DefaultHostMatches",
    "HostMatches",
    "Matcher",
    "MethodMatches",
    "PathMatches",
    "ReversibleRouter",
    "ReversibleRuleRouter",
    "Router",
    "Rule",
    "RuleRouter",
    "URLSpec",
]
