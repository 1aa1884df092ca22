/* Calls of functions in the flat view, from bytes that are written field by field: defaults of
 * attributes and overloads are fields that older definitions of ONNX do not have. */
#include <string.h>

#include "onnx/functions/flat.h"
#include "tests/refusals.h"
#include "tests/onnx/hand.h"
#include "tests/suite.h"

typedef struct bytes {
    uint8_t at[4096];
    size_t size;
} bytes;

static void put(bytes *b, unsigned number, const void *value, size_t size)
{
    const uint8_t tag[] = {(uint8_t)((number << 3 | 2) & 0x7f) | 0x80, (uint8_t)(number << 3 >> 7)};
    CU_ASSERT_FATAL(size < 128 * 128 && b->size + size + 4 < sizeof b->at);
    memcpy(b->at + b->size, tag, 2);
    b->at[b->size + 2] = (uint8_t)((size & 0x7f) | 0x80);
    b->at[b->size + 3] = (uint8_t)(size >> 7);
    memcpy(b->at + b->size + 4, value, size);
    b->size += size + 4;
}

static void put_text(bytes *b, unsigned number, const char *text)
{
    put(b, number, text, strlen(text));
}

/* `number` is that of a varint below 128. */
static void put_small(bytes *b, unsigned number, uint8_t value)
{
    const uint8_t field[] = {(uint8_t)((number << 3) & 0x7f) | 0x80, (uint8_t)(number << 3 >> 7),
                             value};
    memcpy(b->at + b->size, field, sizeof field);
    b->size += sizeof field;
}

static bytes opset(const char *domain, uint8_t version)
{
    bytes b = {.size = 0};
    put_text(&b, 1, domain);
    put_small(&b, 2, version);
    return b;
}

/* An attribute of one float; refers: to that of the function, instead. */
static bytes attribute(const char *name, float value, const char *refers)
{
    bytes b = {.size = 0};
    put_text(&b, 1, name);
    if (refers) {
        put_text(&b, 21, refers);
    } else {
        memcpy(b.at + b.size, "\x15", 1);
        memcpy(b.at + b.size + 1, &value, 4);
        b.size += 5;
    }
    put_small(&b, 20, 1);
    return b;
}

static bytes node(const char *type, const char *name, const char *in, const char *out,
                  const bytes *attr)
{
    bytes b = {.size = 0};
    put_text(&b, 1, in);
    put_text(&b, 2, out);
    put_text(&b, 3, name);
    put_text(&b, 4, type);
    if (attr)
        put(&b, 5, attr->at, attr->size);
    return b;
}

/* own:Twice:overload (x -> y): h = LeakyRelu(x; alpha by reference, 0.5 by default), y = Relu(h).
 */
static bytes function(const char *overload, const char *second, const char *second_domain)
{
    bytes b = {.size = 0};
    const bytes alpha = attribute("alpha", 0, "slope"), given = attribute("slope", 0.5F, NULL);
    const bytes first = node("LeakyRelu", "act", "x", "h", &alpha);
    bytes last = node(second, "", "h", "y", NULL);
    put_text(&last, 7, second_domain);
    const bytes onnx = opset("", 17), own = opset("own", 1);
    put_text(&b, 1, "Twice");
    put_text(&b, 4, "x");
    put_text(&b, 5, "y");
    put(&b, 7, first.at, first.size);
    put(&b, 7, last.at, last.size);
    put(&b, 9, onnx.at, onnx.size);
    put(&b, 9, own.at, own.size);
    put_text(&b, 10, "own");
    put(&b, 11, given.at, given.size);
    put_text(&b, 13, overload);
    return b;
}

/* in -> Conv -> call of own:Twice -> call of own:Twice with slope 0.25 -> out */
static bytes model(mfm_ctx *ctx, const bytes *functions, size_t count, const char *overload)
{
    bytes b = {.size = 0};
    mfm_model *m = hand_model(ctx, 10, 17);
    hand_input(m, "in", HAND_DIMS(-1, 1, 4, 4));
    hand_weight(m, "w", HAND_DIMS(2, 1, 1, 1));
    hand_node(m, "Conv", "", "in w", "c");
    hand_node(m, "Twice", "one", "c", "h");
    Onnx__NodeProto *second = hand_node(m, "Twice", "", "h", "out");
    mfm_proto_attr_float(m, second, "slope", 0.25F);
    for (size_t i = 1; i < 3; i++) {
        mfm_proto_set_string(m, &m->proto->graph->node[i]->domain, "own");
        ProtobufCMessage *message = &m->proto->graph->node[i]->base;
        bytes field = {.size = 0};
        put_text(&field, 8, overload);
        message->unknown_fields = mfm_proto_new(m, sizeof *message->unknown_fields);
        message->n_unknown_fields = 1;
        message->unknown_fields[0] = (ProtobufCMessageUnknownField){
            .tag = 8, .wire_type = PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED, .len = field.size - 2};
        message->unknown_fields[0].data = mfm_proto_new(m, field.size - 2);
        memcpy(message->unknown_fields[0].data, field.at + 2, field.size - 2);
    }
    hand_output(m, "out", HAND_DIMS(-1, 2, 4, 4));
    size_t size;
    void *packed = hand_pack(ctx, m, &size);
    memcpy(b.at, packed, size);
    b.size = size;
    mfm_free(ctx, packed);
    mfm_model_free(m);
    for (size_t i = 0; i < count; i++)
        put(&b, 25, functions[i].at, functions[i].size);
    return b;
}

