# protobuf-c: the library (imported target PROTOBUF_C::lib) and its compiler (ProtobufC_COMPILER).
find_package(PkgConfig REQUIRED)
pkg_check_modules(PC_PROTOBUF_C QUIET IMPORTED_TARGET libprotobuf-c>=1.4.1)
find_program(ProtobufC_COMPILER protoc-c)
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(ProtobufC
    REQUIRED_VARS PC_PROTOBUF_C_LIBRARIES ProtobufC_COMPILER
    VERSION_VAR PC_PROTOBUF_C_VERSION)
if(ProtobufC_FOUND AND NOT TARGET ProtobufC::ProtobufC)
    add_library(ProtobufC::ProtobufC ALIAS PkgConfig::PC_PROTOBUF_C)
endif()
