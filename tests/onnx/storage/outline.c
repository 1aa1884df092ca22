#include "onnx/storage/outline.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "onnx/import/import.h"
#include "onnx/storage/remote.h"
#include "onnx/storage/tensor_data.h"
#include "tests/refusals.h"
#include "tests/onnx/hand.h"
#include "tests/scratch.h"
#include "tests/suite.h"

static mfm_ctx *ctx;
static char folder[SCRATCH];

static char *in_folder(const char *name)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

enum { OUT = 16, IN = 3, AREA = 9, WEIGHTS = OUT * IN * AREA };

/* A 3 x 3 convolution from 3 channels to 16, the pixels' mean: weight [o,i,y,x] is its own index.
 */
static mfm_model *numbered(void)
{
    mfm_model *m = hand_model(ctx, 8, 17);
    hand_input(m, "x", HAND_DIMS(-1, IN, 8, 8));
    hand_weight(m, "w", HAND_DIMS(OUT, IN, 3, 3));
    hand_node(m, "Conv", "", "x w", "c");
    hand_node(m, "GlobalAveragePool", "", "c", "p");
    hand_node(m, "Flatten", "", "p", "logits");
    hand_output(m, "logits", HAND_DIMS(-1, OUT));
    float *w = (float *)(void *)mfm_proto_initializer(m, "w")->raw_data.data;
    for (int i = 0; i < WEIGHTS; i++)
        w[i] = (float)i;
    return m;
}

/* Saves and frees the model, and opens the file. */
static mfm_model *reopened(mfm_model *made)
{
    mfm_model *opened = NULL;
    CU_ASSERT_EQUAL_FATAL(mfm_model_save(ctx, made, in_folder("m.onnx")), MFM_OK);
    mfm_model_free(made);
    CU_ASSERT_EQUAL_FATAL(mfm_model_open(ctx, in_folder("m.onnx"), &opened), MFM_OK);
    return opened;
}

static void finish(mfm_model *model)
{
    mfm_model_free(model);
    unlink(in_folder("m.onnx"));
    mfm_ctx_free(ctx);
}

/* The only parameter, channels last: the number at [o,y,x,i] is that of [o,i,y,x]. */
static bool is_numbered(const mfm_graph *graph)
{
    for (int o = 0; o < OUT; o++)
        for (int i = 0; i < IN; i++)
            for (int k = 0; k < AREA; k++)
                if (graph->params[(o * AREA + k) * IN + i] != (real)((o * IN + i) * AREA + k))
                    return false;
    return graph->params_size >= WEIGHTS;
}

static void test_opened(void)
{
    ctx = mfm_ctx_new(NULL);
    mfm_model *m = reopened(numbered());
    mfm_network *network;
    CU_ASSERT_TRUE(mfm_tensor_is_remote(mfm_proto_initializer(m, "w")));
    CU_ASSERT_EQUAL(mfm_proto_initializer(m, "w")->raw_data.len, WEIGHTS * sizeof(float));
    CU_ASSERT_EQUAL_FATAL(mfm_model_import_form(ctx, m, &network), MFM_OK);
    CU_ASSERT_PTR_NULL(network->graph->params);
    CU_ASSERT_EQUAL_FATAL(mfm_model_read_values(ctx, m, network->graph), MFM_OK);
    CU_ASSERT_TRUE(is_numbered(network->graph));
    mfm_network_free(ctx, network);
    finish(m);
}

/* The file is changed after it was opened: the numbers that are found are the new ones. */
static void test_late(void)
{
    ctx = mfm_ctx_new(NULL);
    mfm_model *m = reopened(numbered());
    mfm_network *network;
    const float other = 1000;
    const int fd = open(in_folder("m.onnx"), O_WRONLY);
    CU_ASSERT_EQUAL(pwrite(fd, &other, sizeof other, (off_t)m->remotes[0].offset), sizeof other);
    close(fd);
    CU_ASSERT_EQUAL_FATAL(mfm_model_import(ctx, m, &network), MFM_OK);
    CU_ASSERT_EQUAL(network->graph->params[0], (real)1000);
    mfm_network_free(ctx, network);
    finish(m);
}

