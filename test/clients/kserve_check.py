"""Drives a server of the colour model with KServe's Python clients: kserve_check.py HTTP_PORT GRPC_PORT."""

import asyncio
import sys

import numpy as np
from httpx import HTTPStatusError
from kserve import InferInput, InferRequest, InferenceGRPCClient, InferenceRESTClient, RESTConfig

URL, ADDRESS = f"http://127.0.0.1:{sys.argv[1]}", f"127.0.0.1:{sys.argv[2]}"
PIXELS = np.arange(2 * 8 * 8 * 3).astype(np.uint8).reshape(2, 8, 8, 3)
LOGITS = PIXELS.reshape(2, 64, 3).mean(axis=1) / 16


def request(binary=True):
    image = InferInput("image", list(PIXELS.shape), "UINT8")
    image.set_data_from_numpy(PIXELS, binary_data=binary)
    return InferRequest("colours", [image], request_id="7")


def check_reply(reply):
    # The REST client drops the version.
    assert (reply.model_name, reply.id) == ("colours", "7"), (reply.model_name, reply.id)
    np.testing.assert_allclose(reply.outputs[0].as_numpy(), LOGITS, rtol=1e-6)


async def check_rest():
    client = InferenceRESTClient(RESTConfig(protocol="v2"))
    assert await client.is_server_live(URL) and await client.is_server_ready(URL)
    assert await client.is_model_ready(URL, "colours")
    for binary in (True, False):
        check_reply(await client.infer(URL, request(binary), model_name="colours"))
    try:
        await client.infer(URL, request(), model_name="nothing")
    except HTTPStatusError as error:
        assert "unknown model: 'nothing'" in str(error)
    else:
        raise AssertionError("an unknown model was not refused")


async def check_grpc():
    async with InferenceGRPCClient(ADDRESS) as client:
        assert await client.is_server_live() and await client.is_server_ready()
        assert await client.is_model_ready("colours")
        check_reply(await client.infer(request()))


async def main():
    await check_rest()
    print("kserve REST: ok")
    await check_grpc()
    print("kserve gRPC: ok")


asyncio.run(main())
