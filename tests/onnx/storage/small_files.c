/* In the place of onnx/storage/one_file.c: models of a few kilobytes take two files. */
#include "onnx/storage/external.h"

const uint64_t mfm_one_file_most = 4000;
