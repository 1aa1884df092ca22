/* Numbers written back into the model that they came from. */
#include "onnx/export.h"

#include "models/models.h"
#include "onnx/surgery/inject.h"
#include "onnx/proto/proto.h"
#include "onnx/storage/tensor_data.h"
#include "onnx/proto/validate.h"
#include "tests/refusals.h"
#include "tests/onnx/import/imported.h"
#include "tests/suite.h"

enum { FLOAT16 = ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT16 };

static int write_back(imported *t)
{
    const mfm_graph *graph = t->network->graph;
    return mfm_model_write_values(t->ctx, t->model, graph, graph->params, graph->state);
}

/* Packs, reads the bytes with all checks, and imports them. */
static imported again(const imported *t)
{
    imported fresh = {.ctx = mfm_ctx_new(NULL)};
    size_t size;
    void *bytes = hand_pack(t->ctx, t->model, &size);
    const int status = mfm_model_parse(fresh.ctx, bytes, size, "again", &fresh.model);
    if (status)
        printf("\n    %s\n", mfm_message(fresh.ctx));
    CU_ASSERT_EQUAL_FATAL(status, MFM_OK);
    mfm_free(t->ctx, bytes);
    CU_ASSERT_FATAL(imports(&fresh));
    return fresh;
}

/* The numbers of a parameter or statistic in the network's own vectors. */
static real *numbers_of(const imported *t, const char *name)
{
    const mfm_graph *graph = t->network->graph;
    for (size_t i = 0; i < graph->n_values; i++) {
        const mfm_value *value = &graph->values[i];
        if (strcmp(value->name, name) == 0 && value->kind == MFM_VALUE_PARAM)
            return graph->params + value->offset;
        if (strcmp(value->name, name) == 0 && value->kind == MFM_VALUE_STATE)
            return graph->state + value->offset;
    }
    CU_FAIL("no such value");
    return graph->params;
}

static bool unchanged(imported *t)
{
    size_t before, after;
    void *a = hand_pack(t->ctx, t->model, &before);
    CU_ASSERT_FATAL(imports(t));
    CU_ASSERT_EQUAL(write_back(t), MFM_OK);
    void *b = hand_pack(t->ctx, t->model, &after);
    const bool same = before == after && memcmp(a, b, before) == 0;
    mfm_free(t->ctx, a);
    mfm_free(t->ctx, b);
    return same;
}

/* Changes a tensor's type: float16 in raw_data, or float32 in float_data. */
static void narrow(mfm_model *m, const char *name)
{
    Onnx__TensorProto *t = mfm_proto_initializer(m, name);
    const size_t count = mfm_tensor_size(t);
    for (size_t i = 0; i < count; i++)
        memcpy(t->raw_data.data + 2 * i, i % 2 ? "\x00\xB4" : "\x00\x38", 2); /* -0.25, 0.5 */
    t->raw_data.len = 2 * count;
    t->data_type = FLOAT16;
}

static void unpack(mfm_model *m, const char *name)
{
    Onnx__TensorProto *t = mfm_proto_initializer(m, name);
    t->n_float_data = mfm_tensor_size(t);
    t->float_data = (float *)(void *)t->raw_data.data;
    t->raw_data = (ProtobufCBinaryData){0};
    t->has_raw_data = 0;
}

static imported mixed(void)
{
    imported t = {.ctx = mfm_ctx_new(NULL)};
    CU_ASSERT_PTR_NOT_NULL_FATAL(t.ctx);
    t.model = hand_residual(t.ctx, 8, 13);
    narrow(t.model, "w2");
    unpack(t.model, "bias");
    return t;
}

static void numbers_that_did_not_change_leave_the_bytes(void)
{
    imported t = mixed();
    CU_ASSERT(unchanged(&t));
    finish(&t);
    t = (imported){.ctx = mfm_ctx_new(NULL)};
    CU_ASSERT_EQUAL_FATAL(mfm_model_make(t.ctx, "resnet20", NULL, &t.model), MFM_OK);
    CU_ASSERT_EQUAL_FATAL(mfm_model_inject(t.ctx, t.model, &(mfm_inject_options){0}), MFM_OK);
    CU_ASSERT(unchanged(&t));
    finish(&t);
}

