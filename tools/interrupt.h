/* Signals that ask for an end: SIGINT (Ctrl-C), SIGTERM, SIGHUP (the terminal went away), SIGUSR1
 * and SIGUSR2 (which batch systems and mpirun hand on some time before the end). */
#ifndef MFM_INTERRUPT_H
#define MFM_INTERRUPT_H

#include <signal.h>
#include <sys/types.h>

/* From here on the first of them is only noted, and text told on standard error: what is finished
 * before the end, a constant (NULL: nothing). The second ends the process at once, as exit code 128
 * + its number. One that the process was started to ignore, as by nohup or in the background of a
 * shell, stays ignored. */
void mfm_interrupt_catch(const char *text);
/* From here on the first ends the process, with this text, a constant: for work that leaves nothing
 * behind. */
void mfm_interrupt_end(const char *text);
/* What came to another process that works on the same: as if it had come here. */
void mfm_interrupt_note(int signal);
/* The signal that came, to a process that this one has started and that catches it, too. The same
 * may have come to both, as Ctrl-C does from a terminal: what is passed on is never the second. */
void mfm_interrupt_pass_on(pid_t process);
/* The number of the signal that came, 0 as long as none has. */
const volatile sig_atomic_t *mfm_interrupt_signal(void);

#endif
