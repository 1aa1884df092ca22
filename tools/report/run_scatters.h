/* gamma and beta of a run's modulator for some images, laid out in the plane. */
#ifndef MFM_RUN_SCATTERS_H
#define MFM_RUN_SCATTERS_H

#include "tools/report/run_evaluation.h"

/* soft_labels [count, classes] are what the classifier gives for the points, whose classes are
 * evaluation->groups. Adds a scatter for each output of `path`, a modulator.onnx; none where that
 * reads something else than soft labels, which the note of the record then says. */
int mfm_run_scatters(mfm_run_record *record, const char *path, const real *soft_labels, int count,
                     mfm_run_evaluation *evaluation);

#endif
