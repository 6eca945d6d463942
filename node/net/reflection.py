"""gRPC reflection on the office's door: tools that are not written over protos/ (grpcurl, grpcui, Postman) ask here what may be called.

Only callers that a service behind the door would let in are answered, a connected system or the operator, and they are looked at before
anything is read. It tells what the two services speak and nothing else: neither stored records nor the mesh stand in the pool.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pool import DescriptorPool
from google.rpc import error_details_pb2  # type: ignore[import-untyped]
from grpc_health.v1 import health_pb2  # type: ignore[import-untyped]
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc  # type: ignore[import-untyped]
from grpc_reflection.v1alpha.reflection import aio as reflection_aio  # type: ignore[import-untyped]

from node.errors import Deferred, Denied, Rejected
from node.model.reason import Reason
from node.net.errors import Context, Tally, streaming
from node.wire.truc.v1 import admin_service_pb2, office_service_pb2

CALLS_MAX = 16
"""At once. A tool asks for a moment, and offices must find their places free."""
QUESTIONS_MAX = 256
"""In one call. There are fewer than ten files and services to ask for; an answer costs 0.1 ms and has 8 KB at most."""
QUESTION_BYTES_MAX = 1_024
"""An answer repeats its question, and names are short."""
SILENCE_S = 60.0
"""After so long without a question a call ends in order; a tool that stays open makes another."""
BUSY_MS = 1_000

FILES: tuple[FileDescriptor, ...] = (
    office_service_pb2.DESCRIPTOR,
    admin_service_pb2.DESCRIPTOR,
    health_pb2.DESCRIPTOR,
    reflection_pb2.DESCRIPTOR,
    error_details_pb2.DESCRIPTOR,  # no service: with it a tool shows why a call was refused
)

Check = Callable[[Context], object]
"""Raises Denied unless the caller may come in."""


class Reflection:
    """The reflection service, for callers that one of two checks lets in."""

    def __init__(self, system: Check, operator: Check, tally: Tally | None = None) -> None:
        self.tally = tally or Tally()
        self._system = system
        self._operator = operator
        self._calls = 0
        services = [name for file in FILES for name in _services(file)]
        self._library = reflection_aio.ReflectionServicer(services, pool=_pool(FILES))

    @streaming
    async def ServerReflectionInfo(self, request_iterator: AsyncIterator[Any], context: Context) -> AsyncIterator[Any]:
        """Answers questions one after another, in the library's words."""
        self._check_caller(context)
        if self._calls >= CALLS_MAX:
            raise Deferred(Reason.PEER_BUSY, f"{CALLS_MAX} reflection calls are open", retry_after_ms=BUSY_MS)
        self._calls += 1
        try:
            async for answer in self._library.ServerReflectionInfo(_questions(context), context):
                yield answer
        finally:
            self._calls -= 1

    def _check_caller(self, context: Context) -> None:
        """Raises Denied, with the reason that a system would be told, unless a system or the operator calls."""
        try:
            self._system(context)
        except Denied:
            if not self._is_operator(context):
                raise

    def _is_operator(self, context: Context) -> bool:
        try:
            self._operator(context)
        except Denied:
            return False
        return True


def add_reflection(reflection: Reflection, server: grpc.aio.Server) -> None:
    """Serve reflection on a server."""
    reflection_pb2_grpc.add_ServerReflectionServicer_to_server(reflection, server)


async def _questions(context: Context) -> AsyncIterator[Any]:
    """Yield the questions of a call within bounds. Raises Rejected(REQUEST_INVALID) beyond them."""
    asked = 0
    while (question := await _question(context)) is not grpc.aio.EOF:
        asked += 1
        if asked > QUESTIONS_MAX:
            raise Rejected(Reason.REQUEST_INVALID, f"more than {QUESTIONS_MAX} questions in one call; open another")
        if question.ByteSize() > QUESTION_BYTES_MAX:
            raise Rejected(Reason.REQUEST_INVALID, f"a question of more than {QUESTION_BYTES_MAX} octets")
        yield question


async def _question(context: Context) -> Any:
    """Return the next question, or EOF if there is none within the time."""
    try:
        return await asyncio.wait_for(context.read(), SILENCE_S)
    except TimeoutError:
        return grpc.aio.EOF


def _pool(files: tuple[FileDescriptor, ...]) -> DescriptorPool:
    """Return a pool of these files and those that they import; the default one knows every message of the program."""
    pool = DescriptorPool()

    def add(file: FileDescriptor) -> None:
        for imported in file.dependencies:
            add(imported)
        pool.AddSerializedFile(file.serialized_pb)

    for file in files:
        add(file)
    return pool


def _services(file: FileDescriptor) -> list[str]:
    return [service.full_name for service in file.services_by_name.values()]
