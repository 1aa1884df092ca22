/*
 * A library to be preloaded: counts the calls by which a program changes files, and at the one
 * numbered FAIL_AT (from 1) kills the process, or refuses the call with an errno: FAIL_HOW is
 * "kill" or the number of the errno. At the end the count goes into the file FAIL_COUNT. Nothing is
 * synced: that is slow, and makes no difference to what a kill leaves.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int calls;

/* Whether this call is to be refused; errno is set then. */
static int refused(void)
{
    const char *at = getenv("FAIL_AT"), *how = getenv("FAIL_HOW");
    calls++;
    if (!at || !how || atoi(at) != calls)
        return 0;
    if (strcmp(how, "kill") == 0)
        kill(getpid(), SIGKILL);
    errno = atoi(how);
    return 1;
}

__attribute__((destructor)) static void tell(void)
{
    const char *path = getenv("FAIL_COUNT");
    FILE *file = path ? fopen(path, "w") : NULL;
    if (!file)
        return;
    fprintf(file, "%d\n", calls);
    fclose(file);
}

static void *next(const char *name)
{
    return dlsym(RTLD_NEXT, name);
}

static int changes(int flags)
{
    return (flags & O_ACCMODE) != O_RDONLY || (flags & O_CREAT);
}

#define MODE(flags, mode)                                                                          \
    do {                                                                                           \
        va_list args;                                                                              \
        va_start(args, flags);                                                                     \
        (mode) = ((flags)&O_CREAT) || ((flags)&O_TMPFILE) == O_TMPFILE ? va_arg(args, mode_t) : 0; \
        va_end(args);                                                                              \
    } while (0)

int open(const char *path, int flags, ...)
{
    mode_t mode;
    MODE(flags, mode);
    int (*real)(const char *, int, ...) = (int (*)(const char *, int, ...))next("open");
    return changes(flags) && refused() ? -1 : real(path, flags, mode);
}

int openat(int folder, const char *path, int flags, ...)
{
    mode_t mode;
    MODE(flags, mode);
    int (*real)(int, const char *, int, ...) = (int (*)(int, const char *, int, ...))next("openat");
    return changes(flags) && refused() ? -1 : real(folder, path, flags, mode);
}

/* What goes to standard output and error is no file of the run. */
ssize_t write(int file, const void *bytes, size_t size)
{
    ssize_t (*real)(int, const void *, size_t) =
        (ssize_t(*)(int, const void *, size_t))next("write");
    return file > STDERR_FILENO && refused() ? -1 : real(file, bytes, size);
}

int fsync(int file)
{
    (void)file;
    return refused() ? -1 : 0;
}

int fdatasync(int file)
{
    (void)file;
    return refused() ? -1 : 0;
}

int ftruncate(int file, off_t size)
{
    int (*real)(int, off_t) = (int (*)(int, off_t))next("ftruncate");
    return refused() ? -1 : real(file, size);
}

int fchmod(int file, mode_t mode)
{
    int (*real)(int, mode_t) = (int (*)(int, mode_t))next("fchmod");
    return refused() ? -1 : real(file, mode);
}

int mkdir(const char *path, mode_t mode)
{
    int (*real)(const char *, mode_t) = (int (*)(const char *, mode_t))next("mkdir");
    return refused() ? -1 : real(path, mode);
}

int rename(const char *from, const char *to)
{
    int (*real)(const char *, const char *) = (int (*)(const char *, const char *))next("rename");
    return refused() ? -1 : real(from, to);
}

int renameat(int from_folder, const char *from, int to_folder, const char *to)
{
    int (*real)(int, const char *, int, const char *) =
        (int (*)(int, const char *, int, const char *))next("renameat");
    return refused() ? -1 : real(from_folder, from, to_folder, to);
}

int linkat(int from_folder, const char *from, int to_folder, const char *to, int flags)
{
    int (*real)(int, const char *, int, const char *, int) =
        (int (*)(int, const char *, int, const char *, int))next("linkat");
    return refused() ? -1 : real(from_folder, from, to_folder, to, flags);
}

int unlink(const char *path)
{
    int (*real)(const char *) = (int (*)(const char *))next("unlink");
    return refused() ? -1 : real(path);
}

int unlinkat(int folder, const char *path, int flags)
{
    int (*real)(int, const char *, int) = (int (*)(int, const char *, int))next("unlinkat");
    return refused() ? -1 : real(folder, path, flags);
}

int close(int file)
{
    int (*real)(int) = (int (*)(int))next("close");
    const int flags = fcntl(file, F_GETFL);
    const int refuse = flags >= 0 && changes(flags) && refused();
    const int error = errno, result = real(file);
    if (!refuse)
        return result;
    errno = error;
    return -1;
}
