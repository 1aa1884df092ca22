/*
 * A small classifier built node by node, with modulators where a test wants them:
 *
 *     images [n, 2, 3, 3]
 *     f1 = Conv(images, conv1 [3, 2, 1, 1])     site 0      a1 = Relu
 *     f2 = Conv(a1, conv2 [3, 3, 1, 1])         site 1      a2 = Relu, (Dropout,) Flatten
 *     f3 = Gemm(a2, fc1 [5, 27])                site 2      a3 = Relu
 *     logits = Gemm(a3, fc2 [4, 5])
 *
 * A modulated feature is X + s (scale * X + shift); scale and shift of site k are the linear layers
 * scale<k> and shift<k> of one hidden layer Relu(Gemm(y, hidden [6, 4])) of the soft label y.
 */
#ifndef MFM_TESTS_TRAIN_HAND_NETWORK_H
#define MFM_TESTS_TRAIN_HAND_NETWORK_H

#include "core/train/problem/network.h"
#include "tests/suite.h"

enum { HAND_CLASSES = 4, HAND_HIDDEN = 6, HAND_SITES = 3 };
enum { HAND_AT_0 = 1, HAND_AT_1 = 2, HAND_AT_2 = 4, HAND_DROPOUT = 8 };

typedef struct hand {
    mfm_ctx *ctx;
    mfm_network *network;
    int hidden;              /* of the modulator; -1 until a site asks for it */
    int feature[HAND_SITES]; /* X of each site, modulated or not */
    int modulated[HAND_SITES];
    int scale[HAND_SITES], shift[HAND_SITES]; /* h: [n, channels(, 1, 1)] */
} hand;

/* what: an OR of HAND_... The first failure ends the test. */
void hand_new(int what, hand *h);
void hand_clear(hand *h);

/* For networks of a test's own. A parameter gets normal numbers; text is "Conv pads=1,1,1,1", at
 * opset 13; inputs a, b, c, -1 for none. */
void hand_start(hand *h);
int hand_param(hand *h, const char *name, mfm_shape shape);
int network_node(hand *h, const char *name, const char *text, int a, int b, int c);
int hand_linear(hand *h, const char *name, int x, int from, int to);
/* The soft label and the switch as inputs. */
void hand_modulator_inputs(hand *h);
void hand_add_site(hand *h, int value, int modulated);

#endif