static void test_cut_short(void)
{
    ctx = mfm_ctx_new(NULL);
    mfm_model *m = reopened(numbered());
    mfm_network *network;
    CU_ASSERT_EQUAL(truncate(in_folder("m.onnx"), (off_t)m->remotes[0].offset + 100), 0);
    CU_ASSERT_EQUAL(mfm_model_import(ctx, m, &network), MFM_EIO);
    CU_ASSERT_PTR_NULL(network);
    CU_ASSERT_PTR_NOT_NULL(strstr(mfm_message(ctx), "tensor w: the file became shorter"));
    finish(m);
}

static void test_loaded(void)
{
    ctx = mfm_ctx_new(NULL);
    mfm_model *made = numbered(), *m;
    size_t n, k;
    void *before = hand_pack(ctx, made, &n);
    mfm_model *opened = reopened(made);
    CU_ASSERT_EQUAL_FATAL(mfm_model_load(ctx, in_folder("m.onnx"), &m), MFM_OK);
    CU_ASSERT_EQUAL(truncate(in_folder("m.onnx"), 0), 0);
    void *after = hand_pack(ctx, m, &k);
    CU_ASSERT_TRUE(n == k && memcmp(before, after, n) == 0);
    CU_ASSERT_EQUAL(mfm_model_save(ctx, opened, in_folder("m.onnx")), MFM_EINVAL);
    CU_ASSERT_PTR_NOT_NULL(strstr(mfm_message(ctx), "opened to be read only"));
    mfm_free(ctx, before);
    mfm_free(ctx, after);
    mfm_model_free(opened);
    finish(m);
}

/* Puts a tensor like w, called `name`, where *place points. */
static Onnx__TensorProto *twin(mfm_model *m, const char *name)
{
    Onnx__TensorProto *t = mfm_tensor_like(m, mfm_proto_initializer(m, "w"), name);
    CU_ASSERT_PTR_NOT_NULL_FATAL(t);
    return t;
}

static Onnx__NodeProto *constant(mfm_model *m, const char *output)
{
    Onnx__NodeProto *node = hand_node(m, "Constant", "", "", output);
    CU_ASSERT_EQUAL_FATAL(mfm_proto_attr_int(m, node, "value", 0), MFM_OK);
    Onnx__AttributeProto *attr = node->attribute[0];
    attr->has_i = 0;
    attr->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSOR;
    attr->t = twin(m, output);
    return node;
}

/* A constant's value, a training graph's initialiser and an attribute of unknown use. */
static void test_places(void)
{
    ctx = mfm_ctx_new(NULL);
    mfm_model *m = numbered(), *again;
    Onnx__ModelProto *proto = m->proto;
    constant(m, "k");
    Onnx__AttributeProto *attr = constant(m, "l")->attribute[0];
    CU_ASSERT_EQUAL_FATAL(mfm_proto_append(m, &attr->tensors, &attr->n_tensors, twin(m, "in")), 0);
    Onnx__TrainingInfoProto *info = mfm_proto_new(m, sizeof *info);
    Onnx__GraphProto *graph = mfm_proto_new(m, sizeof *graph);
    CU_ASSERT_FATAL(info && graph);
    onnx__training_info_proto__init(info);
    onnx__graph_proto__init(graph);
    info->algorithm = graph;
    CU_ASSERT_EQUAL_FATAL(mfm_proto_append(m, &proto->training_info, &proto->n_training_info, info),
                          0);
    CU_ASSERT_EQUAL_FATAL(
        mfm_proto_append(m, &graph->initializer, &graph->n_initializer, twin(m, "t")), 0);
    size_t n, k;
    void *before = hand_pack(ctx, m, &n);
    mfm_model *opened = reopened(m);
    CU_ASSERT_EQUAL(opened->n_remotes, 5);
    CU_ASSERT_EQUAL_FATAL(mfm_model_load(ctx, in_folder("m.onnx"), &again), MFM_OK);
    void *after = hand_pack(ctx, again, &k);
    CU_ASSERT_TRUE(n == k && memcmp(before, after, n) == 0);
    mfm_free(ctx, before);
    mfm_free(ctx, after);
    mfm_model_free(opened);
    finish(again);
}

