"""URLs of Redis behind Sentinel, and of a Redis Cluster."""

from __future__ import annotations

import pytest
from django.core.exceptions import ImproperlyConfigured
from redis.sentinel import Sentinel

from tasks_app.engine.connection import MasterConnection, MasterTlsConnection, sentinel_pool
from tasks_app.engine.redis_cluster import key_of
from tasks_app.redis_url import cluster_address, sentinel_address
from trackerproject.redis_servers import caches, channel_layers, queue_url

WHOLE = "redis+sentinel://tracker:p%40ss@one:26380,[::1],three/fleet/2?sentinel_username=s&sentinel_password=x+y"


@pytest.mark.parametrize("url", ["redis://one:6379/0", "rediss://one", "unix:///run/redis.sock?db=0"])
def test_other_urls_are_left_to_redis_py(url):
    assert sentinel_address(url) is None
    assert caches(url, "c")["default"]["LOCATION"] == [url]
    assert channel_layers(url, "p:")["default"]["CONFIG"]["hosts"] == [{"address": url, "socket_connect_timeout": 2}]


@pytest.mark.parametrize(
    "url",
    [
        "nonsense words",
        "localhost:6379",
        "http://one",
        "redis://u:secret@one:port/0",
        "redis://u:sec#ret@one/0",
        "redis://u:sec/ret@one/0",
        "redis://u:secret@one/tracker",
        "redis://u:secret@one/0?socket_timeouts=3",
        "redis+sentinel://u:sec#ret@one/fleet",
    ],
)
@pytest.mark.parametrize("variable", ["REDIS_URL", "QUEUE_REDIS_URL"])
def test_what_cannot_be_read_of_one_server_is_refused_at_the_start_without_the_password(variable, url):
    with pytest.raises(ImproperlyConfigured, match=f"^{variable} cannot be read. ") as refused:
        caches(url, "c") if variable == "REDIS_URL" else queue_url(url)
    assert "sec" not in str(refused.value)


def test_it_names_sentinels_the_master_and_how_to_log_in():
    address = sentinel_address(WHOLE)
    assert address.sentinels == (("one", 26380), ("::1", 26379), ("three", 26379))
    assert address.master_name == "fleet"
    assert address.master_options == {"username": "tracker", "password": "p@ss", "db": 2}
    assert address.sentinel_options == {"username": "s", "password": "x y"}


def test_most_of_it_may_be_left_out():
    address = sentinel_address("redis+sentinel://one/fleet")
    assert address.master_options == {"username": None, "password": None, "db": 0}
    assert sentinel_address("redis+sentinel://:secret@one/fleet").master_options["password"] == "secret"


def test_tls_is_spoken_with_both():
    address = sentinel_address("rediss+sentinel://one/fleet?ssl_ca_certs=/etc/ca.pem&ssl_check_hostname=0")
    expected = {"ssl": True, "ssl_ca_certs": "/etc/ca.pem", "ssl_check_hostname": False}
    assert address.sentinel_options == expected
    assert address.master_options == {"username": None, "password": None, "db": 0, **expected}


@pytest.mark.parametrize(("scheme", "kind"), [("redis", MasterConnection), ("rediss", MasterTlsConnection)])
def test_connections_are_of_the_kind_that_is_closed_after_an_error(scheme, kind):
    pool = sentinel_pool(sentinel_address(f"{scheme}+sentinel://one/fleet"), socket_timeout=2)
    assert type(pool.make_connection()) is kind


