"""Makes the calls of Triton's image client in each of its modes: image_client_check.py HTTP_PORT GRPC_PORT IMAGE.

IMAGE is a PNG file, all green, for the colour model.
"""

import queue
import sys

import numpy as np
import tritonclient.grpc as grpc
import tritonclient.grpc.model_config_pb2 as model_config
import tritonclient.http as http
from PIL import Image

ADDRESSES = {http: f"127.0.0.1:{sys.argv[1]}", grpc: f"127.0.0.1:{sys.argv[2]}"}


def describe(client, api):
    """What the image client needs to know of a model: batch size, names, size, type."""
    metadata = client.get_model_metadata(model_name="colours", model_version="")
    config = client.get_model_config(model_name="colours", model_version="")
    if api is http:
        [input_spec], [output_spec] = metadata["inputs"], metadata["outputs"]
        [input_config] = config["input"]
        batch, layout = config["max_batch_size"], input_config["format"]
        layout = dict(model_config.ModelInput.Format.items())[layout]
        name, shape, datatype = (input_spec[key] for key in ("name", "shape", "datatype"))
        output = (output_spec["name"], output_spec["datatype"], output_spec["shape"])
    else:
        [input_spec], [output_spec] = metadata.inputs, metadata.outputs
        [input_config] = config.config.input
        batch, layout = config.config.max_batch_size, input_config.format
        name, shape, datatype = input_spec.name, input_spec.shape, input_spec.datatype
        output = (output_spec.name, output_spec.datatype, output_spec.shape)
    assert batch > 0 and len(shape) == 4 and layout == model_config.ModelInput.FORMAT_NHWC
    assert output[1] == "FP32" and len(output[2]) == 2
    return name, output[0], shape[1], shape[2], datatype


def check(api, mode, batch_size):
    with api.InferenceServerClient(url=ADDRESSES[api]) as client:
        name, output_name, height, width, datatype = describe(client, api)
        picture = Image.open(sys.argv[3]).convert("RGB").resize((width, height), Image.BILINEAR)
        batch = np.stack([np.array(picture).astype(np.uint8)] * batch_size)
        inputs = [api.InferInput(name, batch.shape, datatype)]
        inputs[0].set_data_from_numpy(batch)
        outputs = [api.InferRequestedOutput(output_name, class_count=2)]
        options = {"request_id": "1", "model_version": "", "outputs": outputs}
        reply = MODES[mode](client, api, inputs, options)
        answer = reply.get_response()
        assert (answer["id"] if api is http else answer.id) == "1"
        rows = reply.as_numpy(output_name)
        assert len(rows) == batch_size
        for row in rows:
            values = ["".join(chr(byte) for byte in item).split(":") for item in row]
            assert [len(value) for value in values] == [3, 3] and values[0][2] == "green"


def infer(client, _api, inputs, options):
    return client.infer("colours", inputs, **options)


def infer_async(client, api, inputs, options):
    if api is http:
        return client.async_infer("colours", inputs, **options).get_result()
    done = queue.Queue()
    client.async_infer("colours", inputs, lambda result, error: done.put((result, error)), **options)
    return result_of(done)


def infer_streaming(client, _api, inputs, options):
    done = queue.Queue()
    client.start_stream(lambda result, error: done.put((result, error)))
    client.async_stream_infer("colours", inputs, **options)
    client.stop_stream()
    return result_of(done)


def result_of(done):
    result, error = done.get(timeout=60)
    assert error is None, error
    return result


MODES = {"infer": infer, "async": infer_async, "streaming": infer_streaming}

for api in (http, grpc):
    for mode in MODES:
        if api is http and mode == "streaming":
            continue
        for batch_size in (1, 3):
            check(api, mode, batch_size)
    print(f"image client, {api.__name__}: ok")
