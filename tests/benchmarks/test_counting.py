"""Requests are found in what a client sends, however it is cut into pieces. Needs no engine."""

import pytest

from benchmarks.counting import RequestReader, shape

_SENT = (
    b"HEAD /_ping HTTP/1.1\r\nHost: docker\r\n\r\n"
    b"POST /v1.41/volumes/create HTTP/1.1\r\nHost: docker\r\nContent-Length: 18\r\n\r\nGET / HTTP/1.1\r\n\r\n"
    b"POST /v1.41/build?t=a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nGET /\r\n0\r\n\r\n"
    b"GET /v1.41/containers/abc/json HTTP/1.1\r\n\r\nGET /v1.41/containers/json?all=1 HTTP/1.1\r\n\r\n"
)
_FOUND = ["HEAD /_ping", "POST /volumes/create", "POST /build", "GET /containers/*/json", "GET /containers/json"]


@pytest.mark.parametrize("size", [1, 2, 7, 64, 4096])
def test_each_request_is_found_once(size: int) -> None:
    found: list[str] = []
    reader = RequestReader(found.append)
    for start in range(0, len(_SENT), size):
        reader.feed(_SENT[start : start + size])
    assert found == _FOUND


@pytest.mark.parametrize(
    ("method", "target", "expected"),
    [
        ("GET", "/version", "GET /version"),
        ("DELETE", "/v1.41/networks/n1", "DELETE /networks/*"),
        ("POST", "/v1.41/containers/c1/start", "POST /containers/*/start"),
        ("GET", "/v1.41/images/team/app:1/json", "GET /images/*/json"),
        ("GET", "/v1.41/images/json?all=0", "GET /images/json"),
        ("POST", "/v1.41/containers/create?name=x", "POST /containers/create"),
    ],
)
def test_names_are_left_out(method: str, target: str, expected: str) -> None:
    assert shape(method, target) == expected
