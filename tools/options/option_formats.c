#include "tools/options/option_formats.h"

#include <stdio.h>
#include <string.h>

#include "tools/options/option_parts.h"

/* ---- manual pages ---- */

void mfm_roff_text(const char *text)
{
    bool begins = true;
    for (; *text; text++) {
        if (begins && (*text == '.' || *text == '\''))
            printf("\\&");
        if (*text == '\\')
            printf("\\e");
        else if (*text == '-')
            printf("\\-");
        else
            putchar(*text);
        begins = *text == '\n';
    }
}

void mfm_roff_head(const char *command)
{
    printf(".TH ");
    for (const char *c = command; *c; c++)
        if (*c == ' ' || *c == '-')
            printf("\\-");
        else
            putchar(*c >= 'a' && *c <= 'z' ? *c - 'a' + 'A' : *c);
    printf(" 1 \"" MFM_VERSION_DATE "\" \"onnx\\-mfm " MFM_VERSION "\" \"onnx\\-mfm\"\n"
           ".SH NAME\n");
}

static void print_option(const mfm_option *option, const void *field)
{
    char description[MFM_OPTION_TEXT];
    printf(".TP\n");
    if (option->letter)
        printf("\\fB\\-%c\\fR, ", option->letter);
    printf("\\fB\\-\\-");
    mfm_roff_text(option->name);
    printf("\\fR");
    if (option->kind != MFM_OPTION_FLAG) {
        printf("=\\fI");
        mfm_roff_text(option->value);
        printf("\\fR");
    }
    printf("\n");
    mfm_option_describe(option, field, description);
    mfm_roff_text(description);
    printf("\n");
}

/* "Options:" stands above already, and the help's colon before a list is none of a page's. */
static void print_group_title(const char *title)
{
    if (!title || strcmp(title, "Options:") == 0)
        return;
    const size_t length = strlen(title);
    printf(".SS %.*s\n", (int)(length - (length > 0 && title[length - 1] == ':')), title);
}

static void print_options(const mfm_option_table *table, const void *values)
{
    for (const mfm_option_group *g = table->groups; g->options; g++) {
        print_group_title(g->title);
        for (size_t i = 0; i < g->count; i++)
            print_option(&g->options[i], (const char *)values + g->base + g->options[i].offset);
    }
    printf(".TP\n\\fB\\-h\\fR, \\fB\\-\\-help\\fR\nprint this help\n");
}

static void print_synopsis(const mfm_option_table *table, const char *command)
{
    printf(".SH SYNOPSIS\n.B ");
    mfm_roff_text(command);
    printf("\n");
    if (table->positional)
        printf(".I %s\n", table->positional);
    if (table->rest)
        printf(table->rest_is_one ? ".I %s\n" : ".RI %s \\ ...\n", table->rest);
    printf("[\\fIOPTION\\fR...]\n");
}

static void print_page(const mfm_option_table *table, const char *command, const void *values,
                       const char *summary)
{
    mfm_roff_head(command);
    for (const char *c = command; *c; c++)
        printf("%s", *c == ' ' || *c == '-' ? "\\-" : (char[]){*c, '\0'});
    printf(" \\- ");
    mfm_roff_text(summary);
    printf("\n");
    print_synopsis(table, command);
    printf(".SH DESCRIPTION\n");
    mfm_roff_text(table->purpose);
    printf("\n");
    mfm_roff_text(mfm_option_model_note(table));
    printf("\n.SH OPTIONS\n");
    print_options(table, values);
    if (table->notes || table->more)
        printf(".SH NOTES\n.nf\n");
    if (table->notes) {
        mfm_roff_text(table->notes);
        printf("\n");
    }
    if (table->more)
        table->more();
    if (table->notes || table->more)
        printf(".fi\n");
    printf(".SH EXIT STATUS\n0 success, 1 a check failed, 2 wrong usage, 3 bad input, 4 out of "
           "resources, 128 + N interrupted by signal N.\n.SH SEE ALSO\n.BR onnx\\-mfm (1)\n");
}

