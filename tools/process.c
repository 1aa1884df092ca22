#include "tools/process.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

double mfm_process_rss(void)
{
    long resident = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (!file)
        return 0;
    const int got = fscanf(file, "%*s %ld", &resident);
    fclose(file);
    return got == 1 ? (double)resident * (double)sysconf(_SC_PAGESIZE) : 0;
}

/* The high-water mark of this program: getrusage's would take in what ran before exec. */
double mfm_process_peak_rss(void)
{
    char line[256];
    double kib = 0;
    FILE *file = fopen("/proc/self/status", "re");
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "VmHWM: %lf", &kib) == 1)
            break;
    if (file)
        fclose(file);
    return 1024 * kib;
}

/* Field 22 of stat is the start in clock ticks since boot. Field 2, the program's name, may hold
 * anything and ends at the last parenthesis. */
double mfm_process_age(void)
{
    char text[1024];
    FILE *file = fopen("/proc/self/stat", "re");
    const size_t size = file ? fread(text, 1, sizeof text - 1, file) : 0;
    if (file)
        fclose(file);
    text[size] = '\0';
    const char *at = strrchr(text, ')');
    for (int field = 2; at && field < 22; field++)
        at = strchr(at + 1, ' ');
    double ticks;
    struct timespec boot;
    if (!at || sscanf(at, "%lf", &ticks) != 1 || clock_gettime(CLOCK_BOOTTIME, &boot))
        return 0;
    return (double)boot.tv_sec + 1e-9 * (double)boot.tv_nsec - ticks / (double)sysconf(_SC_CLK_TCK);
}
