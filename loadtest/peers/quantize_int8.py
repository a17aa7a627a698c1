"""Quantizes an ONNX classifier to int8 (QDQ) with onnxruntime: quantize_int8.py MODEL OUT PICTURES..."""

import sys

import numpy
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from PIL import Image

model, out, *pictures = sys.argv[1:]


class Pictures(CalibrationDataReader):
    def __init__(self):
        self.left = iter(pictures)

    def get_next(self):
        path = next(self.left, None)
        if path is None:
            return None
        return {"image": numpy.asarray(Image.open(path).convert("RGB"))[None]}


quantize_static(
    model,
    out,
    Pictures(),
    quant_format=QuantFormat.QDQ,
    per_channel=True,
    activation_type=QuantType.QUInt8,
    weight_type=QuantType.QInt8,
)
