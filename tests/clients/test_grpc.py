"""gRPC beyond the matrix: every kind of call, interceptors, metadata, and which target counts as which host."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import grpc
import pytest

import lanebaggage
from lanebaggage.instrumentation.clients import grpc_aio
from lanebaggage.instrumentation.clients._metadata import hosts_of
from support.names import STRANGER
from support.recorder_grpc import GrpcRecorder, recording_grpc

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

HEADER = "x-asm-prefer-tag"
MODULES = ["grpc._channel", "grpc.aio._call"]


@pytest.fixture
def server() -> Iterator[GrpcRecorder]:
    with recording_grpc() as recorder:
        yield recorder


@pytest.fixture
def channel(server: GrpcRecorder) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(server.url()) as made:
        yield made


@pytest.fixture
async def aio(server: GrpcRecorder) -> AsyncIterator[grpc.aio.Channel]:
    async with grpc.aio.insecure_channel(server.url()) as made:
        yield made


KINDS: dict[str, Callable[[grpc.Channel], Any]] = {
    "unary-unary": lambda channel: channel.unary_unary("/lane.Test/UnaryUnary")(b"one"),
    "unary-unary with_call": lambda channel: channel.unary_unary("/lane.Test/UnaryUnary").with_call(b"one")[0],
    "unary-unary future": lambda channel: channel.unary_unary("/lane.Test/UnaryUnary").future(b"one"),
    "unary-stream": lambda channel: channel.unary_stream("/lane.Test/UnaryStream")(b"one"),
    "stream-unary": lambda channel: channel.stream_unary("/lane.Test/StreamUnary")(iter([b"one"])),
    "stream-unary by keyword": lambda channel: channel.stream_unary("/lane.Test/StreamUnary")(request_iterator=iter([b"one"])),
    "stream-unary with_call": lambda channel: channel.stream_unary("/lane.Test/StreamUnary").with_call(iter([b"one"]))[0],
    "stream-unary future": lambda channel: channel.stream_unary("/lane.Test/StreamUnary").future(iter([b"one"])),
    "stream-stream": lambda channel: channel.stream_stream("/lane.Test/StreamStream")(iter([b"one"])),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_call(server: GrpcRecorder, channel: grpc.Channel, kind: str) -> None:
    """Each kind carries the lane of where it was begun, wherever its answer is read, and gives back grpc's own objects."""

    def answer(made: Any) -> bytes:
        return made if isinstance(made, bytes) else made.result() if kind.endswith("future") else b"".join(made)

    plain = KINDS[kind](channel)
    assert answer(plain) == b"one"
    lanebaggage.auto_instrument()
    with lanebaggage.lane("s2"):
        call = KINDS[kind](channel)
    assert answer(call) == b"one"
    assert type(call) is type(plain)
    if not isinstance(call, bytes):
        assert call.code() is grpc.StatusCode.OK
        assert call.cancel() is plain.cancel()
    assert server.values() == [[], ["s2"]]


async def test_every_kind_of_asynchronous_call(server: GrpcRecorder, aio: grpc.aio.Channel) -> None:
    """The same for grpc.aio, with streams written and read by hand too."""
    lanebaggage.auto_instrument()
    with lanebaggage.lane("s2"):
        one = aio.unary_unary("/lane.Test/UnaryUnary")(b"one")
        many = aio.unary_stream("/lane.Test/UnaryStream")(b"one")
        from_many = aio.stream_unary("/lane.Test/StreamUnary")(iter([b"one"]))
        both = aio.stream_stream("/lane.Test/StreamStream")()
    assert await one == b"one"
    assert await one.code() is grpc.StatusCode.OK
    assert [chunk async for chunk in many] == [b"one"]
    assert await from_many == b"one"
    await both.write(b"two")
    await both.done_writing()
    assert await both.read() == b"two"
    assert isinstance(one, grpc.aio.UnaryUnaryCall)
    assert server.values() == [["s2"]] * 4


