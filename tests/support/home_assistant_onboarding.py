"""Run by Home Assistant's own Python: makes its first user and a long-lived token, and puts its demo kitchen light into the kitchen.

Usage: home_assistant_onboarding.py URL TOKEN_FILE
"""

import asyncio
import sys
from pathlib import Path

import aiohttp


async def main(base: str, token_file: str) -> None:
    client = base + "/"
    async with aiohttp.ClientSession(raise_for_status=True) as http:
        user = {"client_id": client, "name": "Test", "username": "test", "password": "test", "language": "en"}
        async with http.post(base + "/api/onboarding/users", json=user) as answer:
            code = (await answer.json())["auth_code"]
        grant = {"grant_type": "authorization_code", "code": code, "client_id": client}
        async with http.post(base + "/auth/token", data=grant) as answer:
            access = (await answer.json())["access_token"]
        async with http.ws_connect(base + "/api/websocket") as socket:
            await socket.receive_json()
            await socket.send_json({"type": "auth", "access_token": access})
            await socket.receive_json()
            answers = []
            for number, request in enumerate(
                (
                    {"type": "config/entity_registry/update", "entity_id": "light.kitchen_lights", "area_id": "kitchen"},
                    {"type": "auth/long_lived_access_token", "client_name": "loqa", "lifespan": 365},
                ),
                1,
            ):
                await socket.send_json({"id": number, **request})
                answers.append(await socket.receive_json())
    assert all(answer["success"] for answer in answers), answers
    Path(token_file).write_text(answers[-1]["result"])


asyncio.run(main(*sys.argv[1:]))
