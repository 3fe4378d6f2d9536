"""Serve one browser: prove who it is, then send frames until it leaves or its token ends."""

import asyncio
import json
from contextlib import suppress

from fastapi import APIRouter, WebSocket, WebSocketDisconnect
from starlette.websockets import WebSocketState

from api.auth import UnauthorizedError
from api.deps import Parts
from api.stream.hub import STAFF, Client
from app.infra.cancellation import end_tasks
from app.services.commands import Caller

router = APIRouter()

_FIRST_MESSAGE_S = 5.0
_HEARTBEAT_S = 1.0
_SEND_TIMEOUT_S = 10.0
_UNAUTHORIZED = 4401


class _Stream:
    """One connection and the token that keeps it open."""

    def __init__(self, socket: WebSocket, parts: Parts) -> None:
        self._socket, self._parts = socket, parts
        self._expires_at = parts.clock.wall()

    async def sign_in(self) -> Caller:
        """Read a message {"token": ...} and return whose it is; raises UnauthorizedError."""
        try:
            message = json.loads(await self._socket.receive_text())
        except json.JSONDecodeError as e:
            raise UnauthorizedError('expected a message {"token": "..."}') from e
        token = message.get("token") if isinstance(message, dict) else None
        if not isinstance(token, str):
            raise UnauthorizedError('expected a message {"token": "..."}')
        caller = await asyncio.to_thread(self._parts.caller, token, origin="websocket")
        self._expires_at = self._parts.tokens.read(token, wall=self._parts.clock.wall()).expires_at
        return caller

    async def serve(self, caller: Caller) -> None:
        """Send and listen until one of both ends."""
        audience = STAFF if caller.is_staff else caller.user_id
        with self._parts.hub.connected(audience) as client:
            client.put(self._plain("hello"))
            tasks = {asyncio.create_task(self._write(client)), asyncio.create_task(self._listen(caller))}
            done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            await end_tasks(pending)
            for task in done:
                task.result()

    async def _write(self, client: Client) -> None:
        next_beat = asyncio.get_running_loop().time()
        while True:
            now = asyncio.get_running_loop().time()
            if now >= next_beat:
                if self._parts.clock.wall() >= self._expires_at:
                    raise UnauthorizedError("the sign-in has expired")
                client.put(self._plain("heartbeat"))
                next_beat = now + _HEARTBEAT_S
            with suppress(TimeoutError):
                await asyncio.wait_for(client.news.wait(), timeout=next_beat - now)
            for frame in client.take():
                await asyncio.wait_for(self._socket.send_text(frame), timeout=_SEND_TIMEOUT_S)

    async def _listen(self, caller: Caller) -> None:
        while True:
            renewed = await self.sign_in()
            if (renewed.user_id, renewed.role) != (caller.user_id, caller.role):
                raise UnauthorizedError("expected a token of the same user with the same rights")

    def _plain(self, kind: str) -> str:
        return f'"at":"{self._parts.clock.now().isoformat()}","type":"{kind}","data":null}}'


@router.websocket("/ws")
async def stream(socket: WebSocket) -> None:
    """Stream what changes. The first message carries the token; later ones prolong it."""
    await socket.accept()
    connection = _Stream(socket, socket.app.state.parts)
    try:
        caller = await asyncio.wait_for(connection.sign_in(), timeout=_FIRST_MESSAGE_S)
        await connection.serve(caller)
    except UnauthorizedError as e:
        await socket.close(code=_UNAUTHORIZED, reason=str(e)[:100])
    except (WebSocketDisconnect, TimeoutError):
        if socket.client_state is WebSocketState.CONNECTED:
            await socket.close(code=1008, reason="too slow")
