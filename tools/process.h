/* What the system knows of this process. */
#ifndef MFM_PROCESS_H
#define MFM_PROCESS_H

/* Bytes of memory that are resident now, and at most so far; 0 when the system does not tell. */
double mfm_process_rss(void);
double mfm_process_peak_rss(void);
/* Seconds since it started, to a clock tick; 0 when the system does not tell. */
double mfm_process_age(void);

#endif
