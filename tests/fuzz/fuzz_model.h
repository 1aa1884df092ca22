#ifndef MFM_FUZZ_MODEL_H
#define MFM_FUZZ_MODEL_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

#endif
