/* A new head: what it reads, what goes, what stays, and what is refused. That the features are what
 * they were is ONNX Runtime's word, in tests/interop/models/head.py. */
#include "onnx/surgery/head/head.h"

#include <math.h>
#include <string.h>

#include "onnx/import/import.h"
#include "onnx/info/class_info.h"
#include "onnx/proto/validate.h"
#include "onnx/surgery/inject.h"
#include "tests/refusals.h"
#include "tests/onnx/built.h"
#include "tests/onnx/hand.h"
#include "tests/suite.h"

enum { IR = 8, OPSET = 13 };

static mfm_ctx *context(void)
{
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(ctx);
    return ctx;
}

static void must(mfm_ctx *ctx, int status)
{
    if (status)
        printf("\n    %s\n", mfm_message(ctx));
    CU_ASSERT_EQUAL_FATAL(status, MFM_OK);
}

static const Onnx__NodeProto *last_node(const mfm_model *model, size_t from_end)
{
    const Onnx__GraphProto *graph = model->proto->graph;
    return graph->node[graph->n_node - 1 - from_end];
}

static mfm_head_report put(mfm_ctx *ctx, mfm_model *model, mfm_head_options options)
{
    mfm_head_report report;
    options.classes = options.classes ? options.classes : 7;
    must(ctx, mfm_model_new_head(ctx, model, &options, &report));
    must(ctx, mfm_validate(model));
    mfm_network *network;
    must(ctx, mfm_model_import(ctx, model, &network));
    CU_ASSERT_EQUAL(network->classes, options.classes);
    mfm_network_free(ctx, network);
    return report;
}

static void done(mfm_ctx *ctx, mfm_model *model)
{
    mfm_model_free(model);
    mfm_ctx_free(ctx);
}

static int64_t output_dim(const mfm_model *model, size_t axis)
{
    return model->proto->graph->output[0]->type->tensor_type->shape->dim[axis]->dim_value;
}

/* ... pool, flat [n, 4], then the Gemm to 5 logits, which a Gemm to 7 replaces. */
static void test_gemm(int64_t ir_version, int64_t opset)
{
    mfm_ctx *ctx = context();
    mfm_model *model = hand_residual(ctx, ir_version, opset);
    const Onnx__GraphProto *graph = model->proto->graph;
    const size_t nodes = graph->n_node, tensors = graph->n_initializer, inputs = graph->n_input;
    must(ctx, mfm_proto_set_metadata(model, "mine", "stays"));
    must(ctx, mfm_proto_set_metadata(model, "mfm.preprocess", "stays"));
    must(ctx, mfm_proto_set_metadata(model, MFM_CLASSES_KEY, "goes"));
    const mfm_head_report report = put(ctx, model, (mfm_head_options){.seed = 3});
    CU_ASSERT_STRING_EQUAL(report.features, "flat");
    CU_ASSERT_EQUAL(report.width, 4);
    CU_ASSERT_FALSE(report.pooled);
    CU_ASSERT_EQUAL(report.removed_nodes, 1);
    CU_ASSERT_EQUAL(report.added_nodes, 1);
    CU_ASSERT_EQUAL(graph->n_node, nodes);
    CU_ASSERT_EQUAL(graph->n_initializer, tensors);
    CU_ASSERT_EQUAL(graph->n_input, inputs); /* those of weights, before version 4, too */
    const Onnx__NodeProto *head = last_node(model, 0);
    CU_ASSERT_STRING_EQUAL(head->op_type, "Gemm");
    CU_ASSERT_STRING_EQUAL(head->input[0], "flat");
    CU_ASSERT_STRING_EQUAL(head->output[0], "logits");
    CU_ASSERT_EQUAL(output_dim(model, 1), 7);
    CU_ASSERT_STRING_EQUAL(mfm_proto_metadata(model, "mine"), "stays");
    CU_ASSERT_STRING_EQUAL(mfm_proto_metadata(model, "mfm.preprocess"), "stays");
    CU_ASSERT_PTR_NULL(mfm_proto_metadata(model, MFM_CLASSES_KEY));
    done(ctx, model);
}

