/*
 * Each rank reads a part of the images: what one of them cannot read, all are to know, so that it
 * is left out, counted and told as by one process.
 */
#ifndef MFM_BAD_IMAGES_OF_ALL_H
#define MFM_BAD_IMAGES_OF_ALL_H

#include "core/data/sources/dataset.h"
#include "core/train/comm/comm.h"

/* Rank 0 is to tell what all have found: others warn of no image of the dataset from now on. */
void mfm_leave_telling(mfm_comm *comm, const mfm_dataset *dataset);
/* Of a part of a dataset, and tells them; all ranks call it. */
int mfm_bad_images_of_all(mfm_comm *comm, mfm_ctx *ctx, const mfm_images *images);

#endif
