/* Metadata that lists something else than a modulator: nothing is removed, nothing imported. */
#include "onnx/surgery/inject_check.h"

#include <stdlib.h>
#include <string.h>

#include "onnx/import/import.h"
#include "onnx/surgery/inject.h"
#include "tests/onnx/hand.h"
#include "tests/suite.h"

static mfm_ctx *ctx;

/* hand_residual with a name for every node ("node.0" ...), and two sites. */
static mfm_model *injected(void)
{
    static const char *const layers[] = {"conv:1", "conv:2"};
    mfm_model *m = hand_residual(ctx, 8, 17);
    for (size_t i = 0; i < m->proto->graph->n_node; i++) {
        char name[32];
        snprintf(name, sizeof name, "node.%zu", i);
        CU_ASSERT_FALSE_FATAL(mfm_proto_set_string(m, &m->proto->graph->node[i]->name, name));
    }
    const mfm_inject_options options = {.layers = layers, .n_layers = 2, .hidden = 3};
    CU_ASSERT_EQUAL_FATAL(mfm_model_inject(ctx, m, &options), MFM_OK);
    return m;
}

static void put(char **text, const char *fresh)
{
    mfm_free(ctx, *text);
    *text = mfm_strdup(ctx, fresh);
    CU_ASSERT_PTR_NOT_NULL_FATAL(*text);
}

static void add(char ***list, size_t *count, const char *fresh)
{
    char **longer = mfm_alloc(ctx, *count + 1, sizeof *longer);
    CU_ASSERT_PTR_NOT_NULL_FATAL(longer);
    memcpy(longer, *list, *count * sizeof *longer);
    mfm_free(ctx, *list);
    *list = longer;
    longer[*count] = NULL;
    put(&longer[(*count)++], fresh);
}

static void drop(char **list, size_t *count, const char *name)
{
    for (size_t i = 0; i < *count; i++)
        if (strcmp(list[i], name) == 0) {
            mfm_free(ctx, list[i]);
            list[i] = list[--*count];
            return;
        }
    CU_FAIL("no such name");
}

/* Neither stripped nor imported, and not a node less. */
static bool is_refused(mfm_model *m, const char *part)
{
    const size_t nodes = m->proto->graph->n_node, tensors = m->proto->graph->n_initializer;
    mfm_network *network;
    const bool imported = mfm_model_import(ctx, m, &network) != MFM_EDATA;
    const bool stripped = mfm_model_strip(ctx, m) != MFM_EDATA;
    const bool told = strstr(mfm_message(ctx), part) != NULL;
    if (imported || stripped || !told)
        printf("\n    %s%s%s, not %s\n", imported ? "imported " : "", stripped ? "stripped " : "",
               mfm_message(ctx), part);
    return !imported && !stripped && told && m->proto->graph->n_node == nodes &&
           m->proto->graph->n_initializer == tensors;
}

typedef void forge_fn(mfm_model *m, mfm_inject_info *info);

static bool forged(forge_fn *forge, const char *part)
{
    mfm_model *m = injected();
    mfm_inject_info *info;
    CU_ASSERT_EQUAL_FATAL(mfm_inject_info_read(ctx, m, &info), MFM_OK);
    forge(m, info);
    CU_ASSERT_EQUAL_FATAL(mfm_inject_info_write(ctx, m, info), MFM_OK);
    mfm_inject_info_free(ctx, info);
    const bool good = is_refused(m, part);
    mfm_model_free(m);
    return good;
}

static void a_node_of_the_classifier(mfm_model *m, mfm_inject_info *info)
{
    (void)m;
    add(&info->nodes, &info->n_nodes, "node.9");
}

static void an_idle_node_of_the_classifier(mfm_model *m, mfm_inject_info *info)
{
    hand_node(m, "Relu", "idle", "mfm.softmax.out", "nowhere");
    add(&info->nodes, &info->n_nodes, "idle");
}

static void a_weight_of_the_classifier(mfm_model *m, mfm_inject_info *info)
{
    (void)m;
    add(&info->initializers, &info->n_initializers, "fc");
}

