/* onnx-mfm: finds the command, runs it, prints what failed, chooses the exit code. */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/train/comm/comm.h"
#include "onnx/proto/nearest.h"
#include "tools/commands/command.h"
#include "tools/exit_code.h"
#include "tools/files.h"
#include "tools/help.h"
#include "tools/show/printable.h"
#include "tools/threads.h"
#include "tools/trace.h"
#include "tools/train/ranks.h"

typedef struct command {
    const char *name, *summary;
    mfm_command_fn *run;
} command;

static const command commands[] = {
#define COMMAND(name, summary) {#name, summary, mfm_cmd_##name},
#include "tools/commands/commands.def"
#undef COMMAND
};
enum { COMMANDS = sizeof commands / sizeof commands[0] };

static void print_help(void)
{
    printf(
        "Usage: onnx-mfm COMMAND [OPTION...]\n\n"
        "Trains image classifiers straight from ONNX and back, on long-tailed data, with feature "
        "modulators.\n\n"
        "Commands:\n");
    for (int i = 0; i < COMMANDS; i++)
        printf("  %-9s %s\n", commands[i].name, commands[i].summary);
    printf("\nA first run:\n"
           "  onnx-mfm new lenet -o lenet.onnx\n"
           "  onnx-mfm train lenet.onnx -o trained.onnx --data fashion-mnist --imbalance 100 "
           "--lr 0.01 --epochs 10\n"
           "  onnx-mfm eval trained.onnx --data fashion-mnist\n\n"
           "onnx-mfm help COMMAND lists the options of a command, onnx-mfm version prints the "
           "version,\n"
           "onnx-mfm help --completion bash, zsh or fish what a shell needs to complete them.\n"
           "MFM_TRACE=FILE in the environment writes a trace for a browser's trace viewer,\n"
           "FILE.N of process N where several train together.\n"
           "Exit status: 0 success, 1 a check failed, 2 wrong usage, 3 bad input, 4 out of "
           "resources,\n"
           "128 + N interrupted by signal N (Ctrl-C: 130).\n");
}

static const command *find_command(const char *name)
{
    for (int i = 0; i < COMMANDS; i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

static int unknown_command(const char *name)
{
    const char *names[COMMANDS];
    for (int i = 0; i < COMMANDS; i++)
        names[i] = commands[i].name;
    char near[MFM_SUGGEST_TEXT];
    mfm_suggest(name, names, COMMANDS, near);
    fprintf(stderr, "onnx-mfm: unknown command: %.80s%s\n", name,
            near[0] ? near : ": 'onnx-mfm --help' lists them");
    return MFM_EXIT_USAGE;
}

static void print_warning(void *self, const char *line)
{
    const command *c = self;
    mfm_print(stderr, "onnx-mfm %s: warning: %s\n", c->name, line);
}

/* What a full disk or a closed pipe does to standard output shows at the latest here. */
static int flush_results(mfm_ctx *ctx, int status)
{
    errno = 0;
    const int failed = fflush(stdout) != 0 || ferror(stdout);
    if (failed && (status == MFM_OK || status == MFM_HELPED))
        return mfm_fail_errno(ctx, errno ? errno : EIO, "write", "to standard output");
    return status;
}

/* The command, traced if the environment asks for it. */
static int run_traced(mfm_ctx *ctx, const command *c, int argc, const char **argv)
{
    const char *path = getenv("MFM_TRACE");
    const mfm_launch launch = mfm_launch_of();
    char of_rank[PATH_MAX];
    mfm_trace *trace = NULL;
    if (path && *path && launch.rank > 0) {
        snprintf(of_rank, sizeof of_rank, "%s.%d", path, launch.rank);
        path = of_rank;
    }
    int status = path && *path ? mfm_trace_begin(ctx, path, &trace) : MFM_OK;
    if (!status)
        status = c->run(ctx, argc, argv);
    mfm_ctx_on_warning(ctx, print_warning, (void *)c);
    mfm_trace_end(trace);
    return status;
}

static bool asks_for_help(int argc, const char **argv)
{
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return true;
    return false;
}

/* Training alone is for several processes; the rest would be done, written and printed by each. */
static int check_alone(mfm_ctx *ctx, const command *c, int argc, const char **argv)
{
    const bool helps = asks_for_help(argc, argv) && mfm_launch_of().rank == 0;
    return c->run == mfm_cmd_train || helps ? MFM_OK : mfm_ranks_refuse(ctx, c->name);
}

static int run_command(const command *c, int argc, const char **argv)
{
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    if (!ctx) {
        fprintf(stderr, "onnx-mfm %s: out of memory\n", c->name);
        return MFM_EXIT_RESOURCES;
    }
    char name[32];
    snprintf(name, sizeof name, "onnx-mfm %s", c->name);
    argv[0] = name;
    mfm_ctx_on_warning(ctx, print_warning, (void *)c);
    int status = check_alone(ctx, c, argc, argv);
    if (!status)
        status = flush_results(ctx, run_traced(ctx, c, argc, argv));
    if (status != MFM_OK && status != MFM_HELPED)
        mfm_print(stderr, "%s: %s\n", name, mfm_message(ctx));
    if (status == MFM_EUSAGE)
        fprintf(stderr, "Try '%s --help'.\n", name);
    const int code = mfm_exit_code(ctx, status);
    mfm_ctx_free(ctx);
    return code;
}

/* By its name, which is one of the list. argv[0] is free to be anything. */
static int run_named(const char *name, int argc, const char **argv)
{
    return run_command(find_command(name), argc, argv);
}

static int run_help(int argc, const char **argv)
{
    mfm_command_name names[COMMANDS];
    for (int i = 0; i < COMMANDS; i++)
        names[i] = (mfm_command_name){commands[i].name, commands[i].summary};
    return mfm_help(argc, argv, names, COMMANDS, print_help, run_named);
}

int main(int argc, char **argv)
{
    mfm_calm_threads(argv);
    signal(SIGXFSZ, SIG_IGN); /* a limit on the size of files is an error like any other */
    if (argc < 2) {
        fprintf(stderr, "onnx-mfm: no command: try 'onnx-mfm --help'\n");
        return MFM_EXIT_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        print_help();
        return MFM_EXIT_GOOD;
    }
    if (strcmp(argv[1], "help") == 0)
        return run_help(argc - 1, (const char **)argv + 1);
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "version") == 0) {
        printf("onnx-mfm %s\n", MFM_VERSION);
        return MFM_EXIT_GOOD;
    }
    const command *c = find_command(argv[1]);
    if (!c)
        return unknown_command(argv[1]);
    return run_command(c, argc - 1, (const char **)argv + 1);
}
