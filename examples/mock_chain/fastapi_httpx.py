"""The mock service of ASM's traffic-lane documentation, in FastAPI and httpx: prints its hop, calls the next service.

Environment: ``app`` and ``version`` name it, ``upstream_url`` is the next service (none for the last one), ``PORT`` is where
it listens (8000). It forwards no header by hand. ``--without-lanebaggage`` leaves the library out.
"""

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import uvicorn
from fastapi import FastAPI
from fastapi.responses import PlainTextResponse


def create_app(app: str, version: str, upstream_url: str = "") -> FastAPI:
    """One version of one service of the chain."""

    @asynccontextmanager
    async def lifespan(fastapi: FastAPI) -> AsyncIterator[None]:
        async with httpx.AsyncClient(timeout=10) as fastapi.state.client:
            yield

    fastapi = FastAPI(title=app, lifespan=lifespan)
    hop = f"-> {app}(version: {version}, ip: 127.0.0.1)"

    @fastapi.get("/{path:path}")
    async def mock() -> PlainTextResponse:
        if not upstream_url:
            return PlainTextResponse(hop)
        answer = await fastapi.state.client.get(upstream_url)
        return PlainTextResponse(hop + answer.text, answer.status_code)

    return fastapi


if __name__ == "__main__":
    if "--without-lanebaggage" not in sys.argv:
        import lanebaggage

        lanebaggage.auto_instrument()
    service = create_app(os.environ["app"], os.environ["version"], os.environ.get("upstream_url", ""))
    uvicorn.run(service, host="127.0.0.1", port=int(os.environ.get("PORT", "8000")), log_level="warning")
