/* What training does with each tensor, and the copies that tensors in several roles get. */
#include "onnx/roles/roles.h"

#include "onnx/surgery/inject.h"
#include "onnx/storage/tensor_data.h"
#include "tests/refusals.h"
#include "tests/onnx/import/imported.h"
#include "tests/suite.h"

/* The tensor has that fate, and the reason has that word. */
static bool has_fate(const mfm_roles *roles, const char *name, mfm_fate fate, const char *word)
{
    const mfm_tensor_role *role = mfm_roles_find(roles, name);
    const bool good = role && role->fate == fate && strstr(role->why, word);
    if (!good)
        printf("\n    %s: %s (%s)\n", name, role ? mfm_fate_name(role->fate) : "not there",
               role ? role->why : "");
    return good;
}

static mfm_roles *roles_of(imported *t, const mfm_role_choice *choice)
{
    mfm_roles *roles = NULL;
    if (mfm_roles_new(t->ctx, t->model, choice, &roles))
        printf("\n    %s\n", mfm_message(t->ctx));
    CU_ASSERT_PTR_NOT_NULL_FATAL(roles);
    return roles;
}

static void set_numbers(mfm_model *m, const char *name, const float *numbers)
{
    Onnx__TensorProto *t = mfm_proto_initializer(m, name);
    memcpy(t->raw_data.data, numbers, t->raw_data.len);
}

/* x [-1,3,4,4] -> normalised image -> Conv -> features with operands of every kind. */
static imported of_every_kind(void)
{
    imported t = start(8, 17);
    mfm_model *m = t.model;
    hand_input(m, "x", HAND_DIMS(-1, 3, 4, 4));
    hand_weight(m, "mean", HAND_DIMS(1, 3, 1, 1));
    hand_weight(m, "deviation", HAND_DIMS(3, 1, 1));
    hand_weight(m, "w", HAND_DIMS(4, 3, 1, 1));
    hand_weight(m, "bias", HAND_DIMS(4));
    hand_weight(m, "six", 0, NULL);
    hand_weight(m, "low", 0, NULL);
    hand_weight(m, "layer_scale", HAND_DIMS(4, 1, 1));
    hand_weight(m, "position", HAND_DIMS(1, 4, 4, 4));
    hand_weight(m, "mask", HAND_DIMS(4, 1, 1));
    set_numbers(m, "mask", (const float[]){0, -100, -100, 0});
    hand_weight(m, "flat", HAND_DIMS(16));
    hand_ints(m, "shape", 4, (const int64_t[]){4, 4, 1, 1});
    hand_weight(m, "unread", HAND_DIMS(4));
    hand_node(m, "Sub", "", "x mean", "x1");
    hand_node(m, "Relu", "", "x1", "x2");
    hand_node(m, "Div", "", "x2 deviation", "x3");
    hand_node(m, "Conv", "", "x3 w bias", "c");
    hand_node(m, "Mul", "", "c six", "c1");
    hand_node(m, "Clip", "", "c1 low", "c2");
    hand_node(m, "Mul", "", "c2 layer_scale", "c3");
    hand_node(m, "Add", "", "c3 position", "c4");
    hand_node(m, "Add", "", "c4 mask", "c5");
    hand_node(m, "Reshape", "", "flat shape", "kernel");
    hand_node(m, "Conv", "", "c5 kernel", "c6");
    hand_head(m, "c6");
    hand_weight(m, "fc_bias", HAND_DIMS(5));
    hand_node(m, "Add", "", "logits fc_bias", "biased");
    mfm_proto_discard(m, m->proto->graph->output[0]);
    m->proto->graph->n_output = 0;
    hand_output(m, "biased", HAND_DIMS(-1, 5));
    return t;
}

