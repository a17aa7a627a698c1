"""Drives a server of the colour model with tritonclient, over HTTP and gRPC: tritonclient_check.py HTTP_PORT GRPC_PORT IMAGE.

The model answers a picture with its mean red, green and blue, each divided by 16. IMAGE is a PNG file, all green.
"""

import sys

import numpy as np
import tritonclient.grpc as grpc
import tritonclient.http as http
from tritonclient.utils import InferenceServerException

HTTP, GRPC, IMAGE = f"127.0.0.1:{sys.argv[1]}", f"127.0.0.1:{sys.argv[2]}", sys.argv[3]
PIXELS = np.arange(2 * 8 * 8 * 3).astype(np.uint8).reshape(2, 8, 8, 3)
LOGITS = PIXELS.reshape(2, 64, 3).mean(axis=1) / 16


def image_input(api, data, datatype, binary=True):
    tensor = api.InferInput("image", list(data.shape), datatype)
    if api is http:
        tensor.set_data_from_numpy(data, binary_data=binary)
    else:
        tensor.set_data_from_numpy(data)
    return tensor


def check_health_and_metadata(client):
    assert client.is_server_live() and client.is_server_ready()
    assert client.is_model_ready("colours") and client.is_model_ready("colours", "3")
    server, model = client.get_server_metadata(), client.get_model_metadata("colours")
    if isinstance(server, dict):
        assert server["name"] == "lcq-serving" and "statistics" in server["extensions"]
        assert model["inputs"] == [{"name": "image", "datatype": "UINT8", "shape": [-1, 8, 8, 3]}]
    else:
        assert server.name == "lcq-serving" and "statistics" in server.extensions
        assert list(model.inputs[0].shape) == [-1, 8, 8, 3] and model.inputs[0].datatype == "UINT8"


def check_infer(api, client):
    raw = client.infer("colours", [image_input(api, PIXELS, "UINT8")], request_id="7")
    np.testing.assert_allclose(raw.as_numpy("logits"), LOGITS, rtol=1e-6)
    scheduled = client.infer(
        "colours", [image_input(api, PIXELS, "UINT8")], priority=1, timeout=5_000_000
    )
    np.testing.assert_allclose(scheduled.as_numpy("logits"), LOGITS, rtol=1e-6)
    with open(IMAGE, "rb") as file:
        encoded = np.array([file.read()], dtype=np.object_)
    image = client.infer("colours", [image_input(api, encoded, "BYTES")])
    assert image.as_numpy("logits").argmax() == 1
    try:
        client.infer("colours", [image_input(api, PIXELS[:, :4], "UINT8")])
    except InferenceServerException as error:
        assert "unexpected shape for input 'image'" in error.message()
    else:
        raise AssertionError("a wrong shape was not refused")


def check_classification(api, client):
    output = api.InferRequestedOutput("logits", class_count=2)
    reply = client.infer("colours", [image_input(api, PIXELS, "UINT8")], outputs=[output])
    strings = reply.as_numpy("logits")
    assert strings.shape == (2, 2)
    value, index, label = strings[0][0].decode().split(":")
    assert (int(index), label) == (2, "blue") and abs(float(value) - LOGITS[0][2]) < 1e-4


def check_http_forms(client):
    plain = [image_input(http, PIXELS, "UINT8", binary=False)]
    for binary in (False, True):
        outputs = [http.InferRequestedOutput("logits", binary_data=binary)]
        reply = client.infer("colours", plain, outputs=outputs)
        np.testing.assert_allclose(reply.as_numpy("logits"), LOGITS, rtol=1e-6)
    for algorithm in ("gzip", "deflate"):
        reply = client.infer(
            "colours",
            [image_input(http, PIXELS, "UINT8")],
            request_compression_algorithm=algorithm,
            response_compression_algorithm=algorithm,
        )
        np.testing.assert_allclose(reply.as_numpy("logits"), LOGITS, rtol=1e-6)


def check_grpc_forms(client):
    for algorithm in ("gzip", "deflate"):
        inputs = [image_input(grpc, PIXELS, "UINT8")]
        reply = client.infer("colours", inputs, compression_algorithm=algorithm)
        np.testing.assert_allclose(reply.as_numpy("logits"), LOGITS, rtol=1e-6)
    replies = []
    client.start_stream(lambda result, error: replies.append((result, error)))
    for name in ("colours", "nothing", "colours"):
        client.async_stream_infer(name, [image_input(grpc, PIXELS, "UINT8")])
    client.stop_stream()
    assert [error is None for _, error in replies] == [True, False, True]
    assert "unknown model: 'nothing'" in replies[1][1].message()
    np.testing.assert_allclose(replies[2][0].as_numpy("logits"), LOGITS, rtol=1e-6)


def check_config_and_statistics(client):
    as_json = {} if isinstance(client, http.InferenceServerClient) else {"as_json": True}
    config = client.get_model_config("colours", **as_json)
    config = config.get("config", config)
    assert config["max_batch_size"] == 8
    assert config["input"][0]["format"] == "FORMAT_NHWC"
    assert config["output"][0]["data_type"] == "TYPE_FP32"
    [stats] = client.get_inference_statistics("colours", **as_json)["model_stats"]
    assert int(stats["inference_count"]) >= 2 and int(stats["execution_count"]) >= 1
    assert int(stats["inference_stats"]["success"]["count"]) >= 1
    assert int(stats["inference_stats"]["fail"]["count"]) >= 1


def check_repository(client):
    def state():
        index = client.get_model_repository_index()
        if isinstance(index, list):
            return index[0]["name"], index[0]["state"]
        return index.models[0].name, index.models[0].state

    assert state() == ("colours", "READY")
    client.unload_model("colours")
    assert state() == ("colours", "UNAVAILABLE")
    assert not client.is_model_ready("colours")
    client.load_model("colours")
    assert state() == ("colours", "READY") and client.is_model_ready("colours")


for api, address in ((http, HTTP), (grpc, GRPC)):
    with api.InferenceServerClient(address) as client:
        check_health_and_metadata(client)
        check_infer(api, client)
        check_classification(api, client)
        check_http_forms(client) if api is http else check_grpc_forms(client)
        check_config_and_statistics(client)
        check_repository(client)
        print(f"{api.__name__}: ok")
