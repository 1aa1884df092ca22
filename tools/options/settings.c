#include "tools/options/settings.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "core/train/problem/class_weights.h"
#include "core/train/training.h"
#include "onnx/proto/nearest.h"

/* The lists of parts; a part's kind is also the option that names it. */
static mfm_choice method_at(size_t i)
{
    const mfm_method *m = mfm_methods[i];
    return m ? (mfm_choice){"method", m->name, m->summary, m->settings} : (mfm_choice){0};
}

static mfm_choice loss_at(size_t i)
{
    const mfm_loss *l = mfm_losses[i];
    return l ? (mfm_choice){"loss", l->name, l->summary, l->settings} : (mfm_choice){0};
}

/* What stands around every loss. */
static mfm_choice any_loss_at(size_t i)
{
    static const mfm_settings *const settings[] = {&mfm_class_weights_settings, NULL};
    return i == 0 ? (mfm_choice){"any", "loss", NULL, settings} : (mfm_choice){0};
}

static mfm_choice sampler_at(size_t i)
{
    const mfm_sampler_kind *k = mfm_samplers[i];
    return k ? (mfm_choice){"sampler", k->name, k->summary, k->settings} : (mfm_choice){0};
}

static mfm_choice mixing_at(size_t i)
{
    const mfm_mixing *m = mfm_mixings[i];
    return m ? (mfm_choice){"mix", m->name, m->summary, m->settings} : (mfm_choice){0};
}

static mfm_choice optimizer_at(size_t i)
{
    const mfm_optimizer_kind *k = mfm_optimizers[i];
    return k ? (mfm_choice){"optimizer", k->name, k->summary, k->settings} : (mfm_choice){0};
}

static mfm_choice schedule_at(size_t i)
{
    const mfm_schedule_kind *k = mfm_schedules[i];
    return k ? (mfm_choice){"schedule", k->name, k->summary, k->settings} : (mfm_choice){0};
}

static mfm_choice finishing_at(size_t i)
{
    const mfm_finishing *f = mfm_finishings[i];
    return f ? (mfm_choice){"finish", f->name, f->summary, f->settings} : (mfm_choice){0};
}

static mfm_choice (*const lists[])(size_t) = {method_at, loss_at,      any_loss_at, sampler_at,
                                              mixing_at, optimizer_at, schedule_at, finishing_at};
enum { LISTS = sizeof lists / sizeof lists[0], MOST_NAMES = 128 };

/* The index-th part of all that there are; false after the last. */
static bool part_at(size_t index, mfm_choice *part)
{
    for (size_t k = 0; k < LISTS; k++)
        for (size_t i = 0; (*part = lists[k](i)).name; i++)
            if (index-- == 0)
                return true;
    return false;
}

mfm_choice mfm_choice_any_loss(void)
{
    return any_loss_at(0);
}

int mfm_choice_find(mfm_ctx *ctx, const char *kind, const char *name, mfm_choice *choice)
{
    const char *names[MOST_NAMES];
    size_t count = 0;
    for (size_t i = 0; part_at(i, choice); i++) {
        if (strcmp(choice->kind, kind) != 0)
            continue;
        if (strcmp(choice->name, name) == 0)
            return MFM_OK;
        if (count < MOST_NAMES)
            names[count++] = choice->name;
    }
    char near[MFM_SUGGEST_TEXT];
    return mfm_fail(ctx, MFM_EUSAGE, "--%s: unknown %s %.80s%s", kind, kind, name,
                    mfm_suggest(name, names, count, near));
}

void mfm_choice_print(const char *kind, const char *title)
{
    mfm_choice part;
    printf("%s:\n", title);
    for (size_t i = 0; part_at(i, &part); i++)
        if (strcmp(part.kind, kind) == 0)
            printf("  %-22s %s\n", part.name, part.summary);
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

static bool is_one_of(const char *kind, const char *const *kinds)
{
    for (size_t i = 0; kinds && kinds[i]; i++)
        if (strcmp(kind, kinds[i]) == 0)
            return true;
    return !kinds;
}

void mfm_form_init(mfm_form *form, const mfm_option_table *own, const char *const *kinds,
                   size_t room)
{
    size_t count = 0, at = room;
    mfm_choice part;
    *form = (mfm_form){.table = *own};
    form->table.groups = form->groups;
    for (; own->groups[count].options; count++)
        form->groups[count] = own->groups[count];
    for (size_t i = 0; part_at(i, &part); i++)
        for (const mfm_settings *const *s = part.settings; s && *s; s++) {
            if (has(form, count, *s) || !is_one_of(part.kind, kinds))
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

static void warn_idle(mfm_ctx *ctx, const mfm_form *form, size_t group, const mfm_option *option,
                      const void *values, const mfm_run_facts *run)
{
    char parts[MFM_GROUP_TITLE];
    const mfm_option_group *g = &form->groups[group];
    if (g->idle) {
        write_parts(form->settings[group], parts, sizeof parts);
        mfm_warn(ctx, "--%s has no effect: it belongs to %s", option->name, parts);
        return;
    }
    const char *reason = option->idle ? option->idle((const char *)values + g->base, run) : NULL;
    if (reason)
        mfm_warn(ctx, "--%s has no effect: %s", option->name, reason);
}

void mfm_form_warn_idle(mfm_ctx *ctx, const mfm_form *form, const mfm_arguments *given,
                        const void *values, const mfm_run_facts *run)
{
    size_t at = 0;
    for (size_t k = 0; form->groups[k].options; at += form->groups[k].count, k++)
        for (size_t i = 0; i < form->groups[k].count; i++)
            if (given->given[at + i])
                warn_idle(ctx, form, k, &form->groups[k].options[i], values, run);
}
