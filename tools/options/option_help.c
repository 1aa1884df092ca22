#include <stdio.h>
#include <string.h>

#include "tools/options/option_parts.h"

static void add_text(char text[MFM_OPTION_TEXT], const char *more)
{
    const size_t used = strlen(text);
    snprintf(text + used, MFM_OPTION_TEXT - used, "%s", more);
}

static void add_list(char text[MFM_OPTION_TEXT], const mfm_uints *list)
{
    char number[16];
    add_text(text, list->count ? "" : "none");
    for (int i = 0; i < list->count; i++) {
        snprintf(number, sizeof number, "%s%u", i ? "," : "", list->item[i]);
        add_text(text, number);
    }
}

static void add_default(char text[MFM_OPTION_TEXT], const mfm_option *option, const void *field)
{
    char number[40];
    switch (option->kind) {
    case MFM_OPTION_STRING:
        add_text(text, *(const char *const *)field);
        break;
    case MFM_OPTION_UINT:
        snprintf(number, sizeof number, "%llu", (unsigned long long)*(const uint64_t *)field);
        add_text(text, number);
        break;
    case MFM_OPTION_REAL:
        snprintf(number, sizeof number, "%g", *(const double *)field);
        add_text(text, number);
        break;
    case MFM_OPTION_UINTS:
        add_list(text, field);
        break;
    case MFM_OPTION_CHOICE:
        add_text(text, option->choices[*(const int *)field]);
        break;
    default:
        break;
    }
}

static bool has_default(const mfm_option *option, const void *field)
{
    if (option->required || option->silent_default)
        return false;
    switch (option->kind) {
    case MFM_OPTION_STRING:
        return *(const char *const *)field != NULL;
    case MFM_OPTION_UINT:
    case MFM_OPTION_REAL:
    case MFM_OPTION_UINTS:
    case MFM_OPTION_CHOICE:
        return true;
    default:
        return false;
    }
}

const char *mfm_option_model_note(const mfm_option_table *table)
{
    const bool takes = table->positional && strcmp(table->positional, "MODEL") == 0;
    return takes && !table->keeps_model ? "MODEL is an ONNX file, or - for standard input." : "";
}

/* "; HOW is stop or skip" */
static void add_choices(char text[MFM_OPTION_TEXT], const mfm_option *option)
{
    for (size_t i = 0; option->choices && option->choices[i]; i++) {
        if (i == 0) {
            add_text(text, "; ");
            add_text(text, option->value);
        }
        add_text(text, i == 0 ? " is " : option->choices[i + 1] ? ", " : " or ");
        add_text(text, option->choices[i]);
    }
}

void mfm_option_describe(const mfm_option *option, const void *field, char text[MFM_OPTION_TEXT])
{
    text[0] = '\0';
    add_text(text, option->help);
    add_choices(text, option);
    if (option->required)
        add_text(text, " (required)");
    if (has_default(option, field)) {
        add_text(text, " (default: ");
        add_default(text, option, field);
        add_text(text, ")");
    }
}
