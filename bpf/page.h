// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* What a page says of itself: its node, and why it is not recycled. */
#include "page_pool.h"

/* A page from lru to _refcount: one helper call for all that is asked, since the call costs more than the bytes. */
struct page_part {
	u64 word[(PAGE_REFCOUNT - PAGE_LRU) / 8 + 1];
};
#define FIELD(part, type, offset) (*(type *)((u8 *)(part) + (offset) - PAGE_LRU))

/*
 * Since kernel commit c07aea3ef4d4 ("mm: add a signature in struct page", 5.14), which brought pp_magic, bit 1 of
 * lru.next says it; before, an index of -1. pp_magic is the same word, and up to 6.10 it is zero by the time that a
 * page's return passes the tracepoint; since kernel commit 4dec64c52e24 (6.11) it is cleared after.
 */
static bool page_is_pfmemalloc(struct page_part *page)
{
#if defined(PAGE_INDEX) && !defined(PAGE_PP_MAGIC)
	return FIELD(page, u64, PAGE_INDEX) == -1ULL;
#else
	return FIELD(page, u64, PAGE_LRU) & 2;
#endif
}

/*
 * Why the kernel does not recycle a page: __page_pool_page_can_be_recycled() in net/core/page_pool.c wants one
 * reference and no pfmemalloc. A page that passes is given back because the ring has no room.
 */
static u32 page_reason(u64 netmem)
{
	struct page_part page;

	if (netmem & 1)
		return RETURN_OTHER;
	bpf_probe_read_kernel(&page, sizeof(page), (void *)(netmem + PAGE_LRU));
	if (FIELD(&page, u32, PAGE_REFCOUNT) != 1)
		return RETURN_REFERENCED;
	return page_is_pfmemalloc(&page) ? RETURN_PFMEMALLOC : RETURN_RING_FULL;
}

/*
 * The node of a page. Since kernel commit 4dec64c52e24 ("page_pool: convert to use netmem", 6.11) the pools pass
 * netmem_ref: a page's address, or a net_iov's with bit 0 set, which has no page and is never a mismatch.
 */
static u32 page_node(u64 netmem)
{
	if (netmem & 1)
		return UNKNOWN_NODE;
	return known_node((read_u64(netmem + PAGE_FLAGS) >> NODES_SHIFT_IN_FLAGS) & NODES_MASK);
}
