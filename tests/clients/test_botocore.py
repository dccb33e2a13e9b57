"""botocore, and what else is signed with SigV4, is left alone unless its host is allowed; what is signed is never touched."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest
import requests
from botocore import UNSIGNED
from botocore.config import Config
from botocore.session import Session

import lanebaggage
from support.recorder import Recorder, recording

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HEADER = "x-asm-prefer-tag"


@pytest.fixture
def server() -> Iterator[Recorder]:
    with recording() as recorder:
        yield recorder


def storage(server: Recorder, **options: Any) -> Any:
    """A client of S3 that has the recorder for S3."""
    session = Session()
    session.set_credentials("access", "secret")
    config = Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}, **options)
    return session.create_client("s3", region_name="eu-central-1", endpoint_url=server.url(), config=config)


@pytest.mark.parametrize(("allow", "expected"), [([], []), (["127.0.0.1"], ["s2"])])
def test_signed_call(server: Recorder, allow: list[str], expected: list[str]) -> None:
    """A signed call gets the header only where the host is allowed, and its signature does not cover it."""
    client = storage(server)
    lanebaggage.auto_instrument(allow=allow)
    with lanebaggage.lane("s2"):
        client.get_object(Bucket="b", Key="k")["Body"].read()
    assert server.values() == [expected]
    ((authorization,),) = server.values("authorization")
    assert authorization.startswith("AWS4-HMAC-SHA256 ")
    assert HEADER not in authorization


@pytest.mark.parametrize("send", [requests.get, httpx.get])
def test_presigned_url(server: Recorder, send: Callable[[str], object]) -> None:
    """A pre-signed URL is left alone in whichever client."""
    url = storage(server, signature_version="s3v4").generate_presigned_url("get_object", {"Bucket": "b", "Key": "k"})
    assert "X-Amz-Signature=" in url
    lanebaggage.auto_instrument()
    with lanebaggage.lane("s2"):
        send(url)
    assert server.values() == [[]]


def test_unsigned_call(server: Recorder) -> None:
    """A call that is not signed goes to a host of the mesh like any other."""
    client = storage(server, signature_version=UNSIGNED)
    lanebaggage.auto_instrument()
    with lanebaggage.lane("s2"):
        client.get_object(Bucket="b", Key="k")["Body"].read()
    assert server.values() == [["s2"]]