static void the_fate_follows_from_the_use(void)
{
    imported t = of_every_kind();
    mfm_roles *r = roles_of(&t, NULL);
    CU_ASSERT(has_fate(r, "mean", MFM_FATE_FIXED, "image"));
    CU_ASSERT(has_fate(r, "deviation", MFM_FATE_FIXED, "image"));
    CU_ASSERT(has_fate(r, "w", MFM_FATE_TRAINED, "weight"));
    CU_ASSERT(has_fate(r, "bias", MFM_FATE_TRAINED, "weight"));
    CU_ASSERT(has_fate(r, "six", MFM_FATE_FIXED, "single number"));
    CU_ASSERT(has_fate(r, "low", MFM_FATE_SETTING, "sets"));
    CU_ASSERT(has_fate(r, "layer_scale", MFM_FATE_TRAINED, "operand"));
    CU_ASSERT(has_fate(r, "position", MFM_FATE_TRAINED, "operand"));
    CU_ASSERT(has_fate(r, "mask", MFM_FATE_FIXED, "mask"));
    CU_ASSERT(has_fate(r, "flat", MFM_FATE_TRAINED, "weight"));
    CU_ASSERT(has_fate(r, "fc", MFM_FATE_TRAINED, "weight"));
    CU_ASSERT(has_fate(r, "fc_bias", MFM_FATE_TRAINED, "bias"));
    CU_ASSERT(has_fate(r, "unread", MFM_FATE_UNREAD, ""));
    CU_ASSERT_PTR_NULL(mfm_roles_find(r, "shape"));
    mfm_roles_free(r);
    CU_ASSERT_FATAL(imports(&t));
    static const char *const fixed[] = {"mean", "deviation", "six", "mask"};
    for (int i = 0; i < 4; i++)
        CU_ASSERT_PTR_NOT_NULL(value_of(&t, fixed[i], MFM_VALUE_CONST));
    CU_ASSERT_EQUAL(count_kind(&t, MFM_VALUE_CONST), 4);
    CU_ASSERT_EQUAL(count_kind(&t, MFM_VALUE_PARAM), 7);
    finish(&t);
}

/* A mask made of regions that are numbered, as shifted windows are; a threshold; and a weight of
 * which small numbers are left out, which stays one. */
static void what_is_compared_is_not_trained(void)
{
    imported t = start(8, 17);
    mfm_model *m = t.model;
    hand_conv(m);
    hand_weight(m, "region", HAND_DIMS(4, 1, 1));
    set_numbers(m, "region", (const float[]){2, 2, 2, 2});
    hand_weight(m, "other", HAND_DIMS(1, 4, 1));
    set_numbers(m, "other", (const float[]){0, 0, 0, 0});
    hand_weight(m, "threshold", HAND_DIMS(4, 1, 1));
    hand_weight(m, "zero", 0, NULL);
    hand_weight(m, "low", 0, NULL);
    hand_weight(m, "pruned", HAND_DIMS(4, 4, 1, 1));
    set_numbers(m, "pruned", (const float[16]){1, -2, 3, -4, 5});
    hand_node(m, "Sub", "", "region other", "apart");
    hand_node(m, "Equal", "", "apart zero", "same");
    hand_node(m, "Where", "", "same zero apart", "mask");
    hand_node(m, "Add", "", "c mask", "c1");
    hand_node(m, "Greater", "", "c1 threshold", "more");
    hand_node(m, "Where", "", "more c1 low", "c2");
    hand_node(m, "Greater", "", "pruned zero", "large");
    hand_node(m, "Where", "", "large pruned zero", "kernel");
    hand_node(m, "Conv", "", "c2 kernel", "c3");
    hand_head(m, "c3");
    mfm_roles *r = roles_of(&t, NULL);
    CU_ASSERT(has_fate(r, "region", MFM_FATE_FIXED, "compared"));
    CU_ASSERT(has_fate(r, "other", MFM_FATE_FIXED, "compared"));
    CU_ASSERT(has_fate(r, "threshold", MFM_FATE_SETTING, "compared"));
    CU_ASSERT(has_fate(r, "pruned", MFM_FATE_TRAINED, ""));
    mfm_roles_free(r);
    CU_ASSERT(imports(&t));
    finish(&t);
}

/* Numbers of the file that are moved as sizes say, or cast as features are, are what they are where
 * they get to; so is the bias behind a weight that multiplies from the left. */
