/*
 * The settings that parts of training declare (core/base/option.h) as options of a command: their
 * tables become groups behind the command's own, and what is chosen lies in a room at the end of
 * the command's structure.
 */
#ifndef MFM_TOOLS_SETTINGS_H
#define MFM_TOOLS_SETTINGS_H

#include "core/train/methods/method.h"
#include "tools/options/options.h"

enum { MFM_SETTINGS_ROOM = 8192, MFM_GROUP_TITLE = 128 };

/* A part of training that can be chosen by name. */
typedef struct mfm_choice {
    const char *kind, *name; /* "method", "mfm": the kind is also the option */
    const char *summary;
    const mfm_settings *const *settings; /* ended by NULL; NULL: none */
} mfm_choice;

/* MFM_EUSAGE, with names that are near, when there is no part of that kind and name. */
int mfm_choice_find(mfm_ctx *ctx, const char *kind, const char *name, mfm_choice *choice);
/* The settings that any loss has: class weights. */
mfm_choice mfm_choice_any_loss(void);
/* The parts of a kind, for the help. */
void mfm_choice_print(const char *kind, const char *title);

typedef struct mfm_settings_room {
    _Alignas(max_align_t) unsigned char bytes[MFM_SETTINGS_ROOM];
} mfm_settings_room;

/* A command's own options with those of all settings behind them. */
typedef struct mfm_form {
    mfm_option_table table; /* what is parsed; its groups are those here */
    mfm_option_group groups[MFM_MAX_GROUPS];
    const mfm_settings *settings[MFM_MAX_GROUPS]; /* of a group; NULL: the command's own */
    char titles[MFM_MAX_GROUPS][MFM_GROUP_TITLE];
    mfm_chosen chosen[MFM_MAX_GROUPS]; /* by mfm_form_choose; ended by one without settings */
} mfm_form;

/* own: the command's table. kinds: whose settings it has, ended by NULL; NULL: all. room: where the
 * structure that is filled has its mfm_settings_room. The form must stay where it is. */
void mfm_form_init(mfm_form *form, const mfm_option_table *own, const char *const *kinds,
                   size_t room);
/* Puts the defaults of all settings into the room of values. */
void mfm_form_defaults(const mfm_form *form, void *values);
/* Settings of none of these parts become idle; the others are settled, and listed as chosen. */
void mfm_form_choose(mfm_form *form, const mfm_choice *parts, size_t n_parts, void *values);
/* Warns of each option that was given in vain: it belongs to settings that are idle, or says itself
 * that the run leaves it without an effect. values is the command's structure. */
void mfm_form_warn_idle(mfm_ctx *ctx, const mfm_form *form, const mfm_arguments *given,
                        const void *values, const mfm_run_facts *run);

#endif
