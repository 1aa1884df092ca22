/* The orientation tag (0x0112) of EXIF 2.32, section 4.6.4, in the first directory of a TIFF block.
 */
#include <string.h>

#include "core/data/images/format.h"

enum { ENTRY = 12, ORIENTATION = 0x0112, SHORT = 3 };

static uint32_t number(const uint8_t *at, int bytes, bool big)
{
    uint32_t value = 0;
    for (int i = 0; i < bytes; i++)
        value |= (uint32_t)at[i] << (8 * (big ? bytes - 1 - i : i));
    return value;
}

int mfm_exif_orientation(const uint8_t *tiff, size_t size)
{
    if (size < 8 || (memcmp(tiff, "II*\0", 4) != 0 && memcmp(tiff, "MM\0*", 4) != 0))
        return 1;
    const bool big = tiff[0] == 'M';
    const size_t directory = number(tiff + 4, 4, big);
    if (directory > size || size - directory < 2)
        return 1;
    const size_t room = (size - directory - 2) / ENTRY;
    const size_t told = number(tiff + directory, 2, big);
    for (size_t i = 0; i < told && i < room; i++) {
        const uint8_t *entry = tiff + directory + 2 + i * ENTRY;
        if (number(entry, 2, big) != ORIENTATION)
            continue;
        const uint32_t value = number(entry + 8, 2, big);
        return number(entry + 2, 2, big) == SHORT && value >= 1 && value <= 8 ? (int)value : 1;
    }
    return 1;
}
