#include "core/report/tensorboard.h"

#include <string.h>

#include "tests/suite.h"

/* RFC 3720, B.4, and the check value of the catalogues. */
static void the_checksum_is_castagnolis(void)
{
    const uint8_t zeros[32] = {0};
    CU_ASSERT_EQUAL(mfm_crc32c((const uint8_t *)"123456789", 9), 0xe3069283u);
    CU_ASSERT_EQUAL(mfm_crc32c(zeros, 32), 0x8a9136aau);
}

/* By hand: Event{wall_time = 1, step = 300, summary{value{tag "a", simple_value 0.5}}}. */
static void a_scalar_is_an_event(void)
{
    static const uint8_t event[] = {0x09, 0,    0,    0,    0,    0,    0,    0xf0,
                                    0x3f, 0x10, 0xac, 0x02, 0x2a, 0x0a, 0x0a, 8,
                                    0x0a, 1,    'a',  0x15, 0,    0,    0,    0x3f};
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    mfm_events events;
    mfm_events_init(&events, ctx, 1);
    const size_t first = events.size;
    CU_ASSERT_EQUAL(first, 12 + 9 + 2 + 13 + 4);
    CU_ASSERT_EQUAL(memcmp(events.bytes + 12 + 11, "brain.Event:2", 13), 0);
    mfm_events_scalar(&events, "a", 300, 0.5, 1);
    CU_ASSERT_EQUAL_FATAL(events.size, first + 12 + sizeof event + 4);
    CU_ASSERT_EQUAL(events.bytes[first], sizeof event);
    CU_ASSERT_EQUAL(memcmp(events.bytes + first + 12, event, sizeof event), 0);
    const uint32_t crc = mfm_crc32c(event, sizeof event);
    const uint32_t masked = (crc >> 15 | crc << 17) + 0xa282ead8u;
    for (int i = 0; i < 4; i++)
        CU_ASSERT_EQUAL(events.bytes[first + 12 + sizeof event + (size_t)i],
                        (uint8_t)(masked >> 8 * i));
    mfm_events_clear(&events);
    mfm_ctx_free(ctx);
}

static void a_long_tag_is_cut(void)
{
    char tag[1000];
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    mfm_events events;
    memset(tag, 'x', sizeof tag);
    tag[sizeof tag - 1] = '\0';
    mfm_events_init(&events, ctx, 0);
    const size_t first = events.size;
    mfm_events_scalar(&events, tag, 1, 1, 0);
    CU_ASSERT(events.size < first + 250);
    CU_ASSERT_EQUAL(events.status, MFM_OK);
    mfm_events_clear(&events);
    mfm_ctx_free(ctx);
}

/* Of 199 bytes and characters of two each, the first that would not fit whole is left out: 199. */
static void a_tag_is_cut_between_characters(void)
{
    char tag[400] = "";
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    mfm_events cut, whole;
    memset(tag, 'x', 199);
    mfm_events_init(&whole, ctx, 0);
    mfm_events_scalar(&whole, tag, 1, 1, 0);
    for (int i = 199; i < 300; i += 2)
        memcpy(tag + i, "\xc3\xa9", 2);
    mfm_events_init(&cut, ctx, 0);
    mfm_events_scalar(&cut, tag, 1, 1, 0);
    CU_ASSERT_EQUAL_FATAL(cut.size, whole.size);
    CU_ASSERT_EQUAL(memcmp(cut.bytes, whole.bytes, cut.size), 0);
    mfm_events_clear(&cut);
    mfm_events_clear(&whole);
    mfm_ctx_free(ctx);
}

static const mfm_case cases[] = {
    {"the checksum is Castagnoli's", the_checksum_is_castagnolis},
    {"a scalar is an event", a_scalar_is_an_event},
    {"a long tag is cut", a_long_tag_is_cut},
    {"a tag is cut between characters", a_tag_is_cut_between_characters},
};

MFM_SUITE("core/report/tensorboard", cases)
