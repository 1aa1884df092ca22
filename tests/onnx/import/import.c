/* What names stand for after an import: parameters, statistics, constants; and the network's ends.
 */
#include "models/models.h"
#include "onnx/surgery/inject.h"
#include "onnx/proto/proto.h"
#include "tests/refusals.h"
#include "tests/onnx/import/imported.h"
#include "tests/suite.h"

static void roles_follow_the_use(void)
{
    imported t = start(8, 17);
    hand_conv(t.model);
    static const char *const names[] = {"s", "b", "m", "v"};
    for (int i = 0; i < 4; i++)
        hand_weight(t.model, names[i], HAND_DIMS(4));
    hand_node(t.model, "BatchNormalization", "bn", "c s b m v", "n");
    hand_head(t.model, "n");
    CU_ASSERT_FATAL(imports(&t));
    CU_ASSERT(value_of(&t, "w", MFM_VALUE_PARAM) && value_of(&t, "s", MFM_VALUE_PARAM));
    CU_ASSERT(value_of(&t, "b", MFM_VALUE_PARAM) && value_of(&t, "fc", MFM_VALUE_PARAM));
    CU_ASSERT(value_of(&t, "m", MFM_VALUE_STATE) && value_of(&t, "v", MFM_VALUE_STATE));
    CU_ASSERT_EQUAL(count_kind(&t, MFM_VALUE_PARAM), 4);
    CU_ASSERT_EQUAL(count_kind(&t, MFM_VALUE_STATE), 2);
    CU_ASSERT_EQUAL(count_kind(&t, MFM_VALUE_INPUT), 1);
    CU_ASSERT(logits_are(&t, 7, 5));
    CU_ASSERT(t.network->soft_label == -1 && t.network->toggle == -1 && t.network->n_sites == 0);
    finish(&t);
}

static void weights_are_stored_channels_last(void)
{
    imported t = start(8, 17);
    hand_input(t.model, "x", HAND_DIMS(-1, 2, 4, 4));
    hand_weight(t.model, "w", HAND_DIMS(4, 2, 1, 2)); /* 0.5 for column 0, -0.25 for column 1 */
    hand_node(t.model, "Conv", "conv", "x w", "c");
    hand_head(t.model, "c");
    CU_ASSERT_FATAL(imports(&t));
    const mfm_value *w = value_of(&t, "w", MFM_VALUE_PARAM);
    CU_ASSERT_PTR_NOT_NULL_FATAL(w);
    const real *stored = t.network->graph->params + w->offset;
    for (int i = 0; i < 16; i++)
        CU_ASSERT_EQUAL(stored[i], i / 2 % 2 ? -0.25 : 0.5);
    finish(&t);
}

/* x + w: two 1x1 convolutions with one initialiser, directly or by way of an Identity. */
static imported two_convolutions(const char *second)
{
    imported t = start(8, 17);
    char inputs[16];
    hand_input(t.model, "x", HAND_DIMS(-1, 4, 4, 4));
    hand_weight(t.model, "w", HAND_DIMS(4, 4, 1, 1));
    hand_node(t.model, "Identity", "", "w", "own");
    hand_node(t.model, "Identity", "", "own", "own2");
    hand_node(t.model, "Conv", "", "x w", "c");
    snprintf(inputs, sizeof inputs, "c %s", second);
    hand_node(t.model, "Conv", "", inputs, "d");
    hand_head(t.model, "d");
    return t;
}

static void direct_double_use_is_a_tie(void)
{
    imported t = two_convolutions("w");
    CU_ASSERT_FATAL(imports(&t));
    CU_ASSERT_EQUAL(count_numbers(t.network->graph, MFM_VALUE_PARAM), 16 + 20);
    const mfm_graph *graph = t.network->graph;
    CU_ASSERT_EQUAL(graph->nodes[0].in[1], graph->nodes[1].in[1]);
    finish(&t);
}

static void an_identity_is_a_parameter_of_its_own(void)
{
    static const char *const names[] = {"own", "own2"};
    for (int i = 0; i < 2; i++) {
        imported t = two_convolutions(names[i]);
        CU_ASSERT_FATAL(imports(&t));
        CU_ASSERT_EQUAL(count_numbers(t.network->graph, MFM_VALUE_PARAM), 32 + 20);
        CU_ASSERT_PTR_NOT_NULL(value_of(&t, names[i], MFM_VALUE_PARAM));
        CU_ASSERT_PTR_NOT_NULL(value_of(&t, "w", MFM_VALUE_PARAM));
        finish(&t);
    }
}

