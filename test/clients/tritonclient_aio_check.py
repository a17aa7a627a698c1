"""Drives a server of the colour model with tritonclient's asyncio clients: tritonclient_aio_check.py HTTP_PORT GRPC_PORT."""

import asyncio
import sys

import numpy as np
import tritonclient.grpc as grpc
import tritonclient.grpc.aio as grpc_aio
import tritonclient.http as http
import tritonclient.http.aio as http_aio
from tritonclient.utils import InferenceServerException

HTTP, GRPC = f"127.0.0.1:{sys.argv[1]}", f"127.0.0.1:{sys.argv[2]}"
PIXELS = np.arange(2 * 8 * 8 * 3).astype(np.uint8).reshape(2, 8, 8, 3)


def logits(pixels):
    return pixels.reshape(-1, 64, 3).mean(axis=1) / 16


def image_input(api, pixels):
    tensor = api.InferInput("image", list(pixels.shape), "UINT8")
    tensor.set_data_from_numpy(pixels)
    return tensor


async def check(api, client):
    assert await client.is_server_live() and await client.is_server_ready()
    assert await client.is_model_ready("colours")
    model = await client.get_model_metadata("colours")
    assert (model["name"] if api is http else model.name) == "colours"
    await check_concurrent_calls(api, client)
    output = api.InferRequestedOutput("logits", class_count=1)
    reply = await client.infer("colours", [image_input(api, PIXELS)], outputs=[output])
    classes = [int(row[0].decode().split(":")[1]) for row in reply.as_numpy("logits")]
    assert classes == logits(PIXELS).argmax(axis=1).tolist()
    try:
        await client.infer("nothing", [image_input(api, PIXELS)])
    except InferenceServerException as error:
        assert "unknown model: 'nothing'" in error.message()
    else:
        raise AssertionError("an unknown model was not refused")


async def check_concurrent_calls(api, client):
    """Each of many calls at once gets its own answer, though the server runs them together."""
    pictures = [(PIXELS[:1] + 7 * i).astype(np.uint8) for i in range(16)]
    calls = [
        client.infer("colours", [image_input(api, pixels)], request_id=str(i))
        for i, pixels in enumerate(pictures)
    ]
    for i, reply in enumerate(await asyncio.gather(*calls)):
        answer = reply.get_response()
        assert (answer["id"] if api is http else answer.id) == str(i)
        np.testing.assert_allclose(reply.as_numpy("logits"), logits(pictures[i]), rtol=1e-6)


async def check_stream(client):
    async def requests():
        for name in ("colours", "nothing", "colours"):
            yield {"model_name": name, "inputs": [image_input(grpc, PIXELS)]}

    replies = [reply async for reply in client.stream_infer(requests())]
    assert [error is None for _, error in replies] == [True, False, True]
    assert "unknown model: 'nothing'" in replies[1][1].message()
    np.testing.assert_allclose(replies[2][0].as_numpy("logits"), logits(PIXELS), rtol=1e-6)


async def main():
    async with http_aio.InferenceServerClient(HTTP) as client:
        await check(http, client)
    print("tritonclient.http.aio: ok")
    async with grpc_aio.InferenceServerClient(GRPC) as client:
        await check(grpc, client)
        await check_stream(client)
    print("tritonclient.grpc.aio: ok")


asyncio.run(main())
