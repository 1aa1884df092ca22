"""What converters make of files; zoo_files.py calls this.

    upN, downN          onnx.version_converter, to opset N
    ortbasic, ortextended  ONNX Runtime's optimised files, at that level
    ortfused            ONNX Runtime's optimiser of transformers
    qdq, qlinear, dynamic  its quantisers: static in either form, dynamic
    half, halfio        onnxconverter-common's float16, the second with inputs and outputs kept
"""
import onnx


def optimised(source, path, level):
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel,
                                               "ORT_ENABLE_" + level.upper())
    options.optimized_model_filepath = str(path)
    onnxruntime.InferenceSession(str(source), options, providers=["CPUExecutionProvider"])


def quantised(source, path, form):
    import numpy as np
    import onnxruntime
    from onnxruntime import quantization as q

    class Few(q.CalibrationDataReader):
        def __init__(self):
            told = onnxruntime.InferenceSession(str(source)).get_inputs()[0]
            shape = [d if isinstance(d, int) else 2 for d in told.shape]
            draw = np.random.default_rng(0)
            self.left = [{told.name: draw.standard_normal(shape).astype(np.float32)}] * 2

        def get_next(self):
            return self.left.pop() if self.left else None

    if form == "dynamic":
        q.quantize_dynamic(str(source), str(path))
        return
    format = q.QuantFormat.QDQ if form == "qdq" else q.QuantFormat.QOperator
    q.quantize_static(str(source), str(path), Few(), quant_format=format)


def rewrite(tool, source, path):
    if tool in ("qdq", "qlinear", "dynamic"):
        quantised(source, path, tool)
        return
    if tool.startswith("ort") and tool != "ortfused":
        optimised(source, path, tool[3:])
        return
    if tool == "ortfused":
        from onnxruntime.transformers import optimizer
        made = optimizer.optimize_model(str(source), model_type="vit", num_heads=4,
                                        hidden_size=48, opt_level=0)
        made.save_model_to_file(str(path))
        return
    proto = onnx.load(str(source))
    if tool.startswith("half"):
        from onnxconverter_common import float16
        proto = float16.convert_float_to_float16(proto, keep_io_types=tool == "halfio")
    else:
        from onnx import version_converter
        proto = version_converter.convert_version(proto, int(tool.lstrip("updown")))
    onnx.save(proto, str(path))
