"""FastAPI: the lifespan runs with the mesh, and the database is a dependency that the test replaces."""

from __future__ import annotations

import sqlite3
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated

import httpx
import pytest
from fastapi import Depends, FastAPI, Request

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from lanebaggage.mesh import Mesh


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[dict]:
    async with httpx.AsyncClient() as client:
        yield {"client": client}


def database() -> sqlite3.Connection:
    raise RuntimeError("the production database is not for tests")


app = FastAPI(lifespan=lifespan)


@app.get("/")
async def home(request: Request, db: Annotated[sqlite3.Connection, Depends(database)]) -> dict:
    (articles,) = db.execute("SELECT count(*) FROM article").fetchone()
    answer = await request.state.client.get("http://stock:8000/")
    return {"articles": articles, "stock": answer.text}


@pytest.fixture
def db() -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(":memory:", check_same_thread=False)
    connection.execute("CREATE TABLE article (name TEXT)")
    app.dependency_overrides[database] = lambda: connection
    yield connection
    app.dependency_overrides.clear()
    connection.close()


def test_articles_in_a_lane(mesh: Mesh, db: sqlite3.Connection) -> None:
    mesh.service("shop", v1=app)
    db.execute("INSERT INTO article VALUES ('chair')")
    call = mesh.get("shop", lane="next")
    assert call.json() == {"articles": 1, "stock": "new"}