static void sizes_only_move_numbers(void)
{
    imported t = start(8, 17);
    mfm_model *m = t.model;
    hand_input(m, "x", HAND_DIMS(-1, 1, 6, 6));
    hand_ints(m, "first", 1, (const int64_t[]){0});
    hand_ints(m, "second", 1, (const int64_t[]){1});
    hand_ints(m, "last", 1, (const int64_t[]){2});
    hand_weight(m, "left", HAND_DIMS(4, 6));
    hand_weight(m, "bias", HAND_DIMS(4, 1));
    hand_weight(m, "table", HAND_DIMS(9, 6));
    hand_weight(m, "scale", HAND_DIMS(1, 4, 1));
    hand_weight(m, "bound", 0, NULL);
    hand_node(m, "Squeeze", "", "x second", "rows");
    hand_node(m, "MatMul", "", "left rows", "q");
    hand_node(m, "Add", "", "q bias", "q1");
    hand_node(m, "Shape", "", "q1", "sizes");
    hand_node(m, "Slice", "", "sizes second last", "length");
    hand_node(m, "Slice", "", "table first length", "position");
    hand_node(m, "Add", "", "q1 position", "q2");
    hand_node(m, "CastLike", "", "scale q2", "scale1");
    hand_node(m, "Mul", "", "q2 scale1", "q3");
    hand_node(m, "CastLike", "", "bound q3", "bound1");
    hand_node(m, "Clip", "", "q3 bound1", "q4");
    hand_head(m, "q4");
    mfm_roles *r = roles_of(&t, NULL);
    CU_ASSERT(has_fate(r, "left", MFM_FATE_TRAINED, "weight"));
    CU_ASSERT(has_fate(r, "bias", MFM_FATE_TRAINED, "bias"));
    CU_ASSERT(has_fate(r, "table", MFM_FATE_TRAINED, "operand"));
    CU_ASSERT(has_fate(r, "scale", MFM_FATE_TRAINED, "operand"));
    CU_ASSERT(has_fate(r, "bound", MFM_FATE_SETTING, "sets"));
    mfm_roles_free(r);
    CU_ASSERT(imports(&t));
    finish(&t);
}

/* Scale and shift from Constant nodes: made up beside statistics in initialisers, weights in a file
 * that keeps everything in Constant nodes. */
static void affine_constants_are_fixed_beside_statistics(void)
{
    for (int all = 0; all < 2; all++) {
        imported t = start(8, 17);
        static const char *const names[] = {"s", "b", "m", "v"};
        static const char *const constants[] = {"sc", "bc", "mc", "vc"};
        hand_conv(t.model);
        for (int i = 0; i < 4; i++) {
            hand_weight(t.model, names[i], HAND_DIMS(4));
            if (i < 2 || all)
                hand_constant(t.model, names[i], constants[i]);
        }
        hand_node(t.model, "BatchNormalization", "", all ? "c sc bc mc vc" : "c sc bc m v", "n");
        hand_head(t.model, "n");
        mfm_roles *r = roles_of(&t, NULL);
        CU_ASSERT(has_fate(r, "sc", all ? MFM_FATE_TRAINED : MFM_FATE_FIXED, all ? "" : "affine"));
        CU_ASSERT(has_fate(r, "bc", all ? MFM_FATE_TRAINED : MFM_FATE_FIXED, all ? "" : "affine"));
        CU_ASSERT(has_fate(r, all ? "mc" : "m", MFM_FATE_STATISTIC, "mean"));
        mfm_roles_free(r);
        CU_ASSERT_FATAL(imports(&t));
        CU_ASSERT_EQUAL(count_kind(&t, MFM_VALUE_PARAM), all ? 4 : 2);
        CU_ASSERT_EQUAL(count_kind(&t, MFM_VALUE_STATE), 2);
        finish(&t);
    }
}

/* elementwise_affine=False, as torch writes it; in a file of Constant nodes alone these are the
 * weights of a fresh network. */
static void ones_and_zeros_in_constant_nodes(void)
{
    for (int all = 0; all < 2; all++) {
        imported t = start(8, 17);
        hand_input(t.model, "x", HAND_DIMS(-1, 1, 6, 6));
        hand_weight(t.model, "k", HAND_DIMS(4, 1, 3, 3));
        static const char *const names[] = {"one", "zero", "shift"};
        static const char *const constants[] = {"onec", "zeroc", "shiftc"};
        for (int i = 0; i < 3; i++) {
            hand_weight(t.model, names[i], HAND_DIMS(4));
            set_numbers(t.model, names[i], (const float[]){i == 0, i == 0, i == 0, i == 0});
        }
        set_numbers(t.model, "shift", (const float[]){0, 1, 2, 3});
        for (int i = 0; i < 3; i++)
            hand_constant(t.model, names[i], constants[i]);
        if (all)
            hand_constant(t.model, "k", "kc");
        hand_node(t.model, "Conv", "", all ? "x kc" : "x k", "c");
        hand_node(t.model, "LayerNormalization", "", "c onec zeroc", "n");
        hand_node(t.model, "LayerNormalization", "", "n onec shiftc", "n2");
        mfm_roles *r = roles_of(&t, NULL);
        const mfm_fate fate = all ? MFM_FATE_TRAINED : MFM_FATE_FIXED;
        CU_ASSERT(has_fate(r, "onec", fate, all ? "" : "affine"));
        CU_ASSERT(has_fate(r, "zeroc", fate, all ? "" : "affine"));
        CU_ASSERT(has_fate(r, "shiftc", MFM_FATE_TRAINED, ""));
        mfm_roles_free(r);
        finish(&t);
    }
}