static void a_weight_as_parameter(mfm_model *m, mfm_inject_info *info)
{
    (void)m;
    add(&info->parameters, &info->n_parameters, "fc");
}

static void an_unread_tensor(mfm_model *m, mfm_inject_info *info)
{
    hand_weight(m, "spare", HAND_DIMS(2));
    add(&info->initializers, &info->n_initializers, "spare");
}

static void the_image(mfm_model *m, mfm_inject_info *info)
{
    (void)m;
    add(&info->inputs, &info->n_inputs, "x");
}

static void the_image_as_soft_label(mfm_model *m, mfm_inject_info *info)
{
    (void)m;
    put(&info->soft_label, "x");
}

static void a_missing_node(mfm_model *m, mfm_inject_info *info)
{
    (void)m;
    put(&info->nodes[0], "nowhere");
}

static void a_missing_tensor(mfm_model *m, mfm_inject_info *info)
{
    (void)m;
    add(&info->initializers, &info->n_initializers, "nowhere");
}

static void a_node_twice(mfm_model *m, mfm_inject_info *info)
{
    (void)m;
    add(&info->nodes, &info->n_nodes, info->nodes[0]);
}

static void a_tensor_twice(mfm_model *m, mfm_inject_info *info)
{
    (void)m;
    add(&info->initializers, &info->n_initializers, info->initializers[0]);
}

static void a_node_less(mfm_model *m, mfm_inject_info *info)
{
    (void)m;
    drop(info->nodes, &info->n_nodes, "mfm.relu");
}

static void the_last_node_less(mfm_model *m, mfm_inject_info *info)
{
    (void)m;
    drop(info->nodes, &info->n_nodes, "mfm.modulate");
}

static void a_tensor_less(mfm_model *m, mfm_inject_info *info)
{
    (void)m;
    drop(info->initializers, &info->n_initializers, "mfm.share");
}

static void another_feature(mfm_model *m, mfm_inject_info *info)
{
    (void)m;
    put(&info->sites[0].value, "c1");
}

static void the_image_as_feature(mfm_model *m, mfm_inject_info *info)
{
    (void)m;
    put(&info->sites[0].value, "x");
}

static void a_weight_as_feature(mfm_model *m, mfm_inject_info *info)
{
    (void)m;
    put(&info->sites[0].value, "w1");
}

static void another_result(mfm_model *m, mfm_inject_info *info)
{
    (void)m;
    put(&info->sites[1].output, "sum");
}

static void a_site_less(mfm_model *m, mfm_inject_info *info)
{
    (void)m;
    mfm_inject_site *last = &info->sites[--info->n_sites];
    mfm_free(ctx, last->layer);
    mfm_free(ctx, last->value);
    mfm_free(ctx, last->output);
    mfm_free(ctx, last->scale);
    mfm_free(ctx, last->shift);
}

static void sites_swapped(mfm_model *m, mfm_inject_info *info)
{
    (void)m;
    char *first = info->sites[0].output;
    info->sites[0].output = info->sites[1].output;
    info->sites[1].output = first;
}

static void scale_and_shift_swapped(mfm_model *m, mfm_inject_info *info)
{
    (void)m;
    char *scale = info->sites[0].scale;
    info->sites[0].scale = info->sites[0].shift;
    info->sites[0].shift = scale;
}

static void no_shift(mfm_model *m, mfm_inject_info *info)
{
    (void)m;
    put(&info->sites[0].shift, "");
}

static void neither_scale_nor_shift(mfm_model *m, mfm_inject_info *info)
{
    (void)m;
    put(&info->sites[0].scale, "");
    put(&info->sites[0].shift, "");
}

static void a_name_that_was_not_taken(mfm_model *m, mfm_inject_info *info)
{
    (void)m;
    info->sites[0].renamed = true;
}

static void a_result_that_is_an_output(mfm_model *m, mfm_inject_info *info)
{
    hand_output(m, info->sites[0].output, HAND_DIMS(-1, 4, 6, 6));
}

