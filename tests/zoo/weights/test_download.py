"""Downloads against a server on loopback that breaks off, corrupts, changes its mind and has nothing."""

import hashlib
import threading

import numpy as np
import pytest

from zoo.weights.download import cache_directory, download

BODY = np.random.default_rng(0).bytes(300_000)
SHA256 = hashlib.sha256(BODY).hexdigest()


@pytest.fixture
def weights(server, tmp_path):
    """Downloads one file of the server, into a directory of this test."""
    server.files["/a/weights.pth"] = BODY
    return lambda sha256=SHA256: download(f"{server.url}/a/weights.pth", sha256, tmp_path)


def parts(tmp_path):
    return sorted(path.name for path in tmp_path.rglob("*.part*"))


def test_fetches_once(server, weights, tmp_path):
    path = weights()
    assert path.read_bytes() == BODY
    assert path == tmp_path / f"127.0.0.1%3A{server.server_port}" / "a" / "weights.pth"
    assert weights() == path
    assert len(server.requests) == 1
    assert not parts(tmp_path)


def test_resumes_where_it_was_cut_off(server, weights):
    server.cut = 100_000
    with pytest.raises(ValueError, match=r"cut short: 100,000 of 300,000 bytes.*goes on"):
        weights()
    server.cut = None
    assert weights().read_bytes() == BODY
    assert server.requests[1]["Range"] == "bytes=100000-"


def test_starts_again_when_the_server_does_not_resume(server, weights):
    server.cut, server.ranges = 100_000, False
    with pytest.raises(ValueError, match="cut short"):
        weights()
    server.cut = None
    assert weights().read_bytes() == BODY


def test_never_joins_what_was_not_asked_for(server, weights):
    server.cut, server.tag = 100_000, '"one"'
    with pytest.raises(ValueError, match="cut short"):
        weights(sha256=None)
    server.cut, server.shift = None, 10
    assert weights(sha256=None).read_bytes() == BODY


def test_never_joins_halves_of_two_files(server, weights):
    server.cut, server.tag = 100_000, '"one"'
    with pytest.raises(ValueError, match="cut short"):
        weights(sha256=None)
    server.cut, server.tag = None, '"two"'
    server.files["/a/weights.pth"] = BODY[::-1]
    assert weights(sha256=None).read_bytes() == BODY[::-1]
    assert server.requests[1]["If-Range"] == '"one"'


def test_resumes_without_a_checksum_only_what_the_server_can_identify(server, weights):
    server.cut = 100_000
    with pytest.raises(ValueError, match="cut short"):
        weights(sha256=None)
    server.cut = None
    assert weights(sha256=None).read_bytes() == BODY
    assert "Range" not in server.requests[1]


def test_a_part_longer_than_the_file_is_not_trusted(server, weights, tmp_path):
    place = tmp_path / f"127.0.0.1%3A{server.server_port}" / "a"
    place.mkdir(parents=True)
    (place / "weights.pth.part").write_bytes(BODY + b"more")
    assert weights().read_bytes() == BODY


def test_a_corrupted_answer_is_refused_and_forgotten(server, weights, tmp_path):
    server.files["/a/weights.pth"] = BODY[:-1] + b"?"
    with pytest.raises(ValueError, match=f"corrupted: its sha256 is .*expected {SHA256}"):
        weights()
    assert not parts(tmp_path)
    server.files["/a/weights.pth"] = BODY
    assert weights().read_bytes() == BODY


def test_a_file_that_went_bad_in_the_cache_is_fetched_again(server, weights):
    path = weights()
    path.write_bytes(BODY[:-1] + b"?")
    assert weights().read_bytes() == BODY
    assert len(server.requests) == 2


def test_the_first_digits_of_a_checksum_serve(weights):
    assert weights(SHA256[:8].upper()).read_bytes() == BODY


def test_says_what_the_server_says(server, tmp_path):
    with pytest.raises(ValueError, match=r"/none\.pth: the server says 404 Not Found"):
        download(f"{server.url}/none.pth", cache=tmp_path)
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and path.name != ".lock"]


def test_says_that_nobody_answers(server, tmp_path):
    server.server_close()
    with pytest.raises(ConnectionError, match="connection failed"):
        download(f"{server.url}/weights.pth", cache=tmp_path)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "https://example.org", "ftp://example.org/a", "http://h/../a"])
def test_refuses_what_is_no_address_of_a_file(url, tmp_path):
    with pytest.raises(ValueError, match="expected a URL of a file"):
        download(url, cache=tmp_path)


def test_two_at_once_fetch_once(server, weights):
    found = []
    threads = [threading.Thread(target=lambda: found.append(weights().read_bytes())) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [BODY] * 3
    assert len(server.requests) == 1


def test_the_cache_is_where_the_user_says(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.delenv("CONVZOO_CACHE", raising=False)
    assert cache_directory() == tmp_path / "xdg" / "convzoo"
    monkeypatch.setenv("CONVZOO_CACHE", str(tmp_path / "own"))
    assert cache_directory() == tmp_path / "own"
