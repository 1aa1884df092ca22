/* Resize (ONNX 11, 13, 18, 19). scales, sizes and roi must be constants. Of coordinates that ask
 * for corners, scales must give whole lengths. */
#include "core/engine/ops/images/resize.h"

static const mfm_attr_def attrs[] = {
    {.name = "mode",
     .type = MFM_CHOICE,
     .offset = offsetof(mfm_resize_attr, mode),
     .choices = "nearest|linear|cubic"},
    {.name = "coordinate_transformation_mode",
     .type = MFM_CHOICE,
     .offset = offsetof(mfm_resize_attr, place),
     .choices = "half_pixel|half_pixel_symmetric|pytorch_half_pixel|align_corners|asymmetric|"
                "tf_crop_and_resize|tf_half_pixel_for_nn"},
    {.name = "nearest_mode",
     .type = MFM_CHOICE,
     .offset = offsetof(mfm_resize_attr, nearest),
     .choices = "round_prefer_floor|round_prefer_ceil|floor|ceil"},
    {.name = "keep_aspect_ratio_policy",
     .type = MFM_CHOICE,
     .offset = offsetof(mfm_resize_attr, policy),
     .choices = "stretch|not_larger|not_smaller"},
    {.name = "roi",
     .type = MFM_FLOATS,
     .offset = offsetof(mfm_resize_attr, roi),
     .from_input = 1,
     .since = 11},
    {.name = "scales",
     .type = MFM_FLOATS,
     .offset = offsetof(mfm_resize_attr, scales),
     .from_input = 2,
     .since = 11},
    {.name = "sizes",
     .type = MFM_INTS,
     .offset = offsetof(mfm_resize_attr, sizes),
     .from_input = 3,
     .since = 11,
     .by_axis = true},
    {.name = "axes", .type = MFM_INTS, .offset = offsetof(mfm_resize_attr, axes)},
    {.name = "cubic_coeff_a",
     .type = MFM_FLOAT,
     .offset = offsetof(mfm_resize_attr, cubic_coeff_a),
     .fallback = -0.75},
    {.name = "exclude_outside",
     .type = MFM_INT,
     .offset = offsetof(mfm_resize_attr, exclude_outside)},
    {.name = "extrapolation_value",
     .type = MFM_FLOAT,
     .offset = offsetof(mfm_resize_attr, extrapolation_value)},
    {.name = "antialias", .type = MFM_INT, .offset = offsetof(mfm_resize_attr, antialias)},
    {0}};

static const mfm_port inputs[] = {{"X", MFM_DATA, false, false}, {0}};
static const mfm_port outputs[] = {{"Y", MFM_DATA, false, false}, {0}};

static const char *const samples[] = {
    "[2,3,3,4] scales=1,1,2,2",
    "[2,3,5,4] scales=1,1,0.6,0.6",
    "[1,2,4,4] scales=1,1,1,1",
    "[1,2,3,5] sizes=1,2,7,4 coordinate_transformation_mode=asymmetric nearest_mode=floor",
    "[2,3,3,4] sizes=0,0,5,8 mode=linear",
    "[1,2,4,4] scales=1,1,2,2 mode=linear coordinate_transformation_mode=align_corners",
    "[1,2,4,4] sizes=1,2,1,3 mode=linear coordinate_transformation_mode=pytorch_half_pixel",
    "[1,2,4,5] scales=1,1,1.3,0.7 mode=linear coordinate_transformation_mode=half_pixel_symmetric",
    "[1,2,4,4] scales=1,1,2,2 mode=cubic",
    "[1,2,4,5] scales=1,1,0.8,0.8 mode=cubic cubic_coeff_a=-0.5 exclude_outside=1",
    "[1,2,4,4] sizes=1,2,3,3 mode=linear coordinate_transformation_mode=tf_crop_and_resize "
    "roi=0,0,0.4,0.6,1,1,0.6,1.5 extrapolation_value=3",
    "[2,3,4] scales=2 axes=-1 mode=linear",
    "[1,2,4,6] sizes=3,3 axes=3,2 keep_aspect_ratio_policy=not_larger",
    "[1,2,4,6] sizes=7,8 axes=2,3 keep_aspect_ratio_policy=not_smaller nearest_mode=ceil",
    "[1,2,3,3] sizes=1,2,6,6 coordinate_transformation_mode=tf_half_pixel_for_nn opset=11",
    "[1,2,2,3,2] scales=1,1,2,1.5,2 mode=linear opset=13",
    "[1,2,7,9] scales=1,1,0.4,0.7 mode=linear antialias=1",
    "[1,2,8,9] sizes=1,2,3,4 mode=cubic antialias=1 cubic_coeff_a=-0.5",
    "[1,2,8,6] sizes=1,2,3,9 mode=cubic antialias=1 exclude_outside=1",
    "[1,2,6,7] sizes=1,2,3,2 mode=linear coordinate_transformation_mode=align_corners antialias=1",
    NULL};

const mfm_op mfm_op_resize = {
    .name = "Resize",
    .domain = "",
    .since = 11,
    .inputs = inputs,
    .outputs = outputs,
    .attrs = attrs,
    .attr_size = sizeof(mfm_resize_attr),
    .shape = mfm_resize_infer,
    .linear = true,
    .batch = MFM_BATCH_FIRST,
    .layout = MFM_LAYOUT_ALIKE,
    .summary = "axes at other lengths, by nearest, linear or cubic interpolation",
    .samples = samples,
};

const mfm_impl mfm_cpu_resize = {
    .op = &mfm_op_resize,
    .backend = MFM_CPU,
    .setup = mfm_resize_setup,
    .release = mfm_resize_release,
    .rule = &mfm_rule_linear,
    .parts = &mfm_linear_resize,
    .reads = MFM_READS_NONE,
};
