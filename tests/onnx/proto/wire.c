#include "onnx/proto/wire.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/random.h"
#include "tests/refusals.h"
#include "tests/onnx/hand.h"
#include "tests/suite.h"

static mfm_ctx *ctx;

/* Whether parsing fails with that code and a message that has `part` in it. */
static bool refused(const void *bytes, size_t size, int code, const char *part)
{
    mfm_model *model;
    const int status = mfm_model_parse(ctx, bytes, size, "m.onnx", &model);
    if (status == MFM_OK)
        mfm_model_free(model);
    if (status != code || !strstr(mfm_message(ctx), part)) {
        printf("\n    %d: %s\n", status, status ? mfm_message(ctx) : "taken");
        return false;
    }
    return model == NULL;
}

#define REFUSED(bytes, part) refused(bytes, sizeof(bytes) - 1, MFM_EDATA, part)

static void test_kinds(void)
{
    ctx = mfm_ctx_new(NULL);
    CU_ASSERT_TRUE(refused("", 0, MFM_EDATA, "m.onnx: it is empty: not an ONNX file"));
    CU_ASSERT_TRUE(REFUSED("hello, this is no model at all", "text: not an ONNX file"));
    CU_ASSERT_TRUE(REFUSED("PK\3\4\24\0\0\0\0\0", "zip archive"));
    CU_ASSERT_TRUE(REFUSED("\x89PNG\r\n\x1a\n", "PNG image"));
    CU_ASSERT_TRUE(REFUSED("\x80\2}q\0", "pickle"));
    CU_ASSERT_TRUE(REFUSED("version https://git-lfs.github.com/spec/v1\n", "Git LFS"));
    CU_ASSERT_TRUE(REFUSED("\xfe\xfe\xfe\xfe", "it starts with 0xfe: not an ONNX file"));
    CU_ASSERT_TRUE(REFUSED("\x08\x08", "it has no graph: not an ONNX file"));
    mfm_ctx_free(ctx);
}

/* Offsets and names counted by hand. 0x08 0x08 is ir_version 8, 0x3a the graph, in it 0x0a a
 * node, in that 0x22 op_type. */
static void test_broken_fields(void)
{
    ctx = mfm_ctx_new(NULL);
    CU_ASSERT_TRUE(
        REFUSED("\x08\x08\x3a\x05\x0a", "byte 3, in ModelProto: field 7: 5 bytes: 1 are left"));
    CU_ASSERT_TRUE(
        REFUSED("\x08\x08\x3a\x02\x0a\x07", "byte 5, in GraphProto: field 1: 7 bytes: 0 are left"));
    CU_ASSERT_TRUE(REFUSED("\x08\x08\x3a\x05\x0a\x03\x22\x01\0",
                           "byte 8, in NodeProto: op_type: a NUL byte inside a string"));
    CU_ASSERT_TRUE(REFUSED("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
                           "byte 1, in ModelProto: field 1: a number that does not end"));
    CU_ASSERT_TRUE(
        REFUSED("\x08\x08\x3a\xff\xff\xff\xff\xff\xff\x01", "field 7: a length that does not end"));
    CU_ASSERT_TRUE(REFUSED("\x08\x08\x3a\xff\xff\xff\xff\x0f", "a field ends at 2 GiB"));
    CU_ASSERT_TRUE(REFUSED("\x08\x08\x3b\x08", "groups are not part of ONNX"));
    CU_ASSERT_TRUE(REFUSED("\x08\x08\x38\x08", "graph: wire type 0: this field has another"));
    CU_ASSERT_TRUE(REFUSED("\x08\x08\x02\x00", "byte 2, in ModelProto: not a field's number"));
    /* a tensor's dims packed, and its last number open */
    CU_ASSERT_TRUE(REFUSED("\x08\x08\x3a\x06\x2a\x04\x0a\x02\x03\x83",
                           "byte 9, in TensorProto: dims: a number that does not end"));
    CU_ASSERT_TRUE(REFUSED("\x08\x08\x3a\x07\x2a\x05\x22\x03\0\0\0",
                           "float_data: 3 bytes: not a multiple of 4"));
    mfm_ctx_free(ctx);
}

/* Writes `length` as a varint; returns its size. */
static size_t put_varint(uint8_t *at, size_t length)
{
    size_t n = 0;
    for (; length > 0x7f; length >>= 7)
        at[n++] = (uint8_t)(length | 0x80);
    at[n++] = (uint8_t)length;
    return n;
}

/* Wraps the message at bytes into field `tag`, in place; returns the new size. */
static size_t wrap(uint8_t *bytes, size_t size, uint8_t tag)
{
    uint8_t head[8] = {tag};
    const size_t n = 1 + put_varint(head + 1, size);
    memmove(bytes + n, bytes, size);
    memcpy(bytes, head, n);
    return size + n;
}

/* A file whose graph, node and attribute nest `rounds` times: three messages each. */
static size_t nest(uint8_t *bytes, int rounds)
{
    size_t size = 0;
    for (int i = 0; i < rounds; i++) {
        size = wrap(bytes, size, 0x32); /* AttributeProto.g */
        size = wrap(bytes, size, 0x2a); /* NodeProto.attribute */
        size = wrap(bytes, size, 0x0a); /* GraphProto.node */
    }
    size = wrap(bytes, size, 0x3a);
    memmove(bytes + 2, bytes, size);
    memcpy(bytes, "\x08\x08", 2);
    return size + 2;
}

