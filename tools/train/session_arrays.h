/* Rows of arrays for a model: what a session does in the place of preparing images. */
#ifndef MFM_SESSION_ARRAYS_H
#define MFM_SESSION_ARRAYS_H

#include "tools/train/session.h"

/* Besides the wanted parts, those that the normalisation is measured on. */
unsigned mfm_session_array_parts(const mfm_images_wanted *wanted);
/* Makes session->array and session->preprocess for an input of that shape. The numbers are as the
 * command line tells, or as the model does, or as they are stored. */
int mfm_session_prepare_arrays(mfm_session *session, const mfm_images_wanted *wanted,
                               const mfm_shape *input);

#endif
