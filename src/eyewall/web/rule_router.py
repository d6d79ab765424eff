"""`RuleRouter`: rules of any kind in order, without an application around them."""

from collections.abc import Iterable
from typing import Any

from eyewall.base.objects import import_object
from eyewall.http.delegates import HTTPServerConnectionDelegate
from eyewall.http.request import HTTPServerRequest
from eyewall.web.application import Application
from eyewall.web.routing.router import Delegate, ReversibleRouter, Router
from eyewall.web.routing.rules import AnyMatches, Rule, from_tuple


class RuleRouter(Router):
    """A router made of rules, each with a matcher of its own; the first that matches serves.

    Args:
        rules: `(pattern, target)`, `(matcher, target)` or `Rule`; a target is an application,
            another router, a list of rules, or a function.

    Example:
        >>> from eyewall.web.routing.rules import HostMatches
        >>> router = RuleRouter([
        ...     (HostMatches("example.com"), Application()),
        ...     (r"/admin.*", Application()),
        ... ])
    """

    def __init__(self, rules: Iterable[Any] | None = None) -> None:
        self.rules: list[Rule] = []
        if rules is not None:
            self.add_rules(rules)

    def add_rules(self, rules: Iterable[Any]) -> None:
        """Add rules behind those that are there."""
        self.rules.extend(self.process_rule(from_tuple(rule)) for rule in rules)

    def process_rule(self, rule: Rule) -> Rule:
        """A rule as it shall be added; override it to change rules."""
        return rule

    def find_handler(self, request: HTTPServerRequest, **kwargs: Any) -> Delegate | None:
        """What the first rule that matches, and has something, gives."""
        for rule in self.rules:
            params = rule.matcher.match(request)
            if params is None:
                continue
            if rule.target_kwargs:
                params["target_kwargs"] = rule.target_kwargs
            delegate = self.get_target_delegate(rule.target, request, **{**kwargs, **params})
            if delegate is not None:
                return delegate
        return None

    def get_target_delegate(
        self, target: Any, request: HTTPServerRequest, **target_params: Any
    ) -> Delegate | None:
        """What serves a request with a target; override it for targets of your own.

        Args:
            target: The rule's target.
            request: The request.
            target_params: What the matchers have found.

        Raises:
            TypeError: A target of no known kind.
        """
        if isinstance(target, str):
            target = import_object(target)
        if isinstance(target, Router):
            return target.find_handler(request, **target_params)
        if isinstance(target, list | tuple):
            return RuleRouter(target).find_handler(request, **target_params)
        if isinstance(target, HTTPServerConnectionDelegate):
            return target.start_request(request.exchange, request.connection)
        if callable(target) and not isinstance(target, type):
            return Application([(AnyMatches(), target)]).find_handler(request)
        raise TypeError(f"{target!r} is no application, router, list of rules or function")


class ReversibleRuleRouter(ReversibleRouter, RuleRouter):
    """A router of rules that have names."""

    def __init__(self, rules: Iterable[Any] | None = None) -> None:
        self.named_rules: dict[str, Rule] = {}
        super().__init__(rules)

    def process_rule(self, rule: Rule) -> Rule:
        """Note the rule's name."""
        rule = super().process_rule(rule)
        if rule.name:
            self.named_rules[rule.name] = rule
        return rule

    def reverse_url(self, name: str, *args: Any) -> str | None:
        """The path of the rule of that name, here or in a router that is a target."""
        rule = self.named_rules.get(name)
        if rule is not None:
            return rule.reverse(*args)
        for rule in self.rules:
            if isinstance(rule.target, ReversibleRouter):
                path = rule.target.reverse_url(name, *args)
                if path is not None:
                    return path
        return None