static void batch_outputs_of_training_are_dropped(void)
{
    static const char *const outputs[] = {"n", "n m2 v2 sm sv", "n m2 v2"};
    static const int64_t opsets[] = {9, 9, 15};
    for (int i = 0; i < 3; i++) {
        imported t = start(8, opsets[i]);
        hand_conv(t.model);
        static const char *const names[] = {"s", "b", "m", "v"};
        for (int k = 0; k < 4; k++)
            hand_weight(t.model, names[k], HAND_DIMS(4));
        Onnx__NodeProto *bn =
            hand_node(t.model, "BatchNormalization", "bn", "c s b m v", outputs[i]);
        if (i == 2)
            CU_ASSERT_FALSE(mfm_proto_attr_int(t.model, bn, "training_mode", 1));
        hand_head(t.model, "n");
        CU_ASSERT_FATAL(imports(&t));
        CU_ASSERT_EQUAL(t.network->graph->nodes[1].n_out, 1);
        CU_ASSERT_EQUAL(count_kind(&t, MFM_VALUE_STATE), 2);
        finish(&t);
    }
}

static void constants_are_fixed_unless_they_are_weights(void)
{
    imported t = start(8, 17);
    hand_weight(t.model, "factor0", HAND_DIMS(4, 1, 1));
    hand_constant(t.model, "factor0", "factor");
    hand_weight(t.model, "kernel0", HAND_DIMS(4, 4, 1, 1));
    hand_constant(t.model, "kernel0", "kernel");
    hand_conv(t.model);
    hand_weight(t.model, "scale", HAND_DIMS(4, 1, 1));
    hand_node(t.model, "Mul", "", "c factor", "d");
    hand_node(t.model, "Mul", "", "d scale", "e");
    hand_node(t.model, "Conv", "", "e kernel", "g");
    hand_head(t.model, "g");
    CU_ASSERT_FATAL(imports(&t));
    CU_ASSERT_PTR_NOT_NULL(value_of(&t, "factor", MFM_VALUE_CONST));
    CU_ASSERT_PTR_NOT_NULL(value_of(&t, "scale", MFM_VALUE_PARAM));
    CU_ASSERT_PTR_NOT_NULL(value_of(&t, "kernel", MFM_VALUE_PARAM));
    finish(&t);
}

static void every_form_of_constant(void)
{
    imported t = start(8, 17);
    hand_conv(t.model);
    Onnx__NodeProto *node = hand_node(t.model, "Constant", "", "", "six");
    CU_ASSERT_FALSE(mfm_proto_attr_float(t.model, node, "value_float", 6));
    node = hand_node(t.model, "Constant", "", "", "dims");
    CU_ASSERT_FALSE(mfm_proto_attr_ints(t.model, node, "value_ints", (int64_t[]){0, 4, 16}, 3));
    node = hand_node(t.model, "Constant", "", "", "one");
    CU_ASSERT_FALSE(mfm_proto_attr_int(t.model, node, "value_int", 1));
    node = hand_node(t.model, "Constant", "", "", "shift");
    CU_ASSERT_FALSE(mfm_proto_attr_float(t.model, node, "value_floats", 0));
    Onnx__AttributeProto *floats = node->attribute[0];
    floats->has_f = 0;
    floats->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOATS;
    floats->floats = mfm_proto_new(t.model, sizeof(float));
    CU_ASSERT_PTR_NOT_NULL_FATAL(floats->floats);
    floats->floats[0] = 7;
    floats->n_floats = 1;
    hand_ints(t.model, "axes", 1, (const int64_t[]){0});
    hand_node(t.model, "Unsqueeze", "", "one axes", "last");
    hand_node(t.model, "Concat", "", "dims last", "shape");
    hand_node(t.model, "Clip", "", "c - six", "d");
    hand_node(t.model, "Reshape", "", "d shape", "e");
    hand_node(t.model, "Add", "", "e shift", "g");
    hand_head(t.model, "g");
    CU_ASSERT_FATAL(imports(&t));
    const mfm_value *shift = value_of(&t, "shift", MFM_VALUE_CONST);
    CU_ASSERT_PTR_NOT_NULL_FATAL(shift);
    CU_ASSERT(shift->shape.rank == 1 && shift->shape.dim[0] == 1 && shift->data[0] == 7);
    CU_ASSERT_EQUAL(count_kind(&t, MFM_VALUE_PARAM), 2);
    finish(&t);
}

