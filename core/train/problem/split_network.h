/*
 * A network taken apart at the values that its side input (the soft label) reaches without the
 * images: what makes them becomes a hyper graph with parameters phi of its own, and they become
 * inputs h of the main graph. What lies below the first of them is there once, so its features are
 * computed once; what lies above it is there twice, without and with h.
 */
#ifndef MFM_SPLIT_NETWORK_H
#define MFM_SPLIT_NETWORK_H

#include "core/base/linkage.h"
#include "core/train/problem/network.h"
#include "core/train/problem/problem.h"

MFM_C_BEGIN

/* A fresh problem with the plain path of the network, up to its logits. What no step changes
 * becomes the problem's prefix (core/train/problem/frozen_nodes.h); without spec, which is for
 * evaluation alone, nothing does. The parts take their parameters' numbers from the network; of a
 * network without any they have none, either. The network gets the classifier that the loss wants
 * (mfm_problem_new has spec). MFM_ENOTSUP: a parameter of the prefix is trained as well. */
int mfm_problem_of_network(mfm_ctx *ctx, mfm_network *network, const mfm_loss_spec *spec,
                           mfm_problem **problem);

/* The same with all that makes the features of the classifier as the prefix: of the parameters only
 * the classifier's own can be trained. `what` wants it. MFM_ENOTSUP: the logits are not made by a
 * fully connected layer, or its parameters also make the features. */
int mfm_problem_of_features(mfm_ctx *ctx, mfm_network *network, const mfm_loss_spec *spec,
                            const char *what, mfm_problem **problem);

/* Of the problem's parameters only the classifier's own can be trained from now on; normalisations
 * of the main graph stay in training form. */
void mfm_problem_fix_features(const mfm_problem *problem);

/* As mfm_problem_of_network, with the network's modulators: the objective's logits, the hyper graph
 * `name` and what it gives; *input is its side input, which nobody gives yet. MFM_EINVAL: a network
 * without modulators. MFM_ENOTSUP: h must depend on the side input alone. */
int mfm_problem_of_modulated(mfm_ctx *ctx, mfm_network *network, const mfm_loss_spec *spec,
                             const char *name, mfm_problem **problem, int *hyper, int *input);

/* The plain path alone, complete. */
int mfm_problem_plain(mfm_ctx *ctx, mfm_network *network, const mfm_loss_spec *spec,
                      mfm_problem **problem);

MFM_C_END

#endif
