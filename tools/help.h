/*
 * `onnx-mfm help`: what there is to know about the program as a whole.
 *     help                      as --help
 *     help COMMAND              as COMMAND --help
 *     help --man [COMMAND]      a manual page
 *     help --completion SHELL   completion for bash, zsh or fish
 */
#ifndef MFM_HELP_H
#define MFM_HELP_H

typedef struct mfm_command_name {
    const char *name, *summary;
} mfm_command_name;

/* Runs a command with these arguments behind its name; returns the exit code. */
typedef int mfm_run_command_fn(const char *name, int argc, const char **argv);

/* argv[0] is "help". Returns the exit code. */
int mfm_help(int argc, const char **argv, const mfm_command_name *commands, int count,
             void (*print_help)(void), mfm_run_command_fn *run);

#endif
