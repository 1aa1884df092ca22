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

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tools/command.h"

enum mfm_option_kind {
    MFM_OPTION_FLAG,    /* bool */
    MFM_OPTION_STRING,  /* const char *; NULL: not given */
    MFM_OPTION_STRINGS, /* mfm_strings: may be given several times */
    MFM_OPTION_UINT,    /* uint64_t within min .. max */
    MFM_OPTION_REAL,    /* double, finite, within min .. max */
    MFM_OPTION_UINTS,   /* mfm_uints: "160,180"; "" or "none" is the empty list */
    MFM_OPTION_SHAPE,   /* int64_t[3]: "3,32,32"; zeros: not given */
    MFM_OPTION_CHOICE   /* int: the position in choices */
};

/* What a run that goes on does with an option (tools/option_json.h). */
enum mfm_option_scope {
    MFM_OPTION_FIXED,      /* must be what the run began with */
    MFM_OPTION_CHANGEABLE, /* the run's own unless given anew */
    MFM_OPTION_LOCAL       /* no part of the run */
};

enum { MFM_MAX_STRINGS = 256, MFM_MAX_UINTS = 16, MFM_MAX_OPTIONS = 48, MFM_MAX_GROUPS = 8 };

typedef struct mfm_strings {
    const char *item[MFM_MAX_STRINGS];
    size_t count;
} mfm_strings;

typedef struct mfm_uints {
    uint32_t item[MFM_MAX_UINTS];
    int count;
} mfm_uints;

typedef struct mfm_option {
    const char *name;
    char letter; /* 0: none */
    enum mfm_option_kind kind;
    size_t offset;     /* of the field in the structure that is filled */
    const char *value; /* what the value is called in the help */
    const char *help;
    double min, max;            /* UINT, REAL */
    const char *const *choices; /* CHOICE: ended by NULL */
    bool required;
    bool silent_default; /* the help text itself says what holds when it is not given */
    enum mfm_option_scope scope;
} mfm_option;

/* Options that stand together in the help. Offsets count from base, so that commands can share a
 * group as a structure within their own. */
typedef struct mfm_option_group {
    const char *title;
    const mfm_option *options;
    size_t count, base;
} mfm_option_group;

typedef struct mfm_option_table {
    const char
        *positional;     /* what the one argument without a name is called; NULL: there is none */
    const char *purpose; /* a sentence or two above the options in the help */
    const char *notes;   /* below them; NULL: none */
    void (*more)(void);  /* prints further help; NULL: none */
    const mfm_option_group *groups; /* ended by one without options */
} mfm_option_table;

typedef struct mfm_arguments {
    const char *positional;
    bool given[MFM_MAX_OPTIONS]; /* by position in the table */
    char **owned;                /* every text that the filled structure points to */
    size_t n_owned, owned_capacity;
} mfm_arguments;

/* values holds the defaults and receives what is given. MFM_HELPED after --help; MFM_EUSAGE names
 * the option, the value and the rule. Always end with mfm_arguments_free, after the last use of
 * values. */
int mfm_options_parse(mfm_ctx *ctx, const mfm_option_table *table, int argc, const char **argv,
                      void *values, mfm_arguments *arguments);
/* A copy of text that lives until then; NULL with MFM_ENOMEM recorded. */
char *mfm_arguments_own(mfm_ctx *ctx, mfm_arguments *arguments, const char *text);
void mfm_arguments_free(mfm_ctx *ctx, mfm_arguments *arguments);
/* Whether the option of that name was on the command line. */
bool mfm_option_given(const mfm_option_table *table, const mfm_arguments *arguments,
                      const char *name);

#endif