/* ---- completion ---- */

/* The text goes between single quotes. */
void mfm_quoted_text(const char *text, bool zsh)
{
    for (; *text; text++) {
        if (*text == '\'')
            printf("'\\''");
        else if (zsh && strchr("[]:\\", *text))
            printf("\\%c", *text);
        else
            putchar(*text);
    }
}

static void print_choices(const mfm_option *option)
{
    for (size_t i = 0; option->choices[i]; i++)
        printf("%s%s", i ? " " : "", option->choices[i]);
}

static const char *command_word(const char *command)
{
    const char *space = strrchr(command, ' ');
    return space ? space + 1 : command;
}

/* A branch of the function that tools/help.c begins. */
static void print_bash(const mfm_option_table *table, const char *command)
{
    mfm_option_entry entry;
    printf("    %s)\n        case $prev in\n", command_word(command));
    for (size_t i = 0; mfm_option_at(table, i, &entry); i++)
        if (entry.option->choices) {
            printf("        --%s) words='", entry.option->name);
            print_choices(entry.option);
            printf("' ;;\n");
        } else if (entry.option->kind != MFM_OPTION_FLAG) {
            printf("        --%s) return ;;\n", entry.option->name);
            if (entry.option->letter)
                printf("        -%c) return ;;\n", entry.option->letter);
        }
    printf("        *) [[ $cur == -* ]] && words='");
    for (size_t i = 0; mfm_option_at(table, i, &entry); i++)
        printf("--%s ", entry.option->name);
    printf("--help' ;;\n        esac\n        ;;\n");
}

static void print_zsh(const mfm_option_table *table, const char *command)
{
    mfm_option_entry entry;
    printf("    %s)\n        _arguments '*:file:_files'", command_word(command));
    for (size_t i = 0; mfm_option_at(table, i, &entry); i++) {
        const mfm_option *o = entry.option;
        printf(" \\\n            '--%s%s[", o->name, o->kind == MFM_OPTION_FLAG ? "" : "=");
        mfm_quoted_text(o->help, true);
        printf("]");
        if (o->choices) {
            printf(":%s:(", o->value);
            print_choices(o);
            printf(")");
        } else if (o->kind != MFM_OPTION_FLAG) {
            printf(":");
            mfm_quoted_text(o->value, true);
            printf(":_files");
        }
        printf("'");
    }
    printf("\n        ;;\n");
}

static void print_fish(const mfm_option_table *table, const char *command)
{
    mfm_option_entry entry;
    for (size_t i = 0; mfm_option_at(table, i, &entry); i++) {
        const mfm_option *o = entry.option;
        printf("complete -c onnx-mfm -n '__fish_seen_subcommand_from %s' -l %s",
               command_word(command), o->name);
        if (o->letter)
            printf(" -s %c", o->letter);
        if (o->choices) {
            printf(" -x -a '");
            print_choices(o);
            printf("'");
        } else if (o->kind != MFM_OPTION_FLAG) {
            printf(" -r");
        }
        printf(" -d '");
        for (const char *c = o->help; *c; c++)
            printf("%s", *c == '\'' ? "\\'" : *c == '\\' ? "\\\\" : (char[]){*c, '\0'});
        printf("'\n");
    }
}

int mfm_option_format(mfm_ctx *ctx, const mfm_option_table *table, const char *command,
                      const void *values, const char *text)
{
    if (strncmp(text, "man:", 4) == 0)
        print_page(table, command, values, text + 4);
    else if (strcmp(text, "bash") == 0)
        print_bash(table, command);
    else if (strcmp(text, "zsh") == 0)
        print_zsh(table, command);
    else if (strcmp(text, "fish") == 0)
        print_fish(table, command);
    else
        return mfm_fail(ctx, MFM_EUSAGE, "--help-as: %.40s: man, bash, zsh and fish are known",
                        text);
    return MFM_HELPED;
}
