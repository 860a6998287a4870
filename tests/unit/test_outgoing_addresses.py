"""Which addresses a channel may reach, and what counts as a web address at all."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from tasks_app.utils.outgoing_addresses import Refused, is_public, networks, resolve
from tasks_app.utils.outgoing_http import InvalidUrl, parse_url


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.1.2.3", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
        "224.0.0.1", "255.255.255.255", "192.0.2.1", "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "fd12::1", "ff02::1",
        # The same in disguise: mapped, 6to4, NAT64, Teredo (whose client part is written inverted).
        "::ffff:127.0.0.1", "::ffff:10.0.0.1", "2002:7f00:0001::", "2002:0a00:0001::1", "64:ff9b::127.0.0.1",
        "64:ff9b::a9fe:a9fe", "2001:0:4136:e378:8000:63bf:80ff:fffe",
        "localhost", "", "1", "2130706433",
    ],
)  # fmt: skip
def test_it_refuses_addresses_that_are_not_of_the_internet(address):
    assert not is_public(address)


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "93.184.216.34", "2606:2800:220:1::1", "::ffff:8.8.8.8", "64:ff9b::808:808"]
)
def test_it_takes_addresses_of_the_internet(address):
    assert is_public(address)


# First and last of each block of IANA's registries for special purposes that is not globally reachable, and disguises of such.
SPECIAL = """
0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.0.0/29 192.0.0.8/32
192.0.0.170/31 192.0.2.0/24 192.88.99.2/32 192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/4
240.0.0.0/4 255.255.255.255/32 ::1/128 ::/128 ::/96 64:ff9b:1::/48 100::/64 100:0:0:1::/64 2001:2::/48 2001:db8::/32
2001:10::/28 3fff::/20 5f00::/16 fc00::/7 fe80::/10 fec0::/10 ff00::/8 ::ffff:10.0.0.0/104 ::ffff:100.64.0.0/106
::ffff:0:10.0.0.0/104 64:ff9b::10.0.0.0/104 64:ff9b::169.254.0.0/112 2002:a00::/24 2002:c0a8::/32 2002:6440::/26
"""
NEIGHBOURS = """
1.0.0.0 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.0 169.253.255.255 169.255.0.0
172.15.255.255 172.32.0.0 192.0.1.0 192.0.3.0 192.167.255.255 192.169.0.0 198.17.255.255 198.20.0.0 198.51.99.255
203.0.114.0 223.255.255.255 192.31.196.1 192.52.193.1 192.175.48.1 2001:200::1 2001:db7:ffff::1 2001:db9::1
2620:4f:8000::1 2a00:1450::1 3ffe:ffff::1 64:ff9b::8.8.8.8 2002:808:808::1
"""


@pytest.mark.parametrize("block", SPECIAL.split())
def test_it_refuses_every_block_for_special_purposes(block):
    network = ip_network(block)
    assert not is_public(str(network[0]))
    assert not is_public(str(network[-1]))
    assert is_public(str(network[-1]), [network]) or ":" in block


@pytest.mark.parametrize("address", NEIGHBOURS.split())
def test_it_takes_what_lies_beside_those_blocks(address):
    assert is_public(address)


def test_it_takes_private_addresses_that_the_settings_allow():
    allowed = networks(["10.1.2.0/24", "::1/128"])
    assert is_public("10.1.2.3", allowed)
    assert is_public("::1", allowed)
    assert is_public("::ffff:10.1.2.3", allowed)
    assert not is_public("10.1.3.3", allowed)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1", "0x7f000001", "2130706433", "localhost", "::1", "0"])
def test_it_refuses_every_spelling_of_this_machine(host):
    with pytest.raises(Refused):
        resolve(host, 80)


def test_it_refuses_a_name_one_of_whose_addresses_is_private(monkeypatch):
    answers = [(2, 1, 6, "", ("8.8.8.8", 443)), (2, 1, 6, "", ("192.168.0.9", 443))]
    monkeypatch.setattr("socket.getaddrinfo", lambda *_a, **_k: answers)
    with pytest.raises(Refused, match=r"192\.168\.0\.9"):
        resolve("both.example.org", 443)


@pytest.mark.parametrize(
    ("url", "word"),
    [
        ("http://example.org/", "scheme"),
        ("gopher://example.org/", "scheme"),
        ("file:///etc/passwd", "scheme"),
        ("https:///path", "host"),
        ("https://user:secret@example.org/", "user"),
        ("https://example.org@10.0.0.1/", "user"),
        ("https://example.org/#part", "user"),
        ("https://example.org:25/", "port"),
        ("https://example.org:0/", "port"),
        ("https://example.org:99999/", "form"),
        ("https://exa mple.org/", "form"),
        ("https://example.org/\r\nHost: other", "form"),
        ("https://" + "a" * 64 + ".org/", "name"),
        ("https://☃.example.org/", "name"),
        ("https://a\u200db.example.org/", "name"),
        ("https://exam%70le.org/", "name"),
        ("https://[::1/", "form"),
        ("https://example.org/" + "a" * 2000, "form"),
        ("nonsense", "scheme"),
        ("", "scheme"),
    ],
)
def test_it_says_what_is_wrong_with_an_address(url, word):
    with pytest.raises(InvalidUrl, match=word):
        parse_url(url, allow_http=False)


@pytest.mark.parametrize("url", ["https://example.org", "https://bücher.example/x?y=1", "https://[2606:2800::1]:8443/"])
def test_it_takes_web_addresses(url):
    assert parse_url(url, allow_http=False).scheme == "https"


def test_it_takes_plain_http_only_where_the_settings_say_so():
    assert parse_url("http://example.org/x", allow_http=True).scheme == "http"