static void changed_numbers_land_in_their_tensors(void)
{
    imported t = mixed();
    CU_ASSERT_FATAL(imports(&t));
    numbers_of(&t, "w1")[0] = 3;
    numbers_of(&t, "bias")[4] = -7;
    numbers_of(&t, "v")[1] = 9;
    /* Element [1,0,2,1] of w2 [4,4,3,3]; in storage [out, height, width, in]. */
    numbers_of(&t, "w2")[(1 * 9 + 2 * 3 + 1) * 4 + 0] = (real)(1 / 3.0);
    CU_ASSERT_EQUAL(write_back(&t), MFM_OK);
    const Onnx__TensorProto *w2 = mfm_proto_initializer(t.model, "w2");
    uint16_t half;
    memcpy(&half, w2->raw_data.data + 2 * (1 * 36 + 0 * 9 + 2 * 3 + 1), sizeof half);
    CU_ASSERT(half == 0x3555 && w2->data_type == FLOAT16);
    CU_ASSERT_EQUAL(mfm_proto_initializer(t.model, "bias")->float_data[4], -7);
    imported fresh = again(&t);
    CU_ASSERT_EQUAL(numbers_of(&fresh, "w1")[0], 3);
    CU_ASSERT_EQUAL(numbers_of(&fresh, "w1")[1], -0.25);
    CU_ASSERT_EQUAL(numbers_of(&fresh, "v")[1], 9);
    CU_ASSERT_EQUAL(numbers_of(&fresh, "bias")[3], -0.25);
    CU_ASSERT_EQUAL(numbers_of(&fresh, "w2")[16 * 4], (real)(1365 / 4096.0));
    finish(&fresh);
    finish(&t);
}

/* Three 1x1 convolutions: with w, with an Identity of it, and with an Identity of that one, which
 * is used before or after the other. */
static imported shared_weight(int64_t ir_version, bool chain_first)
{
    imported t = start(ir_version, 13);
    hand_input(t.model, "x", HAND_DIMS(-1, 4, 4, 4));
    hand_weight(t.model, "w", HAND_DIMS(4, 4, 1, 1));
    hand_node(t.model, "Identity", "", "w", "own");
    hand_node(t.model, "Identity", "", "own", "chained");
    hand_node(t.model, "Conv", "", chain_first ? "x chained" : "x own", "c");
    hand_node(t.model, "Conv", "", chain_first ? "c own" : "c chained", "d");
    hand_node(t.model, "Conv", "", "d w", "e");
    hand_head(t.model, "e");
    for (size_t i = 0; i < 2 && ir_version < 4; i++) {
        const Onnx__TensorProto *w = t.model->proto->graph->initializer[i];
        hand_input(t.model, w->name, w->n_dims, w->dims);
    }
    return t;
}

static size_t identities(const imported *t)
{
    size_t count = 0;
    for (size_t i = 0; i < t->model->proto->graph->n_node; i++)
        count += strcmp(t->model->proto->graph->node[i]->op_type, "Identity") == 0;
    return count;
}

/* Every subset of {w, own, chained} changed: what is read back is what was written. */
static void an_identity_goes_when_its_numbers_differ(void)
{
    static const char *const names[] = {"w", "own", "chained"};
    for (int changed = 0; changed < 8; changed++)
        for (int form = 0; form < 4; form++) {
            imported t = shared_weight(form & 2 ? 3 : 8, form & 1);
            CU_ASSERT_FATAL(imports(&t));
            for (int i = 0; i < 3; i++)
                if (changed >> i & 1)
                    numbers_of(&t, names[i])[5] = (real)(i + 1);
            CU_ASSERT_EQUAL(write_back(&t), MFM_OK);
            imported fresh = again(&t);
            for (int i = 0; i < 3; i++) {
                const real *have = numbers_of(&fresh, names[i]);
                CU_ASSERT_EQUAL(have[4], 0.5);
                CU_ASSERT_EQUAL(have[5], changed >> i & 1 ? i + 1 : -0.25);
            }
            CU_ASSERT(changed || identities(&t) == 2);
            CU_ASSERT(changed != 7 || identities(&t) == 0);
            finish(&fresh);
            finish(&t);
        }
}

static void an_identity_that_goes_leaves_its_type(void)
{
    imported t = shared_weight(8, false);
    narrow(t.model, "w");
    CU_ASSERT_FATAL(imports(&t));
    numbers_of(&t, "own")[0] = 2;
    CU_ASSERT_EQUAL(write_back(&t), MFM_OK);
    const Onnx__TensorProto *own = mfm_proto_initializer(t.model, "own");
    CU_ASSERT_PTR_NOT_NULL_FATAL(own);
    CU_ASSERT(own->data_type == FLOAT16 && own->raw_data.len == 32);
    imported fresh = again(&t);
    CU_ASSERT_EQUAL(numbers_of(&fresh, "own")[0], 2);
    CU_ASSERT_EQUAL(numbers_of(&fresh, "w")[0], 0.5);
    finish(&fresh);
    finish(&t);
}

static void a_graph_of_another_model_is_refused(void)
{
    imported t = mixed(), other = start(8, 13);
    hand_conv(other.model);
    hand_head(other.model, "c");
    CU_ASSERT_FATAL(imports(&t) && imports(&other));
    const mfm_graph *graph = other.network->graph;
    CU_ASSERT_EQUAL(mfm_model_write_values(t.ctx, t.model, graph, graph->params, graph->state),
                    MFM_EINVAL);
    CU_ASSERT_PTR_NOT_NULL(strstr(mfm_message(t.ctx), "'w'"));
    finish(&t);
    finish(&other);
}

/* ---- inference form ----------------------------------------------------------------------- */

