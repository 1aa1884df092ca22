/* What several writers and readers of files need of the system. */
#ifndef MFM_FILE_IO_H
#define MFM_FILE_IO_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

/* Writes all bytes, however many calls that takes; 0, or errno of the one that failed. */
int mfm_write_all(int file, const void *bytes, size_t size);
/* Whether both are of one file, whatever its names. */
bool mfm_same_file(const struct stat *a, const struct stat *b);

#endif