static void the_user_has_the_last_word(void)
{
    imported t = of_every_kind();
    static const char *const fix[] = {"w", "fc*"}, *const set_free[] = {"mean", "fc_bias"};
    const mfm_role_choice choice = {.freeze = fix, .n_freeze = 2, .free = set_free, .n_free = 2};
    mfm_roles *r = roles_of(&t, &choice);
    CU_ASSERT(has_fate(r, "w", MFM_FATE_FIXED, "choice"));
    CU_ASSERT(has_fate(r, "fc", MFM_FATE_FIXED, "choice"));
    CU_ASSERT(has_fate(r, "fc_bias", MFM_FATE_TRAINED, "choice"));
    CU_ASSERT(has_fate(r, "mean", MFM_FATE_TRAINED, "choice"));
    CU_ASSERT(has_fate(r, "deviation", MFM_FATE_FIXED, "image"));
    mfm_roles_free(r);
    CU_ASSERT_EQUAL_FATAL(mfm_model_import_chosen(t.ctx, t.model, &choice, &t.network), MFM_OK);
    const mfm_value *w = value_of(&t, "w", MFM_VALUE_PARAM);
    const mfm_value *mean = value_of(&t, "mean", MFM_VALUE_PARAM);
    CU_ASSERT(w && !w->trainable && mean && mean->trainable);
    finish(&t);
}

static void a_choice_that_cannot_be_is_refused(void)
{
    static const struct {
        const char *fix, *free, *words[3];
    } wrong[] = {{"layer_scala", NULL, {"freeze 'layer_scala'", "did you mean layer_scale?"}},
                 {"six", NULL, {NULL}}, /* fixed already */
                 {"low", NULL, {"'low'", "setting", "only what would be trained"}},
                 {NULL, "low", {"'low'", "setting", "only what would be fixed"}},
                 {NULL, "zzz*", {"'zzz*'", "no tensor or layer is called so"}},
                 {"si?", NULL, {NULL}}, /* the same by a pattern */
                 {"lo?", NULL, {"'lo?'", "none of its 1 tensor:"}}};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        imported t = of_every_kind();
        const mfm_role_choice choice = {.freeze = &wrong[i].fix,
                                        .n_freeze = wrong[i].fix != NULL,
                                        .free = &wrong[i].free,
                                        .n_free = wrong[i].free != NULL};
        const int status = mfm_model_import_chosen(t.ctx, t.model, &choice, &t.network);
        CU_ASSERT_EQUAL(status, wrong[i].words[0] ? MFM_EINVAL : MFM_OK);
        for (int k = 0; k < 3 && wrong[i].words[k]; k++)
            CU_ASSERT_PTR_NOT_NULL(strstr(mfm_message(t.ctx), wrong[i].words[k]));
        finish(&t);
    }
}

/* ---- copies --------------------------------------------------------------------------------- */

/* Two convolutions, each with a BatchNormalization [x s b b s], as tools that merge equal tensors
 * leave fresh networks. second: the weight of the second convolution. */
static imported merged(const char *second)
{
    imported t = start(8, 17);
    mfm_model *m = t.model;
    char inputs[16];
    hand_input(m, "x", HAND_DIMS(-1, 4, 4, 4));
    hand_weight(m, "w", HAND_DIMS(4, 4, 1, 1));
    hand_weight(m, "w2", HAND_DIMS(4, 4, 1, 1));
    hand_weight(m, "s", HAND_DIMS(4));
    hand_weight(m, "b", HAND_DIMS(4));
    hand_node(m, "Conv", "", "x w b", "c");
    hand_node(m, "BatchNormalization", "", "c s b b s", "n");
    snprintf(inputs, sizeof inputs, "n %s b", second);
    hand_node(m, "Conv", "", inputs, "c2");
    hand_node(m, "BatchNormalization", "", "c2 s b b s", "n2");
    hand_head(m, "n2");
    return t;
}