/* Two bytes each; 1, 2, 3, ... fit both. More than one piece is read at a time. */
static void test_types(void)
{
    enum { COUNT = 100000, HALF = 10, BFLOAT = 16 };
    for (int type = HALF; type <= BFLOAT; type += BFLOAT - HALF) {
        ctx = mfm_ctx_new(NULL);
        mfm_model *m = numbered();
        Onnx__GraphProto *graph = m->proto->graph;
        uint16_t *bits = mfm_proto_new(m, COUNT * sizeof *bits);
        real *values = mfm_alloc_aligned(ctx, COUNT, sizeof *values);
        Onnx__TensorProto *t = twin(m, "large");
        CU_ASSERT_FATAL(bits && values && t);
        CU_ASSERT_EQUAL_FATAL(mfm_proto_append(m, &graph->initializer, &graph->n_initializer, t),
                              0);
        for (int i = 0; i < COUNT; i++) /* 1.0 and 2.0 in turns */
            bits[i] = (uint16_t)(i % 2 ? 0x4000 : type == HALF ? 0x3C00 : 0x3F80);
        mfm_free(ctx, t->raw_data.data);
        t->raw_data = (ProtobufCBinaryData){COUNT * sizeof *bits, (uint8_t *)bits};
        t->data_type = type;
        t->n_dims = 1;
        t->dims[0] = COUNT;
        m = reopened(m);
        const mfm_shape shape = mfm_shape_of(1, COUNT);
        const Onnx__TensorProto *large = mfm_proto_initializer(m, "large");
        CU_ASSERT_TRUE(mfm_tensor_is_remote(large));
        CU_ASSERT_EQUAL_FATAL(mfm_tensor_read(m, large, &shape, values), MFM_OK);
        int wrong = 0;
        for (int i = 0; i < COUNT; i++)
            wrong += values[i] != (real)(i % 2 ? 2 : 1);
        CU_ASSERT_EQUAL(wrong, 0);
        mfm_free_aligned(ctx, values);
        finish(m);
    }
}

/* A tensor whose numbers look like the note of another place. */
static void test_looks_like_a_note(void)
{
    ctx = mfm_ctx_new(NULL);
    mfm_model *m = numbered();
    const mfm_outline_note note = {.offset = 1, .length = UINT64_MAX};
    uint8_t *raw = mfm_proto_initializer(m, "w")->raw_data.data;
    memcpy(raw, &note, sizeof note);
    size_t n, k;
    void *before = hand_pack(ctx, m, &n);
    mfm_model_free(reopened(m));
    CU_ASSERT_EQUAL_FATAL(mfm_model_load(ctx, in_folder("m.onnx"), &m), MFM_OK);
    void *after = hand_pack(ctx, m, &k);
    CU_ASSERT_TRUE(n == k && memcmp(before, after, n) == 0);
    mfm_free(ctx, before);
    mfm_free(ctx, after);
    finish(m);
}

static int open_and_import(mfm_ctx *own, void *path)
{
    mfm_model *m;
    mfm_network *network = NULL;
    int status = mfm_model_open(own, path, &m);
    if (!status)
        status = mfm_model_import(own, m, &network);
    mfm_network_free(own, network);
    mfm_model_free(m);
    return status;
}

static void test_memory(void)
{
    ctx = mfm_ctx_new(NULL);
    mfm_model *m = reopened(numbered());
    mfm_assert_refusals_are_told(open_and_import, in_folder("m.onnx"));
    finish(m);
}

static const mfm_case cases[] = {
    {"weights of an opened model stay in the file until they are wanted", test_opened},
    {"they are not read before", test_late},
    {"a file that became shorter is told", test_cut_short},
    {"a loaded model needs its file no more; an opened one cannot be saved", test_loaded},
    {"large tensors in all places come back", test_places},
    {"every type is read piece by piece", test_types},
    {"numbers are never taken for a note", test_looks_like_a_note},
    {"any refused allocation is reported, and nothing leaks", test_memory},
};

int main(void)
{
    if (!scratch_folder(folder, "outline"))
        return 1;
    const int failed = mfm_suite_run("onnx/outline", cases, sizeof cases / sizeof cases[0]);
    rmdir(folder);
    return failed;
}