class Interceptor(grpc.UnaryUnaryClientInterceptor):
    """Adds metadata of its own, a lane among it where asked to."""

    def __init__(self, *metadata: tuple[str, str]) -> None:
        self.metadata = metadata
        self.seen: list[Any] = []

    def intercept_unary_unary(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        self.seen.append(client_call_details.metadata)
        metadata = [*(client_call_details.metadata or ()), *self.metadata]
        return continuation(client_call_details._replace(metadata=metadata), request)


class AsyncInterceptor(grpc.aio.UnaryUnaryClientInterceptor):
    """The same for grpc.aio."""

    def __init__(self, *metadata: tuple[str, str]) -> None:
        self.metadata = metadata

    async def intercept_unary_unary(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        metadata = (*(client_call_details.metadata or ()), *self.metadata)
        return await continuation(client_call_details._replace(metadata=metadata), request)


@pytest.mark.parametrize(("own", "expected"), [("x-other", "s2"), (HEADER, "mine")])
async def test_interceptors_of_the_user(server: GrpcRecorder, channel: grpc.Channel, own: str, expected: str) -> None:
    """An interceptor's own metadata is there as well; if it sets the lane, that is the only one."""
    lanebaggage.auto_instrument()
    intercepted = grpc.intercept_channel(channel, Interceptor((own, "mine")))
    with lanebaggage.lane("s2"):
        answer, call = intercepted.unary_unary("/lane.Test/UnaryUnary").with_call(b"one")
        async with grpc.aio.insecure_channel(server.url(), interceptors=[AsyncInterceptor((own, "mine"))]) as aio:
            assert await aio.unary_unary("/lane.Test/UnaryUnary")(b"one") == b"one"
    assert (answer, call.code()) == (b"one", grpc.StatusCode.OK)
    assert server.values() == [[expected], [expected]]
    assert server.values(own) == [["mine"], ["mine"]]


@pytest.mark.parametrize("module", MODULES)
async def test_duplicate_keys_are_kept(server: GrpcRecorder, channel: grpc.Channel, aio: grpc.aio.Channel, module: str) -> None:
    """Keys that the caller repeats, and binary ones, arrive as they were given; the caller's baggage is merged."""
    lanebaggage.auto_instrument(trace_header="baggage")
    metadata = (("k", "1"), ("baggage", "a=1"), ("k", "2"), ("b-bin", b"\x00"), ("baggage", "b=2"))
    with lanebaggage.lane("s2"):
        if module == "grpc._channel":
            channel.unary_unary("/lane.Test/UnaryUnary")(b"", metadata=metadata)
        else:
            await aio.unary_unary("/lane.Test/UnaryUnary")(b"", metadata=metadata)
    (request,) = server.requests
    assert request.values("k") == ["1", "2"]
    assert request.values("b-bin") == [b"\x00"]
    assert request.values("baggage") == [f"a=1,b=2,{HEADER}=s2"]


async def test_what_grpc_refuses_is_left_out(server: GrpcRecorder, channel: grpc.Channel, aio: grpc.aio.Channel) -> None:
    """A pass-through header that metadata cannot hold is left out, rather than failing the call."""
    lanebaggage.auto_instrument(pass_through=["x-user", "x-bytes-bin", "x!"])
    with lanebaggage.extract({HEADER: "s2", "x-user": "ren\xe9", "x-bytes-bin": "AA==", "x!": "1"}):
        channel.unary_unary("/lane.Test/UnaryUnary")(b"")
        await aio.unary_unary("/lane.Test/UnaryUnary")(b"")
    assert server.values() == [["s2"], ["s2"]]
    assert server.values("x-user") == server.values("x-bytes-bin") == server.values("x!") == [[], []]


@pytest.mark.parametrize(
    ("target", "hosts"),
    [
        ("mockb", ("mockb",)),
        ("mockb.default.svc:50051", ("mockb.default.svc",)),
        (b"localhost:50051", ("localhost",)),
        ("dns:mockb:50051", ("mockb",)),
        ("dns:///mockb:50051", ("mockb",)),
        ("dns://8.8.8.8/stranger.example:50051", ("stranger.example",)),
        ("xds:///mockb", ("mockb",)),
        ("passthrough:///mockb:1", ("mockb",)),
        ("ipv4:127.0.0.1:50051,10.0.0.1:50051", ("127.0.0.1", "10.0.0.1")),
        ("ipv6:[::1]:50051", ("::1",)),
        ("ipv6:%5B::1%5D:50051", ("::1",)),
        ("[::1]:50051", ("::1",)),
        ("::1", ("::1",)),
        ("unix:/run/a.sock", ("localhost",)),
        ("unix:///run/a.sock", ("localhost",)),
        ("mockb.stranger.example:443", ("mockb.stranger.example",)),
    ],
)
def test_targets(target: str | bytes, hosts: tuple[str, ...]) -> None:
    """Each spelling of a target comes to the hosts that it names."""
    assert hosts_of(target) == hosts


def test_one_address_of_several_is_a_stranger(server: GrpcRecorder) -> None:
    """A target of several addresses gets nothing unless each of them may."""
    lanebaggage.auto_instrument()
    for target, expected in ((f"127.0.0.1:{server.port}", ["s2"]), (f"127.0.0.1:{server.port},192.0.2.1:1", [])):
        server.clear()
        with grpc.insecure_channel(f"ipv4:{target}") as channel, lanebaggage.lane("s2"):
            channel.unary_unary("/lane.Test/UnaryUnary")(b"", wait_for_ready=True, timeout=10)
        assert server.values() == [expected]
    assert STRANGER not in target


async def test_channels_that_do_not_tell_their_target(
    server: GrpcRecorder, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """With a grpcio before 1.82, a channel made later than auto_instrument() is known, an earlier one told about in the log."""
    monkeypatch.setattr(grpc_aio, "_tells_target", lambda channel_type: False)
    async with grpc.aio.insecure_channel(server.url()) as earlier:
        lanebaggage.auto_instrument()
        async with grpc.aio.insecure_channel(server.url()) as later:
            for channel in (earlier, later):
                with lanebaggage.lane("s2"):
                    await channel.unary_unary("/lane.Test/UnaryUnary")(b"")
            assert len(grpc_aio._targets) == 1
        del later, channel
    assert not grpc_aio._targets
    assert server.values() == [[], ["s2"]]
    assert "make it later, or use grpcio 1.82" in caplog.text