static void test_last_layer(void)
{
    test_gemm(IR, OPSET);
    test_gemm(3, 9); /* whose weights are declared as inputs */
}

/* 1 / sqrt(4) is the bound, whose square over 3 the variance: of 28 draws within four standard
 * errors. Other seeds draw others. */
static void test_start(void)
{
    float first[28], second[28];
    for (uint64_t seed = 1; seed <= 2; seed++) {
        mfm_ctx *ctx = context();
        mfm_model *model = hand_residual(ctx, IR, OPSET);
        put(ctx, model, (mfm_head_options){.seed = seed});
        const Onnx__TensorProto *w = mfm_proto_initializer(model, "head.weight");
        const Onnx__TensorProto *b = mfm_proto_initializer(model, "head.bias");
        CU_ASSERT_PTR_NOT_NULL_FATAL(w);
        CU_ASSERT_PTR_NOT_NULL_FATAL(b);
        CU_ASSERT(w->n_dims == 2 && w->dims[0] == 7 && w->dims[1] == 4);
        CU_ASSERT(b->n_dims == 1 && b->dims[0] == 7);
        CU_ASSERT_EQUAL_FATAL(w->raw_data.len, sizeof first);
        memcpy(seed == 1 ? first : second, w->raw_data.data, sizeof first);
        done(ctx, model);
    }
    double squares = 0;
    for (size_t i = 0; i < 28; i++) {
        CU_ASSERT(fabsf(first[i]) <= 0.5F);
        squares += (double)first[i] * first[i];
    }
    const double variance = 0.25 / 3, error = 0.25 * sqrt(4.0 / 45 / 28);
    CU_ASSERT(fabs(squares / 28 - variance) < 4 * error);
    CU_ASSERT(memcmp(first, second, sizeof first) != 0);
}

/* conv 2 -> 6, Relu, MaxPool to [n, 6, 2, 2], Flatten, Gemm 24 -> 5, Relu, Dropout, Gemm 5 -> 3,
 * Softmax: a VGG in small. */
static mfm_model *small_vgg(mfm_ctx *ctx, int64_t opset)
{
    mfm_model *m = hand_model(ctx, IR, opset);
    hand_input(m, "x", HAND_DIMS(-1, 2, 4, 4));
    hand_weight(m, "k", HAND_DIMS(6, 2, 1, 1));
    hand_weight(m, "w1", HAND_DIMS(24, 5));
    hand_weight(m, "w2", HAND_DIMS(5, 3));
    hand_node(m, "Conv", "conv", "x k", "c");
    hand_node(m, "Relu", "", "c", "r");
    Onnx__NodeProto *pool = hand_node(m, "MaxPool", "", "r", "p");
    must(ctx, mfm_proto_attr_ints(m, pool, "kernel_shape", (const int64_t[]){2, 2}, 2));
    must(ctx, mfm_proto_attr_ints(m, pool, "strides", (const int64_t[]){2, 2}, 2));
    hand_node(m, "Flatten", "", "p", "flat");
    hand_node(m, "Gemm", "hidden", "flat w1", "h");
    hand_node(m, "Relu", "", "h", "a");
    hand_node(m, "Dropout", "", "a", "d");
    hand_node(m, "Gemm", "last", "d w2", "z");
    hand_node(m, "Softmax", "", "z", "y");
    hand_output(m, "y", HAND_DIMS(-1, 3));
    return m;
}

/* The Softmax goes with the classifier, whose hidden layers stay; a Dropout that is there gives way
 * to the one that is asked for. */
