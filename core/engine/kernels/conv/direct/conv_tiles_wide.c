#include "core/engine/kernels/conv/direct/conv_tiles.h"

#define LANES MFM_WIDE_LANES
#define TILES mfm_tiles_wide
#include "core/engine/kernels/conv/direct/conv_tiles_body.h"