static int flatten(mfm_ctx *ctx, void *self)
{
    const bytes *b = self;
    mfm_model *m = NULL;
    mfm_flat *flat = NULL;
    int status = mfm_model_parse(ctx, b->at, b->size, "m.onnx", &m);
    if (!status)
        status = mfm_flat_new(ctx, m, &flat);
    mfm_flat_free(flat);
    mfm_model_free(m);
    return status;
}

static void a_call_gives_way_to_the_nodes_of_its_function(void)
{
    static const struct {
        const char *type, *name, *in, *out;
        float alpha; /* 0: none */
    } want[] = {{"Conv", "", "in", "c", 0},
                {"LeakyRelu", "one/act", "c", "one/h", 0.5F},
                {"Relu", "", "one/h", "h", 0},
                {"LeakyRelu", "out/act", "h", "out/h", 0.25F},
                {"Relu", "", "out/h", "out", 0}};
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    const bytes functions[] = {function("a", "Sigmoid", ""), function("b", "Relu", "")};
    const bytes b = model(ctx, functions, 2, "b");
    mfm_model *m = NULL;
    mfm_flat *flat = NULL;
    CU_ASSERT_FATAL(mfm_model_parse(ctx, b.at, b.size, "m.onnx", &m) == MFM_OK);
    CU_ASSERT_FATAL(mfm_flat_new(ctx, m, &flat) == MFM_OK);
    const Onnx__GraphProto *graph = mfm_flat_model(flat)->proto->graph;
    CU_ASSERT_FATAL(graph->n_node == 5);
    for (size_t i = 0; i < 5; i++) {
        const Onnx__NodeProto *n = graph->node[i];
        CU_ASSERT_STRING_EQUAL(n->op_type, want[i].type);
        CU_ASSERT_STRING_EQUAL(mfm_proto_text(n->name), want[i].name);
        CU_ASSERT_STRING_EQUAL(n->input[0], want[i].in);
        CU_ASSERT_STRING_EQUAL(n->output[0], want[i].out);
        CU_ASSERT_EQUAL(n->n_attribute, (size_t)(want[i].alpha != 0));
        if (n->n_attribute) {
            CU_ASSERT_STRING_EQUAL(n->attribute[0]->name, "alpha");
            CU_ASSERT_EQUAL(n->attribute[0]->f, want[i].alpha);
        }
        CU_ASSERT_EQUAL(mfm_flat_origin(flat, i), i ? -1 : 0);
        CU_ASSERT_EQUAL(mfm_node_in_function(mfm_flat_model(flat), n), i > 0);
        CU_ASSERT_EQUAL(mfm_node_opset(mfm_flat_model(flat), n), 17);
    }
    CU_ASSERT_EQUAL(m->proto->graph->n_node, 3);
    CU_ASSERT_PTR_EQUAL(mfm_flat_source(flat, 4), m->proto->functions[1]->node[1]);
    mfm_flat_free(flat);
    mfm_model_free(m);
    mfm_ctx_free(ctx);
}

static void a_call_without_its_function_stays(void)
{
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    const bytes one = function("a", "Relu", ""), b = model(ctx, &one, 1, "b");
    mfm_model *m = NULL;
    mfm_flat *flat = NULL;
    CU_ASSERT_FATAL(mfm_model_parse(ctx, b.at, b.size, "m.onnx", &m) == MFM_OK);
    CU_ASSERT_FATAL(mfm_flat_new(ctx, m, &flat) == MFM_OK);
    CU_ASSERT_PTR_EQUAL(mfm_flat_model(flat), m);
    CU_ASSERT_PTR_EQUAL(mfm_flat_source(flat, 2), m->proto->graph->node[2]);
    CU_ASSERT_EQUAL(mfm_flat_origin(flat, 2), 2);
    mfm_flat_free(flat);
    mfm_model_free(m);
    mfm_ctx_free(ctx);
}

static void a_function_that_calls_itself_is_refused(void)
{
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    const bytes one = function("", "Twice", "own");
    bytes b = model(ctx, &one, 1, "");
    CU_ASSERT_EQUAL(flatten(ctx, &b), MFM_EDATA);
    CU_ASSERT_PTR_NOT_NULL(strstr(mfm_message(ctx), "own:Twice: calls itself"));
    mfm_ctx_free(ctx);
}

static void a_refused_allocation_is_told(void)
{
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    const bytes one = function("", "Relu", "");
    bytes b = model(ctx, &one, 1, "");
    mfm_assert_refusals_are_told(flatten, &b);
    mfm_ctx_free(ctx);
}

static const mfm_case cases[] = {
    {"a call gives way to the nodes of its function",
     a_call_gives_way_to_the_nodes_of_its_function},
    {"a call without its function stays", a_call_without_its_function_stays},
    {"a function that calls itself is refused", a_function_that_calls_itself_is_refused},
    {"a refused allocation is told, and leaks nothing", a_refused_allocation_is_told},
};
MFM_SUITE("onnx/flat", cases)