static void test_softmax(void)
{
    mfm_ctx *ctx = context();
    mfm_model *model = small_vgg(ctx, OPSET);
    mfm_head_report report = put(ctx, model, (mfm_head_options){.seed = 1});
    CU_ASSERT_STRING_EQUAL(report.features, "d");
    CU_ASSERT_EQUAL(report.removed_nodes, 2);
    CU_ASSERT_EQUAL(report.removed_initializers, 1);
    CU_ASSERT_EQUAL(count_nodes(model, "Softmax"), 0);
    CU_ASSERT_STRING_EQUAL(last_node(model, 0)->output[0], "y");
    done(ctx, model);
    for (int64_t opset = 11; opset <= 13; opset += 2) {
        ctx = context();
        model = small_vgg(ctx, opset);
        report = put(ctx, model, (mfm_head_options){.dropout = 0.25});
        CU_ASSERT_STRING_EQUAL(report.features, "a");
        CU_ASSERT_EQUAL(count_nodes(model, "Dropout"), 1);
        const Onnx__NodeProto *dropout = last_node(model, 1);
        CU_ASSERT_STRING_EQUAL(dropout->input[0], "a");
        if (opset >= 12) {
            CU_ASSERT_EQUAL_FATAL(dropout->n_input, 2);
            CU_ASSERT(is_constant(model, dropout->input[1], 0.25F));
        } else {
            const Onnx__AttributeProto *ratio = mfm_proto_attr(dropout, "ratio");
            CU_ASSERT_PTR_NOT_NULL_FATAL(ratio);
            CU_ASSERT_EQUAL(ratio->f, 0.25F);
        }
        done(ctx, model);
    }
}

static void test_pool(void)
{
    mfm_ctx *ctx = context();
    mfm_model *model = small_vgg(ctx, OPSET);
    const mfm_head_report report = put(ctx, model, (mfm_head_options){.pool = true});
    CU_ASSERT_STRING_EQUAL(report.features, "p");
    CU_ASSERT(report.pooled);
    CU_ASSERT_EQUAL(report.width, 6);
    CU_ASSERT_EQUAL(report.removed_nodes, 6);
    CU_ASSERT_STRING_EQUAL(last_node(model, 2)->op_type, "GlobalAveragePool");
    CU_ASSERT_STRING_EQUAL(last_node(model, 1)->op_type, "Flatten");
    CU_ASSERT_PTR_NULL(mfm_proto_initializer(model, "w1"));
    done(ctx, model);
    ctx = context(); /* pooled already */
    model = hand_residual(ctx, IR, OPSET);
    CU_ASSERT_STRING_EQUAL(put(ctx, model, (mfm_head_options){.pool = true}).features, "flat");
    CU_ASSERT_EQUAL(count_nodes(model, "GlobalAveragePool"), 1);
    done(ctx, model);
}

/* Behind the activation; [n, 6, 4, 4] laid out flat are 96 numbers. */
static void test_after(void)
{
    mfm_ctx *ctx = context();
    mfm_model *model = small_vgg(ctx, OPSET);
    mfm_head_report report = put(ctx, model, (mfm_head_options){.after = "conv"});
    CU_ASSERT_STRING_EQUAL(report.features, "r");
    CU_ASSERT_EQUAL(report.width, 96);
    CU_ASSERT_EQUAL(count_nodes(model, "MaxPool"), 0);
    done(ctx, model);
    ctx = context();
    model = small_vgg(ctx, OPSET);
    report = put(ctx, model, (mfm_head_options){.after = "conv:1", .pool = true});
    CU_ASSERT_EQUAL(report.width, 6);
    done(ctx, model);
    ctx = context();
    model = small_vgg(ctx, OPSET);
    report = put(ctx, model, (mfm_head_options){.after = "hidden"});
    CU_ASSERT_STRING_EQUAL(report.features, "a");
    CU_ASSERT_EQUAL(report.width, 5);
    done(ctx, model);
    ctx = context();
    model = hand_residual(ctx, IR, OPSET);
    report = put(ctx, model, (mfm_head_options){.after = "block:1", .pool = true});
    CU_ASSERT_STRING_EQUAL(report.features, "a2");
    CU_ASSERT_EQUAL(report.width, 4);
    done(ctx, model);
}

