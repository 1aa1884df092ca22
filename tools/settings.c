#include "tools/settings.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

mfm_choice mfm_method_part(const mfm_method *method)
{
    return (mfm_choice){"method", method->name, method->settings};
}

/* The index-th part of all that there are; false after the last. */
static bool part_at(size_t index, mfm_choice *part)
{
    if (!mfm_methods[index])
        return false;
    *part = mfm_method_part(mfm_methods[index]);
    return true;
}

static bool declares(const mfm_choice *part, const mfm_settings *settings)
{
    for (const mfm_settings *const *s = part->settings; s && *s; s++)
        if (*s == settings)
            return true;
    return false;
}

/* "method mfm, mw-net": the parts that declare these settings. */
static void write_parts(const mfm_settings *settings, char *text, size_t size)
{
    const char *kind = "";
    size_t used = 0;
    mfm_choice part;
    for (size_t i = 0; part_at(i, &part) && used < size; i++)
        if (declares(&part, settings)) {
            const bool same = strcmp(kind, part.kind) == 0;
            used += (size_t)snprintf(text + used, size - used, "%s%s%s%s", *kind ? ", " : "",
                                     same ? "" : part.kind, same ? "" : " ", part.name);
            kind = part.kind;
        }
}

static bool has(const mfm_form *form, size_t count, const mfm_settings *settings)
{
    for (size_t i = 0; i < count; i++)
        if (form->settings[i] == settings)
            return true;
    return false;
}

static size_t rounded(size_t size)
{
    const size_t unit = sizeof(max_align_t);
    return (size + unit - 1) / unit * unit;
}

void mfm_form_init(mfm_form *form, const mfm_option_table *own, size_t room)
{
    size_t count = 0, at = room;
    mfm_choice part;
    *form = (mfm_form){.table = *own};
    form->table.groups = form->groups;
    for (; own->groups[count].options; count++)
        form->groups[count] = own->groups[count];
    for (size_t i = 0; part_at(i, &part); i++)
        for (const mfm_settings *const *s = part.settings; s && *s; s++) {
            if (has(form, count, *s))
                continue;
            assert(count + 1 < MFM_MAX_GROUPS && at + (*s)->size <= room + MFM_SETTINGS_ROOM);
            char parts[MFM_GROUP_TITLE / 2];
            write_parts(*s, parts, sizeof parts);
            snprintf(form->titles[count], MFM_GROUP_TITLE, "%s (%s):", (*s)->title, parts);
            form->settings[count] = *s;
            form->groups[count] = (mfm_option_group){.title = form->titles[count],
                                                     .options = (*s)->options,
                                                     .count = (*s)->count,
                                                     .base = at};
            at += rounded((*s)->size);
            count++;
        }
}

void mfm_form_defaults(const mfm_form *form, void *values)
{
    for (size_t i = 0; form->groups[i].options; i++)
        if (form->settings[i])
            memcpy((char *)values + form->groups[i].base, form->settings[i]->defaults,
                   form->settings[i]->size);
}

static bool chosen(const mfm_choice *parts, size_t n_parts, const mfm_settings *settings)
{
    for (size_t i = 0; i < n_parts; i++)
        if (declares(&parts[i], settings))
            return true;
    return false;
}

void mfm_form_choose(mfm_form *form, const mfm_choice *parts, size_t n_parts, void *values)
{
    size_t count = 0;
    for (size_t i = 0; form->groups[i].options; i++) {
        const mfm_settings *settings = form->settings[i];
        void *structure = (char *)values + form->groups[i].base;
        form->groups[i].idle = settings && !chosen(parts, n_parts, settings);
        if (!settings || form->groups[i].idle)
            continue;
        if (settings->settle)
            settings->settle(structure);
        form->chosen[count++] = (mfm_chosen){settings, structure};
    }
    form->chosen[count] = (mfm_chosen){.settings = NULL};
}

void mfm_form_warn_idle(mfm_ctx *ctx, const mfm_form *form, const mfm_arguments *given)
{
    char parts[MFM_GROUP_TITLE];
    size_t at = 0;
    for (size_t k = 0; form->groups[k].options; at += form->groups[k].count, k++)
        for (size_t i = 0; form->groups[k].idle && i < form->groups[k].count; i++)
            if (given->given[at + i]) {
                write_parts(form->settings[k], parts, sizeof parts);
                mfm_warn(ctx, "--%s has no effect: it belongs to %s",
                         form->groups[k].options[i].name, parts);
            }
}
