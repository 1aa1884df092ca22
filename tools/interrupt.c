#include "tools/interrupt.h"

#include <string.h>
#include <unistd.h>

/* A signal handler reaches nothing but static storage. */
static volatile sig_atomic_t came;
static const char *volatile told;

static void say(const char *text)
{
    if (write(STDERR_FILENO, text, strlen(text)) < 0)
        return; /* nobody reads it */
}

static void on_signal(int signal)
{
    if (came)
        _exit(128 + signal);
    came = signal;
    if (!told)
        return;
    say("\n");
    say(told);
    say("; once more stops at once\n");
}

static void end(int signal)
{
    say("\n");
    say(told);
    say("\n");
    _exit(128 + signal);
}

static void catch (void (*handler)(int))
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2};
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART}, old;
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
        if (sigaction(signals[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
            sigaction(signals[i], &action, NULL);
}

void mfm_interrupt_catch(const char *text)
{
    told = text;
    catch (on_signal);
}

void mfm_interrupt_end(const char *text)
{
    told = text;
    catch (end);
}

void mfm_interrupt_note(int signal)
{
    came = signal;
}

const volatile sig_atomic_t *mfm_interrupt_signal(void)
{
    return &came;
}