/* conv to features, then conv 1x1 to classes, Relu, GlobalAveragePool: a SqueezeNet in small. The
 * head reads the mean of the map that the classifier read. */
static void test_convolution(void)
{
    mfm_ctx *ctx = context();
    mfm_model *m = hand_model(ctx, IR, OPSET);
    hand_input(m, "x", HAND_DIMS(-1, 2, 3, 3));
    hand_weight(m, "k", HAND_DIMS(6, 2, 1, 1));
    hand_weight(m, "w", HAND_DIMS(5, 6, 1, 1));
    hand_node(m, "Conv", "", "x k", "c");
    hand_node(m, "Relu", "", "c", "r");
    hand_node(m, "Conv", "", "r w", "d");
    hand_node(m, "Relu", "", "d", "e");
    hand_node(m, "GlobalAveragePool", "", "e", "z");
    hand_output(m, "z", HAND_DIMS(-1, 5, 1, 1));
    const mfm_head_report report = put(ctx, m, (mfm_head_options){.seed = 1});
    CU_ASSERT_STRING_EQUAL(report.features, "r");
    CU_ASSERT(report.pooled);
    CU_ASSERT_EQUAL(report.width, 6);
    CU_ASSERT_EQUAL(m->proto->graph->output[0]->type->tensor_type->shape->n_dim, 2);
    done(ctx, m);
}

/* A tensor that exporters have merged stays as long as something reads it; one that nothing has
 * read stays as it is. An output that the old classifier made goes, one before it stays. */
static void test_shared(void)
{
    mfm_ctx *ctx = context();
    mfm_model *m = hand_model(ctx, IR, OPSET);
    hand_input(m, "x", HAND_DIMS(-1, 4));
    hand_weight(m, "w", HAND_DIMS(4, 4));
    hand_weight(m, "b", HAND_DIMS(4));
    hand_weight(m, "unread", HAND_DIMS(2));
    hand_node(m, "Identity", "", "b", "b2");
    hand_node(m, "Gemm", "", "x w b", "h");
    hand_node(m, "Relu", "", "h", "a");
    hand_node(m, "Gemm", "", "a w b2", "z");
    hand_node(m, "Relu", "", "z", "zz");
    hand_output(m, "z", HAND_DIMS(-1, 4));
    hand_output(m, "a", HAND_DIMS(-1, 4));
    hand_output(m, "zz", HAND_DIMS(-1, 4));
    const mfm_head_report report = put(ctx, m, (mfm_head_options){.seed = 1});
    CU_ASSERT_EQUAL(report.removed_nodes, 3);
    CU_ASSERT_EQUAL(report.removed_initializers, 0);
    CU_ASSERT_PTR_NOT_NULL(mfm_proto_initializer(m, "unread"));
    CU_ASSERT_EQUAL_FATAL(m->proto->graph->n_output, 2);
    CU_ASSERT_STRING_EQUAL(m->proto->graph->output[1]->name, "a");
    done(ctx, m);
}

/* ---- refusals -------------------------------------------------------------------------------- */

static void check_refused(mfm_ctx *ctx, mfm_model *model, mfm_head_options options,
                          const char *text)
{
    size_t before, after;
    options.classes = options.classes ? options.classes : 7;
    void *first = hand_pack(ctx, model, &before);
    CU_ASSERT_EQUAL(mfm_model_new_head(ctx, model, &options, NULL), MFM_EINVAL);
    if (!strstr(mfm_message(ctx), text))
        printf("\n    %s\n", mfm_message(ctx));
    CU_ASSERT_PTR_NOT_NULL(strstr(mfm_message(ctx), text));
    void *second = hand_pack(ctx, model, &after);
    CU_ASSERT(before == after && memcmp(first, second, before) == 0);
    mfm_free(ctx, first);
    mfm_free(ctx, second);
    done(ctx, model);
}