static void merged_tensors_are_trained_one_by_one(void)
{
    imported t = merged("w2");
    CU_ASSERT(REFUSED(&t, MFM_ENOTSUP, "'b'", "statistic", "its own"));
    size_t copies = 0;
    CU_ASSERT_EQUAL_FATAL(mfm_model_untie(t.ctx, t.model, &copies), MFM_OK);
    /* b: two biases, two shifts, two means; s: two scales, two variances; the first stay. */
    CU_ASSERT_EQUAL(copies, 5 + 3);
    CU_ASSERT_FATAL(imports(&t));
    CU_ASSERT_EQUAL(count_kind(&t, MFM_VALUE_PARAM), 2 + 6 + 1);
    CU_ASSERT_EQUAL(count_kind(&t, MFM_VALUE_STATE), 4);
    CU_ASSERT_EQUAL_FATAL(mfm_model_untie(t.ctx, t.model, &copies), MFM_OK);
    CU_ASSERT_EQUAL(copies, 0);
    finish(&t);
}

/* The same convolution twice, each time with the same BatchNormalization: one layer. */
static void a_layer_that_is_used_twice_stays_one(void)
{
    imported t = merged("w");
    size_t copies = 0;
    CU_ASSERT_EQUAL_FATAL(mfm_model_untie(t.ctx, t.model, &copies), MFM_OK);
    CU_ASSERT_EQUAL(copies, 2 + 1);
    CU_ASSERT_FATAL(imports(&t));
    CU_ASSERT_EQUAL(count_kind(&t, MFM_VALUE_PARAM), 1 + 3 + 1);
    CU_ASSERT_EQUAL(count_kind(&t, MFM_VALUE_STATE), 2);
    finish(&t);
    t = (imported){.ctx = mfm_ctx_new(NULL)};
    t.model = hand_residual(t.ctx, 8, 13); /* four tensors that all differ, read twice */
    CU_ASSERT_EQUAL_FATAL(mfm_model_untie(t.ctx, t.model, &copies), MFM_OK);
    CU_ASSERT_EQUAL(copies, 0);
    finish(&t);
}

/* z is what the second node makes of it, and is trained as the bias of the convolution. */
static void what_stays_keeps_the_tensor(void)
{
    static const struct {
        const char *op_type, *inputs;
    } others[] = {{"Clip", "c z"}, {"Mul", "c z"}, {"Pad", "c pads z"}, {"Dropout", "c z"}};
    for (int i = 0; i < 4; i++) {
        imported t = start(8, 17);
        mfm_model *m = t.model;
        hand_input(m, "x", HAND_DIMS(-1, 3, 4, 4));
        hand_weight(m, "w", HAND_DIMS(1, 3, 1, 1));
        hand_weight(m, "z", HAND_DIMS(1));
        hand_ints(m, "pads", 8, (const int64_t[8]){0, 0, 1, 1, 0, 0, 1, 1});
        hand_weight(m, "fc", HAND_DIMS(1, 5));
        Onnx__NodeProto *conv = hand_node(m, "Conv", "", "x w z", "c");
        Onnx__NodeProto *other = hand_node(m, others[i].op_type, "", others[i].inputs, "d");
        hand_node(m, "GlobalAveragePool", "", "d", "p");
        hand_node(m, "Flatten", "", "p", "f");
        hand_node(m, "MatMul", "", "f fc", "logits");
        hand_output(m, "logits", HAND_DIMS(-1, 5));
        CU_ASSERT(REFUSED(&t, MFM_ENOTSUP, "'z'", "trained", "of its own"));
        size_t copies;
        CU_ASSERT_EQUAL_FATAL(mfm_model_untie(t.ctx, m, &copies), MFM_OK);
        CU_ASSERT_EQUAL(copies, 1);
        CU_ASSERT_STRING_EQUAL(conv->input[2], "z.1");
        CU_ASSERT_STRING_EQUAL(other->input[other->n_input - 1], "z");
        CU_ASSERT_FATAL(imports(&t));
        CU_ASSERT(value_of(&t, "z.1", MFM_VALUE_PARAM) && !value_of(&t, "z", MFM_VALUE_PARAM));
        finish(&t);
    }
}

