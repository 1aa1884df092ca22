/*
 * A look through the wire format of protobuf before anything is built from it. protobuf-c has no
 * limit on depth, no limit on how much memory a small file asks for, and gives no reason when it
 * refuses; this scan has all three. It follows protobuf-c's own descriptors, so it descends exactly
 * where unpacking will.
 */
#ifndef MFM_ONNX_WIRE_H
#define MFM_ONNX_WIRE_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/context.h"

enum {
    MFM_WIRE_DEPTH = 100,       /* messages within messages, as Google's own reader allows */
    MFM_WIRE_FREE_MIB = 64,     /* a model may take this much memory ... */
    MFM_WIRE_AMPLIFICATION = 32 /* ... and this many times the size of its file */
};

/* MFM_OK when a ModelProto of these bytes can be unpacked: every field complete and of its declared
 * kind, strings without NUL, no groups, depth and memory within the limits above, and a graph.
 * MFM_EDATA otherwise: the message names the file, the byte and the rule. */
int mfm_wire_scan(mfm_ctx *ctx, const void *bytes, size_t size, const char *name);
/* The same of an AttributeProto, which may be empty. */
int mfm_wire_scan_attribute(mfm_ctx *ctx, const void *bytes, size_t size, const char *name);

#endif
