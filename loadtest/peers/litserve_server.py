"""LitServe with onnxruntime: litserve_server.py MODEL PORT THREADS MAX_BATCH. POST /predict takes the file field `request` of a form."""

import io
import sys

import litserve
import numpy
import onnxruntime
from fastapi import UploadFile
from PIL import Image

MODEL, PORT, THREADS, MAX_BATCH = sys.argv[1], *map(int, sys.argv[2:5])
BATCH_WAIT_SECONDS = 0.005


class Classifier(litserve.LitAPI):
    def setup(self, device):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = THREADS
        self.session = onnxruntime.InferenceSession(MODEL, options, providers=["CPUExecutionProvider"])

    def decode_request(self, request: UploadFile):
        return numpy.asarray(Image.open(io.BytesIO(request.file.read())).convert("RGB"))

    def batch(self, pictures):
        return numpy.stack(pictures)

    def predict(self, batch):
        return self.session.run(None, {"image": batch})[0]

    def unbatch(self, logits):
        return list(logits)

    def encode_response(self, logits):
        return {"predictions": [{"index": int(logits.argmax())}]}


if __name__ == "__main__":
    api = Classifier(max_batch_size=MAX_BATCH, batch_timeout=BATCH_WAIT_SECONDS)
    server = litserve.LitServer(api, accelerator="cpu", workers_per_device=1)
    server.run(host="127.0.0.1", port=PORT, num_api_servers=1, generate_client_file=False, log_level="warning")
