"""Id tokens, with keys made here: what is right passes, all else is refused."""

import base64
import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from eyewall.web.auth.errors import AuthError
from eyewall.web.auth.id_token import Expected, UnknownKeyError, check_id_token

NOW = 1_800_000_000
RSA = RSAKey.generate_key(2048, {"kid": "one", "use": "sig"})
EC = ECKey.generate_key("P-256", {"kid": "two"})
OKP = OKPKey.generate_key("Ed25519", {"kid": "three"})
KEYS = [key.as_dict(private=False) for key in (RSA, EC, OKP)]
WANTED = Expected(issuer="https://issuer.example", client_id="app", nonce="n-1")


def claims(**changes):
    base = {
        "iss": "https://issuer.example",
        "aud": "app",
        "sub": "ann",
        "exp": NOW + 300,
        "iat": NOW,
        "nonce": "n-1",
    }
    return {name: value for name, value in (base | changes).items() if value is not None}


def signed(content, key=RSA, alg="RS256", **header):
    fields = {"alg": alg, "kid": key.kid, **header}
    return jwt.encode({k: v for k, v in fields.items() if v}, content, key, algorithms=[alg])


def unsigned(header, content, signature=""):
    parts = (json.dumps(header).encode(), json.dumps(content).encode())
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts) + (
        f".{signature}"
    )


def check(token, wanted=WANTED, keys=KEYS, **options):
    return check_id_token(token, keys, wanted, clock=lambda: NOW, **options)


# The library warns of the algorithm's old name.
@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")
@pytest.mark.parametrize(
    ("key", "alg"),
    [(RSA, "RS256"), (RSA, "PS512"), (EC, "ES256"), (OKP, "EdDSA"), (OKP, "Ed25519")],
)
def test_a_token_that_is_right_gives_its_claims(key, alg):
    assert check(signed(claims(), key, alg))["sub"] == "ann"


def test_without_a_key_id_the_keys_that_fit_are_tried():
    other = RSAKey.generate_key(2048)
    keys = [other.as_dict(private=False), *KEYS]
    assert check(signed(claims(), kid=None), keys=keys)["sub"] == "ann"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"iss": "https://evil.example"}, "another issuer"),
        ({"iss": "https://issuer.example/"}, "another issuer"),
        ({"iss": None}, "another issuer"),
        ({"aud": "other"}, "another audience"),
        ({"aud": None}, "another audience"),
        ({"aud": []}, "another audience"),
        ({"aud": ["app", "other"], "azp": "app"}, "further audiences"),
        ({"aud": ["app", ["app"]]}, "further audiences"),
        ({"aud": ["app", "app"]}, "authorized party"),
        ({"azp": "other"}, "authorized party"),
        ({"azp": ["app"]}, "authorized party"),
        ({"sub": None}, "subject"),
        ({"sub": ""}, "subject"),
        ({"sub": 7}, "subject"),
        ({"sub": "a" * 256}, "subject"),
        ({"exp": NOW - 61}, "expired"),
        ({"exp": None}, "exp is no time"),
        ({"exp": str(NOW + 9)}, "exp is no time"),
        ({"exp": True}, "exp is no time"),
        ({"exp": 10**400}, "exp is no time"),
        ({"exp": float("inf")}, "exp is no time"),
        ({"exp": float("nan")}, "exp is no time"),
        ({"iat": None}, "iat is no time"),
        ({"iat": NOW + 61}, "future"),
        ({"nbf": NOW + 61}, "not valid yet"),
        ({"nonce": None}, "nonce"),
        ({"nonce": "n-2"}, "nonce"),
        ({"nonce": ["n-1"]}, "nonce"),
    ],
)
def test_a_wrong_claim_is_refused_with_the_reason(changes, reason):
    with pytest.raises(AuthError, match=reason) as caught:
        check(signed(claims(**changes)))
    assert caught.value.status_code == 403


def test_clocks_may_differ_a_little():
    assert check(signed(claims(exp=NOW - 59, iat=NOW + 59)))


def test_a_trusted_audience_may_stand_beside_the_program():
    wanted = Expected(
        issuer=WANTED.issuer, client_id="app", nonce="n-1", trusted_audiences=["other"]
    )
    assert check(signed(claims(aud=["other", "app"], azp="app")), wanted)
    with pytest.raises(AuthError, match="authorized party"):
        check(signed(claims(aud=["other", "app"])), wanted)


def test_without_a_signature_nothing_is_taken():
    for algorithm in ("none", "None", "", None, 7, ["RS256"]):
        with pytest.raises(AuthError, match="algorithm|malformed"):
            check(unsigned({"alg": algorithm, "kid": "one"}, claims()))
    with pytest.raises(AuthError, match="algorithm"):
        check(unsigned({"alg": "none"}, claims()), algorithms=["none"])


