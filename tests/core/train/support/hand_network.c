#include "tests/core/train/support/hand_network.h"

#include <string.h>

#include "core/base/random.h"

enum { OPSET = 13, MOST_NUMBERS = 256, FLAT = 27, WIDTH = 5 };

static void must(const hand *h, int status)
{
    if (status)
        printf("\n    %s\n", mfm_message(h->ctx));
    CU_ASSERT_EQUAL_FATAL(status, MFM_OK);
}

static mfm_graph *graph_of(const hand *h)
{
    return h->network->graph;
}

int hand_param(hand *h, const char *name, mfm_shape shape)
{
    real numbers[MOST_NUMBERS];
    mfm_key key = {.seed = 5, .stream = MFM_STREAM_TEST};
    for (const char *c = name; *c; c++) /* the same numbers wherever it stands */
        key.node = key.node * 31 + (unsigned char)*c;
    const int64_t count = mfm_shape_count(&shape);
    CU_ASSERT_FATAL(count <= MOST_NUMBERS);
    for (int64_t i = 0; i < count; i++)
        numbers[i] = (real)(0.5 * mfm_random_normal(&key, (uint64_t)i));
    int value = -1;
    must(h, mfm_graph_param(graph_of(h), name, &shape, numbers, &value));
    return value;
}

static void set_attributes(hand *h, const mfm_op *op, char *text, void *attr)
{
    mfm_attr_defaults(op, attr);
    char *rest = NULL;
    for (char *word = strtok_r(text, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
        char *value = strchr(word, '=');
        CU_ASSERT_PTR_NOT_NULL_FATAL(value);
        *value++ = 0;
        must(h, mfm_attr_parse(h->ctx, op, attr, word, value));
    }
}

int network_node(hand *h, const char *name, const char *text, int a, int b, int c)
{
    char words[128];
    _Alignas(max_align_t) char attr[2048];
    snprintf(words, sizeof words, "%s", text);
    char *blank = strchr(words, ' ');
    if (blank)
        *blank = 0;
    const mfm_op *op = mfm_op_find("", words, OPSET);
    CU_ASSERT_PTR_NOT_NULL_FATAL(op);
    CU_ASSERT_FATAL(op->attr_size <= sizeof attr);
    char none[1] = "";
    set_attributes(h, op, blank ? blank + 1 : none, attr);
    const int in[3] = {a, b, c};
    const int n_in = c >= 0 ? 3 : b >= 0 ? 2 : 1;
    int out = -1;
    must(h, mfm_graph_add(graph_of(h), op, OPSET, name, attr, in, n_in, &name, 1, &out));
    return out;
}

int hand_linear(hand *h, const char *name, int x, int from, int to)
{
    const int weight = hand_param(h, name, mfm_shape_of(2, to, from));
    return network_node(h, name, "Gemm transB=1", x, weight, -1);
}

static int convolution(hand *h, const char *name, int x, int from, int to)
{
    return network_node(h, name, "Conv", x, hand_param(h, name, mfm_shape_of(4, to, from, 1, 1)),
                        -1);
}

static void add_input(hand *h, const char *name, mfm_shape shape, int *value)
{
    must(h, mfm_graph_input(graph_of(h), name, MFM_DATA, &shape, value));
}

void hand_start(hand *h)
{
    *h = (hand){.ctx = mfm_ctx_new(NULL), .hidden = -1};
    CU_ASSERT_PTR_NOT_NULL_FATAL(h->ctx);
    h->network = mfm_alloc(h->ctx, 1, sizeof *h->network);
    CU_ASSERT_PTR_NOT_NULL_FATAL(h->network);
    h->network->soft_label = h->network->toggle = -1;
    h->network->classes = HAND_CLASSES;
    h->network->sites = mfm_alloc(h->ctx, HAND_SITES, sizeof *h->network->sites);
    CU_ASSERT_PTR_NOT_NULL_FATAL(h->network->sites);
    must(h, mfm_graph_new(h->ctx, &h->network->graph));
    add_input(h, "images", mfm_shape_of(4, -1, 2, 3, 3), &h->network->images);
}

void hand_modulator_inputs(hand *h)
{
    add_input(h, "soft", mfm_shape_of(2, -1, HAND_CLASSES), &h->network->soft_label);
    add_input(h, "switch", mfm_shape_of(1, 1), &h->network->toggle);
}

void hand_add_site(hand *h, int value, int modulated)
{
    h->network->sites[h->network->n_sites++] = (mfm_site){value, modulated};
}

static int factor(hand *h, const char *kind, int site, int channels, int rank)
{
    char name[32], spread[40];
    snprintf(name, sizeof name, "%s%d", kind, site);
    snprintf(spread, sizeof spread, "%s.spread", name);
    const int y = hand_linear(h, name, h->hidden, HAND_HIDDEN, channels);
    return rank == 2 ? y : network_node(h, spread, "Unsqueeze axes=2,3", y, -1, -1);
}

static int modulate(hand *h, int site, int x, int channels, int rank)
{
    mfm_network *n = h->network;
    if (h->hidden < 0) {
        hand_modulator_inputs(h);
        h->hidden = network_node(h, "hidden.relu", "Relu",
                                 hand_linear(h, "hidden", n->soft_label, HAND_CLASSES, HAND_HIDDEN),
                                 -1, -1);
    }
    h->scale[site] = factor(h, "scale", site, channels, rank);
    h->shift[site] = factor(h, "shift", site, channels, rank);
    const int product = network_node(h, "product", "Mul", h->scale[site], x, -1);
    const int sum = network_node(h, "sum", "Add", product, h->shift[site], -1);
    const int switched = network_node(h, "switched", "Mul", n->toggle, sum, -1);
    h->modulated[site] = network_node(h, "modulated", "Add", x, switched, -1);
    hand_add_site(h, x, h->modulated[site]);
    return h->modulated[site];
}

static int site(hand *h, int what, int number, int x, int channels, int rank)
{
    h->feature[number] = x;
    return what >> number & 1 ? modulate(h, number, x, channels, rank) : x;
}

void hand_new(int what, hand *h)
{
    hand_start(h);
    int x = site(h, what, 0, convolution(h, "conv1", h->network->images, 2, 3), 3, 4);
    x = network_node(h, "relu1", "Relu", x, -1, -1);
    x = site(h, what, 1, convolution(h, "conv2", x, 3, 3), 3, 4);
    x = network_node(h, "relu2", "Relu", x, -1, -1);
    if (what & HAND_DROPOUT)
        x = network_node(h, "dropout", "Dropout ratio=0.5 training_mode=1", x, -1, -1);
    x = network_node(h, "flatten", "Flatten", x, -1, -1);
    x = site(h, what, 2, hand_linear(h, "fc1", x, FLAT, WIDTH), WIDTH, 2);
    x = network_node(h, "relu3", "Relu", x, -1, -1);
    h->network->logits = hand_linear(h, "fc2", x, WIDTH, HAND_CLASSES);
}

void hand_clear(hand *h)
{
    mfm_network_free(h->ctx, h->network);
    mfm_ctx_free(h->ctx);
}
