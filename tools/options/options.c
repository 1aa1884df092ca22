#include <popt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "onnx/proto/nearest.h"
#include "tools/files.h"
#include "tools/options/option_formats.h"
#include "tools/options/option_parts.h"

enum { HELP_VALUE = 4000, HELP_AS_VALUE };

bool mfm_option_at(const mfm_option_table *table, size_t index, mfm_option_entry *entry)
{
    for (const mfm_option_group *g = table->groups; g->options; g++) {
        if (index < g->count) {
            *entry =
                (mfm_option_entry){&g->options[index], g->base + g->options[index].offset, g->idle};
            return true;
        }
        index -= g->count;
    }
    return false;
}

/* One parse: popt's table made from ours, with room for the texts that it points to. */
typedef struct parse {
    mfm_ctx *ctx;
    const mfm_option_table *table;
    mfm_arguments *arguments;
    const char *command; /* "onnx-mfm train" */
    char *values;
    /* The groups' tables one after the other, each with its end; and the table of tables. */
    struct poptOption options[MFM_MAX_OPTIONS + MFM_MAX_GROUPS];
    struct poptOption groups[MFM_MAX_GROUPS + 3];
    char descriptions[MFM_MAX_OPTIONS][MFM_OPTION_TEXT];
    poptContext popt;
} parse;

static struct poptOption popt_option(const mfm_option *option, int value, const char *description)
{
    const bool flag = option->kind == MFM_OPTION_FLAG;
    return (struct poptOption){.longName = option->name,
                               .shortName = option->letter,
                               .argInfo = flag ? POPT_ARG_NONE : POPT_ARG_STRING,
                               .val = value,
                               .descrip = description,
                               .argDescrip = flag ? NULL : option->value};
}

static void make_popt_tables(parse *p)
{
    struct poptOption *to = p->options, *group = p->groups;
    int at = 0;
    for (const mfm_option_group *g = p->table->groups; g->options; g++) {
        *group++ =
            (struct poptOption){.argInfo = POPT_ARG_INCLUDE_TABLE, .arg = to, .descrip = g->title};
        for (size_t i = 0; i < g->count; i++, at++) {
            mfm_option_describe(&g->options[i], p->values + g->base + g->options[i].offset,
                                p->descriptions[at]);
            *to++ = popt_option(&g->options[i], at + 1, p->descriptions[at]);
        }
        *to++ = (struct poptOption){.longName = NULL};
    }
    *group++ = (struct poptOption){.longName = "help-as", /* tools/options/option_formats.h */
                                   .argInfo = POPT_ARG_STRING | POPT_ARGFLAG_DOC_HIDDEN,
                                   .val = HELP_AS_VALUE};
    *group = (struct poptOption){.longName = "help",
                                 .shortName = 'h',
                                 .argInfo = POPT_ARG_NONE,
                                 .val = HELP_VALUE,
                                 .descrip = "print this help"};
}

static int print_help(const parse *p)
{
    char usage[128];
    const char *positional = p->table->positional ? p->table->positional : "";
    const char *rest = p->table->rest ? p->table->rest : "";
    snprintf(usage, sizeof usage, "%s%s%s%s[OPTION...]", positional, *positional ? " " : "", rest,
             !*rest                  ? ""
             : p->table->rest_is_one ? " "
                                     : "... ");
    poptSetOtherOptionHelp(p->popt, usage);
    poptPrintHelp(p->popt, stdout, 0);
    printf("\n%s\n", p->table->purpose);
    const char *model = mfm_option_model_note(p->table);
    if (*model)
        printf("%s\n", model);
    if (p->table->notes)
        printf("\n%s\n", p->table->notes);
    if (p->table->more) {
        printf("\n");
        p->table->more();
    }
    return MFM_HELPED;
}