def test_all_clients_of_a_process_leave_a_master_once_one_of_them_learns_of_another(monkeypatch):
    """A frozen one takes writes when it wakes: a callback would be made there, and its job acknowledged in the new one."""
    masters = {"fleet": ("former", 6379)}
    monkeypatch.setattr(Sentinel, "discover_master", lambda self, name: masters[name])
    address = sentinel_address("redis+sentinel://one/fleet")
    pools = [sentinel_pool(address), sentinel_pool(address)]
    others = sentinel_pool(sentinel_address("redis+sentinel://two/fleet"))
    for pool in (*pools, others):
        pool.proxy.get_master_address()
    idle, foreign = pools[1].make_connection(), others.make_connection()
    for connection in (idle, foreign):
        connection.host, connection.port = masters["fleet"]
    assert pools[1].owns_connection(idle)
    masters["fleet"] = ("present", 6379)
    pools[0].proxy.get_master_address()
    assert not pools[1].owns_connection(idle)
    assert others.owns_connection(foreign)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("redis+sentinel://u:secret@one:26379", "names no master"),
        ("redis+sentinel://u:secret@one:26379//0", "names no master"),
        ("redis+sentinel://u:secret@/fleet", "without a host"),
        ("redis+sentinel://u:secret@one,,two/fleet", "without a host"),
        ("redis+sentinel://u:secret@one/fleet/x", "no number of a database"),
        ("redis+sentinel://u:secret@one:99999/fleet", "The port of a Sentinel is none"),
        ("redis+sentinel://u:secret@one/fleet?socket_timeout=3", "'socket_timeout' is not an option"),
        ("redis+sentinel://u:secret@one/fleet?ssl_ca_certs=/x", "needs rediss"),
    ],
)
def test_what_cannot_be_meant_is_refused_at_the_start_without_the_password(url, reason):
    with pytest.raises(ImproperlyConfigured, match=reason) as refused:
        caches(url, "c")
    assert "secret" not in str(refused.value)


def test_a_redis_cluster_is_named_by_some_of_its_nodes():
    address = cluster_address("redis+cluster://tracker:p%40ss@one:6380,[::1],three")
    assert address.nodes == (("one", 6380), ("::1", 6379), ("three", 6379))
    assert address.options == {"username": "tracker", "password": "p@ss"}
    encrypted = cluster_address("rediss+cluster://one/0?ssl_ca_certs=/etc/ca.pem")
    assert encrypted.options == {"username": None, "password": None, "ssl": True, "ssl_ca_certs": "/etc/ca.pem"}
    assert cluster_address(WHOLE) is None
    assert queue_url("redis+cluster://one") == "redis+cluster://one"


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("redis+cluster://u:secret@/0", "without a host"),
        ("redis+cluster://u:secret@one/3", "one database only"),
        ("redis+cluster://u:secret@one?sentinel_password=x", "none of a Redis Cluster"),
        ("redis+cluster://u:secret@one?socket_timeout=3", "'socket_timeout' is not an option"),
        ("redis+cluster://u:secret@one?ssl_ca_certs=/x", "needs rediss"),
    ],
)
def test_what_no_redis_cluster_has_is_refused_at_the_start(url, reason):
    with pytest.raises(ImproperlyConfigured, match=reason) as refused:
        queue_url(url)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("part", [caches, channel_layers])
def test_only_the_queues_may_lie_in_a_redis_cluster(part):
    with pytest.raises(ImproperlyConfigured, match="QUEUE_REDIS_URL"):
        part("redis+cluster://one", "prefix")


@pytest.mark.parametrize(
    ("command", "key"),
    [
        (("GET", "k"), "k"),
        (("XGROUP CREATE", "k", "group", "0"), "k"),
        (("EVALSHA", "hash", 2, "k", "k2", "argument"), "k"),
        (
            ("XREADGROUP", b"GROUP", "workers", "me", b"COUNT", b"1", b"BLOCK", b"5", b"STREAMS", "k", "k2", ">", ">"),
            "k",
        ),
        (("XREAD", b"BLOCK", b"5", b"STREAMS", "k", "0"), "k"),
        (("ZINTERCARD", 2, "k", "k2"), "k"),
    ],
)
def test_the_key_of_a_command_is_found_without_asking_a_node(command, key):
    assert key_of(command) == key
