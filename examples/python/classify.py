"""Asks a running server for the class of a picture over REST, with Python alone: classify.py PICTURE MODEL [URL]."""

import json
import os
import sys
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import Request, urlopen

path, model, *rest = sys.argv[1:]
url = rest[0] if rest else "http://localhost:8000"
headers = {"content-type": "application/octet-stream"}
if "LCQ_API_KEY" in os.environ:
    headers["x-api-key"] = os.environ["LCQ_API_KEY"]

with open(path, "rb") as file:
    picture = file.read()
request = Request(f"{url}/v1/models/{quote(model)}:classify?topK=1", picture, headers)
try:
    with urlopen(request, timeout=10) as reply:
        [best] = json.load(reply)["predictions"]
except HTTPError as error:
    sys.exit(f"{error.code}: {error.read().decode()}")
print(f"{best['label']} {best['score']:.2f}")