static int unknown_option(const parse *p)
{
    const char *given = poptBadOption(p->popt, POPT_BADOPTION_NOALIAS);
    mfm_nearest near;
    mfm_nearest_init(&near, given + strspn(given, "-"));
    mfm_option_entry entry;
    for (size_t i = 0; mfm_option_at(p->table, i, &entry); i++)
        mfm_nearest_offer(&near, entry.option->name);
    char suggestion[MFM_SUGGEST_TEXT];
    return mfm_fail(p->ctx, MFM_EUSAGE, "unknown option: %.80s%s", given,
                    mfm_nearest_say(&near, suggestion));
}

static int popt_failure(const parse *p, int code)
{
    if (code == POPT_ERROR_BADOPT)
        return unknown_option(p);
    return mfm_fail(p->ctx, MFM_EUSAGE, "%.80s: %s", poptBadOption(p->popt, POPT_BADOPTION_NOALIAS),
                    poptStrerror(code));
}

char *mfm_arguments_own(mfm_ctx *ctx, mfm_arguments *arguments, const char *text)
{
    mfm_arguments *a = arguments;
    if (mfm_grow(ctx, &a->owned, a->n_owned, &a->owned_capacity, sizeof *a->owned))
        return NULL;
    char *copy = mfm_strdup(ctx, text);
    if (copy)
        a->owned[a->n_owned++] = copy;
    return copy;
}

static int take_option(parse *p, size_t i)
{
    mfm_option_entry entry = {0};
    mfm_option_at(p->table, i, &entry);
    const mfm_option *option = entry.option;
    const char *text = NULL;
    if (option->kind != MFM_OPTION_FLAG) {
        char *given = poptGetOptArg(p->popt);
        text = mfm_arguments_own(p->ctx, p->arguments, given ? given : "");
        free(given);
        if (!text)
            return MFM_ENOMEM;
    }
    const bool first = !p->arguments->given[i];
    p->arguments->given[i] = true;
    return mfm_option_set(p->ctx, option, text, first, p->values + entry.offset);
}

static int print_format(const parse *p)
{
    char *text = poptGetOptArg(p->popt);
    const int status = mfm_option_format(p->ctx, p->table, p->command, p->values, text ? text : "");
    free(text);
    return status;
}

static int take_options(parse *p)
{
    int code;
    while ((code = poptGetNextOpt(p->popt)) > 0) {
        if (code == HELP_VALUE)
            return print_help(p);
        if (code == HELP_AS_VALUE)
            return print_format(p);
        const int status = take_option(p, (size_t)code - 1);
        if (status)
            return status;
    }
    return code < -1 ? popt_failure(p, code) : MFM_OK;
}

static int take_standard_input(parse *p)
{
    if (p->table->keeps_model)
        return mfm_fail(p->ctx, MFM_EUSAGE, "MODEL cannot be standard input: %s",
                        p->table->keeps_model);
    p->arguments->positional = mfm_arguments_own(p->ctx, p->arguments, MFM_STANDARD_INPUT);
    return p->arguments->positional ? mfm_keep_standard_input(p->ctx) : MFM_ENOMEM;
}

static int take_positional(parse *p)
{
    const char *first = poptGetArg(p->popt);
    if (!p->table->positional)
        return first ? mfm_fail(p->ctx, MFM_EUSAGE,
                                "unexpected argument: %.80s: this command takes none", first)
                     : MFM_OK;
    if (!first && p->table->may_lack)
        return MFM_OK;
    if (!first)
        return mfm_fail(p->ctx, MFM_EUSAGE, "no %s given: it comes first", p->table->positional);
    const char *second = p->table->rest ? NULL : poptGetArg(p->popt);
    if (second)
        return mfm_fail(p->ctx, MFM_EUSAGE,
                        "unexpected argument: %.80s: after %s %.80s only options are expected",
                        second, p->table->positional, first);
    if (!first[0])
        return mfm_fail(p->ctx, MFM_EUSAGE, "%s: '': it must not be empty", p->table->positional);
    if (strcmp(p->table->positional, "MODEL") == 0 && strcmp(first, "-") == 0)
        return take_standard_input(p);
    p->arguments->positional = mfm_arguments_own(p->ctx, p->arguments, first);
    return p->arguments->positional ? MFM_OK : MFM_ENOMEM;
}

