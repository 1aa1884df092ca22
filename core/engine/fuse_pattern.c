#include "core/engine/fuse_pattern.h"

#include <assert.h>
#include <string.h>

/* ---- reading --------------------------------------------------------------------------------- */

/* Copies the next word, ended by a blank, ';' or the end, and returns what follows it. */
static const char *word(const char *text, char to[MFM_PATTERN_TEXT])
{
    const size_t length = strcspn(text, " ;");
    assert(0 < length && length < MFM_PATTERN_TEXT);
    memcpy(to, text, length);
    to[length] = '\0';
    return text + length;
}

int mfm_pattern_find(const mfm_pattern *pattern, const char *name)
{
    for (int i = 0; i < pattern->n_names; i++)
        if (strcmp(pattern->name[i], name) == 0)
            return i;
    return -1;
}

static int name_number(mfm_pattern *pattern, const char *name)
{
    const int found = mfm_pattern_find(pattern, name);
    if (found >= 0)
        return found;
    assert(pattern->n_names < MFM_PATTERN_NAMES);
    strcpy(pattern->name[pattern->n_names], name);
    return pattern->n_names++;
}

/* The names of the results, so that they have the first numbers. */
static void name_results(mfm_pattern *pattern, const char *text)
{
    char name[MFM_PATTERN_TEXT];
    for (const char *at = text; *at;) {
        if (*at == '*') {
            pattern->named = pattern->n_statements;
            at++;
        }
        word(at, name);
        assert(mfm_pattern_find(pattern, name) < 0 &&
               pattern->n_statements < MFM_PATTERN_STATEMENTS);
        name_number(pattern, name);
        pattern->n_statements++;
        at += strcspn(at, ";");
        at += strspn(at, "; ");
    }
}

/* "others...": takes the dots off. */
static bool ends_with_dots(char *name)
{
    char *dots = strstr(name, "...");
    if (dots)
        *dots = '\0';
    return dots != NULL;
}

void mfm_pattern_parse(const mfm_op *op, const char *text, mfm_pattern *pattern)
{
    *pattern = (mfm_pattern){.op = op, .rest = -1};
    name_results(pattern, text);
    for (int i = 0; i < pattern->n_statements; i++) {
        char name[MFM_PATTERN_TEXT];
        text = word(text + (*text == '*'), name);
        assert(strncmp(text, " = ", 3) == 0);
        text = word(text + 3, pattern->statement[i].op_type);
        while (*text == ' ') {
            assert(pattern->statement[i].n_in < MFM_PATTERN_INPUTS);
            const bool optional = text[1] == '?';
            text = word(text + 1 + optional, name);
            if (ends_with_dots(name)) {
                assert(pattern->rest < 0 && (*text == ';' || *text == '\0'));
                pattern->rest = i;
            }
            const int number = name_number(pattern, name);
            pattern->optional[number] = optional;
            assert(number >= pattern->n_statements || number < i);
            pattern->statement[i].in[pattern->statement[i].n_in++] = number;
            pattern->uses[number]++;
        }
        text += strspn(text, "; ");
    }
}

/* ---- matching -------------------------------------------------------------------------------- */

static const mfm_graph_node *producer(const mfm_fuse_graph *in, int value)
{
    const int node = value < 0 ? -1 : in->graph->values[value].producer;
    return node < 0 ? NULL : &in->graph->nodes[node];
}

/* Gives a name its value; false when the pattern says otherwise. */
static bool bind(mfm_fusion *f, int name, int value)
{
    if (value < 0)
        return f->pattern->optional[name];
    if (f->value[name] >= 0 && f->value[name] != value)
        return false;
    f->value[name] = value;
    return name >= f->pattern->n_statements || f->in->readers[value] == f->pattern->uses[name];
}

/* "Relu", an operator of ONNX, or "mfm:Layout". */
static bool is_named(const mfm_op *op, const char *text)
{
    const char *colon = strchr(text, ':');
    const size_t domain = colon ? (size_t)(colon - text) : 0;
    return strlen(op->domain) == domain && memcmp(op->domain, text, domain) == 0 &&
           strcmp(op->name, colon ? colon + 1 : text) == 0;
}

/* The value itself may be read by anybody: the end of the chain. */
static bool fits(const mfm_fusion *f, int statement)
{
    const mfm_pattern *pattern = f->pattern;
    const mfm_graph_node *node = producer(f->in, f->value[statement]);
    const mfm_graph_node *end = producer(f->in, f->value[pattern->n_statements - 1]);
    return node && node->op && is_named(node->op, pattern->statement[statement].op_type) &&
           node->n_out == 1 && node->segment == end->segment &&
           (pattern->rest == statement ? node->n_in >= pattern->statement[statement].n_in
                                       : node->n_in == pattern->statement[statement].n_in);
}

static int producer_number(const mfm_fusion *f, int value)
{
    return value < 0 ? -1 : f->in->graph->values[value].producer;
}

