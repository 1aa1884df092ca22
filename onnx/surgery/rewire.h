/* Who reads and writes a value, changed by name. */
#ifndef MFM_ONNX_REWIRE_H
#define MFM_ONNX_REWIRE_H

#include "onnx/proto/proto.h"

/* Makes every node that reads `from`, in the main graph and in the graphs of attributes, read `to`.
 * An inner graph that defines `from` anew is left alone. The graph's outputs are not changed.
 * MFM_ENOMEM leaves some changed and some not. */
int mfm_rewire_uses(mfm_model *model, const char *from, const char *to);
/* Makes the main graph's node that writes `from` write `to`. MFM_EDATA when there is none. */
int mfm_rewire_producer(mfm_model *model, const char *from, const char *to);

#endif
