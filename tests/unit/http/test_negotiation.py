"""Choosing by `Accept`, `Accept-Encoding` and `Accept-Language`."""

import pytest

from eyewall.http.negotiation import (
    MAX_CHOICES,
    parse_choices,
    preferred_encoding,
    preferred_language,
    preferred_type,
)


def weights(field):
    return [(choice.value, choice.weight) for choice in parse_choices(field)]


def test_choices_come_in_the_order_of_their_weights_and_then_of_the_field():
    assert weights("a;q=0.5, b, c;q=0.8, d") == [("b", 1), ("d", 1), ("c", 0.8), ("a", 0.5)]


@pytest.mark.parametrize("q", ["0", "0.", "0.0", "0.000", "1", "1.", "1.000", "0.1", ".5"])
def test_weights_are_read_in_all_their_spellings(q):
    assert weights(f"a;q={q}") == [("a", float(q))]
    assert weights(f"a ; Q={q}") == [("a", float(q))]


@pytest.mark.parametrize("q", ["2", "1.1", "-1", "", "x", '"1"', "0.1x", "nan", "1e0", "0.5 0.5"])
def test_an_element_with_a_wrong_weight_is_left_out(q):
    assert weights(f"a;q={q}, b") == [("b", 1.0)]


def test_parameters_keep_quoted_commas_and_escapes():
    choices = parse_choices(r'text/html;Level="1,\"2";q=0.4, text/plain')
    assert choices[1].parameters == (("level", '1,"2'),)
    assert choices[1].weight == 0.4


@pytest.mark.parametrize("field", ["", ",", " , ,", ";q=1", "a b", '"', '"a"', "a;q", "=", ";"])
def test_what_is_no_choice_is_left_out(field):
    assert weights(field) == []


def test_only_so_many_choices_count():
    assert len(parse_choices(",".join(f"c{n}" for n in range(10_000)))) == MAX_CHOICES


OFFERED = ["br", "zstd", "gzip"]


@pytest.mark.parametrize(
    ("field", "coding"),
    [
        (None, "identity"),
        ("", "identity"),
        ("gzip, deflate, br, zstd", "br"),
        ("gzip", "gzip"),
        ("GZIP", "gzip"),
        ("x-gzip", "gzip"),
        ("*", "br"),
        ("br;q=0, *", "zstd"),
        ("gzip;q=1, br;q=0.5", "gzip"),
        ("gzip;q=0.5, identity;q=0.8", "identity"),
        ("gzip;q=0.5, identity;q=0.2", "gzip"),
        ("gzip;q=0.5, identity;q=0.5", "gzip"),
        ("deflate", "identity"),
        ("gzip;q=0", "identity"),
        ("identity;q=0", None),
        ("*;q=0", None),
        ("identity, *;q=0", "identity"),
        ("identity;q=0, gzip;q=0.1", "gzip"),
    ],
)
def test_the_coding_is_the_best_that_the_client_takes(field, coding):
    assert preferred_encoding(field, OFFERED) == coding


@pytest.mark.parametrize(
    ("field", "kind"),
    [
        (None, "text/html"),
        ("", "text/html"),
        ("*/*", "text/html"),
        ("application/json", "application/json"),
        ("Application/JSON", "application/json"),
        ("text/*;q=0.5, application/json", "application/json"),
        ("text/html;q=0, */*", "application/json"),
        ("text/html;q=0.1, text/*;q=0.9, application/json;q=0.5", "application/json"),
        ("text/html;level=1", None),
        ("image/*", None),
        ("*/*;q=0", None),
    ],
)
def test_the_type_is_weighed_by_its_most_exact_element(field, kind):
    assert preferred_type(field, ["text/html", "application/json"]) == kind


def test_a_type_with_parameters_is_matched_by_them():
    offered = ["text/html;level=2", "text/html;level=1"]
    assert preferred_type("text/html;q=0.3, text/html;level=1", offered) == offered[1]
    assert preferred_type("text/html;level=2;q=0.9, text/html;q=0.3", offered) == offered[0]
    assert preferred_type("*/*", []) is None


@pytest.mark.parametrize(
    ("field", "language"),
    [
        (None, None),
        ("", None),
        ("de", "de"),
        ("DE-at", "de"),
        ("de-AT-1996-x-y", "de"),
        ("pt", "pt_BR"),
        ("pt-PT", None),
        ("pt_BR", "pt_BR"),
        ("zh-Hant-TW", "zh-Hant"),
        ("fr, en;q=0.5", "en"),
        ("*", "en"),
        ("en;q=0, *", "de"),
        ("en;q=0", None),
        ("xx, *;q=0.1", "en"),
        ("de;q=0.2, en;q=0.9", "en"),
    ],
)
def test_the_language_is_looked_up_part_by_part(field, language):
    assert preferred_language(field, ["en", "de", "pt_BR", "zh-Hant"]) == language


def test_a_refused_language_takes_its_regions_with_it():
    assert preferred_language("en;q=0, *", ["en-GB", "fr"]) == "fr"