/* Whether inputs 0 and 1 are tried in exchanged places first: what the pattern makes itself is
 * taken to be what is made earlier. */
static bool exchanged_first(const mfm_fusion *f, int statement, const int *in)
{
    const int *names = f->pattern->statement[statement].in;
    const int made = f->pattern->n_statements;
    if ((names[0] < made) == (names[1] < made))
        return false;
    const int a = producer_number(f, in[names[0] < made ? 0 : 1]);
    const int b = producer_number(f, in[names[0] < made ? 1 : 0]);
    return b >= 0 && (a < 0 || b < a);
}

/* From this statement back to the first; the results of those behind it are bound. */
static bool match(mfm_fusion *f, int statement)
{
    if (statement < 0)
        return true;
    if (!fits(f, statement))
        return false;
    const mfm_graph_node *node = producer(f->in, f->value[statement]);
    const int *names = f->pattern->statement[statement].in;
    const bool commutes = mfm_has_trait(node->op, MFM_COMMUTES);
    const bool first = commutes && exchanged_first(f, statement, node->in);
    for (int attempt = 0; attempt < 1 + commutes; attempt++) {
        mfm_fusion trial = *f;
        bool good = true;
        for (int i = 0; i < f->pattern->statement[statement].n_in && good; i++) {
            const bool exchange = i < 2 && (attempt == 1) != first;
            good = bind(&trial, names[i], node->in[exchange ? 1 - i : i]);
        }
        if (good && match(&trial, statement - 1)) {
            *f = trial;
            return true;
        }
    }
    return false;
}

bool mfm_pattern_match(const mfm_fuse_graph *in, const mfm_pattern *pattern, size_t end,
                       mfm_fusion *fusion)
{
    *fusion = (mfm_fusion){.in = in, .pattern = pattern};
    for (int i = 0; i < MFM_PATTERN_NAMES; i++)
        fusion->value[i] = -1;
    fusion->value[pattern->n_statements - 1] = in->graph->nodes[end].out[0];
    return match(fusion, pattern->n_statements - 1);
}

int mfm_fusion_rest(const mfm_fusion *fusion, const int **values)
{
    const int rest = fusion->pattern->rest;
    if (rest < 0)
        return 0;
    const mfm_graph_node *node = producer(fusion->in, fusion->value[rest]);
    const int first = fusion->pattern->statement[rest].n_in - 1;
    *values = node->in + first;
    return node->n_in - first;
}

size_t mfm_fusion_node(const mfm_fusion *fusion, int statement)
{
    return (size_t)producer_number(fusion, fusion->value[statement]);
}

size_t mfm_fusion_first(const mfm_fusion *fusion)
{
    size_t first = SIZE_MAX;
    for (int i = 0; i < fusion->pattern->n_statements; i++)
        if (mfm_fusion_node(fusion, i) < first)
            first = mfm_fusion_node(fusion, i);
    return first;
}

/* ---- what operators ask ---------------------------------------------------------------------- */

static int value_of(const mfm_fusion *fusion, const char *name)
{
    const int number = mfm_pattern_find(fusion->pattern, name);
    return number < 0 ? -1 : fusion->value[number];
}

const mfm_shape *mfm_fusion_shape(const mfm_fusion *fusion, const char *name)
{
    const int value = value_of(fusion, name);
    return value < 0 ? NULL : &fusion->in->shapes[value];
}

const void *mfm_fusion_attr(const mfm_fusion *fusion, const char *statement)
{
    return producer(fusion->in, value_of(fusion, statement))->attr;
}

const mfm_ints *mfm_fusion_ints(const mfm_fusion *fusion, const char *statement, const char *name)
{
    const mfm_graph_node *node = producer(fusion->in, value_of(fusion, statement));
    const mfm_attr_def *def = mfm_attr_find(node->op, name);
    assert(def && def->type == MFM_INTS);
    return (const mfm_ints *)(const void *)((const char *)node->attr + def->offset);
}

double mfm_fusion_attr_number(const mfm_fusion *fusion, const char *statement, const char *name)
{
    const mfm_graph_node *node = producer(fusion->in, value_of(fusion, statement));
    return mfm_attr_number(node->op, node->attr, name, 0);
}

bool mfm_fusion_is(const mfm_fusion *fusion, const char *statement, const char *op_type)
{
    return is_named(producer(fusion->in, value_of(fusion, statement))->op, op_type);
}

bool mfm_fusion_is_constant(const mfm_fusion *fusion, const char *name)
{
    const int value = value_of(fusion, name);
    return value >= 0 && fusion->in->graph->values[value].kind == MFM_VALUE_CONST;
}

bool mfm_fusion_number(const mfm_fusion *fusion, const char *name, double *number)
{
    const mfm_value *value = &fusion->in->graph->values[value_of(fusion, name)];
    if (value->kind != MFM_VALUE_CONST || mfm_shape_count(&value->shape) != 1)
        return false;
    *number = (double)value->data[0];
    return true;
}
