/* What the files of core/train/comm share. */
#ifndef MFM_COMM_PARTS_H
#define MFM_COMM_PARTS_H

#include "core/train/comm/comm.h"
#include "core/train/comm/transport.h"

void mfm_comm_set_name(mfm_comm *comm, const char *name);

#endif