def test_the_public_key_is_never_taken_for_a_secret():
    pem = RSA.as_pem(private=False)
    forged = jwt.encode(
        {"alg": "HS256", "kid": "one"},
        claims(),
        OctKey.import_key(base64.b64encode(pem)),
        algorithms=["HS256"],
    )
    for algorithms in (["HS256"], ["HS256", "RS256"]):
        with pytest.raises(AuthError, match="algorithm"):
            check(forged, algorithms=algorithms)


def test_a_key_for_another_use_does_not_fit():
    token = signed(claims())
    public = RSA.as_dict(private=False)
    for change in ({"use": "enc"}, {"alg": "PS256"}, {"kid": "x"}, {"kty": "EC"}):
        with pytest.raises(UnknownKeyError):
            check(token, keys=[public | change])
    with pytest.raises(UnknownKeyError):
        check(token, keys=[])


def test_another_key_by_the_same_name_is_a_wrong_signature():
    other = RSAKey.generate_key(2048, {"kid": "one"})
    with pytest.raises(AuthError, match="signature"):
        check(signed(claims(), other))


def test_an_algorithm_that_the_provider_does_not_use_is_refused():
    with pytest.raises(AuthError, match="algorithm"):
        check(signed(claims()), algorithms=["ES256"])


def test_a_changed_token_is_refused():
    head, body, signature = signed(claims()).split(".")
    changed = unsigned({}, claims(sub="eve")).split(".")[1]
    with pytest.raises(AuthError, match="signature"):
        check(f"{head}.{changed}.{signature}")


@pytest.mark.parametrize("alg", ["RS256", "PS512"])
def test_the_hash_of_the_access_token_is_checked_where_it_is_given(alg):
    digest = hashlib.new(f"sha{alg[2:]}", b"access").digest()
    half = base64.urlsafe_b64encode(digest[: len(digest) // 2]).rstrip(b"=").decode()
    wanted = Expected(issuer=WANTED.issuer, client_id="app", nonce="n-1", access_token="access")
    assert check(signed(claims(at_hash=half), alg=alg), wanted)
    assert check(signed(claims(), alg=alg), wanted)
    for wrong in ("x" + half[1:], half + "=", "", 7):
        with pytest.raises(AuthError, match="at_hash"):
            check(signed(claims(at_hash=wrong), alg=alg), wanted)


def test_a_login_at_the_provider_may_be_too_old():
    wanted = Expected(issuer=WANTED.issuer, client_id="app", nonce="n-1", max_age_s=600)
    assert check(signed(claims(auth_time=NOW - 600)), wanted)
    with pytest.raises(AuthError, match="too long ago"):
        check(signed(claims(auth_time=NOW - 661)), wanted)
    with pytest.raises(AuthError, match="auth_time is no time"):
        check(signed(claims()), wanted)


def test_a_refreshed_token_is_for_the_same_user():
    wanted = Expected(issuer=WANTED.issuer, client_id="app", subject="ann")
    assert check(signed(claims(nonce=None)), wanted)
    with pytest.raises(AuthError, match="another user"):
        check(signed(claims(nonce=None, sub="eve")), wanted)


@pytest.mark.parametrize(
    "token",
    [
        None,
        7,
        b"a.b.c",
        "",
        ".",
        "..",
        "...",
        "a.b.c",
        "é.b.c",
        "a" * 70000,
        "e30.e30.",
        "W10.e30.",
    ],
)
def test_what_is_no_token_is_refused(token):
    with pytest.raises(AuthError) as caught:
        check(token)
    assert len(str(caught.value)) < 200


@given(st.text(alphabet="abcdefeyJWQiLCI.-_=0", max_size=200))
def test_no_text_makes_another_error(text):
    with pytest.raises(AuthError):
        check(text)


@given(
    st.dictionaries(
        st.sampled_from(["alg", "kid", "crit", "b64", "jwk", "typ", "zip"]),
        st.none() | st.booleans() | st.integers() | st.text(max_size=9) | st.just("RS256")
        | st.lists(st.just("b64")),
    ),
    st.text(alphabet="abcABC019-_", max_size=20),
)  # fmt: skip
def test_no_header_makes_another_error(header, signature):
    with pytest.raises((AuthError, UnknownKeyError)):
        check(unsigned(header, claims(), signature))


def test_broken_keys_of_the_provider_are_passed_over():
    token = signed(claims(), kid=None)
    broken = [{"kty": "RSA", "n": "AQ"}, {"kty": "RSA", "n": 7, "e": []}, {"kty": "RSA"}]
    with pytest.raises(AuthError, match="signature"):
        check(token, keys=broken)
    assert check(token, keys=[*broken, *KEYS])
