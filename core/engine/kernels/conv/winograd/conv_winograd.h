/* Which convolutions the transforms of winograd.h are for. */
#ifndef MFM_CONV_WINOGRAD_H
#define MFM_CONV_WINOGRAD_H

#include "core/engine/kernels/conv/conv_impl.h"
#include "core/engine/kernels/conv/winograd/winograd.h"

/* Whether a form takes the shape in that direction, and saves enough products of it. */
bool mfm_winograd_fits(const mfm_winograd_form *form, const mfm_conv_shape *shape,
                       enum mfm_conv_direction which);

#endif
