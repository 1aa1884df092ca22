/* reseal FILE: gives a checkpoint that was edited the checksum that its bytes have now
 * (onnx/storage/seal.h): what an older version could have written. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

enum { MOST = 1 << 24, DIGITS = 32, ENTRY = 50 };

int main(int argc, char **argv)
{
    static unsigned char bytes[MOST];
    FILE *file = argc == 2 ? fopen(argv[1], "r+b") : NULL;
    const size_t size = file ? fread(bytes, 1, MOST, file) : 0;
    if (size < ENTRY || size == MOST) {
        fprintf(stderr, "reseal FILE: a checkpoint of up to %d bytes\n", MOST);
        return 1;
    }
    const XXH128_hash_t hash = XXH3_128bits(bytes, size - ENTRY);
    char text[DIGITS + 1];
    snprintf(text, sizeof text, "%016llx%016llx", (unsigned long long)hash.high64,
             (unsigned long long)hash.low64);
    const bool done = fseek(file, -DIGITS, SEEK_END) == 0 && fputs(text, file) >= 0;
    return fclose(file) == 0 && done ? 0 : 1;
}
