/*
 * Whether what a model's metadata lists as injected is a modulator: metadata is text that anybody
 * can write, so nothing is removed, and nothing trained apart, before the graph bears it out.
 */
#ifndef MFM_ONNX_INJECT_CHECK_H
#define MFM_ONNX_INJECT_CHECK_H

#include "onnx/surgery/inject_info.h"

/*
 * MFM_EDATA, naming what is wrong, unless
 *   - every listed node, initializer and input is in the graph exactly once;
 *   - the inputs are the soft label and the switch, with listed default values;
 *   - each site's output is made by listed nodes as  Add(X, Mul(Add(Mul(X, scale), shift),
 * switch)), without what is absent, from an X that no listed node makes;
 *   - all other listed nodes make scales and shifts from the soft label and listed initializers
 *     alone: none reads a feature or the switch, and none is idle;
 *   - nothing outside reads anything of the modulator but the sites' outputs, and a site's output
 *     is an output of the graph exactly if it has taken X's name.
 */
int mfm_inject_check(mfm_ctx *ctx, const mfm_model *model, const mfm_inject_info *info);

#endif
