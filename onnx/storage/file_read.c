#include "onnx/storage/file_read.h"

#include <errno.h>
#include <unistd.h>

ssize_t mfm_read_at(int fd, void *bytes, size_t size, uint64_t offset)
{
    size_t have = 0;
    while (have < size) {
        const ssize_t got = pread(fd, (uint8_t *)bytes + have, size - have, (off_t)(offset + have));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        have += (size_t)got;
    }
    return (ssize_t)have;
}
