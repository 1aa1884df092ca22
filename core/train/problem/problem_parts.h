/* What the files of the problem share. */
#ifndef MFM_PROBLEM_PARTS_H
#define MFM_PROBLEM_PARTS_H

#include "core/train/problem/problem.h"

/* The meta path: cross-entropy on the plain logits. */
int mfm_problem_add_meta_loss(mfm_problem *problem);

#endif
