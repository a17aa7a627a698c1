"""Sends a picture's pixels as a tensor, over HTTP and gRPC: infer.py PICTURE MODEL [HTTP_ADDRESS GRPC_ADDRESS].

Needs tritonclient[http,grpc] and pillow. The model's input is UINT8 [-1, height, width, 3], as that of the embedded ones.
"""

import os
import sys

import numpy as np
import tritonclient.grpc as grpc
import tritonclient.http as http
from PIL import Image

path, model, *addresses = sys.argv[1:]
http_address, grpc_address = addresses or ("localhost:8000", "localhost:8001")
headers = {"x-api-key": os.environ["LCQ_API_KEY"]} if "LCQ_API_KEY" in os.environ else {}

with http.InferenceServerClient(http_address) as client:
    metadata = client.get_model_metadata(model, headers=headers)
[tensor], [output] = metadata["inputs"], metadata["outputs"]
_, height, width, _ = tensor["shape"]
pixels = np.asarray(Image.open(path).convert("RGB").resize((width, height)))[np.newaxis]

for transport, api, address in (("HTTP", http, http_address), ("gRPC", grpc, grpc_address)):
    image = api.InferInput(tensor["name"], list(pixels.shape), tensor["datatype"])
    image.set_data_from_numpy(pixels)
    with api.InferenceServerClient(address) as client:
        # A copy: the HTTP client adds to the headers that it is given.
        reply = client.infer(model, [image], headers=dict(headers))
    values = reply.as_numpy(output["name"])[0]
    print(f"{transport}: {output['name']} {values.argmax()} is highest, {values.max():.2f}")
