#include "tools/help.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "tools/options/option_formats.h"

enum { GOOD = 0, USAGE = 2, SUMMARY = 256 };

typedef struct help {
    const mfm_command_name *commands;
    int count;
    mfm_run_command_fn *run;
} help;

static int ask(const help *h, int command, const char *option, const char *value)
{
    const char *argv[3] = {h->commands[command].name, option, value};
    return h->run(h->commands[command].name, value ? 3 : 2, argv);
}

static int find(const help *h, const char *name)
{
    for (int i = 0; i < h->count; i++)
        if (strcmp(h->commands[i].name, name) == 0)
            return i;
    fprintf(stderr, "onnx-mfm help: unknown command: %.80s: 'onnx-mfm help' lists them\n", name);
    return -1;
}

/* ---- manual pages ---- */

static int print_main_page(const help *h)
{
    mfm_roff_head("onnx-mfm");
    printf("onnx\\-mfm \\- train image classifiers on long\\-tailed data, from ONNX and back\n"
           ".SH SYNOPSIS\n.B onnx\\-mfm\n.I COMMAND\n[\\fIOPTION\\fR...]\n.SH DESCRIPTION\n"
           "Takes an image classifier as an ONNX file, inserts a feature modulator after layers "
           "of your choice, trains the network on long\\-tailed images with the help of a small "
           "balanced set, and writes the plain classifier, an ONNX file for any runtime.\n"
           ".SH COMMANDS\n");
    for (int i = 0; i < h->count; i++) {
        printf(".TP\n.BR onnx\\-mfm\\-%s (1)\n", h->commands[i].name);
        mfm_roff_text(h->commands[i].summary);
        printf("\n");
    }
    printf(".SH ENVIRONMENT\n.TP\n.B MFM_TRACE\na file: a trace for a browser's trace viewer is "
           "written to it\n.TP\n.B MFM_MPI\nin a process that an MPI launcher has started: openmpi "
           "or mpich, the module to use, or none, for processes that work each by itself "
           "(default: the launcher's)\n.SH SEVERAL PROCESSES\n.BR onnx\\-mfm\\-train (1)\nis the "
           "command that several processes carry out together, as mpirun or srun starts them. "
           "Any other is refused there, unless MFM_MPI=none.\n.SH EXIT STATUS\n0 success, 1 a "
           "check failed, 2 wrong "
           "usage, 3 bad input, 4 out of resources, 128 + N interrupted by signal N.\n");
    return GOOD;
}

static int print_man(const help *h, const char *name)
{
    char format[SUMMARY];
    const int command = name ? find(h, name) : 0;
    if (!name)
        return print_main_page(h);
    if (command < 0)
        return USAGE;
    snprintf(format, sizeof format, "man:%s", h->commands[command].summary);
    return ask(h, command, "--help-as", format);
}

/* ---- completion ---- */

static void print_names(const help *h)
{
    for (int i = 0; i < h->count; i++)
        printf("%s ", h->commands[i].name);
}

static void begin(const help *h, const char *shell)
{
    if (strcmp(shell, "bash") == 0) {
        printf("_onnx_mfm() {\n    local cur=${COMP_WORDS[COMP_CWORD]} words=\n"
               "    local prev=${COMP_WORDS[COMP_CWORD-1]}\n    COMPREPLY=()\n"
               "    if [ \"$COMP_CWORD\" -eq 1 ]; then\n        words='");
        print_names(h);
        printf("help version'\n    fi\n    case ${COMP_WORDS[1]} in\n    help) words='");
        print_names(h);
        printf("' ;;\n");
    } else if (strcmp(shell, "zsh") == 0) {
        printf("#compdef onnx-mfm\nlocal -a commands\ncommands=(\n");
        for (int i = 0; i < h->count; i++) {
            printf("    '%s:", h->commands[i].name);
            mfm_quoted_text(h->commands[i].summary, true);
            printf("'\n");
        }
        printf("    'help:show what a command does' 'version:print the version'\n)\n"
               "if (( CURRENT == 2 )); then\n    _describe command commands\nelse\n"
               "    case $words[2] in\n    help) _describe command commands ;;\n");
    } else {
        for (int i = 0; i < h->count; i++) {
            printf("complete -c onnx-mfm -n __fish_use_subcommand -f -a %s -d '",
                   h->commands[i].name);
            mfm_quoted_text(h->commands[i].summary, false);
            printf("'\n");
        }
        printf("complete -c onnx-mfm -n __fish_use_subcommand -f -a 'help version'\n"
               "complete -c onnx-mfm -n '__fish_seen_subcommand_from help' -f -a '");
        print_names(h);
        printf("'\n");
    }
}

static void end(const char *shell)
{
    if (strcmp(shell, "bash") == 0)
        printf("    esac\n    # shellcheck disable=SC2207 # words\n"
               "    [ -z \"$words\" ] || COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n}\n"
               "complete -o default -F _onnx_mfm onnx-mfm\n");
    else if (strcmp(shell, "zsh") == 0)
        printf("    esac\nfi\n");
}

static int print_completion(const help *h, const char *shell)
{
    static const char *const shells[] = {"bash", "zsh", "fish"};
    bool known = false;
    for (int i = 0; i < 3 && shell; i++)
        known |= strcmp(shell, shells[i]) == 0;
    if (!known) {
        fprintf(stderr, "onnx-mfm help: --completion %.40s: bash, zsh and fish are known\n",
                shell ? shell : "");
        return USAGE;
    }
    int code = GOOD;
    begin(h, shell);
    for (int i = 0; i < h->count && code == GOOD; i++)
        code = ask(h, i, "--help-as", shell);
    end(shell);
    return code;
}

int mfm_help(int argc, const char **argv, const mfm_command_name *commands, int count,
             void (*print_help)(void), mfm_run_command_fn *run)
{
    const help h = {commands, count, run};
    const char *first = argc > 1 ? argv[1] : NULL, *second = argc > 2 ? argv[2] : NULL;
    if (!first || strcmp(first, "--help") == 0) {
        print_help();
        return GOOD;
    }
    if (strcmp(first, "--man") == 0)
        return print_man(&h, second);
    if (strcmp(first, "--completion") == 0)
        return print_completion(&h, second);
    const int command = find(&h, first);
    return command < 0 ? USAGE : ask(&h, command, "--help", NULL);
}
