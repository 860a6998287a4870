"""Names of hosts as they are looked up."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks_app.utils.hostnames import InvalidHostname, ascii_email, ascii_host


@pytest.mark.parametrize(
    ("host", "looked_up"),
    [
        ("straße.example.org", "xn--strae-oqa.example.org"),
        ("STRASSE.example.org", "strasse.example.org"),
        ("Straße.Example.ORG", "xn--strae-oqa.example.org"),
        ("faß.de", "xn--fa-hia.de"),
        ("βόλος.com", "xn--nxasmm1c.com"),
        ("نامه\u200cای.com", "xn--mgba3gch31f060k.com"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("bu\u0308cher.example", "xn--bcher-kva.example"),
        ("例え。テスト", "xn--r8jz45g.xn--zckzah"),
        ("ｅｘａｍｐｌｅ.org", "example.org"),
        ("xn--strae-oqa.example.org", "xn--strae-oqa.example.org"),
        ("my_service", "my_service"),
        ("127.0.0.1", "127.0.0.1"),
        ("１２７.0.0.1", "127.0.0.1"),
        ("example.org.", "example.org."),
        ("[::1]", "::1"),
        ("::1", "::1"),
        ("fe80::1%eth0", "fe80::1%eth0"),
    ],
)
def test_it_spells_a_host_as_resolvers_do(host, looked_up):
    assert ascii_host(host) == looked_up
    assert ascii_host(looked_up) == looked_up


@pytest.mark.parametrize(
    "host",
    [
        "", ".", "a..b", "-a.org", "a-.org", "a" * 64 + ".org", "a." * 127 + "org", "exa mple.org", "a/b", "a@b", "a%b",
        "a\n.org", "☃.example", "xn--.org", "xn--a", "xn--strae-oqa\u0301", "\u0301a.org", "a\u200db.org",
        "аpple\u200c.com", "::g", "[::1", "a:1", "א1a.org", "ü" * 70 + ".org", "\ud800.org",
    ],
)  # fmt: skip
def test_it_refuses_what_is_no_host(host):
    with pytest.raises(InvalidHostname):
        ascii_host(host)


@given(st.text(max_size=80))
def test_it_gives_a_name_in_ascii_or_refuses_it(text):
    try:
        name = ascii_host(text)
    except InvalidHostname:
        return
    assert ":" in name or name.isascii()
    assert ascii_host(name) == name


def test_it_spells_the_domain_of_an_email_address():
    assert ascii_email("ana@straße.example") == "ana@xn--strae-oqa.example"
    assert ascii_email('"a@b"@Example.org') == '"a@b"@example.org'
    assert ascii_email("ana@[127.0.0.1]") == "ana@[127.0.0.1]"
    with pytest.raises(InvalidHostname):
        ascii_email("ana@☃.example")
