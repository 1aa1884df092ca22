# The definition of the ONNX file format, from the system's ONNX package: ONNXProto_FILE is
# onnx.proto and ONNXProto_DIR the folder that holds onnx/onnx.proto. Nothing is vendored.
find_path(ONNXProto_DIR onnx/onnx.proto)
if(ONNXProto_DIR)
    set(ONNXProto_FILE "${ONNXProto_DIR}/onnx/onnx.proto")
endif()
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(ONNXProto REQUIRED_VARS ONNXProto_FILE)
