#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/engine/op.h"
#include "onnx/expand/expand.h"
#include "onnx/functions/fused.h"
#include "tools/options/options.h"

typedef struct options {
    bool markdown;
} options;

static const mfm_option table[] = {
    {.name = "markdown",
     .kind = MFM_OPTION_FLAG,
     .offset = offsetof(options, markdown),
     .help = "print the page docs/operators.md"},
};

static const mfm_option_table ops_options = {
    .purpose = "Lists the operators that can be trained. Surgery (inject, strip, head) works on\n"
               "files with any operators.",
    .groups = (const mfm_option_group[]){
        {.title = "Output:", .options = table, .count = sizeof table / sizeof table[0]},
        {.title = NULL}}};

/* "1-12", "13-" */
static const char *opsets(int since, int until, char text[32])
{
    if (until)
        snprintf(text, 32, "%d-%d", since, until);
    else
        snprintf(text, 32, "%d-", since);
    return text;
}

static void print_ports(const mfm_port *ports)
{
    for (const mfm_port *port = ports; port->name; port++)
        printf("%s%s%s%s", port == ports ? "" : ", ", port->name, port->optional ? "?" : "",
               port->variadic ? "..." : "");
}

/* "axis = -1", "shape (required, a constant input from opset 5 on)" */
static void print_attr(const mfm_attr_def *attr)
{
    printf("%s", attr->name);
    if (attr->type == MFM_CHOICE)
        printf(" = %.*s", (int)strcspn(attr->choices, "|"), attr->choices);
    else if (attr->type != MFM_INTS && attr->type != MFM_FLOATS && attr->type != MFM_TEXT &&
             !attr->required && isfinite(attr->fallback))
        printf(" = %.9g", attr->fallback);
    const bool input = attr->from_input > 0;
    if (attr->required || input)
        printf(" (%s%s", attr->required ? "required" : "", attr->required && input ? ", " : "");
    if (input)
        printf("a constant input from opset %d on", attr->since);
    if (attr->required || input)
        printf(")");
}

static void print_attrs(const mfm_op *op)
{
    for (const mfm_attr_def *attr = op->attrs; attr && attr->name; attr++) {
        printf("%s", attr == op->attrs ? "" : ", ");
        print_attr(attr);
    }
}

static void print_markdown(void)
{
    char text[32];
    printf(
        "# Operators\n\n"
        "What can be trained, printed by `onnx-mfm ops --markdown`. `x?` is an optional input,\n"
        "`x...` one or more. Every operator has all four passes ([mathematics](mathematics.md)),\n"
        "checked against differences in double precision. Operators of the domain `mfm` are this\n"
        "engine's own and never appear in a file.\n\n"
        "| operator | opset | what it computes | inputs | outputs | attributes |\n"
        "|---|---|---|---|---|---|\n");
    for (int i = 0; mfm_ops[i]; i++) {
        const mfm_op *op = mfm_ops[i];
        printf("| %s%s%s | %s | %s | ", op->domain, *op->domain ? "." : "", op->name,
               opsets(op->since, op->until, text), op->summary);
        print_ports(op->inputs);
        printf(" | ");
        print_ports(op->outputs);
        printf(" | ");
        print_attrs(op);
        printf(" |\n");
    }
    printf("\nCarried out as several of these, and kept in the file as they are:\n\n"
           "| operator | opset | what it computes |\n|---|---|---|\n");
    for (const mfm_expansion *e = mfm_expansions; e->name; e++)
        printf("| %s | %s | %s |\n", e->name, opsets(e->since, e->until, text), e->summary);
    for (const mfm_fused *e = mfm_fused_operators; e->name; e++)
        printf("| %s%s%s | %s | %s |\n", e->domain, *e->domain ? "." : "", e->name,
               opsets(1, e->until, text), e->summary);
}

static void print_list(void)
{
    char text[32];
    printf("%-20s %-6s %s\n", "operator", "opset", "what it computes");
    for (int i = 0; mfm_ops[i]; i++)
        if (!*mfm_ops[i]->domain)
            printf("%-20s %-6s %s\n", mfm_ops[i]->name,
                   opsets(mfm_ops[i]->since, mfm_ops[i]->until, text), mfm_ops[i]->summary);
    for (const mfm_expansion *e = mfm_expansions; e->name; e++)
        printf("%-20s %-6s %s\n", e->name, opsets(e->since, e->until, text), e->summary);
    for (const mfm_fused *e = mfm_fused_operators; e->name; e++)
        printf("%s%s%s %s %s\n", e->domain, *e->domain ? "." : "", e->name,
               opsets(1, e->until, text), e->summary);
}

int mfm_cmd_ops(mfm_ctx *ctx, int argc, const char **argv)
{
    options o = {.markdown = false};
    mfm_arguments arguments;
    const int status = mfm_options_parse(ctx, &ops_options, argc, argv, &o, &arguments);
    if (!status && o.markdown)
        print_markdown();
    else if (!status)
        print_list();
    mfm_arguments_free(ctx, &arguments);
    return status;
}
