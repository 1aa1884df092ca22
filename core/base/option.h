/*
 * Options as data: a table of names, kinds, bounds and help texts, and the structure that they
 * fill. Whoever takes options declares such a table; the program makes its command line, its help
 * and its JSON from it, and the defaults are what the structure holds before.
 *
 *     typedef struct options { double tau; uint64_t every; } options;
 *     static const mfm_option table[] = {
 *         {.name = "tau", .kind = MFM_OPTION_REAL, .value = "X", .max = 100,
 *          .offset = offsetof(options, tau), .help = "how far logits are adjusted"},
 *         {.name = "every", .kind = MFM_OPTION_UINT, .value = "N", .min = 1, .max = 1e6,
 *          .offset = offsetof(options, every), .help = "steps between two adjustments"}};
 *     static const options defaults = {.tau = 1, .every = 1};
 *     const mfm_settings adjustment = MFM_SETTINGS("Adjustment", table, defaults);
 */
#ifndef MFM_OPTION_H
#define MFM_OPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/linkage.h"

MFM_C_BEGIN

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

/* What a run that goes on does with an option. */
enum mfm_option_scope {
    MFM_OPTION_FIXED,      /* must be what the run began with */
    MFM_OPTION_CHANGEABLE, /* the run's own unless given anew */
    MFM_OPTION_LOCAL       /* no part of the run */
};

/* Whether a text names a place among files, so that a relative one depends on the working folder.
 */
enum mfm_option_path {
    MFM_OPTION_NO_PATH,
    MFM_OPTION_PATH,     /* all of it; "-" is none */
    MFM_OPTION_KIND_PATH /* what follows the first colon, as in idx:FOLDER */
};

enum { MFM_MAX_STRINGS = 256, MFM_MAX_UINTS = 16 };

typedef struct mfm_strings {
    const char *item[MFM_MAX_STRINGS];
    size_t count;
} mfm_strings;

typedef struct mfm_uints {
    uint32_t item[MFM_MAX_UINTS];
    int count;
} mfm_uints;

struct mfm_run_facts; /* core/train/methods/method.h */

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
    enum mfm_option_path path; /* STRING */
    /* Why this option has no effect on the run, as words after "has no effect: "; NULL: it has one.
     * values is the structure of its table. No function: it always has one, where it belongs to
     * what was chosen. A run warns of what was given in vain. */
    const char *(*idle)(const void *values, const struct mfm_run_facts *run);
} mfm_option;

/*
 * What one part of training (a method, a loss, a sampler) lets be chosen: a table with the
 * structure that holds the choice. Several parts may name the same settings, and then share them.
 */
typedef struct mfm_settings {
    const char *title; /* above the options in the help, without a colon */
    const mfm_option *options;
    size_t count;
    const void *defaults;         /* the structure as it is when nothing is chosen */
    size_t size;                  /* of the structure, at most MFM_MAX_SETTINGS_SIZE */
    void (*settle)(void *values); /* decides what was left open, once all is given; may be NULL */
} mfm_settings;

enum { MFM_MAX_SETTINGS_SIZE = 256 };

#define MFM_SETTINGS(heading, table, structure)                                                    \
    {                                                                                              \
        .title = heading, .options = table, .count = sizeof(table) / sizeof((table)[0]),           \
        .defaults = &(structure), .size = sizeof(structure)                                        \
    }

/* Settings and the structure with what was chosen of them. */
typedef struct mfm_chosen {
    const mfm_settings *settings;
    const void *values;
} mfm_chosen;

/* What was chosen of these settings, or their defaults. chosen is ended by one without settings;
 * NULL: nothing was chosen. */
static inline const void *mfm_values_of(const mfm_chosen *chosen, const mfm_settings *settings)
{
    for (; chosen && chosen->settings; chosen++)
        if (chosen->settings == settings)
            return chosen->values;
    return settings->defaults;
}

MFM_C_END

#endif
