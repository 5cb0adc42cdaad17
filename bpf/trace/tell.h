// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* What each kind of event says of itself. */
#include "page.h"
#include "trace/send.h"

static bool is_asked_for(u32 kind)
{
	return EVENTS & 1U << kind;
}

/* A page leaves its pool. A mismatch is a return, too: with both asked for, it is one event. */
static void tell_return(void *ctx, u64 pool, u64 netmem, u32 reason)
{
	struct event e = {
		.kind = reason == RETURN_NUMA ? EVENT_MISMATCH : EVENT_RETURN,
		.page_node = page_node(netmem),
		.wanted_node = wanted_node(pool),
		.reason = reason,
	};

	if (is_asked_for(e.kind))
		tell(ctx, &e, pool);
}

/* The slow path gave a page, and *pages* with it; 0: nobody knows how many. */
static void tell_slow(void *ctx, u64 pool, u64 netmem, s32 pages)
{
	struct event e = {
		.kind = EVENT_SLOW,
		.page_node = page_node(netmem),
		.wanted_node = wanted_node(pool),
		.reason = RETURNS,
		.pages = pages,
	};

	tell(ctx, &e, pool);
}

static void tell_create(void *ctx, u64 pool)
{
	struct event e = {
		.kind = EVENT_CREATE,
		.page_node = UNKNOWN_NODE,
		.wanted_node = wanted_node(pool),
		.reason = RETURNS,
	};

	tell(ctx, &e, pool);
}

static void tell_destroy(void *ctx, u64 pool, s32 inflight)
{
	struct event e = {
		.kind = EVENT_DESTROY,
		.page_node = UNKNOWN_NODE,
		.wanted_node = wanted_node(pool),
		.reason = RETURNS,
		.pages = inflight,
	};

	tell(ctx, &e, pool);
}

static void tell_update_nid(void *ctx, u64 pool, s32 nid)
{
	struct event e = {
		.kind = EVENT_UPDATE_NID,
		.page_node = UNKNOWN_NODE,
		.wanted_node = nid < 0 ? UNKNOWN_NODE : known_node(nid),
		.reason = RETURNS,
	};

	tell(ctx, &e, pool);
}
