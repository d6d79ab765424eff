"""Interfaces with a configured implementation."""

import pytest

from eyewall.base.configurable import Configurable


class Store(Configurable):
    @classmethod
    def configurable_base(cls):
        return Store

    @classmethod
    def configurable_default(cls):
        return Memory


class Memory(Store):
    def initialize(self, limit=1, name=None):
        self.limit, self.name = limit, name


class Disk(Store):
    def initialize(self, folder="/"):
        self.folder = folder


class Remote(Store):
    """An implementation that is an interface itself."""

    @classmethod
    def configurable_base(cls):
        return Remote

    @classmethod
    def configurable_default(cls):
        return Fast


class Fast(Remote):
    def initialize(self, host="a", port=1):
        self.host, self.port = host, port


@pytest.fixture(autouse=True)
def _restored():
    saved = [(kind, kind._save_configuration()) for kind in (Store, Remote)]
    yield
    for kind, choice in saved:
        kind._restore_configuration(choice)


def test_the_default_is_made_where_nothing_is_configured():
    assert type(Store(limit=3)) is Memory
    assert Store(limit=3).limit == 3


def test_a_class_or_its_name_is_configured():
    Store.configure(Disk)
    assert type(Store()) is Disk
    Store.configure(f"{__name__}.Memory")
    assert Store.configured_class().__name__ == "Memory"


def test_configured_arguments_count_unless_the_call_gives_them():
    Store.configure(None, limit=5)
    assert (Store().limit, Store(limit=6).limit) == (5, 6)


def test_an_implementation_by_its_own_name_is_not_configured():
    Store.configure(Disk, folder="/tmp")
    assert Memory().limit == 1
    assert Disk().folder == "/"


def test_an_implementation_can_be_an_interface():
    Store.configure(Remote, host="b")
    Remote.configure(Fast, port=2)
    made = Store()
    assert (type(made), made.host, made.port) == (Fast, "b", 2)
    assert Remote().host == "a"


def test_another_class_is_refused():
    with pytest.raises(ValueError, match="no subclass of Store"):
        Store.configure(dict)


def test_a_choice_can_be_taken_back():
    before = Store._save_configuration()
    Store.configure(Disk)
    Store._restore_configuration(before)
    assert type(Store()) is Memory


def test_an_interface_must_say_what_it_is():
    with pytest.raises(NotImplementedError, match="configurable_base"):
        Configurable()