static void training_form_becomes_inference_form(void)
{
    imported t = start(8, 14);
    hand_conv(t.model);
    hand_weight(t.model, "s", HAND_DIMS(4));
    hand_weight(t.model, "m", HAND_DIMS(4));
    hand_weight(t.model, "v", HAND_DIMS(4));
    hand_weight(t.model, "ratio", 0, NULL);
    hand_ints(t.model, "training", 1, (const int64_t[]){1});
    Onnx__NodeProto *bn = hand_node(t.model, "BatchNormalization", "bn", "c s s m v", "n m2 v2");
    CU_ASSERT_FALSE(mfm_proto_attr_int(t.model, bn, "training_mode", 1));
    Onnx__NodeProto *drop = hand_node(t.model, "Dropout", "drop", "n ratio training", "d mask");
    hand_head(t.model, "d");
    CU_ASSERT_EQUAL(mfm_model_set_inference(t.ctx, t.model), MFM_OK);
    CU_ASSERT(bn->n_output == 1 && bn->attribute[0]->i == 0 && bn->n_input == 5);
    CU_ASSERT(drop->n_input == 2 && drop->n_output == 2);
    imported fresh = again(&t);
    size_t once, twice;
    void *a = hand_pack(t.ctx, t.model, &once);
    CU_ASSERT_EQUAL(mfm_model_set_inference(t.ctx, t.model), MFM_OK);
    void *b = hand_pack(t.ctx, t.model, &twice);
    CU_ASSERT(once == twice && memcmp(a, b, once) == 0);
    mfm_free(t.ctx, a);
    mfm_free(t.ctx, b);
    finish(&fresh);
    finish(&t);
}

static void five_outputs_become_one(void)
{
    imported t = start(6, 9);
    hand_conv(t.model);
    hand_weight(t.model, "s", HAND_DIMS(4));
    hand_weight(t.model, "m", HAND_DIMS(4));
    Onnx__NodeProto *bn =
        hand_node(t.model, "BatchNormalization", "bn", "c s s m m", "n m2 v2 sm sv");
    hand_node(t.model, "Dropout", "drop", "n", "d");
    hand_head(t.model, "d");
    CU_ASSERT_EQUAL(mfm_model_set_inference(t.ctx, t.model), MFM_OK);
    CU_ASSERT(bn->n_output == 1 && strcmp(bn->output[0], "n") == 0);
    CU_ASSERT_EQUAL(mfm_validate(t.model), MFM_OK);
    finish(&t);
}

static void batch_statistics_that_are_read_cannot_go(void)
{
    imported t = start(8, 14);
    hand_conv(t.model);
    hand_weight(t.model, "s", HAND_DIMS(4));
    hand_weight(t.model, "m", HAND_DIMS(4));
    hand_node(t.model, "BatchNormalization", "bn", "c s s m m", "n m2 v2");
    hand_node(t.model, "Relu", "", "m2", "m3");
    hand_head(t.model, "n");
    CU_ASSERT_EQUAL(mfm_model_set_inference(t.ctx, t.model), MFM_ENOTSUP);
    CU_ASSERT_PTR_NOT_NULL(strstr(mfm_message(t.ctx), "BatchNormalization 'bn': output 1"));
    finish(&t);
}

/* ---- allocations -------------------------------------------------------------------------- */

typedef struct packed_model {
    void *bytes;
    size_t size;
} packed_model;

static int attempt(mfm_ctx *ctx, void *self)
{
    const packed_model *packed = self;
    imported t = {.ctx = ctx};
    int status = mfm_model_parse(ctx, packed->bytes, packed->size, "packed", &t.model);
    if (!status)
        status = mfm_model_import(ctx, t.model, &t.network);
    if (!status) {
        numbers_of(&t, "own")[0] = 2;
        status = write_back(&t);
    }
    if (!status)
        status = mfm_model_set_inference(ctx, t.model);
    mfm_network_free(ctx, t.network);
    mfm_model_free(t.model);
    return status;
}

static void a_refused_allocation_is_told(void)
{
    imported t = shared_weight(3, true);
    packed_model packed;
    packed.bytes = hand_pack(t.ctx, t.model, &packed.size);
    mfm_assert_refusals_are_told(attempt, &packed);
    mfm_free(t.ctx, packed.bytes);
    finish(&t);
}

static const mfm_case cases[] = {
    {"numbers that did not change leave the bytes", numbers_that_did_not_change_leave_the_bytes},
    {"changed numbers land in their tensors", changed_numbers_land_in_their_tensors},
    {"an Identity goes when its numbers differ", an_identity_goes_when_its_numbers_differ},
    {"an Identity that goes leaves its element type", an_identity_that_goes_leaves_its_type},
    {"a graph of another model is refused", a_graph_of_another_model_is_refused},
    {"training form becomes inference form, once", training_form_becomes_inference_form},
    {"five outputs become one", five_outputs_become_one},
    {"batch statistics that are read cannot go", batch_statistics_that_are_read_cannot_go},
    {"a refused allocation is told, and leaks nothing", a_refused_allocation_is_told},
};
MFM_SUITE("onnx/export", cases)
