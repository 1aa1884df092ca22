/* Arrays of NumPy's format: what is accepted has all its numbers within the file. */
#include <string.h>

#include "core/data/npy.h"
#include "tests/fuzz/fuzz.h"

enum { MEMORY = 1 << 20, MOST_NUMBERS = 1 << 12 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    fuzz_memory memory = {MEMORY};
    mfm_ctx *ctx = fuzz_ctx(&memory);
    if (!ctx)
        return 0;
    mfm_npy npy;
    const int status = mfm_npy_read(ctx, "fuzz.npy", (const char *)bytes, size, &npy);
    fuzz_need_reason(status, ctx);
    if (!status) {
        static float numbers[MOST_NUMBERS];
        const size_t count = (size_t)mfm_shape_count(&npy.shape);
        fuzz_need(count <= size, ctx, "a number takes a byte at least");
        for (size_t first = 0; first < count; first += MOST_NUMBERS)
            mfm_npy_numbers(&npy, first,
                            count - first < MOST_NUMBERS ? count - first : MOST_NUMBERS, numbers);
        fuzz_whole++;
    }
    mfm_ctx_free(ctx);
    return 0;
}

/* ---- seeds ---- */

/* A header of that version and its numbers, which are zero. */
static void seed(fuzz_take *take, void *self, int version, const char *header, size_t numbers)
{
    uint8_t bytes[512] = "\x93NUMPY";
    const size_t length = strlen(header), begin = version == 1 ? 10 : 12;
    bytes[6] = (uint8_t)version;
    bytes[8] = (uint8_t)length;
    memcpy(bytes + begin, header, length);
    take(self, bytes, begin + length + numbers);
}

bool fuzz_seeds(fuzz_take *take, void *self)
{
    seed(take, self, 1, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }\n", 24);
    seed(take, self, 2, "{'descr': '>f8', 'fortran_order': True, 'shape': (2, 1, 3), }\n", 48);
    seed(take, self, 3, "{\"shape\": (5,), \"fortran_order\": False, \"descr\": \"|u1\"}", 5);
    seed(take, self, 1, "{'descr': '<f4', 'fortran_order': False, 'shape': (), }\n", 4);
    return true;
}