/* Biases that are equal do not tie layers whose weights differ; a kernel does. */
static void biases_belong_to_their_weights(void)
{
    for (int same = 0; same < 2; same++) {
        imported t = start(8, 17);
        hand_input(t.model, "x", HAND_DIMS(-1, 4, 4, 4));
        hand_weight(t.model, "w", HAND_DIMS(4, 4, 1, 1));
        hand_weight(t.model, "w2", HAND_DIMS(4, 4, 1, 1));
        hand_weight(t.model, "b", HAND_DIMS(4));
        hand_node(t.model, "Conv", "", "x w b", "c");
        hand_node(t.model, "Conv", "", same ? "c w b" : "c w2 b", "d");
        hand_head(t.model, "d");
        size_t copies;
        CU_ASSERT_EQUAL_FATAL(mfm_model_untie(t.ctx, t.model, &copies), MFM_OK);
        CU_ASSERT_EQUAL(copies, same ? 0 : 1);
        finish(&t);
    }
}

static void a_modulator_is_left_alone(void)
{
    imported t = {.ctx = mfm_ctx_new(NULL)};
    t.model = hand_residual(t.ctx, 8, 13);
    CU_ASSERT_EQUAL_FATAL(mfm_model_inject(t.ctx, t.model, &(mfm_inject_options){0}), MFM_OK);
    static const char *const all[] = {"*"};
    const mfm_role_choice choice = {.freeze = all, .n_freeze = 1};
    mfm_roles *r = roles_of(&t, &choice);
    size_t trained = 0;
    for (size_t i = 0; i < r->n_tensors; i++) {
        trained += r->tensors[i].fate == MFM_FATE_TRAINED;
        CU_ASSERT(r->tensors[i].fate != MFM_FATE_TRAINED || r->tensors[i].injected);
    }
    CU_ASSERT_EQUAL(trained, 4);
    mfm_roles_free(r);
    size_t copies;
    CU_ASSERT_EQUAL_FATAL(mfm_model_untie(t.ctx, t.model, &copies), MFM_OK);
    CU_ASSERT_EQUAL(copies, 0);
    finish(&t);
}

typedef struct packed_model {
    void *bytes;
    size_t size;
} packed_model;

static int attempt(mfm_ctx *ctx, void *self)
{
    const packed_model *packed = self;
    static const char *const fix[] = {"w*"};
    const mfm_role_choice choice = {.freeze = fix, .n_freeze = 1};
    mfm_model *model;
    mfm_network *network = NULL;
    int status = mfm_model_parse(ctx, packed->bytes, packed->size, "packed", &model);
    if (status)
        return status;
    status = mfm_model_untie(ctx, model, NULL);
    if (!status)
        status = mfm_model_import_chosen(ctx, model, &choice, &network);
    mfm_network_free(ctx, network);
    mfm_model_free(model);
    return status;
}

static void a_refused_allocation_is_told(void)
{
    imported t = merged("w2");
    packed_model packed;
    packed.bytes = hand_pack(t.ctx, t.model, &packed.size);
    mfm_assert_refusals_are_told(attempt, &packed);
    mfm_free(t.ctx, packed.bytes);
    finish(&t);
}

static const mfm_case cases[] = {
    {"numbers that are compared are not trained", what_is_compared_is_not_trained},
    {"sizes only move numbers, and types are only lent", sizes_only_move_numbers},
    {"what is trained and what is fixed follows from the use", the_fate_follows_from_the_use},
    {"scale and shift in Constant nodes are fixed beside statistics that are not",
     affine_constants_are_fixed_beside_statistics},
    {"ones and zeros in Constant nodes are fixed beside weights that are not",
     ones_and_zeros_in_constant_nodes},
    {"the user has the last word, by names and patterns", the_user_has_the_last_word},
    {"a choice that cannot be is refused, with the nearest names",
     a_choice_that_cannot_be_is_refused},
    {"tensors that were merged are trained one by one", merged_tensors_are_trained_one_by_one},
    {"a layer that is used twice stays one", a_layer_that_is_used_twice_stays_one},
    {"what sets an operator keeps the tensor, what is trained gets a copy",
     what_stays_keeps_the_tensor},
    {"a bias belongs to its weight", biases_belong_to_their_weights},
    {"a modulator is left alone", a_modulator_is_left_alone},
    {"a refused allocation is told, and leaks nothing", a_refused_allocation_is_told},
};
MFM_SUITE("onnx/roles", cases)