static int take_rest(parse *p)
{
    mfm_arguments *a = p->arguments;
    if (!p->table->rest)
        return MFM_OK;
    a->first_rest = a->n_owned;
    for (const char *next; (next = poptGetArg(p->popt)); a->n_rest++) {
        if (!next[0])
            return mfm_fail(p->ctx, MFM_EUSAGE, "%s: '': it must not be empty", p->table->rest);
        if (!mfm_arguments_own(p->ctx, a, next))
            return MFM_ENOMEM;
    }
    return a->n_rest || p->table->rest_may_lack
               ? MFM_OK
               : mfm_fail(p->ctx, MFM_EUSAGE, "no %s given: after %s %.80s", p->table->rest,
                          p->table->positional, a->positional);
}

static int check_required(const parse *p)
{
    mfm_option_entry entry;
    for (size_t i = 0; mfm_option_at(p->table, i, &entry); i++)
        if (entry.option->required && !p->arguments->given[i])
            return mfm_option_missing(p->ctx, entry.option);
    return MFM_OK;
}

int mfm_option_missing(mfm_ctx *ctx, const mfm_option *option)
{
    return option->letter ? mfm_fail(ctx, MFM_EUSAGE, "missing required option -%c %s",
                                     option->letter, option->value)
                          : mfm_fail(ctx, MFM_EUSAGE, "missing required option --%s %s",
                                     option->name, option->value);
}

void mfm_options_no_effect(mfm_ctx *ctx, const mfm_option_table *table,
                           const mfm_arguments *arguments, const char *const *names,
                           const char *reason)
{
    for (; *names; names++)
        if (mfm_option_given(table, arguments, *names))
            mfm_warn(ctx, "--%s has no effect: %s", *names, reason);
}

int mfm_options_parse(mfm_ctx *ctx, const mfm_option_table *table, int argc, const char **argv,
                      void *values, mfm_arguments *arguments)
{
    *arguments = (mfm_arguments){.positional = NULL};
    parse *p = mfm_alloc(ctx, 1, sizeof *p);
    if (!p)
        return MFM_ENOMEM;
    p->ctx = ctx;
    p->table = table;
    p->arguments = arguments;
    p->command = argv[0];
    p->values = values;
    make_popt_tables(p);
    p->popt = poptGetContext(argv[0], argc, argv, p->groups, 0);
    int status = p->popt ? take_options(p) : mfm_fail(ctx, MFM_ENOMEM, "options: out of memory");
    if (!status)
        status = take_positional(p);
    if (!status)
        status = take_rest(p);
    if (!status)
        status = check_required(p);
    if (p->popt)
        poptFreeContext(p->popt);
    mfm_free(ctx, p);
    return status;
}

size_t mfm_arguments_rest(const mfm_arguments *arguments)
{
    return arguments->n_rest;
}

const char *mfm_arguments_rest_at(const mfm_arguments *arguments, size_t index)
{
    return arguments->owned[arguments->first_rest + index];
}

void mfm_arguments_free(mfm_ctx *ctx, mfm_arguments *arguments)
{
    for (size_t i = 0; i < arguments->n_owned; i++)
        mfm_free(ctx, arguments->owned[i]);
    mfm_free(ctx, arguments->owned);
    *arguments = (mfm_arguments){.positional = NULL};
}

bool mfm_option_given(const mfm_option_table *table, const mfm_arguments *arguments,
                      const char *name)
{
    mfm_option_entry entry;
    for (size_t i = 0; mfm_option_at(table, i, &entry); i++)
        if (strcmp(entry.option->name, name) == 0)
            return arguments->given[i];
    return false;
}

void mfm_option_give(const mfm_option_table *table, mfm_arguments *arguments, const char *name)
{
    mfm_option_entry entry;
    for (size_t i = 0; mfm_option_at(table, i, &entry); i++)
        if (strcmp(entry.option->name, name) == 0)
            arguments->given[i] = true;
}
