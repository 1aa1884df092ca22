/* Public headers are C, for C++ too: what they declare stands between these two. */
#ifndef MFM_LINKAGE_H
#define MFM_LINKAGE_H

#ifdef __cplusplus
#define MFM_C_BEGIN extern "C" {
#define MFM_C_END   }
#else
#define MFM_C_BEGIN
#define MFM_C_END
#endif

#endif