static void test_depth(void)
{
    ctx = mfm_ctx_new(NULL);
    uint8_t *bytes = malloc(1 << 20);
    CU_ASSERT_PTR_NOT_NULL_FATAL(bytes);
    CU_ASSERT_EQUAL(mfm_wire_scan(ctx, bytes, nest(bytes, 33), "m.onnx"), MFM_OK);
    CU_ASSERT_TRUE(refused(bytes, nest(bytes, 34), MFM_EDATA, "messages nest deeper than 100"));
    CU_ASSERT_TRUE(refused(bytes, nest(bytes, 20000), MFM_EDATA, "messages nest deeper than 100"));
    free(bytes);
    mfm_ctx_free(ctx);
}

static void test_amplification(void)
{
    ctx = mfm_ctx_new(NULL);
    const size_t nodes = 2000000;
    uint8_t *bytes = calloc(2 * nodes + 16, 1);
    CU_ASSERT_PTR_NOT_NULL_FATAL(bytes);
    for (size_t i = 0; i < nodes; i++)
        bytes[2 * i] = 0x0a; /* an empty node */
    const size_t size = wrap(bytes, 2 * nodes, 0x3a);
    memmove(bytes + 2, bytes, size);
    memcpy(bytes, "\x08\x08", 2);
    CU_ASSERT_TRUE(refused(bytes, size + 2, MFM_EDATA, "too many small parts"));
    free(bytes);
    mfm_ctx_free(ctx);
}

/* Cut anywhere, a file is refused with a message, or it is whole: the last fields may be missing.
 */
static void test_truncation(void)
{
    ctx = mfm_ctx_new(NULL);
    mfm_model *model = hand_residual(ctx, 8, 17);
    size_t size, taken = 0;
    uint8_t *bytes = hand_pack(ctx, model, &size);
    for (size_t length = 0; length < size; length++) {
        uint8_t *exact = malloc(length ? length : 1); /* so that reading past the end is seen */
        CU_ASSERT_PTR_NOT_NULL_FATAL(exact);
        memcpy(exact, bytes, length);
        mfm_model *cut;
        const int status = mfm_model_parse(ctx, exact, length, "cut", &cut);
        CU_ASSERT_TRUE(status == MFM_OK || status == MFM_EDATA);
        if (status == MFM_OK) {
            taken++;
            mfm_model_free(cut);
        }
        free(exact);
    }
    /* In the order of field numbers the operator set follows the graph and ends the file. */
    CU_ASSERT_EQUAL(taken, 0);
    mfm_free(ctx, bytes);
    mfm_model_free(model);
    mfm_ctx_free(ctx);
}

/* Whatever is flipped, the file is refused, or it is read and written back without harm. */
static void test_flips(void)
{
    ctx = mfm_ctx_new(NULL);
    const mfm_key key = {.seed = 20240229, .stream = MFM_STREAM_TEST};
    printf("seed %llu ", (unsigned long long)key.seed);
    mfm_model *model = hand_residual(ctx, 8, 17);
    size_t size;
    uint8_t *bytes = hand_pack(ctx, model, &size), *copy = malloc(size);
    CU_ASSERT_PTR_NOT_NULL_FATAL(copy);
    size_t refusals = 0;
    for (uint64_t round = 0; round < 20000; round++) {
        memcpy(copy, bytes, size);
        for (uint64_t k = 0; k <= round % 4; k++)
            copy[mfm_random_below(&key, 16 * round + 2 * k, size)] =
                (uint8_t)mfm_random_below(&key, 16 * round + 2 * k + 1, 256);
        mfm_model *flipped;
        const int status = mfm_model_parse(ctx, copy, size, "flipped", &flipped);
        CU_ASSERT_TRUE(status == MFM_OK || status == MFM_EDATA || status == MFM_ENOTSUP);
        if (status) {
            refusals++;
            continue;
        }
        size_t n;
        mfm_free(ctx, hand_pack(ctx, flipped, &n));
        mfm_model_free(flipped);
    }
    CU_ASSERT_TRUE(refusals > 10000);
    free(copy);
    mfm_free(ctx, bytes);
    mfm_model_free(model);
    mfm_ctx_free(ctx);
}

typedef struct packed {
    const void *bytes;
    size_t size;
} packed;

static int parse_and_pack(mfm_ctx *own, void *self)
{
    const packed *p = self;
    mfm_model *model;
    int status = mfm_model_parse(own, p->bytes, p->size, "m.onnx", &model);
    if (status)
        return status;
    void *bytes;
    size_t size;
    status = mfm_model_pack(own, model, &bytes, &size);
    if (!status)
        mfm_free(own, bytes);
    mfm_model_free(model);
    return status;
}

static void test_memory(void)
{
    ctx = mfm_ctx_new(NULL);
    mfm_model *model = hand_residual(ctx, 8, 17);
    packed p;
    void *bytes = hand_pack(ctx, model, &p.size);
    p.bytes = bytes;
    mfm_assert_refusals_are_told(parse_and_pack, &p);
    mfm_free(ctx, bytes);
    mfm_model_free(model);
    mfm_ctx_free(ctx);
}

static const mfm_case cases[] = {
    {"a file of another kind is called by its name", test_kinds},
    {"a broken field is told with its byte, its message and the rule", test_broken_fields},
    {"messages nest a hundred deep and no deeper", test_depth},
    {"a small file cannot ask for a lot of memory", test_amplification},
    {"a file cut at any byte is refused", test_truncation},
    {"random bytes do no harm", test_flips},
    {"any refused allocation is reported, and nothing leaks", test_memory},
};
MFM_SUITE("onnx/wire", cases)