static void inputs_with_initializers_are_not_data(void)
{
    imported t = {.ctx = mfm_ctx_new(NULL)};
    t.model = hand_residual(t.ctx, 3, 9);
    /* The image last: it is not found by its place. */
    Onnx__GraphProto *graph = t.model->proto->graph;
    Onnx__ValueInfoProto *x = graph->input[0];
    memmove(graph->input, graph->input + 1, (graph->n_input - 1) * sizeof *graph->input);
    graph->input[graph->n_input - 1] = x;
    CU_ASSERT_FATAL(imports(&t));
    CU_ASSERT_EQUAL(count_kind(&t, MFM_VALUE_INPUT), 1);
    CU_ASSERT_STRING_EQUAL(t.network->graph->values[t.network->images].name, "x");
    CU_ASSERT(logits_are(&t, 3, 5));
    finish(&t);
}

static void dropout_takes_its_inputs_as_attributes(void)
{
    imported t = start(8, 13);
    hand_conv(t.model);
    hand_weight(t.model, "ratio", 0, NULL); /* 0.5 */
    hand_ints(t.model, "training", 1, (const int64_t[]){1});
    hand_node(t.model, "Dropout", "", "c ratio training", "d mask");
    hand_head(t.model, "d");
    CU_ASSERT_FATAL(imports(&t));
    CU_ASSERT(t.network->graph->nodes[1].n_in == 1 && t.network->graph->nodes[1].n_out == 1);
    CU_ASSERT_PTR_NULL(value_of(&t, "ratio", MFM_VALUE_PARAM));
    finish(&t);
}

static void a_softmax_at_the_end_is_left_to_the_loss(void)
{
    static const char *const types[] = {"Softmax", "LogSoftmax"};
    for (int i = 0; i < 2; i++) {
        imported t = start(8, 13);
        hand_conv(t.model);
        hand_head(t.model, "c");
        hand_node(t.model, types[i], "", "logits", "soft");
        hand_node(t.model, "Identity", "", "soft", "probabilities");
        t.model->proto->graph->n_output = 0;
        mfm_proto_discard(t.model, t.model->proto->graph->output[0]);
        hand_output(t.model, "probabilities", HAND_DIMS(-1, 5));
        CU_ASSERT_FATAL(imports(&t));
        CU_ASSERT_STRING_EQUAL(t.network->graph->values[t.network->logits].name, "logits");
        finish(&t);
    }
}

static void maps_of_one_pixel_are_logits(void)
{
    imported t = start(8, 13);
    hand_conv(t.model);
    hand_node(t.model, "GlobalAveragePool", "", "c", "p");
    Onnx__NodeProto *node = hand_node(t.model, "Softmax", "", "p", "soft");
    CU_ASSERT_FALSE(mfm_proto_attr_int(t.model, node, "axis", 1));
    hand_output(t.model, "soft", HAND_DIMS(-1, 4, 1, 1));
    CU_ASSERT_FATAL(imports(&t));
    CU_ASSERT(logits_are(&t, 3, 4));
    finish(&t);
}

static void every_architecture_imports(void)
{
    static const struct {
        const char *name;
        int64_t parameters;
    } known[] = {{"resnet20", 269722},
                 {"resnet32", 464154},
                 {"resnet18", 11689512},
                 {"resnet34", 21797672},
                 {"resnet50", 25557032}};
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    const mfm_architecture *at;
    for (size_t i = 0; (at = mfm_model_at(i)); i++) {
        mfm_model *model;
        mfm_network *network = NULL;
        if (strncmp(at->name, "vgg", 3) == 0)
            continue; /* half a gigabyte of weights each: see models/vgg */
        CU_ASSERT_EQUAL_FATAL(mfm_model_make(ctx, at->name, NULL, &model), MFM_OK);
        CU_ASSERT_EQUAL_FATAL(mfm_model_import(ctx, model, &network), MFM_OK);
        for (size_t k = 0; k < sizeof known / sizeof known[0]; k++)
            if (strcmp(known[k].name, at->name) == 0)
                CU_ASSERT_EQUAL(count_numbers(network->graph, MFM_VALUE_PARAM),
                                known[k].parameters);
        mfm_network_free(ctx, network);
        mfm_model_free(model);
    }
    CU_ASSERT(at == NULL);
    mfm_ctx_free(ctx);
}

