/*
 * Which image files make a dataset, of which classes and parts: what is found in folders
 * (folder_scan.c) or told by a list (list_scan.c). Paths are relative to the dataset's folder.
 */
#ifndef MFM_IMAGE_SCAN_H
#define MFM_IMAGE_SCAN_H

#include "core/data/sources/files/file_images.h"

typedef struct mfm_image_scan {
    mfm_ctx *ctx;
    const mfm_dataset_options *options;
    const char *folder;
    unsigned parts; /* that are wanted: enum mfm_part */
    struct {
        char **name; /* in the order of their bytes, or as the options tell them */
        size_t count, room;
    } classes;
    mfm_file_list train, test;
    bool told;       /* the classes are those that the options tell */
    bool divided;    /* what is for testing is told */
    uint32_t others; /* files that are no images */
    char *other;     /* one of them */
} mfm_image_scan;

int mfm_scan_folder(mfm_image_scan *scan);
/* options->list tells. */
int mfm_scan_list(mfm_image_scan *scan);
void mfm_scan_clear(mfm_image_scan *scan);
/* MFM_EDATA for a file that is in both parts, by links or other ways to it; those that are in a
 * part more than once are warned of. */
int mfm_scan_check_same_files(mfm_image_scan *scan);

/* ---- for the two ---- */

struct stat;
mfm_file_id mfm_file_id_of(const struct stat *info);
int mfm_scan_add_class(mfm_image_scan *scan, const char *name);
/* After the last: sorts them and removes what is there twice. MFM_EDATA for two that differ by case
 * only, for a name that metadata cannot hold, for none and for too many; `where` is for messages.
 * Where the options tell the classes they are those, and each that was added must be among them;
 * with options->own_names they are what was added unless all of it is among them. */
int mfm_scan_settle_classes(mfm_image_scan *scan, const char *where);
/* Its number; -1: there is none. */
int mfm_scan_find_class(const mfm_image_scan *scan, const char *name);

#endif
