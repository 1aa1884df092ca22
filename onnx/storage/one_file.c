/* Alone in its file: a test's program brings a smaller number, and needs no weights of 2 GiB. */
#include <limits.h>

#include "onnx/storage/external.h"

const uint64_t mfm_one_file_most = INT_MAX;
