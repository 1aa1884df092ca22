/* Files of tests, in the folder for temporary ones: TMPDIR, or else /tmp. */
#ifndef MFM_TESTS_SCRATCH_H
#define MFM_TESTS_SCRATCH_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { SCRATCH = 128 };

/* "FOLDER/mfm-NAME-XXXXXX", as mkstemp and mkdtemp take it; NULL when it has no room. */
static inline char *scratch_template(char path[SCRATCH], const char *name)
{
    const char *folder = getenv("TMPDIR");
    const int length =
        snprintf(path, SCRATCH, "%s/mfm-%s-XXXXXX", folder && *folder ? folder : "/tmp", name);
    return length < SCRATCH ? path : NULL;
}

/* The path of an empty file that is there now, for the caller to remove; NULL when there is none.
 */
static inline char *scratch_file(char path[SCRATCH], const char *name)
{
    const int file = scratch_template(path, name) ? mkstemp(path) : -1;
    return file >= 0 && close(file) == 0 ? path : NULL;
}

/* Likewise of an empty folder. */
static inline char *scratch_folder(char path[SCRATCH], const char *name)
{
    return scratch_template(path, name) ? mkdtemp(path) : NULL;
}

#endif