static void a_result_of_itself(mfm_model *m, mfm_inject_info *info)
{
    (void)m;
    put(&info->sites[0].value, info->sites[0].output);
}

static void a_circle(mfm_model *m, mfm_inject_info *info)
{
    (void)m;
    put(&info->sites[0].value, info->sites[1].output);
    put(&info->sites[1].value, info->sites[0].output);
}

static void one_feature_twice(mfm_model *m, mfm_inject_info *info)
{
    (void)m;
    put(&info->sites[1].value, info->sites[0].value);
}

static void a_feature_in_the_modulator(mfm_model *m, mfm_inject_info *info)
{
    (void)info;
    for (size_t i = 0; i < m->proto->graph->n_node; i++)
        if (strcmp(m->proto->graph->node[i]->name, "mfm.excess") == 0)
            CU_ASSERT_FALSE(mfm_proto_set_string(m, &m->proto->graph->node[i]->input[1], "c1"));
}

static void test_forged(void)
{
    static const struct {
        forge_fn *forge;
        const char *part;
    } cases[] = {
        {a_node_of_the_classifier, "node 'node.9': reads what is not of the modulator"},
        {an_idle_node_of_the_classifier, "node 'idle': nothing reads it"},
        {a_weight_of_the_classifier, "value 'fc': is read outside"},
        {a_weight_as_parameter, "parameter 'fc'"},
        {an_unread_tensor, "initializer 'spare': nothing reads it"},
        {the_image, "must be its two inputs"},
        {the_image_as_soft_label, "input 'x'"},
        {a_missing_node, "node 'nowhere': the graph does not have it"},
        {a_missing_tensor, "initializer 'nowhere': the graph does not have it"},
        {a_node_twice, "is listed twice"},
        {a_tensor_twice, "is listed twice"},
        {a_node_less, "reads what is not of the modulator"},
        {the_last_node_less, "is not X + switch (scale X + shift)"},
        {a_tensor_less, "reads what is not of the modulator"},
        {another_feature, "is not X + switch"},
        {the_image_as_feature, "is not X + switch"},
        {a_weight_as_feature, "is no feature of the classifier"},
        {another_result, "is not X + switch"},
        {a_site_less, "reads what is not of the modulator"},
        {sites_swapped, "is not X + switch"},
        {scale_and_shift_swapped, "is not X + switch"},
        {no_shift, "is not X + switch"},
        {neither_scale_nor_shift, "is not X + switch"},
        {a_name_that_was_not_taken, "exactly if it took the feature's name"},
        {a_result_that_is_an_output, "exactly if it took the feature's name"},
        {a_result_of_itself, "or its own result"},
        {a_circle, "one modulates what another gives"},
        {one_feature_twice, "two modulate one value"},
        {a_feature_in_the_modulator, "node 'mfm.excess': reads what is not of the modulator"},
    };
    ctx = mfm_ctx_new(NULL);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        CU_ASSERT_TRUE(forged(cases[i].forge, cases[i].part));
    mfm_ctx_free(ctx);
}

/* An IR version that the injection did not raise is not for strip to lower. */
static void test_ir_version(void)
{
    ctx = mfm_ctx_new(NULL);
    mfm_model *m = injected();
    mfm_inject_info *info;
    CU_ASSERT_EQUAL_FATAL(mfm_inject_info_read(ctx, m, &info), MFM_OK);
    info->ir_version = 1;
    CU_ASSERT_EQUAL_FATAL(mfm_inject_info_write(ctx, m, info), MFM_OK);
    mfm_inject_info_free(ctx, info);
    CU_ASSERT_EQUAL(mfm_model_strip(ctx, m), MFM_OK);
    CU_ASSERT_EQUAL(m->proto->ir_version, 8);
    mfm_model_free(m);
    mfm_ctx_free(ctx);
}

static const mfm_case cases[] = {
    {"lists that are not a modulator are neither obeyed nor trained", test_forged},
    {"the IR version is lowered only where the injection raised it", test_ir_version},
};
MFM_SUITE("onnx/inject_check", cases)