static mfm_model *injected_lenet(mfm_ctx *ctx, int hash_dim)
{
    static const char *const layers[] = {"conv:1", "conv:2"};
    const mfm_inject_options options = {.layers = layers, .n_layers = 2, .hash_dim = hash_dim};
    mfm_model *model;
    if (mfm_model_make(ctx, "lenet", NULL, &model))
        return NULL;
    if (!mfm_model_inject(ctx, model, &options))
        return model;
    mfm_model_free(model);
    return NULL;
}

static void modulators_are_found(void)
{
    for (int hash_dim = 0; hash_dim < 8; hash_dim += 7) {
        imported t = {.ctx = mfm_ctx_new(NULL)}, plain = {.ctx = mfm_ctx_new(NULL)};
        t.model = injected_lenet(t.ctx, hash_dim);
        CU_ASSERT_PTR_NOT_NULL_FATAL(t.model);
        CU_ASSERT_EQUAL_FATAL(mfm_model_make(plain.ctx, "lenet", NULL, &plain.model), MFM_OK);
        CU_ASSERT_FATAL(imports(&t) && imports(&plain));
        const mfm_network *n = t.network;
        CU_ASSERT_EQUAL(n->n_sites, 2);
        CU_ASSERT_STRING_EQUAL(n->graph->values[n->soft_label].name, "mfm.soft_label");
        CU_ASSERT_STRING_EQUAL(n->graph->values[n->toggle].name, "mfm.switch");
        CU_ASSERT_EQUAL(n->graph->values[n->soft_label].shape.dim[1], n->classes);
        CU_ASSERT_NOT_EQUAL(n->sites[0].value, n->sites[0].modulated);
        /* Two linear layers, and nothing else, are new to train: no 1 of gamma - 1, no share, no
         * hashing matrix. */
        CU_ASSERT_EQUAL(count_kind(&t, MFM_VALUE_PARAM), count_kind(&plain, MFM_VALUE_PARAM) + 4);
        CU_ASSERT_PTR_NULL(value_of(&t, "mfm.one", MFM_VALUE_PARAM));
        CU_ASSERT_PTR_NOT_NULL(value_of(&t, "mfm.one", MFM_VALUE_CONST));
        finish(&t);
        finish(&plain);
    }
}

typedef struct packed_model {
    void *bytes;
    size_t size;
} packed_model;

static int attempt(mfm_ctx *ctx, void *self)
{
    const packed_model *packed = self;
    mfm_model *model;
    mfm_network *network = NULL;
    int status = mfm_model_parse(ctx, packed->bytes, packed->size, "packed", &model);
    if (status)
        return status;
    status = mfm_model_import(ctx, model, &network);
    mfm_network_free(ctx, network);
    mfm_model_free(model);
    return status;
}

static void a_refused_allocation_is_told(void)
{
    packed_model packed;
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    mfm_model *model = injected_lenet(ctx, 0);
    CU_ASSERT_PTR_NOT_NULL_FATAL(model);
    packed.bytes = hand_pack(ctx, model, &packed.size);
    mfm_assert_refusals_are_told(attempt, &packed);
    mfm_free(ctx, packed.bytes);
    mfm_model_free(model);
    mfm_ctx_free(ctx);
}

static const mfm_case cases[] = {
    {"what an initialiser is follows from its use", roles_follow_the_use},
    {"weights are stored channels-last", weights_are_stored_channels_last},
    {"direct use by two nodes is a true tie", direct_double_use_is_a_tie},
    {"Identity(initialiser) is a parameter of its own", an_identity_is_a_parameter_of_its_own},
    {"batch outputs of BatchNormalization are dropped", batch_outputs_of_training_are_dropped},
    {"Constants are fixed unless they are weights", constants_are_fixed_unless_they_are_weights},
    {"every form of Constant is read", every_form_of_constant},
    {"inputs that have initialisers are not data", inputs_with_initializers_are_not_data},
    {"Dropout takes ratio and training_mode from inputs", dropout_takes_its_inputs_as_attributes},
    {"a Softmax at the end is left to the loss", a_softmax_at_the_end_is_left_to_the_loss},
    {"maps of one pixel are logits", maps_of_one_pixel_are_logits},
    {"every architecture imports with its parameters", every_architecture_imports},
    {"modulators are found, with their sites and inputs", modulators_are_found},
    {"a refused allocation is told, and leaks nothing", a_refused_allocation_is_told},
};
MFM_SUITE("onnx/import", cases)
