#include "tools/interrupt.h"

#include <stdbool.h>
#include <string.h>
#include <unistd.h>

/* A signal handler reaches nothing but static storage. */
static volatile sig_atomic_t came, here; /* the first of all; whether one came to this process */
static const char *volatile told;

static void say(const char *text)
{
    if (write(STDERR_FILENO, text, strlen(text)) < 0)
        return; /* nobody reads it */
}

static void on_signal(int signal, siginfo_t *info, void *context)
{
    const bool first = !came, passed_on = info->si_code == SI_QUEUE;
    (void)context;
    if (here && !passed_on)
        _exit(128 + signal);
    here = here || !passed_on;
    came = first ? signal : came;
    if (!first || !told)
        return;
    say("\n");
    say(told);
    say("; once more stops at once\n");
}

static void end(int signal, siginfo_t *info, void *context)
{
    (void)info;
    (void)context;
    say("\n");
    say(told);
    say("\n");
    _exit(128 + signal);
}

static void catch (void (*handler)(int, siginfo_t *, void *))
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2};
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_RESTART | SA_SIGINFO}, old;
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
    here = signal != 0;
}

void mfm_interrupt_pass_on(pid_t process)
{
    sigqueue(process, came, (union sigval){.sival_int = 0});
}

const volatile sig_atomic_t *mfm_interrupt_signal(void)
{
    return &came;
}