static void test_refusals(void)
{
    mfm_ctx *ctx = context();
    check_refused(ctx, small_vgg(ctx, OPSET), (mfm_head_options){.after = "hiden"},
                  "did you mean hidden");
    ctx = context();
    check_refused(ctx, small_vgg(ctx, OPSET), (mfm_head_options){.after = "last"},
                  "is the classifier itself");
    ctx = context();
    check_refused(ctx, small_vgg(ctx, OPSET), (mfm_head_options){.after = "*"}, "3 layers");
    ctx = context();
    check_refused(ctx, small_vgg(ctx, OPSET), (mfm_head_options){.classes = 1}, "at least 2");
    ctx = context();
    check_refused(ctx, small_vgg(ctx, OPSET), (mfm_head_options){.dropout = 1}, "below 1");
}

static void test_injected(void)
{
    mfm_ctx *ctx = context();
    mfm_model *model = small_vgg(ctx, OPSET);
    const mfm_inject_options inject = {.hidden = 3};
    must(ctx, mfm_model_inject(ctx, model, &inject));
    check_refused(ctx, model, (mfm_head_options){.seed = 1}, "it has a modulator");
}

/* Flatten and Gemm alone: nothing that was learned would be kept. Two layers side by side make the
 * output. */
static void test_no_features(void)
{
    mfm_ctx *ctx = context();
    mfm_model *m = hand_model(ctx, IR, OPSET);
    hand_input(m, "x", HAND_DIMS(-1, 4));
    hand_weight(m, "w", HAND_DIMS(4, 4));
    hand_node(m, "Flatten", "", "x", "f");
    hand_node(m, "Gemm", "", "f w", "z");
    hand_output(m, "z", HAND_DIMS(-1, 4));
    check_refused(ctx, m, (mfm_head_options){.seed = 1}, "no feature layer");
    ctx = context();
    m = hand_model(ctx, IR, OPSET);
    hand_input(m, "x", HAND_DIMS(-1, 4));
    hand_weight(m, "w", HAND_DIMS(4, 4));
    hand_node(m, "Gemm", "one", "x w", "p");
    hand_node(m, "Gemm", "two", "x w", "q");
    hand_node(m, "Add", "", "p q", "z");
    hand_output(m, "z", HAND_DIMS(-1, 4));
    check_refused(ctx, m, (mfm_head_options){.seed = 1}, "several layers make the output");
}

/* ---- memory ---------------------------------------------------------------------------------- */

typedef struct packed {
    void *bytes;
    size_t size;
} packed;

static int attempt(mfm_ctx *ctx, void *self)
{
    const packed *p = self;
    const mfm_head_options options = {.classes = 3, .after = "conv", .dropout = 0.5};
    mfm_model *model;
    int status = mfm_model_parse(ctx, p->bytes, p->size, "m.onnx", &model);
    if (!status)
        status = mfm_model_new_head(ctx, model, &options, NULL);
    mfm_model_free(model);
    return status;
}

static void test_memory(void)
{
    mfm_ctx *ctx = context();
    mfm_model *model = small_vgg(ctx, OPSET);
    packed p;
    p.bytes = hand_pack(ctx, model, &p.size);
    mfm_assert_refusals_are_told(attempt, &p);
    mfm_free(ctx, p.bytes);
    done(ctx, model);
}

static const mfm_case cases[] = {
    {"the last layer gives way to one for other classes, all else stays", test_last_layer},
    {"weights start uniform within 1 / sqrt(width), by the seed", test_start},
    {"a Softmax goes, a Dropout gives way to another", test_softmax},
    {"pooling reads the means of the last maps", test_pool},
    {"a layer can be named whose features are read", test_after},
    {"a convolution that classifies gives way to means and a linear layer", test_convolution},
    {"what is read elsewhere stays", test_shared},
    {"what cannot be is refused by name, and nothing is edited", test_refusals},
    {"a modulator must be stripped first", test_injected},
    {"no feature layer, or several candidates: refused", test_no_features},
    {"every refused allocation is told, and nothing leaks", test_memory},
};

MFM_SUITE("onnx/head", cases)
