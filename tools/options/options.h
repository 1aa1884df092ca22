/*
 * A command's options as a table: from it come parsing, range checks and the help text, with the
 * defaults read off the structure that parsing fills.
 *
 *     typedef struct options { const char *output; uint64_t epochs; } options;
 *     static const mfm_option table[] = {
 *         {.name = "output", .letter = 'o', .kind = MFM_OPTION_STRING, .value = "FILE",
 *          .offset = offsetof(options, output), .required = true, .help = "the file to write"},
 *         {.name = "epochs", .kind = MFM_OPTION_UINT, .value = "N", .min = 1, .max = 1e6,
 *          .offset = offsetof(options, epochs), .help = "passes over the training images"}};
 */
#ifndef MFM_OPTIONS_H
#define MFM_OPTIONS_H

#include "core/base/option.h"
#include "tools/commands/command.h"

enum { MFM_MAX_OPTIONS = 192, MFM_MAX_GROUPS = 48 };

/* Options that stand together in the help. Offsets count from base, so that commands can share a
 * group as a structure within their own. */
typedef struct mfm_option_group {
    const char *title;
    const mfm_option *options;
    size_t count, base;
    bool idle; /* of a part that was not chosen: not told as JSON, nor adopted from it */
} mfm_option_group;

typedef struct mfm_option_table {
    const char
        *positional;    /* what the one argument without a name is called; NULL: there is none */
    const char *rest;   /* what any number of further ones are called; NULL: there are none */
    bool rest_may_lack; /* even of none */
    bool rest_is_one;   /* not any number: the command itself refuses more */
    bool may_lack;      /* the command itself says when that argument is needed */
    const char *keeps_model;        /* why MODEL cannot be standard input; NULL: it can */
    const char *purpose;            /* a sentence or two above the options in the help */
    const char *notes;              /* below them; NULL: none */
    void (*more)(void);             /* prints further help; NULL: none */
    const mfm_option_group *groups; /* ended by one without options */
} mfm_option_table;

typedef struct mfm_arguments {
    const char *positional;      /* a MODEL given as - is MFM_STANDARD_INPUT (tools/files.h) */
    size_t first_rest, n_rest;   /* further arguments without names, within owned */
    bool given[MFM_MAX_OPTIONS]; /* by position in the table */
    char **owned;                /* every text that the filled structure points to */
    size_t n_owned, owned_capacity;
} mfm_arguments;

/* The option -o FILE of commands that write a model; its field is a const char *. */
#define MFM_OUTPUT_OPTION(structure, field)                                                        \
    {                                                                                              \
        .name = "output", .letter = 'o', .kind = MFM_OPTION_STRING, .value = "FILE",               \
        .required = true, .offset = offsetof(structure, field), .help = "the ONNX file to write"   \
    }

/* --threads N of commands that compute, 0 for all processors, and --json; their fields are a
 * uint64_t and a bool. */
#define MFM_THREADS_OPTION(structure, field)                                                       \
    {                                                                                              \
        .name = "threads", .kind = MFM_OPTION_UINT, .value = "N", .max = 1024,                     \
        .offset = offsetof(structure, field), .silent_default = true,                              \
        .help = "processors to use (default: all)"                                                 \
    }
#define MFM_JSON_OPTION(structure, field)                                                          \
    {                                                                                              \
        .name = "json", .kind = MFM_OPTION_FLAG, .offset = offsetof(structure, field),             \
        .help = "print JSON"                                                                       \
    }

/* values holds the defaults and receives what is given. MFM_HELPED after --help; MFM_EUSAGE names
 * the option, the value and the rule. Of an option that is given several times the last counts, but
 * for MFM_OPTION_STRINGS, which collects them. Always end with mfm_arguments_free, after the last
 * use of values. */
int mfm_options_parse(mfm_ctx *ctx, const mfm_option_table *table, int argc, const char **argv,
                      void *values, mfm_arguments *arguments);
/* A copy of text that lives until then; NULL with MFM_ENOMEM recorded. */
char *mfm_arguments_own(mfm_ctx *ctx, mfm_arguments *arguments, const char *text);
void mfm_arguments_free(mfm_ctx *ctx, mfm_arguments *arguments);
/* The further arguments without names: at least one where the table has them. */
size_t mfm_arguments_rest(const mfm_arguments *arguments);
const char *mfm_arguments_rest_at(const mfm_arguments *arguments, size_t index);
/* Whether the option of that name was on the command line. */
bool mfm_option_given(const mfm_option_table *table, const mfm_arguments *arguments,
                      const char *name);
/* The option counts as given: by the program itself. */
void mfm_option_give(const mfm_option_table *table, mfm_arguments *arguments, const char *name);
/* The failure that tells a required option to be missing. */
int mfm_option_missing(mfm_ctx *ctx, const mfm_option *option);
/* Warns of each option among names (ended by NULL) that was given in vain:
 * "--NAME has no effect: REASON". */
void mfm_options_no_effect(mfm_ctx *ctx, const mfm_option_table *table,
                           const mfm_arguments *arguments, const char *const *names,
                           const char *reason);

#endif
