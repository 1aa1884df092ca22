/* RMSNormalization (ONNX 23): each sample's last axes, from `axis` on, divided by the root of their
 * mean square, and scaled. */
#include "core/engine/ops/norm/layer_norm.h"

static const mfm_layer_norm_form form = {.centred = false};
static const mfm_port inputs[] = {
    {"X", MFM_DATA, false, false}, {"scale", MFM_PARAM, false, false}, {0}};
static const mfm_port outputs[] = {{"Y", MFM_DATA, false, false}, {0}};
static const char *const samples[] = {"[4,6] [6]",
                                      "[2,3,4] [3,4] axis=1",
                                      "[2,3,4,5] [5] epsilon=0.1",
                                      "[2,3,4,5] [3,4,5] axis=-3",
                                      "[2,3,4] [1] axis=2 stash_type=1",
                                      NULL};

const mfm_op mfm_op_rms_normalization = {
    .name = "RMSNormalization",
    .domain = "",
    .since = 23,
    .inputs = inputs,
    .outputs = outputs,
    .attrs = mfm_layer_norm_attrs,
    .attr_size = sizeof(mfm_layer_norm_attr),
    .shape = mfm_layer_norm_infer,
    .traits = MFM_ALONG_LAST,
    .layout = MFM_LAYOUT_ROWS,
    .summary = "divides the last axes by the root of their mean square, then scales them",
    .samples = samples,
};

const mfm_impl mfm_cpu_rms_normalization = {
    .op = &mfm_op_rms_normalization,
    .backend = MFM_CPU,
    .setup = mfm_layer_norm_setup,
    .release = mfm_layer_norm_release,
    .rule = &mfm_rule_layer_norm,
    .parts = &form,
    .reads = MFM_READS_IN,
};
