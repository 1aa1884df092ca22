#include "core/engine/kernels/conv/direct/conv_tiles.h"

#define LANES MFM_NARROW_LANES
#define TILES mfm_tiles_narrow
#include "core/engine/kernels/conv/direct/conv_tiles_body.h"
