#include "op_check_sample.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The newest version of ONNX's own operators that a sample is run at unless it says otherwise. */
enum { NEWEST_OPSET = 22 };

static int count_ports(const mfm_port *ports)
{
    int count = 0;
    while (ports[count].name)
        count++;
    return count;
}

static bool is_variadic(const mfm_port *ports)
{
    const int count = count_ports(ports);
    return count && ports[count - 1].variadic;
}

static const mfm_port *port_of(const mfm_port *ports, int slot)
{
    const int count = count_ports(ports);
    if (slot < count)
        return &ports[slot];
    return is_variadic(ports) ? &ports[count - 1] : NULL;
}

enum mfm_role mfm_sample_role(const mfm_op *op, int input)
{
    return port_of(op->inputs, input)->role;
}

bool mfm_sample_differentiates(const mfm_sample *sample, int input)
{
    const enum mfm_role role = mfm_sample_role(sample->op, input);
    return !sample->in[input].absent && (role == MFM_DATA || role == MFM_PARAM);
}

static int bad_word(mfm_ctx *ctx, const mfm_sample *sample, const char *word, const char *rule)
{
    return mfm_fail(ctx, MFM_EDATA, "%s: sample \"%s\": '%s': %s", sample->op->name, sample->text,
                    word, rule);
}

/* A whole number from *at on, at least `least`; moves *at behind it. */
static bool read_number(const char **at, int64_t least, int64_t *value)
{
    char *end;
    errno = 0;
    *value = strtoll(*at, &end, 10);
    const bool good = end != *at && !errno && *value >= least;
    *at = end;
    return good;
}

/* "[2,3]" from *at on. */
static bool read_shape(const char **at, mfm_shape *shape)
{
    *shape = (mfm_shape){0};
    if (*(*at)++ != '[')
        return false;
    while (**at != ']') {
        if (shape->rank && *(*at)++ != ',')
            return false;
        if (shape->rank == MFM_MAX_RANK || !read_number(at, 0, &shape->dim[shape->rank]))
            return false;
        shape->rank++;
    }
    ++*at;
    return true;
}

static int read_input(mfm_ctx *ctx, mfm_sample *sample, const char *word)
{
    if (sample->n_in == MFM_SAMPLE_PORTS || !port_of(sample->op->inputs, sample->n_in))
        return bad_word(ctx, sample, word, "more inputs than the operator has");
    mfm_sample_input *input = &sample->in[sample->n_in];
    const enum mfm_role role = mfm_sample_role(sample->op, sample->n_in);
    sample->n_in++;
    input->absent = strcmp(word, "-") == 0;
    if (input->absent)
        return MFM_OK;
    const char *at = word;
    if (!read_shape(&at, &input->shape))
        return bad_word(ctx, sample, word, "a shape is \"[2,3]\"");
    if (*at == '+') {
        input->positive = true;
        at++;
    } else if (*at == '<') {
        at++;
        if (!read_number(&at, 1, &input->below))
            return bad_word(ctx, sample, word, "a positive number follows '<'");
    }
    if (*at)
        return bad_word(ctx, sample, word, "a shape is followed by nothing, '+' or '<number'");
    if ((role == MFM_INDEX) != (input->below > 0))
        return bad_word(ctx, sample, word, "'<number' goes with index inputs, and with no others");
    return mfm_shape_check(ctx, &input->shape, sample->text);
}

static int read_setting(mfm_ctx *ctx, mfm_sample *sample, const char *word)
{
    const char *equals = strchr(word, '=');
    if (!equals)
        return bad_word(ctx, sample, word, "neither an input nor name=value nor @train");
    const bool outputs = strncmp(word, "outputs=", 8) == 0;
    const bool opset = strncmp(word, "opset=", 6) == 0;
    if (outputs || opset) {
        int64_t value;
        const char *at = equals + 1;
        if (!read_number(&at, 1, &value) || *at || value > 100)
            return bad_word(ctx, sample, word, "must be a number from 1 to 100");
        *(outputs ? &sample->n_out : &sample->opset) = (int)value;
        return MFM_OK;
    }
    char *name = mfm_format(ctx, "%.*s", (int)(equals - word), word);
    if (!name)
        return MFM_ENOMEM;
    const int status = mfm_attr_parse(ctx, sample->op, sample->attr, name, equals + 1);
    mfm_free(ctx, name);
    return status ? mfm_fail_in(ctx, status, "sample \"%s\"", sample->text) : MFM_OK;
}

static int read_word(mfm_ctx *ctx, mfm_sample *sample, const char *word)
{
    if (*word == '[' || strcmp(word, "-") == 0)
        return read_input(ctx, sample, word);
    if (strcmp(word, "@train") == 0) {
        sample->training = true;
        return MFM_OK;
    }
    return read_setting(ctx, sample, word);
}

static int check_whole(mfm_ctx *ctx, const mfm_sample *sample)
{
    const mfm_op *op = sample->op;
    for (int i = 0; i < count_ports(op->inputs); i++)
        if (!op->inputs[i].optional && (i >= sample->n_in || sample->in[i].absent))
            return bad_word(ctx, sample, op->inputs[i].name, "the input must be given");
    const bool fits = sample->n_out <= count_ports(op->outputs) || is_variadic(op->outputs);
    if (!fits || sample->n_out > MFM_SAMPLE_PORTS)
        return bad_word(ctx, sample, "outputs", "more than the operator has");
    if (sample->opset < op->since || (op->until && sample->opset > op->until))
        return bad_word(ctx, sample, "opset", "outside the operator's range");
    return MFM_OK;
}

static int newest_opset(const mfm_op *op)
{
    if (op->until)
        return op->until;
    return op->since > NEWEST_OPSET || *op->domain ? op->since : NEWEST_OPSET;
}

int mfm_sample_parse(mfm_ctx *ctx, const mfm_op *op, const char *text, mfm_sample *sample)
{
    *sample = (mfm_sample){.op = op, .text = text, .n_out = 1, .opset = newest_opset(op)};
    sample->attr = mfm_alloc(ctx, 1, op->attr_size);
    char *words = mfm_strdup(ctx, text);
    int status = sample->attr && words ? MFM_OK : MFM_ENOMEM;
    if (!status)
        mfm_attr_defaults(op, sample->attr);
    char *rest = words;
    for (char *word; !status && (word = strsep(&rest, " ")) != NULL;)
        if (*word)
            status = read_word(ctx, sample, word);
    if (!status)
        status = check_whole(ctx, sample);
    mfm_free(ctx, words);
    if (status)
        mfm_sample_clear(ctx, sample);
    return status;
}

void mfm_sample_clear(mfm_ctx *ctx, mfm_sample *sample)
{
    mfm_free(ctx, sample->attr);
    sample->attr = NULL;
}
