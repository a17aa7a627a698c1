"""Holds manifests of KServe to the models of its Python SDK: every key known, every value of its type.

    kserve_check.py MANIFEST...

KServe's Go module is not to be had from every proxy; the SDK's models are generated from the same API.
"""

import re
import sys
import types
from importlib.util import find_spec

import yaml
from kubernetes.client import models as kubernetes

# The package's own __init__ would bring its whole server; only its models are wanted.
package = types.ModuleType("kserve")
package.__path__ = find_spec("kserve").submodule_search_locations
sys.modules["kserve"] = package

from kserve import models as kserve  # noqa: E402

KINDS = {
    ("serving.kserve.io/v1alpha1", "ClusterServingRuntime"): "V1alpha1ClusterServingRuntime",
    ("serving.kserve.io/v1beta1", "InferenceService"): "V1beta1InferenceService",
}
PLAIN = {"str": str, "int": int, "float": (int, float), "bool": bool, "object": object}


def problems(value, kind, path):
    """Yields what is wrong with a value that should be of a type, as the SDK writes types."""
    if inside := re.fullmatch(r"list\[(.+)\]", kind):
        if not isinstance(value, list):
            yield f"{path}: {value!r} is no list"
            return
        for i, item in enumerate(value):
            yield from problems(item, inside[1], f"{path}[{i}]")
    elif inside := re.fullmatch(r"dict\(str, (.+)\)", kind):
        for key, item in value.items():
            yield from problems(item, inside[1], f"{path}.{key}")
    elif kind in PLAIN:
        if not isinstance(value, PLAIN[kind]) or (kind == "int" and isinstance(value, bool)):
            yield f"{path}: {value!r} is no {kind}"
    else:
        model = getattr(kserve, kind, None) or getattr(kubernetes, kind, None)
        # Types that are more than one, such as ports by number or name and quantities, have no model.
        if model is not None:
            yield from object_problems(value, model, path)


def object_problems(value, model, path):
    if not isinstance(value, dict):
        yield f"{path}: {value!r} is no {model.__name__}"
        return
    attributes = {json: name for name, json in model.attribute_map.items()}
    for key, item in value.items():
        if key not in attributes:
            yield f"{path}.{key}: {model.__name__} has no such field"
        else:
            yield from problems(item, model.openapi_types[attributes[key]], f"{path}.{key}")


def main(paths):
    found, objects = [], 0
    for path in paths:
        with open(path, encoding="utf-8") as file:
            for document in yaml.safe_load_all(file):
                objects += 1
                kind = KINDS.get((document.get("apiVersion"), document.get("kind")))
                if kind is None:
                    found.append(f"{path}: {document.get('kind')} is not known")
                else:
                    found += problems(document, kind, document["kind"])
    for problem in found:
        print(problem)
    print(f"{objects} objects: {len(found)} problems")
    return 1 if found else 0


sys.exit(main(sys.argv[1:]))
