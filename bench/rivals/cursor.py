# SPDX-License-Identifier: MPL-2.0
"""Follows cloudscale's cursor, one page after the other, and writes one JSON line per record: the loop that anybody
writes first. Called as: cursor.py URL TOKEN START END FILE."""

import asyncio
import json
import sys

import aiohttp


async def main(url, token, start, end, path):
    headers = {"Authorization": f"Bearer {token}"}
    params = {"start": start, "end": end}
    async with aiohttp.ClientSession(headers=headers) as session:
        with open(path, "w", encoding="utf-8") as out:
            while url:
                async with session.get(url, params=params) as answer:
                    answer.raise_for_status()
                    page = await answer.json()
                for record in page["results"]:
                    out.write(json.dumps(record) + "\n")
                url, params = page["next"], None


asyncio.run(main(*sys.argv[1:]))
