/* Reading a part of an open file. */
#ifndef MFM_ONNX_FILE_READ_H
#define MFM_ONNX_FILE_READ_H

#include <stdint.h>
#include <sys/types.h>

/* Up to size bytes from offset on, fewer only at the end of the file; -1 with errno set. */
ssize_t mfm_read_at(int fd, void *bytes, size_t size, uint64_t offset);

#endif
